"""The queue view: what runs here, what waits and for what, in the order in which it will start. What a tick does with
it is `mlhub.runner.queue`'s.
"""

from __future__ import annotations

import socket
import time
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.widgets import Static

from mlhub.compare.shown import main_metric
from mlhub.store.runs import step_of
from mlhub.text import local_time, one_line, seconds_between
from mlhub.tui import theme
from mlhub.tui.keys import bindings, shown_key
from mlhub.tui.runs.cells import short_count
from mlhub.tui.runs.progress import coarse, progress_of
from mlhub.tui.view import View
from mlhub.tui.widgets.table import Banner, Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.widget import Widget

    from mlhub.store.runs import Run
    from mlhub.tui.widgets.cells import Cell

#: seconds after which ages and ETAs are looked at again
_AGES = 30
_ADVICE = """Nothing runs here and nothing waits.

  mlhub run CONFIG --queue          lets a run wait for its turn
  mlhub run CONFIG --gpus 2         until two GPUs are free
  mlhub run CONFIG --after RUN      until another has completed"""


class QueueView(View):
    """Parts of the list have a heading each; a part without runs is left out, but for what waits."""

    NAME = "queue"
    TITLE = "Queue"
    BINDINGS: ClassVar[list[BindingType]] = bindings("queue")
    DEFAULT_CSS = """
    QueueView Static { padding: 1 2; height: auto; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._table = Table(frozen=1)
        self._advice = Static()
        self._made_of: tuple[object, ...] = ()
        self._parts: dict[str, list[Run]] = {}
        self._begun = False
        self._host = socket.gethostname()

    def content(self) -> ComposeResult:
        yield self._table
        yield self._advice

    def main(self) -> Widget:
        return self._table

    # what it shows

    def pull(self) -> None:
        snapshot, selection = self.model.runs, self.model.selection
        made_of = (
            snapshot.version, selection.version, self.look.name, self.beside, self.size.width,
            int(time.time() / _AGES),
        )  # fmt: skip
        if made_of == self._made_of:
            return
        self._made_of = made_of
        self._parts = parts = self._sorted()
        empty = not any(parts.values()) and not (snapshot.queue and snapshot.queue.paused)
        self._table.display, self._advice.display = not empty, empty
        if empty:
            self._advice.update(Text(_ADVICE, self.look.quiet))
        if parts["running"] and "runs" not in self.top.seen:  # else it asks for them, and for more
            self.model.series.want_sketches(parts["running"], {run.id: main_metric(run) for run in parts["running"]})
        keys = [
            key for name, runs in parts.items() if runs or name == "waiting" for key in (name, *(r.id for r in runs))
        ]
        self._table.show(self._columns(), keys, partial(self._cells, {run.id: run for run in snapshot.runs}))
        if not self._table.has_focus and selection.focus is not None:
            self._table.move_to_key(selection.focus)
        if not self._begun and len(keys) > 1:
            self._begun = True
            if self._table.cursor_key == keys[0]:  # a heading: what starts next is of more use
                self._table.move_to_key(next(run.id for name in ("waiting", *parts) for run in parts[name]))
        self.title.say(self._words())

    def _sorted(self) -> dict[str, list[Run]]:
        """Runs by the part they stand in."""
        snapshot = self.model.runs
        waiting = [run for run_id in snapshot.waiting if (run := snapshot.by_id.get(run_id)) and run.waiting]
        oldest_first = snapshot.runs[::-1]
        return {
            "running": [run for run in oldest_first if run.active and not run.waiting],
            "waiting": waiting,
            "to be retried": [run for run in oldest_first if run.to_be_retried],
            "waiting on other hosts": [run for run in oldest_first if run.waiting and run.host != self._host],
        }

    def _words(self) -> str:
        limit = self.model.settings.max_runs
        here = sum(run.host == self._host for run in self._parts["running"])
        held = ", HELD" if self.model.runs.queue and self.model.runs.queue.paused else ""
        return f"{here}{f' of {limit}' if limit else ''} active, {len(self._parts['waiting'])} waiting{held}"

    def _columns(self) -> list[Column]:
        wide = self.size.width
        return [
            Column("run", "run", width=22 if wide < 90 else 24 if wide < 120 else 34),
            Column("gpus", "GPUs", right=True),
            Column("priority", "prio", right=True),
            Column("since", "since", right=True),
            Column("eta", "ETA", right=True),
            Column("state", "what it does, or waits for", flex=True),
        ]

    def _cells(self, by_id: dict[int, Run], key: object) -> Sequence[Cell] | Banner:
        run = by_id.get(key) if isinstance(key, int) else None
        if run is None:
            return Banner(((self._heading(str(key)), self.look.style("accent", bold=True)),))
        plain, quiet, faint = self.look.plain, self.look.quiet, self.look.style("faint")
        mark = theme.glyph(theme.MARK) if run.id in self.model.selection.marks else " "
        waits = run.waiting
        gpus = str(run.gpus_wanted) if waits else ",".join(map(str, run.gpus))
        since = local_time(run.created_at if waits else run.started_at)
        name: Cell = [
            (mark, self.look.run_style(run.id)),
            (f"{theme.state_glyph(run.status)} ", self.look.status.get(run.status, plain)),
            (one_line(run.name), plain),
        ]
        return [
            name,
            (gpus, plain) if gpus and gpus != "0" else ("–", faint),
            (str(run.priority), plain) if run.priority else ("–", faint),
            (since[-5:] if self.size.width < 90 else since, quiet),
            (self._eta(run), plain if run.status == "running" else faint),
            (self._state(run), self.look.style("warn") if run.condition and not waits else quiet),
        ]

    def _heading(self, part: str) -> str:
        count = len(self._parts.get(part, ()))
        if part == "waiting":
            queue = self.model.runs.queue
            if queue is not None and queue.paused:
                key = shown_key("queue.hold", self.top.own_keys)
                return f"waiting {count}, HELD: {one_line(queue.reason or 'by hand')}; {key} lets it go on"
            return f"waiting {count}" if count else "waiting 0: mlhub run CONFIG --queue lets a run wait for its turn"
        if part == "waiting on other hosts":
            return f"{part} {count}: mlhub queue adopt HOST takes them over"
        return f"{part} {count}"

    def _eta(self, run: Run) -> str:
        if run.status != "running":
            return "–"
        return coarse(progress_of(run, self.model.series.sketch(run.id), step_of(run), time.time()).eta)

    def _state(self, run: Run) -> str:
        again = f"attempt {run.attempt}, " if run.attempt > 1 else ""
        where = f"on {run.host}, " if run.host != self._host else ""
        if run.waiting:
            words = run.condition or "starts when somebody looks"
        elif run.to_be_retried:
            words = f"{run.retries} left; {run.reason or 'failed'}"
        else:
            step = step_of(run)
            at = "" if step is None else f"step {short_count(step)}, "
            words = run.condition or f"{at}for {coarse(seconds_between(run.started_at, None))}"
        return one_line(f"{where}{again}{words}")

    # the cursor

    def on_descendant_focus(self) -> None:
        self._choose(self._table.cursor_key)

    def on_table_moved(self, event: Table.Moved) -> None:
        event.stop()
        if self._table.has_focus:
            self._choose(event.key)

    def on_table_opened(self, event: Table.Opened) -> None:
        event.stop()
        run = self.model.run(event.key) if isinstance(event.key, int) else None
        if run is None:
            return
        self._choose(run.id)
        if run.waiting:
            self._show_details(run)
        else:
            self.top.action_view("charts")

    def _choose(self, key: object) -> None:
        if isinstance(key, int):
            self.model.selection.choose(key)

    def _show_details(self, run: Run) -> None:
        from mlhub.tui.acting.dialogs import Notice

        by_id = self.model.runs.by_id
        after = [one_line(by_id[other].name) if other in by_id else str(other) for other in run.after]
        line = self.model.runs.waiting
        facts = [
            ("now", self._state(run)),
            ("place", f"{line.index(run.id) + 1} of {len(line)}" if run.id in line else f"on {run.host}"),
            ("queued", local_time(run.created_at)),
            ("priority", str(run.priority)),
            ("GPUs", str(run.gpus_wanted or "none asked for")),
            ("after", ", ".join(after)),
            ("retries", str(run.retries or "")),
            ("slots", f"starts while fewer than {run.slots} are active" if run.slots else ""),
            ("preset", run.preset or ""),
            ("folder", run.dir),
        ]
        lines = [f"{label:<9} {one_line(fact)}" for label, fact in facts if fact]
        self.app.push_screen(Notice(f"run {run.id}  {one_line(run.name)}", lines))

    # keys

    @property
    def _waiting_here(self) -> Run | None:
        """The waiting run under the cursor; if there is none, that is said."""
        key = self._table.cursor_key
        run = self.model.run(key) if isinstance(key, int) else None
        if run is not None and run.id in self.model.runs.waiting:
            return run
        self.top.say("only what waits here has a place in the queue", "warn")
        return None

    def action_move(self, by: int) -> None:
        """One place earlier or later."""
        if run := self._waiting_here:
            self.top.move_in_queue(run, by)

    def action_move_first(self) -> None:
        if run := self._waiting_here:
            self.top.move_in_queue(run, None)

    def action_hold(self) -> None:
        self.top.hold_queue()
