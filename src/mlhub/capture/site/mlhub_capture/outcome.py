"""What a training says of its own end, in `outcome.json`: running, completed or failed, at which step of how many.

The second witness beside the exit record: it decides where the supervisor was killed, and it is heard where a program
ends with 0 amid its training. The last fit counts; a test or prediction after a fit that was done does not undo it
(`trained`). Not the place where an end gets its words (`mlhub.runner.reason`).
"""

from __future__ import annotations

import json
import math
import os
import time
import weakref

from mlhub_capture import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Trainers that have begun; weakly: a model may fill a GPU
_begun: list[Any] = []


def begin(trainer: Any) -> None:
    """A stage of a Trainer begins. One within another's, as of a callback that tests amid a fit, has no say."""
    if not _within_another(trainer):
        tell("running", stage=_stage(trainer), of=0)
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
    place = {"stage": _stage(trainer), "step": trainer.global_step}
    if any(kind.__name__ == "TrialPruned" for kind in type(error).__mro__):
        if trainer.is_global_zero:
            tell("completed", note=f"pruned at step {trainer.global_step}", **place)
        return
    tell("failed", record.describe_error(error), rank=trainer.global_rank, **place)


def leave(trainer: Any) -> None:
    """The script leaves amid a stage, by SystemExit: it is not done, which counts if the status is 0."""
    if trainer.is_global_zero and not _within_another(trainer):
        tell("running", stage=_stage(trainer), step=trainer.global_step)


def tell(
    outcome: str, error: str = "", note: str = "", rank: int = 0, stage: str = "", step: int | None = None,
    of: int | None = None,
) -> None:  # fmt: skip
    """Write it. Of several ranks that fail, the first one's word stands: the others fail of it.

    `stage`: fit, validate, test, predict; "" for what comes outside. `of`: the steps there are; None is as told before.
    """
    if rank == 0 and not record.owns():
        return
    token, old = os.environ.get("MLHUB_RUN_TOKEN", ""), _read()
    error = f"rank {rank}: {error}" if rank and error else error
    if outcome == old.get("outcome") == "failed" and (old.get("pid") != os.getpid() or old.get("error") == error):
        return
    if of is None and old.get("stage") == stage:
        of = old.get("of")
    record.write("outcome.json", {
        "outcome": outcome, "error": error[:2000], "note": note[:500], "stage": stage, "step": step, "of": of or None,
        "trained": outcome == "completed" if stage == "fit" else old.get("trained") is True,
        "attempt": record.attempt(), "token": token, "time": time.time(), "pid": os.getpid(),
    })  # fmt: skip


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
