"""Ending runs as a user asks for it, several at once, and whether a run is over: shared by command line and screen.

How one process is ended is `runner.stop`'s; what outlived its run, `runner.leftovers`'.
"""

from __future__ import annotations

import getpass
import queue
import threading

from mlhub.errors import MlhubError
from mlhub.runner import leftovers
from mlhub.runner.imported import check_ours, origin
from mlhub.runner.queue import cancel, give_up_retries
from mlhub.runner.reconcile import FOLDER_GONE
from mlhub.runner.stop import stop as stop_process
from mlhub.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlhub.store.runs import Run
    from mlhub.store.store import Store

#: runs that are ended at the same time; each takes a thread that waits
_AT_ONCE = 16


def stop_all(store: Store, runs: Sequence[Run], grace: float | None) -> list[MlhubError | None]:
    """Stop them all at once: eight runs that save for a minute each must not take eight. What went wrong with each.

    `grace` None is the one each was launched with. Who gives up waiting leaves supervisors that go on ending theirs.
    """
    found: list[MlhubError | None] = [None] * len(runs)
    waiting: queue.SimpleQueue[tuple[int, Callable[[], object]]] = queue.SimpleQueue()
    for index, run in enumerate(runs):  # the store is this thread's: what touches it comes first
        if (work := _stopping(store, run, grace)) is not None:
            waiting.put((index, work))

    def work_off() -> None:
        while True:
            try:
                index, work = waiting.get_nowait()
            except queue.Empty:
                return
            found[index] = _attempt(work)

    # not a ThreadPoolExecutor: at the interpreter's end it waits for the grace of everything it was given
    threads = [threading.Thread(target=work_off, daemon=True) for _ in range(min(_AT_ONCE, waiting.qsize()))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _attempt(work: Callable[[], object]) -> MlhubError | None:
    try:
        work()
    except MlhubError as error:
        return error
    except Exception as error:  # in a thread of its own it would be lost, and the run be taken for stopped
        return MlhubError(f"it can't be stopped: {error!r}", "Try again.")
    return None


def _stopping(store: Store, run: Run, grace: float | None) -> Callable[[], object] | None:
    """What ends `run`'s processes; None if nothing is left to end. A run that waits is cancelled here and now."""
    who = getpass.getuser()
    give_up_retries(store, run)  # a stop is a stop, also between two attempts
    run = store.reload(run)
    if run.status == "queued" and cancel(store, run, f"stopped by {who} before it began"):
        return None
    run = store.reload(run)
    if not run.active:
        if run.pid is None and origin(store.home.run(run.id)) is not None:
            return lambda: check_ours(store.home.run(run.id), run)
        left = leftovers.end(store, run).left if run.orphans else []
        return (lambda: _refuse_to_end(run, left)) if left else None
    if run.condition == FOLDER_GONE:  # and with it the proof of who is who
        return lambda: _refuse_to_stop(run)
    return lambda: stop_process(store.home.run(run.id), run.attempt, grace, who)


def _refuse_to_end(run: Run, left: list[int]) -> None:
    pids = ", ".join(map(str, left))
    raise MlhubError(f"what run {run.id} left behind can't be ended: {pids}", "Look at them with ps; they may hang.")


def _refuse_to_stop(run: Run) -> None:
    raise MlhubError(f"run {run.id} runs, but {run.condition}", f"Tell its supervisor: kill {run.supervisor_pid}")


def told(before: Run, after: Run) -> str:
    """What a stop came to, in words: the run before and after it."""
    if before.orphans:
        return f"{after.status}; ended the processes it had left behind"
    if not before.active:
        return f"had ended already: {after.status}"
    return after.status + (f": {one_line(after.reason)}" if after.reason else "")


def check_over(store: Store, run: Run) -> None:
    """Raises MlhubError if anything of the run may still write into its folder, so that it can't be removed."""
    name = one_line(run.name)
    if run.waiting:
        raise MlhubError(
            f"run {run.id} ({name}) waits in the queue", f"mlhub stop {name} takes it out; then remove it."
        )
    if run.active:
        raise MlhubError(f"run {run.id} ({name}) is {run.status}", f"Stop it first: mlhub stop {name}")
    if pids := leftovers.living(store.home, run.id):
        raise MlhubError(
            f"run {run.id} ({name}) has ended, but processes of it live on: {', '.join(map(str, pids))}",
            "mlhub doctor --fix ends them.",
        )
