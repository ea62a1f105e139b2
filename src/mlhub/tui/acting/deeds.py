"""What the actions of the screen do to runs: functions of a store, for a thread, which say what came of it.

Rows are read anew here: those on the screen may be of the past. Questions and keys are `mlhub.tui.acting.actions`'s.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlhub.errors import MlhubError
from mlhub.runner import record
from mlhub.runner.kinds import is_hashing
from mlhub.store.store import Store
from mlhub.text import duration, first_few, one_line, size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlhub.paths import Home
    from mlhub.settings import Settings
    from mlhub.store.runs import Run

#: runs that are started again at the same time
_AT_ONCE = 8
#: so many of those that begin anew are named
_NAMED = 6


@dataclass(frozen=True, slots=True)
class Said:
    """What was done, in a line; `errors` are what was not."""

    text: str
    errors: tuple[MlhubError, ...] = ()

    @property
    def colour(self) -> str:
        return "bad" if self.errors else "good"

    @property
    def lines(self) -> list[str]:
        """All of it."""
        return [*([self.text] if self.text else []), *(words(error) for error in self.errors)]


def words(error: MlhubError) -> str:
    """Message and hint as one clean line."""
    return one_line(f"{error.message}. {error.hint}" if error.hint else error.message)


def _each(store: Store, runs: Sequence[Run], work: Callable[[Store, Run], str], done: str, *, at_once: int = 1) -> Said:
    """`work` on each run as it is now, some at once; one that fails doesn't keep the others."""

    def attempt(run: Run, own: Store) -> str | MlhubError:
        try:
            return work(own, own.reload(run))
        except MlhubError as error:
            return error

    def apart(run: Run) -> str | MlhubError:
        with closing(Store.open(store.home)) as own:  # one is not shared between threads
            return attempt(run, own)

    if at_once == 1 or len(runs) == 1:
        found = [attempt(run, store) for run in runs]
    else:
        with ThreadPoolExecutor(max_workers=at_once) as pool:
            found = list(pool.map(apart, runs))
    told = [words for words in found if isinstance(words, str)]
    errors = tuple(error for error in found if isinstance(error, MlhubError))
    return Said(told[0] if len(told) == 1 else f"{done} {len(told)} runs" if told else "", errors)


# stop


def grace_words(home: Home, runs: Sequence[Run]) -> str:
    """What a stop does to these runs, with the time they are given."""
    known = {
        record.real(record.read_json(str(home.run(run.id).attempt(run.attempt).launch), record.LAUNCH_LIMIT), "grace")
        for run in runs
        if run.active and not run.waiting
    }
    graces = sorted(grace for grace in known if grace is not None)
    if not graces:
        return ""
    span = duration(graces[0]) + (f" to {duration(graces[-1])}" if len(graces) > 1 else "")
    return f"TERM now: a training saves a checkpoint. KILL to what is left after {span}."


def stop(store: Store, runs: Sequence[Run]) -> Said:
    """Stop runs, all at once; waits for their ends."""
    from mlhub.runner.ending import stop_all, told
    from mlhub.runner.reconcile import refresh, settle

    before = [refresh(store, store.reload(run)) for run in runs]
    troubles = stop_all(store, before, None)
    after = [settle(store, run) if (run := store.reload(was)).active else run for was in before]
    pairs = [(was, now) for was, now, trouble in zip(before, after, troubles, strict=True) if trouble is None]
    text = f"stopped {len(pairs)} runs" if pairs else ""
    if len(pairs) == 1:
        text = f"{one_line(pairs[0][0].name)}: {told(*pairs[0])}"
    return Said(text, tuple(trouble for trouble in troubles if trouble is not None))


# start again


def code_warning(home: Home, runs: Sequence[Run]) -> list[str]:
    """Which of them would go on with other code than they were started with."""
    from mlhub.runner.resume import code_changed

    found = [(run, changed) for run in runs if (changed := code_changed(home.run(run.id)))]
    return [f"{one_line(run.name)}: the code has changed since: {one_line(changed)}" for run, changed in found]


def where_they_begin(home: Home, runs: Sequence[Run]) -> list[str]:
    """From where each of them will go on, as far as anybody but its program knows."""
    from mlhub.runner.captured import can_continue

    ours = [run for run in runs if is_hashing(run) or home.run(run.id).capture.exists()]
    anew = [run for run in ours if not can_continue(home.run(run.id))]
    lines = []
    if len(anew) < len(ours):
        some = "Each other training" if anew else "It" if len(runs) == 1 else "Each training"
        lines.append(f"{some} goes on from its last checkpoint.")
    if anew:
        names = first_few([one_line(run.name) for run in anew], _NAMED)
        lines.insert(0, f"Begins anew, as it has no checkpoint: {names}.")
    if len(ours) < len(runs):
        some = "It" if len(runs) == 1 else "A command"
        lines.append(f"{some} goes on from its checkpoint if it has one; else it begins anew.")
    return lines


