"""What the user does to runs from the screen: each asks where it can hurt, works in a thread, and says what came of it.

Each is a line of steps: choose, ask, do, tell. How they are carried out is `acting.doing`'s, what is done to rows
and processes `mlhub.tui.acting.deeds`'.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from textual import work

from mlhub.errors import MlhubError
from mlhub.text import duration, first_few, one_line, seconds_between
from mlhub.tui.acting.doing import Doing, asking, count_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlhub.store.runs import Run

#: more runs than this nobody acts on at once
_PLENTY = 1000
#: so many runs that are cancelled with others are named
_NAMED = 6


class Acting(Doing):
    """The actions of the app that change runs; mixed into `mlhub.tui.app.Top`."""

    #: moves within the queue, one after the other
    _moves: asyncio.Lock | None = None
    #: what was typed as tags
    _tag_history: tuple[str, ...] = ()

    # the actions

    @asking
    async def action_stop_runs(self) -> None:
        from mlhub.tui.acting import deeds
        from mlhub.tui.acting.dialogs import Confirm, names_of

        top = self.top
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
        lines += _cancelled_with([run for run in runs if run.active or run.to_be_retried], top.model.runs.runs)
        lines.append("mlhub resume, or R here, continues it later.")
        if await self.answer(Confirm(f"Stop {count_words(runs)}?", lines, "stop", "let run")):
            self.carry_out(runs, "stopping", lambda store: deeds.stop(store, runs), lasting=True)

    @asking
    async def action_resume_runs(self) -> None:
        from mlhub.tui.acting import deeds
        from mlhub.tui.acting.dialogs import Ask, Choice, names_of

        top = self.top
        chosen = self._chosen("resume")
        runs = [run for run in chosen if run.status in ("failed", "cancelled")]
        if not runs:
            self._nothing("nothing to resume", chosen, "C starts a completed one anew")
            return
        warnings = await asyncio.to_thread(deeds.code_warning, top.model.home, runs)
        places = await asyncio.to_thread(deeds.where_they_begin, top.model.home, runs)
        names = [f"{_state(run)}, attempt {run.attempt + 1} next" for run in runs]
        lines = [
            *names_of(names),
            "",
            *warnings,
            *places,
            "Each gets this screen's environment.",
        ]
        answer = await self.answer(
            Ask(
                f"Resume {count_words(runs)}?",
                lines,
                [Choice("y", "now", "now"), Choice("w", "wait in the queue", "queue"), Choice("n", "leave it", None)],
            )
        )
        if answer:
            job = partial(deeds.resume, settings=top.model.settings, runs=runs, queue=answer == "queue")
            self.carry_out(runs, "resuming", job)

    @asking
    async def action_rerun(self) -> None:
        from mlhub.tui.acting import rerun
        from mlhub.tui.acting.dialogs import Editor

        top = self.top
        run = top.model.focused
        if run is None:
            self._nothing("no run to copy", [])
            return
        try:
            form = await self.on_store(lambda store: rerun.form_of(store, run))
        except MlhubError as error:
            self.complain([error])
            return
        editor = Editor(
            f"A new run like {one_line(run.name)}" + (f"; code: {form.warning}" if form.warning else ""),
            form.text,
            submit=lambda text: self.open_store(lambda store: rerun.start(store, top.model.settings, form, text)),
            watch=lambda text: rerun.changes(form, text),
            verb="start it",
            at=form.at,
        )
        if said := await self.answer(editor):
            top.say(said, "good")
            top.model.feed.poke()

    @asking
    async def action_tag(self) -> None:
        from mlhub.tui.acting import deeds
        from mlhub.tui.acting.dialogs import Prompt, names_of

        top = self.top
        if not (runs := self._chosen("tag")):
            self._nothing("no run to tag", [])
            return
        names = [f"{one_line(run.name)}: {one_line(', '.join(run.tags)) or 'no tags'}" for run in runs]
        known = sorted({one_line(tag) for run in top.model.runs.runs for tag in run.tags})
        text = await self.answer(
            Prompt(
                f"Tag {count_words(runs)}",
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
        from mlhub.tui.acting import deeds
        from mlhub.tui.acting.dialogs import Editor

        top = self.top
        run = top.model.focused
        if run is None:
            self._nothing("no run to write a note on", [])
            return
        before = clean(run.note or "")
        said = await self.answer(
            Editor(
                f"A note on {one_line(run.name)}",
                before,
                submit=lambda text: self.open_store(lambda store: deeds.note(store, run, text)),
                verb="keep it",
                at=before.count("\n"),
            )
        )
        if said:
            top.say(said, "good")
            top.model.feed.poke()

    @asking
    async def action_delete(self) -> None:
        from mlhub.tui.acting import deeds
        from mlhub.tui.acting.dialogs import Confirm, names_of

        top = self.top
        chosen = self._chosen("delete")
        runs = [run for run in chosen if not run.active]
        if not runs:
            self._nothing("nothing to delete", chosen, "S stops it first")
            return
        kept = [one_line(run.name) for run in chosen if run.active]
        days = top.model.settings.trash_days
        folders = "its folder" if len(runs) == 1 else "their folders"
        lines = [
            *names_of([_state(run) for run in runs]),
            "",
            f"With everything in {folders}, checkpoints included; mlhub rm --restore brings back, for {days:g} days.",
            *([f"Active, so not these: {', '.join(kept)}."] if kept else []),
            *_cancelled_with(runs, top.model.runs.runs),
        ]
        if await self.answer(Confirm(f"Delete {count_words(runs)}?", lines, "to the trash", "keep")):
            self.carry_out(runs, "deleting", partial(deeds.delete, settings=top.model.settings, runs=runs))

    def action_copy_folder(self) -> None:
        """By OSC 52, which the terminal may or may not follow: so the folder is said too."""
        runs = self.top.model.chosen
        if not runs:
            self._nothing("no run whose folder could be copied", [])
            return
        folders = [one_line(run.dir) for run in runs]
        self.copy_to_clipboard("\n".join(folders))
        self.top.say(f"copied, if the terminal takes it: {first_few(folders, 1)}", "info")

    # the queue

    @work
    async def move_in_queue(self, run: Run, by: int | None) -> None:
        """Let a waiting run start earlier (-1) or later (1), or next (None). Presses are worked off in their order."""
        from mlhub.tui.acting import deeds

        if self._moves is None:
            self._moves = asyncio.Lock()
        async with self._moves:
            try:
                await self.on_store(lambda store: deeds.move(store, run, by))
            except MlhubError as error:
                self.complain([error])
        self.top.model.feed.poke()

    @asking
    async def hold_queue(self) -> None:
        """Let the queue start nothing more, or let it go on."""
        from mlhub.tui.acting import deeds
        from mlhub.tui.acting.dialogs import Confirm, Prompt

        top = self.top
        state, waiting = top.model.runs.queue, len(top.model.runs.waiting)
        if state is not None and state.paused:
            lines = [
                f"held: {one_line(state.reason or 'by hand')}",
                f"{_runs(waiting)} waiting; what may start, starts.",
            ]
            if not await self.answer(Confirm("Let the queue go on?", lines, "go on", "hold it")):
                return
            reason = None
        else:
            lines = [
                f"{_runs(waiting)} waiting would go on waiting. What runs goes on running.",
                "",
                "Why (may be empty):",
            ]
            reason = await self.answer(Prompt("Hold the queue?", lines))
            if reason is None:
                return
        self.carry_out([], "", partial(deeds.hold, settings=top.model.settings, reason=reason))

    # the steps

    def _chosen(self, what: str) -> list[Run]:
        """The chosen runs, those aside to which something is being done just now."""
        top = self.top
        busy = top.model.feed.doing
        free = [run for run in top.model.chosen if run.id not in busy]
        if busy and not free and top.model.chosen:
            run = top.model.chosen[0]
            top.say(f"{one_line(run.name)} is {busy[run.id]} just now; {what} it afterwards", "warn")
        return free[:_PLENTY]

    def _nothing(self, words: str, runs: Sequence[Run], hint: str = "") -> None:
        """Say why there is nothing to do."""
        if any(run.id in self.top.model.feed.doing for run in self.top.model.chosen) and not runs:
            return  # that was said
        why = f"{one_line(runs[0].name)} is {runs[0].status}" if len(runs) == 1 else ""
        told = "; ".join(part for part in (words, why, hint if runs else "choose one in the runs view") if part)
        self.top.say(told, "warn")


def dependents(runs: Sequence[Run], among: Sequence[Run]) -> list[Run]:
    """The waiting runs that come after these, directly or after one that does; the first ones first."""
    lost = {run.id for run in runs}
    waiting = sorted((run for run in among if run.waiting and run.id not in lost), key=lambda run: run.id)
    found: list[Run] = []
    while more := [run for run in waiting if run.id not in lost and lost & set(run.after)]:
        found += more
        lost |= {run.id for run in more}
    return found


def _cancelled_with(runs: Sequence[Run], among: Sequence[Run]) -> list[str]:
    """A line that says what else is cancelled, if anything is."""
    found = dependents(runs, among)
    if not found:
        return []
    names = first_few([one_line(run.name) for run in found], _NAMED)
    on = "it" if len(runs) == 1 else "them"
    one = len(found) == 1
    what = f"{len(found)} waiting " + (f"run depends on {on} and is" if one else f"runs depend on {on} and are")
    return [f"{what} cancelled: {names}."]


def _runs(count: int) -> str:
    return f"{count} run{'s' if count != 1 else ''}"


def _state(run: Run) -> str:
    """A run in a question: its name, its state and for how long."""
    since = run.started_at if run.active else run.ended_at
    seconds = seconds_between(since, None)
    ago = "" if seconds is None else f" {duration(seconds)}" if run.active else f" {duration(seconds)} ago"
    left = f", {len(run.orphans)} processes left behind" if run.orphans else ""
    return f"{one_line(run.name)}  {'waiting' if run.waiting else run.status}{ago}{left}"
