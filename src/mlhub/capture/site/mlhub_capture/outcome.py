"""What a training says of its own end, in `outcome.json`: running, completed or failed, at which step of how many.

The second witness beside the exit record: it decides where the supervisor was killed, and it is heard where a program
ends with 0 amid its training. The last fit counts; a test or prediction after it does not undo one that was done
(`trained`), nor one that was not (`fit`). Each process that has done a fit leaves its pid, whichever is the one that
writes: a search whose last trial is killed has trained. Not the place where an end gets its words
(`mlhub.runner.reason`).
"""

from __future__ import annotations

import atexit
import contextlib
import json
import math
import os
import re
import signal
import time
import weakref

from mlhub_capture import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Trainers that have begun; weakly: a model may fill a GPU
_begun: list[Any] = []
#: what gloo and NCCL say where another rank has gone: it is not the cause
_PEER = re.compile(r"by peer|remote (?:worker|process|peer)|ncclRemoteError|Broken pipe|Socket Timeout")
_DEATH_SECONDS = 2.0
#: how long the program that is done waits for the ranks it has started to say how they end
_RANKS_SECONDS = 10.0
_awaited: list[Any] = []


def begin(trainer: Any) -> None:
    """A stage of a Trainer begins. One within another's, as of a callback that tests amid a fit, has no say."""
    if not _within_another(trainer):
        tell("running", stage=_stage(trainer), of=0, begins=True)
    _begun[:] = [known for known in _begun if known() is not None and known() is not trainer] + [weakref.ref(trainer)]


def tell_total(trainer: Any) -> None:
    """How many steps the fit that begins now is to take, where it is known."""
    total = trainer.estimated_stepping_batches
    if not _within_another(trainer) and math.isfinite(total) and total > 0:
        tell("running", stage=_stage(trainer), of=int(total))


def end(trainer: Any) -> bool:
    """A stage is done; False if it was one within another's."""
    if _within_another(trainer):
        return False
    tell("completed", note=_early_stop(trainer), stage=_stage(trainer), step=trainer.global_step)
    return True


def fail(trainer: Any, error: BaseException) -> None:
    """An exception has ended a stage. That of Optuna's pruning is a wish, as early stopping is one."""
    if _within_another(trainer):
        return
    spawned = type(error).__module__ == "torch.multiprocessing.spawn"  # this process has taken no step itself
    place: dict[str, Any] = {"stage": _stage(trainer), "step": None if spawned else trainer.global_step}
    if is_pruning(error):
        if trainer.is_global_zero:
            tell("completed", note=f"pruned at step {trainer.global_step}", **place)
        return
    dead = _died(trainer, error)
    tell("failed", dead or record.describe_error(error), rank=0 if dead else trainer.global_rank, **place)


def is_pruning(error: BaseException) -> bool:
    """Whether it is Optuna's wish that a trial ends."""
    return any(kind.__name__ == "TrialPruned" for kind in type(error).__mro__)


def await_ranks(trainer: Any) -> None:
    """At the end of the program wait for the ranks it has started: one may fail when this one is done already."""
    started = getattr(trainer.strategy.launcher, "procs", None)
    if started and not any(known is started for known in _awaited):
        _awaited.append(started)
        atexit.register(_await, started, os.getpid())


def _await(started: list[Any], pid: int) -> None:
    until = time.monotonic() + _RANKS_SECONDS
    while os.getpid() == pid and _read().get("outcome") == "completed" and time.monotonic() < until:
        if all(process.poll() is not None for process in started):
            return
        time.sleep(0.02)


def _died(trainer: Any, error: BaseException) -> str:
    """Which rank that this process has started died first, if that is what `error` complains of; "" if none is seen.

    A peer's socket closes a moment before it can be waited for.
    """
    started = getattr(trainer.strategy.launcher, "procs", None)
    if not started or not _PEER.search(str(error)):
        return ""
    until = time.monotonic() + _DEATH_SECONDS
    while time.monotonic() < until:
        for place, process in enumerate(started, trainer.global_rank + 1):
            code = process.poll()
            if code is not None:
                return f"rank {place} {_ended(code)}"
        time.sleep(0.02)
    return ""


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def leave(trainer: Any) -> None:
    """The script leaves amid a stage, by SystemExit: it is not done, which counts if the status is 0."""
    if trainer.is_global_zero and not _within_another(trainer):
        tell("running", stage=_stage(trainer), step=trainer.global_step)


