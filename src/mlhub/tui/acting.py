"""What the user does to runs from the screen: each asks where it can hurt, works in a thread, and says what came of it.

Each is a line of steps: choose, ask, do, tell. Nothing here touches a row, a file or a process on the main thread:
that is `mlhub.tui.deeds` with a store of its own. Quitting waits for a start that is under way, never for a stop.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from textual import work

from mlhub.errors import MlhubError
from mlhub.text import duration, one_line, width

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from textual.app import App
    from textual.screen import ModalScreen

    from mlhub.store.runs import Run
    from mlhub.store.store import Store
    from mlhub.tui.app import Top
    from mlhub.tui.deeds import Said

    _App = App[None]
else:
    _App = object

_T = TypeVar("_T")
#: runs on each of which one may sit for long: beyond this nobody reads the list
_PLENTY = 1000


def asking(action: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Any]:
    """An action that asks something. Of two presses of its key, or of two such keys, one counts."""

    @wraps(action)
    async def once(self: Acting, *arguments: Any) -> None:  # noqa: ANN401 - the action's own
        if self._asks:
            return
        self._asks = True
        try:
            await action(self, *arguments)
        finally:
            self._asks = False

    return work(once)


class Acting(_App):
    """The actions of the app that change runs; mixed into `mlhub.tui.app.Top`."""

    #: whether a question stands on the screen, or is being made
    _asks = False
    #: what was typed as tags
    _tag_history: tuple[str, ...] = ()

    @property
    def _top(self) -> Top:
        return cast("Top", self)

    # the actions

    @asking
    async def action_stop_runs(self) -> None:
        from mlhub.tui import deeds
        from mlhub.tui.dialogs import Confirm, names_of

        top = self._top
        chosen = self._chosen("stop")
        runs = [run for run in chosen if run.active or run.to_be_retried or run.orphans]
        if not runs:
            self._nothing("nothing to stop", chosen)
            return
        grace = await asyncio.to_thread(deeds.grace_words, top.model.home, runs)
        waiting = sum(run.waiting for run in runs)
        lines = [*names_of([_state(run) for run in runs]), "", *([grace] if grace else [])]
        if waiting:
            lines.append("What waits in the queue is cancelled." if waiting > 1 or grace else "It is cancelled.")
        lines.append("mlhub resume, or R here, continues it later.")
        if await self._answer(Confirm(f"Stop {_count(runs)}?", lines, "stop", "let run")):
            self.carry_out(runs, "stopping", lambda store: deeds.stop(store, runs), lasting=True)

    @asking
    async def action_resume_runs(self) -> None:
        from mlhub.tui import deeds
        from mlhub.tui.dialogs import Ask, Choice, names_of

        top = self._top
        chosen = self._chosen("resume")
        runs = [run for run in chosen if run.status in ("failed", "cancelled")]
        if not runs:
            self._nothing("nothing to resume", chosen, "C starts a completed one anew")
            return
        warnings = await asyncio.to_thread(deeds.code_warning, top.model.home, runs)
        names = [f"{_state(run)}, attempt {run.attempt + 1} next" for run in runs]
        lines = [
            *names_of(names),
            "",
            *warnings,
            "Each goes on from its last checkpoint, with this screen's environment.",
        ]
        answer = await self._answer(
            Ask(
                f"Resume {_count(runs)}?",
                lines,
                [Choice("y", "now", "now"), Choice("w", "wait in the queue", "queue"), Choice("n", "leave it", None)],
            )
        )
        if answer:
            job = partial(deeds.resume, settings=top.model.settings, runs=runs, queue=answer == "queue")
            self.carry_out(runs, "resuming", job)

    @asking
    async def action_rerun(self) -> None:
        from mlhub.tui import rerun
        from mlhub.tui.dialogs import Editor

        top = self._top
        run = top.model.focused
        if run is None:
            self._nothing("no run to copy", [])
            return
        try:
            form = await self._on_store(lambda store: rerun.form_of(store, run))
        except MlhubError as error:
            self._complain([error])
            return
        editor = Editor(
            f"A new run like {one_line(run.name)}" + (f"; code: {form.warning}" if form.warning else ""),
            form.text,
            submit=lambda text: self._open_store(lambda store: rerun.start(store, top.model.settings, form, text)),
            watch=lambda text: rerun.changes(form, text),
            verb="start it",
            at=form.at,
        )
        if said := await self._answer(editor):
            top.say(said, "good")
            top.model.feed.poke()

    @asking
    async def action_tag(self) -> None:
        from mlhub.tui import deeds
        from mlhub.tui.dialogs import Prompt, names_of

        top = self._top
        if not (runs := self._chosen("tag")):
            self._nothing("no run to tag", [])
            return
        names = [f"{one_line(run.name)}: {one_line(', '.join(run.tags)) or 'no tags'}" for run in runs]
        known = sorted({one_line(tag) for run in top.model.runs.runs for tag in run.tags})
        text = await self._answer(
            Prompt(
                f"Tag {_count(runs)}",
                [*names_of(names, 6), "", "paper fast: adds two; -old: takes one away"],
                check=deeds.tag_words,
                known=known,
                history=self._tag_history,
            )
        )
        if text and text.strip():
            self._tag_history = (*self._tag_history[-20:], text)
            add, remove = deeds.tag_words(text)
            self.carry_out(runs, "tagging", lambda store: deeds.tag(store, runs, add, remove))

    @asking
    async def action_note(self) -> None:
        from mlhub.text import clean
        from mlhub.tui import deeds
        from mlhub.tui.dialogs import Editor

        top = self._top
        run = top.model.focused
        if run is None:
            self._nothing("no run to write a note on", [])
            return
        before = clean(run.note or "")
        said = await self._answer(
            Editor(
                f"A note on {one_line(run.name)}",
                before,
                submit=lambda text: self._open_store(lambda store: deeds.note(store, run, text)),
                verb="keep it",
                at=before.count("\n"),
            )
        )
        if said:
            top.say(said, "good")
            top.model.feed.poke()

    @asking
    async def action_delete(self) -> None:
        from mlhub.tui import deeds
        from mlhub.tui.dialogs import Confirm, names_of

        top = self._top
        chosen = self._chosen("delete")
        runs = [run for run in chosen if not run.active]
        if not runs:
            self._nothing("nothing to delete", chosen, "S stops it first")
            return
        ids = {run.id for run in runs}
        after = [one_line(other.name) for other in top.model.runs.runs if other.waiting and ids & set(other.after)]
        kept = [one_line(run.name) for run in chosen if run.active]
        days = top.model.settings.trash_days
        folders = "its folder" if len(runs) == 1 else "their folders"
        lines = [
            *names_of([_state(run) for run in runs]),
            "",
            f"With everything in {folders}, checkpoints included; mlhub rm --restore brings back, for {days:g} days.",
            *([f"Active, so not these: {', '.join(kept)}."] if kept else []),
            *([f"What waits for it will be cancelled: {', '.join(after)}."] if after else []),
        ]
        if await self._answer(Confirm(f"Delete {_count(runs)}?", lines, "to the trash", "keep")):
            self.carry_out(runs, "deleting", partial(deeds.delete, settings=top.model.settings, runs=runs))

    def action_copy_folder(self) -> None:
        """By OSC 52, which the terminal may or may not follow: so the folder is said too."""
        runs = self._top.model.chosen
        if not runs:
            self._nothing("no run whose folder could be copied", [])
            return
        folders = [one_line(run.dir) for run in runs]
        self.copy_to_clipboard("\n".join(folders))
        more = f" and {len(folders) - 1} more" if len(folders) > 1 else ""
        self._top.say(f"copied, if the terminal takes it: {folders[0]}{more}", "info")

    # the steps

    def _chosen(self, what: str) -> list[Run]:
        """The chosen runs, those aside to which something is being done just now."""
        top = self._top
        busy = top.model.feed.doing
        free = [run for run in top.model.chosen if run.id not in busy]
        if busy and not free and top.model.chosen:
            run = top.model.chosen[0]
            top.say(f"{one_line(run.name)} is {busy[run.id]} just now; {what} it afterwards", "warn")
        return free[:_PLENTY]

    def _nothing(self, words: str, runs: Sequence[Run], hint: str = "") -> None:
        """Say why there is nothing to do."""
        if any(run.id in self._top.model.feed.doing for run in self._top.model.chosen) and not runs:
            return  # that was said
        why = f"{one_line(runs[0].name)} is {runs[0].status}" if len(runs) == 1 else ""
        told = "; ".join(part for part in (words, why, hint if runs else "choose one in the runs view") if part)
        self._top.say(told, "warn")

    async def _answer(self, dialog: ModalScreen[str | None]) -> str | None:
        """What a dialog gives."""
        return await self.push_screen_wait(dialog)

    @work
    async def carry_out(
        self, runs: Sequence[Run], word: str, job: Callable[[Store], Said], *, lasting: bool = False
    ) -> None:
        """Do something to runs in a thread, and say what came of it; their rows say `word` meanwhile.

        `lasting`: the screen may be left before its end, which somebody else will bring about.
        """
        feed = self._top.model.feed
        ids = [run.id for run in runs]
        feed.mark(dict.fromkeys(ids, word))
        try:
            said = await self._on_store(job, lasting=lasting)
        except MlhubError as error:
            self._complain([error])
        else:
            self._tell(said)
        finally:
            feed.unmark(ids)

    def _tell(self, said: Said) -> None:
        lines = said.lines
        line = "; ".join(lines)
        self._top.say(line, said.colour)
        if said.errors and width(line) + 2 > self.size.width and len(self.screen_stack) == 1:
            from mlhub.tui.dialogs import Notice

            self.push_screen(Notice("Not everything went well", lines))

    def _complain(self, errors: Sequence[MlhubError]) -> None:
        from mlhub.tui.deeds import Said

        self._tell(Said("", tuple(errors)))

    async def _on_store(self, job: Callable[[Store], _T], *, lasting: bool = False) -> _T:
        """`job` with a store of its own, in a thread. Raises MlhubError."""
        if lasting:
            return await in_daemon(lambda: self._open_store(job))
        return await asyncio.to_thread(self._open_store, job)

    def _open_store(self, job: Callable[[Store], _T]) -> _T:
        from mlhub.store.store import Store

        model = self._top.model
        try:
            store = Store.open(model.home)
            try:
                return job(store)
            finally:
                store.close()
        except MlhubError:
            raise
        except Exception as error:  # house rule 5: the outermost step of a thread; the screen must outlive it
            from mlhub.tui.app import write_report

            report = write_report(model, error)
            where = f"The report is in {report}" if report else "Try again."
            raise MlhubError(f"it failed: {type(error).__name__}: {error}", where) from error


async def in_daemon(work: Callable[[], _T]) -> _T:
    """`asyncio.to_thread` for what the end of the program need not wait for."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def settle(give: Callable[[Any], None], value: object) -> None:
        if not future.done():
            give(value)

    def run() -> None:
        try:
            give: tuple[Callable[[Any], None], object] = (future.set_result, work())
        except BaseException as error:  # house rule 5: a thread's outermost step; handed on whole to who waits
            give = (future.set_exception, error)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, *give)

    threading.Thread(target=run, name="deed", daemon=True).start()
    return await future


def _count(runs: Sequence[Run]) -> str:
    return one_line(runs[0].name) if len(runs) == 1 else f"{len(runs)} runs"


def _state(run: Run) -> str:
    """A run in a question: its name, its state and for how long."""
    from mlhub.text import seconds_between

    since = run.started_at if run.active else run.ended_at
    seconds = seconds_between(since, None)
    ago = "" if seconds is None else f" {duration(seconds)}" if run.active else f" {duration(seconds)} ago"
    left = f", {len(run.orphans)} processes left behind" if run.orphans else ""
    return f"{one_line(run.name)}  {'waiting' if run.waiting else run.status}{ago}{left}"
