"""`mlhub wait`: return when runs have ended. The waiting itself serves `run --wait`, `logs -f` and the jobs too."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from mlhub.cli.out import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mlhub.cli.hub import Hub
    from mlhub.paths import AttemptPaths
    from mlhub.store.runs import Run

#: between two glances, which cost microseconds, and two looks at the truth, for what ended without a word
GLANCE_SECONDS = 0.1
_LOOK_SECONDS = 2.0
#: a database that is locked keeps nobody from seeing an end that stands in the run's folder
_PATIENCE = 1.0


class Waiting:
    """Runs whose end is waited for: through retries and the queue, which goes on meanwhile."""

    def __init__(self, hub: Hub, runs: Iterable[Run]) -> None:
        self.hub = hub
        self.left = {run.id: run for run in runs}
        self.ended: list[Run] = []
        #: removed while they were waited for
        self.gone: list[Run] = []
        self._mark: tuple[int, int] | None = None
        self._due = 0.0
        self._told = ""

    def look(self) -> list[Run]:
        """Those that have ended since the last look, as they are now."""
        before = len(self.ended)
        with self.hub.store.patience(_PATIENCE):
            if time.monotonic() >= self._due:
                self._look_at_all()
                self._due = time.monotonic() + _LOOK_SECONDS
            else:
                self._glance()
        self._reopen()
        return self.ended[before:]

    def _look_at_all(self) -> None:
        from mlhub.errors import StoreError

        try:
            self.hub.store.check_current()
            if len(self.left) == 1:
                self._each(self.hub.look)
            else:
                found = self.hub.refresh()  # of many the queue is looked at once
                self._each(lambda run: self._newer(run, found))
        except StoreError as error:
            self._tell_trouble(error.message)
            self._from_folders()

    def _newer(self, run: Run, found: dict[int, Run]) -> Run:
        """The row; or what its folder says, where that is an end which could not be written down."""
        row, seen = self.hub.store.reload(run), found.get(run.id)
        unwritten = seen is not None and row.active and not seen.active and seen.attempt == row.attempt
        return seen if seen is not None and unwritten else row

    def _glance(self) -> None:
        """Rows are read if anybody wrote into the database, a run's folder if its exit record is there."""
        from mlhub.errors import StoreError

        try:
            mark = self.hub.store.changes()
            if mark != self._mark:
                self._each(self.hub.store.reload)
                self._mark = mark
        except StoreError as error:
            self._tell_trouble(error.message)
        self._from_folders()

    def _from_folders(self) -> None:
        from mlhub.runner.reconcile import settle

        ended = {run.id for run in self.left.values() if run.active and self._attempt(run).exit.exists()}
        self._each(lambda run: settle(self.hub.store, run) if run.id in ended else run)

    def _attempt(self, run: Run) -> AttemptPaths:
        return self.hub.home.run(run.id).attempt(run.attempt)

    def _each(self, look: Callable[[Run], Run]) -> None:
        from mlhub.errors import NotFoundError

        for run in list(self.left.values()):
            try:
                self._see(look(run))
            except NotFoundError:  # a folder without a row: the database is being made anew from the folders
                if not self.hub.home.run(run.id).root.exists():
                    self.gone.append(self.left.pop(run.id))

    def _see(self, run: Run) -> None:
        if is_over(run):
            del self.left[run.id]
            self.ended.append(run)
        else:
            self.left[run.id] = run

    def _tell_trouble(self, message: str) -> None:
        from mlhub.text import one_line

        if message != self._told:
            tell(f"warning: {one_line(message)}; waiting goes on")
            self._told = message

    def _reopen(self) -> None:
        """A database that was replaced, or is there again, has the rows that others write now."""
        from mlhub.cli.hub import open_hub
        from mlhub.errors import MlhubError

        try:
            self.hub.store.check_current()
        except MlhubError:
            try:
                new = open_hub()
            except MlhubError as error:  # it may come back; the folders are looked at meanwhile
                self._tell_trouble(error.message)
                return
            self.hub.store.close()
            self.hub, self._mark = new, None


def is_over(run: Run) -> bool:
    """Whether there is nothing to wait for: an end that no retry follows, or a host that can't be seen from here."""
    return not (run.active or run.to_be_retried) or (run.condition or "").startswith("unknown: other host")


def until_ended(hub: Hub, run: Run, grown: Callable[[], bool] = lambda: False) -> Run:
    """Wait for one run; as it then is. `grown` prints what is new of its log, and says whether there was anything.

    Ctrl-C leaves it running and says so. Raises NotFoundError if it is removed meanwhile.
    """
    from mlhub.runner.reconcile import refresh

    waiting = Waiting(hub, [run])
    try:
        while True:
            waiting.look()
            if grown():
                continue
            if not waiting.left:
                break
            time.sleep(GLANCE_SECONDS)
    except KeyboardInterrupt:
        tell(f"\nrun {run.id} ({run.name}) goes on; see it again with: mlhub logs -f {run.name}")
        raise typer.Exit(130) from None
    return refresh(waiting.hub.store, waiting.ended[0] if waiting.ended else waiting.hub.store.reload(run))