def tell(
    outcome: str, error: str = "", note: str = "", rank: int = 0, stage: str = "", step: int | None = None,
    of: int | None = None, begins: bool = False,
) -> None:  # fmt: skip
    """Write it. Of several ranks that fail, the first one's word stands: the others fail of it, or don't see it.

    `stage`: fit, validate, test, predict; "" for what comes outside. `of`: the steps there are; None is as told before.
    `begins`: a new stage, which what became of the last one does not concern.
    """
    if outcome == "completed" and stage == "fit":
        with contextlib.suppress(OSError):
            record.leave_pid("trained")
    if rank == 0 and not record.owns():
        return
    token, old = os.environ.get("MLHUB_RUN_TOKEN", ""), _read()
    error = f"rank {rank}: {error}" if rank and error else error
    if not begins and old.get("outcome") == "failed" and _stands(old, outcome, error):
        return
    if of is None and old.get("stage") == stage:
        of = old.get("of")
    record.write("outcome.json", {
        "outcome": outcome, "error": error[:2000], "note": note[:500], "stage": stage, "step": step, "of": of or None,
        "trained": outcome == "completed" if stage == "fit" else old.get("trained") is True,
        "fit": None if stage == "fit" else _not_done(old),
        "attempt": record.attempt(), "token": token, "time": time.time(), "pid": os.getpid(),
    })  # fmt: skip


def _not_done(old: dict[str, Any]) -> Any:
    """What was told of the last fit if it was not done; None if it was, or there was none."""
    if old.get("stage") != "fit":
        return old.get("fit")
    kept = {name: old.get(name) for name in ("outcome", "error", "stage", "step", "of", "pid")}
    return kept if old.get("outcome") in ("running", "failed") else None


def _stands(old: dict[str, Any], outcome: str, error: str) -> bool:
    """Whether a failure that was told before is to stay."""
    if old.get("pid") == os.getpid():
        return outcome == "failed" and (old.get("error") == error or bool(_PEER.search(error)))
    said = str(old.get("error"))
    if outcome != "failed":
        return said.startswith("rank ")  # of this stage; another program's is over
    return not _PEER.search(said) or bool(_PEER.search(error))


def crash(error: str, rank: int) -> None:
    """An exception that nobody caught ends this program. What it was told of already keeps its place."""
    tell("failed", error, rank=rank)
    old = _read()
    if old.get("outcome") == "failed" and old.get("pid") == os.getpid():
        record.write("outcome.json", {**old, "uncaught": True})


def _read() -> dict[str, Any]:
    """What was told in this attempt; nothing if nothing was."""
    try:
        with open(os.path.join(record.run_dir(), "outcome.json"), "rb") as file:
            tree = json.loads(file.read(1 << 16))
    except (OSError, ValueError):
        return {}
    return tree if isinstance(tree, dict) and tree.get("token") == os.environ.get("MLHUB_RUN_TOKEN", "") else {}


def _stage(trainer: Any) -> str:
    fn = trainer.state.fn
    return str(getattr(fn, "value", fn) or "")


def _within_another(trainer: Any) -> bool:
    """Whether another Trainer of this process is amid a stage of its own, which this one is a part of."""
    for known in _begun:
        other = known()
        if other is trainer:
            return False  # it began before those that came after it
        if other is not None and str(getattr(other.state.status, "value", "")) == "running":
            return True
    return False


def _early_stop(trainer: Any) -> str:
    """Why it ended before its time, in words; "" if it didn't."""
    for callback in trainer.callbacks:
        names = {kind.__name__ for kind in type(callback).__mro__}
        if "EarlyStopping" in names and callback.stopped_epoch:
            why = getattr(callback, "stopping_reason_message", None)
            if not why:
                why = f"{callback.monitor} did not improve in {callback.wait_count} checks"
            return "early stopping: " + str(why)
        if "Timer" in names and trainer.should_stop:
            left = callback.time_remaining()
            if left is not None and left <= 0:
                return f"max_time: its time was up at step {trainer.global_step}"
    return ""
