"""The runs view: all runs in a table, filtered, sorted and grouped as the user likes; the cursor chooses for all views.

Which rows, in which order: `mlhub.tui.runs.roster`. What stands in them: `mlhub.tui.runs.columns`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from textual.widgets import Static

from mlhub.query import QueryError, parse
from mlhub.text import one_line, width
from mlhub.tui import theme
from mlhub.tui.keys import bindings
from mlhub.tui.runs.cells import Row, group_row, state_cell
from mlhub.tui.runs.columns import FIELDS, Field, choices, field_of, usual
from mlhub.tui.runs.filterline import FilterLine
from mlhub.tui.runs.preview import Preview
from mlhub.tui.runs.roster import Group, Roster
from mlhub.tui.view import View, plain
from mlhub.tui.widgets.table import Banner, Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.widget import Widget

    from mlhub.store.runs import Run
    from mlhub.tui.charts.series import Sketch
    from mlhub.tui.widgets.cells import Cell, Part

_EXAMPLE = "status:running tag:x cfg.training.lr>=1e-3 val/map_64>0.5 -name:test"
_NONE = "no runs yet; start one: mlhub run quickstart"
#: rows whose columns are offered in the dialog: the newest
_OFFERED = 300
#: the column of the state: a mark, a glyph and a word; wider while something is done to a run
_STATE, _DOING = 7, 9
#: seconds after which a filter that asks for time is asked again
_AGES = 30


class RunsView(View):
    """Pulls rows; moves the cursor of all views."""

    NAME = "runs"
    TITLE = "Runs"
    BINDINGS: ClassVar[list[BindingType]] = bindings("runs")
    DEFAULT_CSS = "RunsView > Static { padding: 1 2; height: auto; }"

    def __init__(self) -> None:
        super().__init__()
        self._table = Table(frozen=2)
        self._advice = Static(plain(_NONE))
        self._advice.display = False
        self._preview = Preview()
        self._line: FilterLine
        self._roster = Roster()
        #: the filter as it was before another one is typed
        self._before = self._roster.query
        self._error: str | None = None
        self._fields: tuple[Field, ...] = ()
        self._columns: tuple[Column, ...] = ()
        self._arranged: tuple[object, ...] = ()
        self._touched: tuple[object, ...] = ()
        #: what a row's cells were made of, and the cells
        self._made: dict[int, tuple[Run, Sketch | None, str, int, tuple[Cell, ...]]] = {}
        self._marks: tuple[tuple[object, ...], dict[int, str]] = ((), {})
        self._heads: dict[str, tuple[Group, bool, Banner]] = {}
        self._live = self._loaded = False

    def content(self) -> ComposeResult:
        self._line = FilterLine(self.model.prefs.filter, _EXAMPLE)
        yield self._table
        yield self._advice
        yield self._preview
        yield self._line

    def main(self) -> Widget:
        return self._table

    # taking what is new

    def pull(self) -> None:
        """Arrange the rows if one is new, repaint those in sight if one says something else."""
        model = self.model
        if not self._loaded:
            self._loaded = True
            self._load()
        age = int(time.time()) // _AGES if self._roster.of_time else 0
        arranged = (model.runs.version, model.runs.settled, self.size.width, self.look.name, age)
        if arranged != self._arranged or self._roster.more:
            if arranged[3:] != self._arranged[3:]:
                self._roster.forget()
            self._arranged = arranged
            self._arrange()
        self._draw()
        second = int(time.time()) if self._live else 0
        touched = (model.series.version, model.selection.version, second)
        if touched != self._touched:
            self._touch(touched)

    def _draw(self) -> None:
        """The curve of the run under the cursor, where no other view shows it."""
        if not self._preview.display:
            self._preview.put_away(self.model)
            return
        run = self.model.focused
        self._preview.pull(self.model, self.look, run, self._roster.metric_of(run) if run is not None else "")

    def placed(self, *, beside: bool) -> None:
        super().placed(beside=beside)
        self._show_parts()

    def _show_parts(self) -> None:
        """What to do next where there is nothing to see; the curve where there is room."""
        none = not self.model.runs.runs and self.model.runs.settled
        self._advice.display = none
        self._table.display = not none
        self._preview.display = not none and not self.beside and not self.top.zoomed

    def _load(self) -> None:
        """What the user left, the day before."""
        prefs, roster = self.model.prefs, self._roster
        roster.sort = prefs.sort if field_of(prefs.sort) else ""
        roster.turned, roster.grouped, roster.folded = not prefs.descending, prefs.group, set(prefs.folded)
        self._set_filter(prefs.filter)

    def _arrange(self) -> None:
        """Rows and columns anew."""
        roster, runs = self._roster, self.model.runs
        before = roster.mixed, roster.metric
        roster.take(runs.runs)
        self._live = any(run.status == "running" for run in runs.runs)
        if before != (roster.mixed, roster.metric):
            self._made = {}
        self._lay_columns()
        self._table.show(self._columns, roster.keys, self._cells)
        self._made = {key: made for key, made in self._made.items() if key in runs.by_id}
        focus = self.model.selection.focus
        if focus is not None and focus != self._table.cursor_key:
            self._table.move_to_key(focus, say=False)
        self._show_parts()
        self._say()
        self._want()

    def _touch(self, touched: tuple[object, ...]) -> None:
        moved = touched[1] != self._touched[1:2]
        self._touched = touched
        focus = self.model.selection.focus
        if moved and focus is not None and focus != self._table.cursor_key:
            self._table.move_to_key(focus, say=False)
        self._table.touch()
        self._want()

    def _want(self) -> None:
        """Sketches of the rows in sight are read, no others."""
        by_id = self.model.runs.by_id
        runs = [run for key in self._table.rows_in_sight if isinstance(key, int) and (run := by_id.get(key))]
        self.model.series.want_sketches(runs, {run.id: self._roster.metric_of(run) for run in runs})

    def _say(self) -> None:
        roster, whole = self._roster, len(self.model.runs.runs)
        count = f"{roster.shown:,} of {whole:,}" if roster.query or roster.more else f"{whole:,}"
        field = field_of(roster.sort)
        words = [count, *([f"by {field.title}"] if field else []), *(["in groups"] if roster.grouped else [])]
        if roster.query:
            words.append(f"filter {one_line(roster.query.text)}")
        self.title.say(", ".join(words))
        self._line.say(self._error or f"{count}   esc clears", "bad" if self._error else "dim")

    # columns

    def _lay_columns(self) -> None:
        names = [name for name in self.model.prefs.columns if name != "name"] or usual(self.size.width)
        fields = tuple(field for name in names if (field := field_of(name)) is not None)
        columns = (
            Column("status", " state", _DOING if self.model.feed.doing else _STATE),
            self._column(FIELDS["name"]),
            *(self._column(field) for field in fields),
        )
        if columns != self._columns or fields != self._fields:
            self._fields, self._columns, self._made = fields, columns, {}

    def _column(self, field: Field) -> Column:
        roster, title, wide = self._roster, field.title, field.width
        if field.id == "metric":
            title = "metric" if roster.mixed or not roster.metric else one_line(roster.metric.rsplit("/", 1)[-1])
            wide = 15 if roster.mixed else 8
        elif field.id == "alerts":
            title = theme.glyph(theme.ALERT)
        if field.id == roster.sort:
            title = theme.glyph(("↓", "v") if field.down != roster.turned else ("↑", "^")) + title
        if ":" in field.id:  # a metric's name, which should be read whole
            wide = max(wide, min(width(title), 16))
        return Column(field.id, title, wide, field.right, field.flex)

    # cells

    def _cells(self, key: object) -> Sequence[Cell] | Banner:
        if isinstance(key, str):
            return self._head(key)
        if not isinstance(key, int) or (run := self.model.run(key)) is None:
            return ()
        now = time.time()
        sketch, mark, second = self.model.series.sketch(key), self._mark_of(key), int(now)
        made = self._made.get(key)
        same = made is not None and made[0] is run and made[1] is sketch and made[2] == mark
        if made is not None and same and (not run.active or made[3] == second):
            return made[4]
        row = Row(run, sketch, self.look, now, "" if self._roster.mixed else self._roster.metric)
        doing = self.model.feed.doing.get(key, "")
        state = state_cell(run, self.look, doing if doing == run.condition else "", mark=mark)
        cells = (state, self._words(run), *(field.cell(row) for field in self._fields))
        if made is not None and made[4] == cells:
            cells = made[4]
        self._made[key] = (run, sketch, mark, second, cells)
        return cells

    def _mark_of(self, key: int) -> str:
        """The colour of a marked run, as charts have it; empty of another."""
        marks = tuple(run_id for run_id in self.model.selection.marks if run_id in self.model.runs.by_id)
        of = (marks, self.look.name)
        if of != self._marks[0]:
            self._marks = (of, theme.colours_of(self.look, marks))
        return self._marks[1].get(key, "")

    def _words(self, run: Run) -> Part:
        within = "  " if self._roster.grouped and run.group else ""
        return within + one_line(run.name), self.look.plain

    def _head(self, name: str) -> Banner:
        """The row of a group: how many, in which states, the best of them, and the mean over its runs."""
        group, folded = self._roster.groups[name], name in self._roster.folded
        made = self._heads.get(name)
        if made is not None and made[1] == folded and _same(made[0], group):
            return made[2]
        banner = Banner(group_row(group, self.look, folded=folded))
        self._heads[name] = (group, folded, banner)
        return banner

    # what the user does

    @property
    def group_under_cursor(self) -> tuple[int, ...]:
        """The runs of the group whose row the cursor is on, for the app to mark."""
        key = self._table.cursor_key
        group = self._roster.groups.get(key) if isinstance(key, str) else None
        return tuple(run.id for run in group.runs) if group is not None else ()

    def on_table_moved(self, event: Table.Moved) -> None:
        """A message of a cursor that has gone on since is passed over."""
        event.stop()
        key, selection = event.key, self.model.selection
        if (
            key is None
            or key != self._table.cursor_key
            or (not self.model.runs.settled and selection.focus is not None)
        ):
            return
        selection.choose(key if isinstance(key, int) else None)
        self._want()

    def on_table_opened(self, event: Table.Opened) -> None:
        event.stop()
        if isinstance(event.key, str):
            self._fold(event.key)
        else:
            self.top.action_view("charts")

    def on_table_head_clicked(self, event: Table.HeadClicked) -> None:
        event.stop()
        if event.column == self._roster.sort:
            self.action_reverse()
        else:
            self._sort_by(event.column)

    def action_sort(self) -> None:
        """By the next column that sorts; after the last, as it was at first."""
        names = ["", *dict.fromkeys(column.key for column in self._columns if _sorts(column.key))]
        at = names.index(self._roster.sort) if self._roster.sort in names else 0
        self._sort_by(names[(at + 1) % len(names)])

    def action_reverse(self) -> None:
        self._roster.turned = not self._roster.turned
        self.model.prefs.descending = not self._roster.turned
        self._arrange()

    def _sort_by(self, name: str) -> None:
        if name and not _sorts(name):
            self.top.say("that column does not sort", "dim")
            return
        self._roster.sort, self._roster.turned = name, False
        self.model.prefs.sort, self.model.prefs.descending = name, True
        self._roster.forget()
        self._arrange()
        field = field_of(name)
        self.top.say(f"by {field.about}" if field else "what runs, what waits, then the newest", "dim")

    def action_group(self) -> None:
        self._roster.grouped = self.model.prefs.group = not self._roster.grouped
        self._made = {}
        self._arrange()
        if self._roster.grouped and not self._roster.groups:
            self.top.say("no run here has a group; mlhub run --group NAME gives one", "dim")

    def action_fold(self) -> None:
        """The group under the cursor, or that of the run under it."""
        key = self._table.cursor_key
        run = self.model.run(key) if isinstance(key, int) else None
        name = key if isinstance(key, str) else run.group if run is not None else None
        if self._roster.grouped and name:
            self._fold(name)

    def _fold(self, name: str) -> None:
        self._roster.folded ^= {name}
        self.model.prefs.folded = sorted(self._roster.folded)
        if name in self._roster.folded:
            self._table.move_to_key(name)
            self.model.selection.choose(None)
        self._arrange()

    def action_columns(self) -> None:
        """Let the user choose."""
        from mlhub.tui.runs.columnpicker import ColumnPicker

        chosen = [field.id for field in self._fields]
        newest = sorted(self.model.runs.runs, key=lambda run: -run.id)[:_OFFERED]
        self.app.push_screen(ColumnPicker(choices(newest), chosen), self._choose_columns)

    def _choose_columns(self, names: list[str] | None) -> None:
        if names is not None:
            self.model.prefs.columns = names
            self._arrange()

    # the filter

    def action_find(self) -> None:
        self.run_find()

    def run_find(self) -> None:
        """Type a filter."""
        self._before = self._roster.query
        self._line.open()
        self._say()

    def on_filter_line_changed(self, event: FilterLine.Changed) -> None:
        event.stop()
        self._set_filter(event.text)
        self._arrange()

    def on_filter_line_kept(self, event: FilterLine.Kept) -> None:
        event.stop()
        self._table.focus()

    def _set_filter(self, text: str) -> None:
        """Filter by it; what is no query (yet) is said, and the one of before it was typed stays."""
        try:
            query, self._error = parse(text), None
            self.model.prefs.filter = query.text
        except QueryError as error:
            query, self._error = self._before, f"{error.short}, at character {error.at + 1}"
        if query is not self._roster.query:
            self._roster.query = query
            self._roster.forget()

    def leave(self) -> bool:
        if not self._line.display:
            return False
        self._line.clear()
        self._table.focus()
        self._set_filter("")
        self._arrange()
        return True

    # how it stands

    def restyle(self) -> None:
        self._made, self._heads = {}, {}
        self._preview.refresh_look()
        super().restyle()
        self._arranged = ()


def _sorts(name: str) -> bool:
    field = field_of(name)
    return field is not None and field.value is not None


def _same(one: Group, other: Group) -> bool:
    return len(one.runs) == len(other.runs) and all(a is b for a, b in zip(one.runs, other.runs, strict=True))