def resume(store: Store, settings: Settings, runs: Sequence[Run], *, queue: bool) -> Said:
    """Start ended runs again, as their next attempts."""
    from mlhub.runner.resume import resume as start_again

    def work(store: Store, run: Run) -> str:
        done = start_again(store, run, queue=queue, max_runs=settings.max_runs)
        waits = f", {done.run.condition}" if done.run.waiting and done.run.condition else ""
        return one_line(f"{run.name}: attempt {done.run.attempt} {done.run.status}{waits}")

    return _each(store, runs, work, "resumed", at_once=_AT_ONCE)


# labels


def tag(store: Store, runs: Sequence[Run], add: Sequence[str], remove: Sequence[str]) -> Said:
    """Give runs tags and take some away."""
    from mlhub.runner.labels import change_tags

    def work(store: Store, run: Run) -> str:
        now = change_tags(store, run, add, remove)
        return one_line(f"{now.name}: {', '.join(now.tags) or 'no tags'}")

    return _each(store, runs, work, "tagged")


def tag_words(text: str) -> tuple[list[str], list[str]]:
    """`paper +fast -old "two words"` as tags to add and to take away. Raises UsageError."""
    import shlex

    from mlhub.errors import UsageError
    from mlhub.runner.names import check_word

    try:
        found = shlex.split(text.replace(",", " "))
    except ValueError:
        raise UsageError("a quotation mark is not closed", 'Several words as one tag: "two words".') from None
    add = [word.removeprefix("+") for word in found if not word.startswith("-")]
    for word in add:
        check_word("tag", word)
    return add, [word[1:] for word in found if word.startswith("-")]


def note(store: Store, run: Run, text: str) -> str:
    """Write a note on a run, or take it away."""
    from mlhub.runner.labels import change_note

    now = change_note(store, store.reload(run), text)
    return one_line(f"{now.name}: {'noted' if now.note else 'has no note'}")


# the trash


def delete(store: Store, settings: Settings, runs: Sequence[Run]) -> Said:
    """Move ended runs to the trash."""
    from mlhub.runner.ending import check_over
    from mlhub.runner.reconcile import refresh
    from mlhub.runner.trash import move

    def work(store: Store, run: Run) -> str:
        run = refresh(store, run)
        check_over(store, run)
        entry = move(store, run)
        if entry is None:
            return f"{one_line(run.name)} removed; its folder was gone already"
        kept = f"{size(entry.size())} in the trash, freed after {settings.trash_days:g} days"
        return f"{one_line(run.name)}: {kept}; back: mlhub rm --restore {run.id}"

    said = _each(store, runs, work, "moved to the trash:")
    if said.text.startswith("moved to the trash:"):
        return Said(f"{said.text}; back: mlhub rm --restore ID (mlhub rm --list names them)", said.errors)
    return said


# the queue


def move(store: Store, run: Run, by: int | None) -> None:
    """One place earlier (-1) or later (1) in the queue as it is now, or to its front (None)."""
    from mlhub.runner import queue

    run = store.reload(run)
    line = store.waiting(run.host)
    here = next((index for index, other in enumerate(line) if other.id == run.id), None)
    if here is None:
        raise MlhubError(f"{one_line(run.name)} does not wait any more: {run.status}")
    at = 0 if by is None else here + by
    if at == here or not 0 <= at < len(line):
        return
    behind = at + (at > here)  # the one that is to stand behind it
    last = behind >= len(line)
    if not queue.move(store, run, before=None if last else line[behind], last=last):
        raise MlhubError(f"{one_line(run.name)} has just started")


def hold(store: Store, settings: Settings, reason: str | None) -> Said:
    """Let the queue start nothing more; None as the reason: let it go on."""
    from mlhub.runner.queue import set_paused, tick

    if reason is not None:
        set_paused(store, paused=True, reason=one_line(reason)[:200] or None)
    else:
        set_paused(store, paused=False, reason=None)
    started = tick(store, max_runs=settings.max_runs)  # and what waits learns why
    if reason is not None:
        return Said("the queue is held; what runs goes on")
    return Said(f"the queue goes on: {len(started)} started")
