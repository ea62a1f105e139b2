"""The compare view: the marked runs beside each other, and what differs. What cells say is `compare.matrix`'s."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.widgets import Static

from mlhub.compare import tables
from mlhub.compare.comparison import compare
from mlhub.compare.sheet import make_sheet
from mlhub.files import replace_bytes
from mlhub.paths import RunPaths
from mlhub.runner.reconcile import elapsed
from mlhub.text import fit, one_line, size, width
from mlhub.tui.compare.matrix import Line, Matrix
from mlhub.tui.keys import bindings, shown_key
from mlhub.tui.view import View
from mlhub.tui.widgets.table import Banner, Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.widget import Widget

    from mlhub.compare.comparison import Comparison
    from mlhub.compare.configs import Flat
    from mlhub.store.runs import Run
    from mlhub.tui.widgets.cells import Cell

#: more runs than this stand as rows, unless the user says otherwise
_ACROSS = 6
#: a run's name above its column, a line's beside it, at most
_TITLE, _NAME, _NAME_BESIDE = 18, 30, 22
#: most terminals take no more in one OSC 52 sequence (100,000 bytes of base64)
_CLIPBOARD = 74_000
#: how many runs are marked where none of a group is under the cursor
_NEWEST = 5
_FORMATS = {"markdown": ("Markdown", "md"), "csv": ("CSV", "csv")}


class CompareView(View):
    """Runs as columns, or as rows where they are many; the baseline is marked, `b` chooses another."""

    NAME = "compare"
    TITLE = "Compare"
    BINDINGS: ClassVar[list[BindingType]] = bindings("compare")
    DEFAULT_CSS = """
    CompareView Static { padding: 1 2; height: auto; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._table = Table(frozen=1, by_column=True)
        self._advice = Static()
        self._table.display = False
        self._matrix: Matrix | None = None
        self._made_of: tuple[object, ...] = ()
        #: of runs whose configuration is their command line; read in a thread
        self._commands: dict[int, Flat] = {}
        self._asked: set[tuple[int, bool]] = set()
        self._order: Line | None = None
        #: what was compared; held, so that no id of theirs is given to another object
        self._runs: Sequence[Run] = ()

    def content(self) -> ComposeResult:
        yield self._table
        yield self._advice

    def main(self) -> Widget:
        return self._table if self._table.display else self

    # what it shows

    def pull(self) -> None:
        """Compare anew if one of the runs, the choice or what is to be seen of them has changed."""
        chosen = self.model.chosen
        prefs = self.model.prefs
        made_of = (
            *(id(run) for run in chosen), len(self.model.marked), self._commands, self.model.selection.baseline,
            self.look.name, prefs.only_differences, prefs.compare_use, prefs.compare_turned, self._order, self.beside,
        )  # fmt: skip
        if made_of == self._made_of:
            return
        self._made_of, self._runs = made_of, chosen
        if self._table.display != (len(chosen) > 1):
            focused = self.has_focus_within
            self._table.display, self._advice.display = len(chosen) > 1, len(chosen) < 2
            if focused:
                self.screen.set_focus(self.main(), scroll_visible=False)
        if len(chosen) < 2:
            self._matrix = None
            self._advise(chosen)
            return
        self._ask_for_commands(chosen)
        self._take(chosen)

    def _take(self, chosen: Sequence[Run]) -> None:
        prefs = self.model.prefs
        found = compare(
            chosen,
            baseline=self.model.selection.baseline,
            use="best" if prefs.compare_use == "best" else "last",
            everything=not prefs.only_differences,
            flats=self._commands,
        )
        self._matrix = matrix = Matrix(found, self.look, only=prefs.only_differences)
        order = [run.id for run in found.runs]
        if self._order is not None and self._order in matrix.lines():
            order = matrix.in_order(self._order)
        (self._show_down if self.turned else self._show_across)(matrix, order)
        state = "only what differs" if prefs.only_differences else "everything"
        ordered = f", in the order of {one_line(self._order.name)}" if self._order else ""
        self.title.say(f"{len(order)} runs, {state}{ordered}")

    @property
    def turned(self) -> bool:
        """Whether runs stand as rows."""
        way = self.model.prefs.compare_turned
        return way == "down" or (way != "across" and len(self.model.chosen) > _ACROSS)

    def _show_across(self, matrix: Matrix, order: list[int]) -> None:
        """A column a run."""
        known = self._run_columns()
        at = self._run_here() if known else order[0]
        seeds = matrix.found.seeds
        lines = matrix.lines()
        most = _NAME_BESIDE if self.beside or self.size.width < 100 else _NAME
        wide = min(most, max(sum(width(text) for text, _ in matrix.name(line, most)) for line in lines))
        columns = [
            Column("name", f"{len(order)} runs", width=max(10, wide)),
            *(Column(f"run {run_id}", matrix.run_title(run_id, _TITLE)) for run_id in order),
            *(Column(f"seeds {ids[0]}", matrix.spread_title(ids)) for ids in seeds),
        ]

        def cells(line: Any) -> Sequence[Cell] | Banner:  # noqa: ANN401 - a Line
            if line.section == "head":
                return Banner(((matrix.head(line.name), self.look.style("accent", bold=True)),))
            row: list[Cell] = [matrix.name(line, most), *(matrix.cell(line, run_id) for run_id in order)]
            return [*row, *(matrix.spread(line, ids) for ids in seeds)]

        self._table.show(columns, lines, cells)
        if at is not None:  # the cursor stays with its run
            self._table.move_to_column(f"run {at}")

    def _show_down(self, matrix: Matrix, order: list[int]) -> None:
        """A row a run."""
        lines = matrix.lines(heads=False)
        columns = [Column("name", f"{len(order)} runs")]
        columns += [Column(_column_of(line), fit(one_line(line.name), _TITLE, keep_end=True)) for line in lines]
        seeds = {f"seeds {ids[0]}": ids for ids in matrix.found.seeds}

        def cells(key: Any) -> Sequence[Cell]:  # noqa: ANN401 - a run's id, or the name of a group
            if key in seeds:
                title: Cell = (matrix.spread_title(seeds[key]), self.look.plain)
                return [title, *(matrix.spread(line, seeds[key]) for line in lines)]
            return [(matrix.run_title(key, _NAME), matrix.run_style(key)), *(matrix.cell(line, key) for line in lines)]

        self._table.show(columns, [*order, *seeds], cells)

    def _advise(self, chosen: Sequence[Run]) -> None:
        """What to do while there are not two runs to compare."""
        own = self.top.own_keys
        mark, group, runs = (shown_key(one, own) for one in ("mark", "compare.mark-group", "go-runs"))
        words = Text()
        words.append(f"{len(self.model.marked)} of 2 runs are marked.\n\n", self.look.plain)
        words.append(f"{runs:<6} go to the runs, {mark} marks the one under the cursor\n", self.look.plain)
        which = (
            f"the runs of group {one_line(chosen[0].group)}" if chosen and chosen[0].group else f"the newest {_NEWEST}"
        )
        words.append(f"{group:<6} compare {which}\n", self.look.plain)
        if not self.model.runs.runs:
            words.append("\nThere is no run yet: mlhub run quickstart starts one.\n", self.look.quiet)
        self._advice.update(words)
        self.title.say("")

    # command lines

    def _ask_for_commands(self, chosen: Sequence[Run]) -> None:
        """What command lines say beside configurations stands in files: that is a thread's work."""
        asked = [run for run in chosen if (run.id, bool(run.config)) not in self._asked]
        if asked:
            self._asked.update((run.id, bool(run.config)) for run in asked)  # a program's own comes while it runs
            folders = [(run.id, RunPaths(Path(run.dir)), run.config) for run in asked]
            self.run_worker(lambda: self._read_commands(folders), thread=True, exit_on_error=False)

    def _read_commands(self, folders: list[tuple[int, RunPaths, dict[str, Any]]]) -> None:
        from mlhub.runner.folder import said_beside

        self._commands = self._commands | {run_id: said_beside(paths, config) for run_id, paths, config in folders}

    # keys

    def _run_columns(self) -> bool:
        return any(column.key.startswith("run ") for column in self._table.columns)

    def _run_here(self) -> int | None:
        """The run under the cursor."""
        if self._run_columns():
            word, _, run_id = self._table.cursor_column.partition(" ")
            return int(run_id) if word == "run" else None
        key = self._table.cursor_key
        return key if isinstance(key, int) else None

    def _line_here(self) -> Line | None:
        if self._run_columns():
            key = self._table.cursor_key
            return key if isinstance(key, Line) and key.section != "head" else None
        lines = self._matrix.lines(heads=False) if self._matrix else []
        return next((line for line in lines if _column_of(line) == self._table.cursor_column), None)

    def action_baseline(self) -> None:
        """Compare with the run under the cursor."""
        if (run_id := self._run_here()) is not None:
            self.model.selection.set_baseline(run_id)
            self.pull()

    def action_differences(self) -> None:
        self.model.prefs.only_differences = not self.model.prefs.only_differences
        self.pull()

    def action_use(self) -> None:
        """The newest values, or the best."""
        self.model.prefs.compare_use = "last" if self.model.prefs.compare_use == "best" else "best"
        self.pull()

    def action_turn(self) -> None:
        self.model.prefs.compare_turned = "across" if self.turned else "down"
        self.pull()

    def action_order(self) -> None:
        """Runs in the order of the line under the cursor; a second time: as they were marked."""
        line = self._line_here()
        self._order = None if line == self._order else line
        self.pull()

    def action_mark(self) -> None:
        """Take away the mark of the run under the cursor."""
        if (run_id := self._run_here()) is not None and run_id in self.model.selection.marks:
            self.model.selection.toggle(run_id)
            self.top.pull()

    def action_mark_group(self) -> None:
        """Mark the runs of the focused run's group, else the newest."""
        focused = self.model.focused
        group = focused.group if focused else None
        runs = self.model.runs.runs
        wanted = [run for run in runs if run.group == group] if group else list(runs[:_NEWEST])
        for run in reversed(wanted):
            if run.id not in self.model.selection.marks:
                self.model.selection.toggle(run.id)
        self.top.pull()

    def on_table_opened(self, event: Table.Opened) -> None:
        """The curves of the run under the cursor."""
        event.stop()
        if (run_id := self._run_here()) is not None:
            self.model.selection.choose(run_id)
            self.top.action_view("charts")

    # copies

    def action_copy(self, form: str) -> None:
        """To the clipboard by OSC 52, and into a file, as not every terminal lets that through."""
        if self._matrix is None:
            self.top.say("mark two runs first", "warn")
            return
        found = self._matrix.found
        self.run_worker(lambda: self._write(form, found), thread=True, exit_on_error=False)

    def _write(self, form: str, found: Comparison) -> None:
        title, ending = _FORMATS[form]
        if form == "csv":
            text = tables.to_csv(found, elapsed)
        else:
            text = tables.to_markdown(make_sheet(found, elapsed, together=False))
        path = self.model.home.root / "exports" / f"compare.{ending}"
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            replace_bytes(path, text.encode(errors="replace"))
        except OSError as error:
            self.app.call_from_thread(self._copied, title, text, one_line(str(error)), None)
        else:
            self.app.call_from_thread(self._copied, title, text, "", path)

    def _copied(self, title: str, text: str, error: str, path: Path | None) -> None:
        """Say where the copy is; back on the main thread."""
        length = len(text.encode(errors="replace"))
        where = f"in {one_line(str(path))}" if path else f"not in a file: {error}"
        if length > _CLIPBOARD:
            self.top.say(f"{title}, {size(length)}: too much for a terminal's clipboard, {where}", "warn")
            return
        self.app.copy_to_clipboard(text)
        self.top.say(f"copied {size(length)} of {title}; also {where}", "good" if path else "warn")


def _column_of(line: Line) -> str:
    return json.dumps(line)