def wait(
    runs: Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", show_default=False)] = None,
    any_: Annotated[bool, typer.Option("--any", help="Return when the first of them has ended.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Return when all have ended, as it does anyway.")] = False,
    group: Annotated[str | None, typer.Option(metavar="GROUP", help="The runs of this group.")] = None,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="The runs with this tag.")] = None,
    filter: Annotated[str, typer.Option("--filter", metavar="QUERY", help="The runs that QUERY means.")] = "",  # noqa: A002
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Wait no longer; then exit 1.", min=0)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing; the exit status is the answer.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the run, or an array of runs, as they ended.")] = False,
) -> int:
    """Wait until runs have ended. Exit 0 only if all of them completed.

    A run that waits in the queue is waited for until it has had its turn, one with retries until its last attempt has
    ended. Of a group, a tag or a query the runs there are now are meant, not those that come later. Exit 1: one failed,
    was stopped or removed, runs on another host, or the time was up; Ctrl-C (130) ends the waiting, not the runs. With
    --any what the first did counts.

    \b
    mlhub wait                            the newest run
    mlhub wait base wide && mlhub ls      go on only if both completed
    mlhub wait --any --group sweep        the first of a group
    mlhub wait --filter "status:active tag:paper" --timeout 3600
    mlhub wait base --json | jq .summary  the run as it ended
    """
    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import emit_json
    from mlhub.errors import UsageError
    from mlhub.runner.reconcile import refresh

    if any_ and every:
        raise UsageError("both --any and --all", "Give one of them.")
    if timeout is not None and not timeout >= 0:
        raise UsageError(f"--timeout {timeout}: not a time to wait", "Give a number of seconds.")
    hub = open_hub()
    chosen = _choose(hub, runs or [], group, tag, filter)
    waiting = Waiting(hub, chosen)
    late = _wait_for_all(waiting, timeout, first=any_, say_so=not (quiet or json))
    if json:
        found = [refresh(waiting.hub.store, run) for run in (*waiting.ended, *waiting.left.values())]
        one = len(runs or ["@last"]) == 1 and not (group or tag or filter)
        order = [run.id for run in chosen]
        shown = found[:1] if any_ else sorted(found, key=lambda run: order.index(run.id))
        emit_json(shown[0].to_json() if one and shown else [run.to_json() for run in shown])
    counted = waiting.ended[:1] if any_ else waiting.ended
    if late and not quiet:
        _tell_late(waiting, timeout)
    completed = bool(counted) and all(run.status == "completed" for run in counted)
    return 0 if completed and not late and not waiting.gone else 1


def _choose(hub: Hub, refs: list[str], group: str | None, tag: str | None, query: str) -> list[Run]:
    """The runs that are meant by name, by group, tag and query. Raises NotFoundError, UsageError."""
    from mlhub.cli.filters import parse_filter
    from mlhub.errors import NotFoundError

    asked = parse_filter(query)
    found = {
        run.id: run for ref in refs or ([] if group or tag or asked else ["@last"]) if (run := hub.store.find(ref))
    }
    if group or tag or asked:
        some = [
            run
            for run in hub.store.each_newest()
            if (group is None or run.group == group) and (tag is None or tag in run.tags)
        ]
        if asked:
            hub.refresh()  # a query asks what is true now
            some = asked.select([hub.store.reload(run) if run.active else run for run in some])
        if not some and not found:
            raise NotFoundError("no run is meant by that", "`mlhub ls --filter QUERY` shows which are.")
        found |= {run.id: run for run in reversed(some)}
    return list(found.values())


def _wait_for_all(waiting: Waiting, timeout: float | None, *, first: bool, say_so: bool) -> bool:
    """Whether the time was up before. Each end is said when it comes."""
    deadline = None if timeout is None else time.monotonic() + timeout
    told, paused = not say_so, frozenset[str]()
    try:
        while True:
            for run in waiting.look():
                if say_so and not (first and run is not waiting.ended[0]):
                    _say_end(run)
            if not waiting.left or (first and waiting.ended):
                return False
            if deadline is not None and time.monotonic() >= deadline:
                return True
            if not told:
                tell(f"waiting for {_names(waiting)}; Ctrl-C ends the waiting, not the runs")
                told = True
            if say_so:
                paused = _tell_paused(waiting, paused)
            rest = GLANCE_SECONDS if deadline is None else min(GLANCE_SECONDS, deadline - time.monotonic())
            time.sleep(max(0.0, rest))
    except KeyboardInterrupt:
        tell(f"\nno longer waiting: {_names(waiting)} {'go' if len(waiting.left) > 1 else 'goes'} on; mlhub ls")
        raise typer.Exit(130) from None
    finally:
        for run in waiting.gone:
            tell(f"error: run {run.id} ({run.name}) was removed meanwhile")


def _say_end(run: Run) -> None:
    import sys

    from mlhub.cli.out import say, status_word
    from mlhub.text import one_line

    why = run.reason if not run.active else run.condition
    say(f"run {run.id}  {one_line(run.name)}  {status_word(run.status)}" + (f": {one_line(why)}" if why else ""))
    sys.stdout.flush()


def _tell_late(waiting: Waiting, timeout: float | None) -> None:
    tell(f"error: not ended within {timeout:g} s: {_names(waiting)}")
    tell("hint:  They go on; wait longer with --timeout, or see: mlhub ls")


def _tell_paused(waiting: Waiting, told: frozenset[str]) -> frozenset[str]:
    """Why the queue is paused, each reason told when it comes: it gives no run its turn, and who waits should know."""
    from mlhub.text import one_line

    reasons = {run.condition or "" for run in waiting.left.values()}
    paused = frozenset(one_line(reason) for reason in reasons if reason.startswith("queue paused"))
    for reason in sorted(paused - told):
        tell(f"note: {reason}; mlhub queue resume lets it go on")
    return paused


def _names(waiting: Waiting) -> str:
    from mlhub.text import first_few, one_line

    return first_few([one_line(run.name) for run in waiting.left.values()], 5)
