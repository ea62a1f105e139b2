"""The callback for the Trainer of Hugging Face's transformers, which asks no entry point: the script names it.

Trainer(..., callbacks=[HuggingFaceCallback()])
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
import time

from transformers import Trainer, TrainerCallback

from mlhub_capture import facts, guard, outcome, record, stopping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

#: as a shell says it of a program that SIGTERM ended
_STATUS = 143
_observed: set[object] = set()


class HuggingFaceCallback(TrainerCallback):
    """Records metrics, arguments, model, checkpoints and outcome; on SIGTERM has a checkpoint saved, and leaves."""

    def __init__(self) -> None:
        self._asked = self._listens = False
        self._off = not os.environ.get("MLHUB_RUN_DIR")
        self._folders: list[str] = []  # of logs, as told last
        if not self._off:
            guard.attempt("observe", _observe, Trainer)

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if self._off:
            return
        if threading.current_thread() is threading.main_thread():
            self._before, self._listens = signal.signal(signal.SIGTERM, self._receive), True
        self._try("on_train_begin", self._describe, args, state, more.get("model"))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_more: Any) -> None:
        if state.is_world_process_zero:
            self._try("on_log", self._log, state, logs or {})

    def on_save(self, args: Any, state: Any, control: Any, **_more: Any) -> None:
        if state.is_world_process_zero:
            self._try("on_save", self._saved, args, state)

    def on_step_end(self, args: Any, state: Any, control: Any, **_more: Any) -> Any:
        if self._asked and self._try("on_step_end", stopping.agreed, args.process_index, args.world_size, [
            state.global_step
        ]) is not False:  # fmt: skip
            control.should_save = control.should_training_stop = True
        return control

    def on_train_end(self, args: Any, state: Any, control: Any, **_more: Any) -> None:
        if self._off:
            return
        self._unlisten()
        if self._asked:
            raise SystemExit(_STATUS if state.is_world_process_zero else 0)
        if state.is_world_process_zero:
            self._try("on_train_end", self._done, state)

    def _leave(self, trainer: Any, error: BaseException) -> None:
        """An exception has ended `train`. SystemExit is a stop, or the script's own wish."""
        self._unlisten()
        state, rank = trainer.state, trainer.args.process_index
        if getattr(state, "is_hyper_param_search", False) and outcome.is_pruning(error):
            return
        if isinstance(error, Exception):
            outcome.tell("failed", record.describe_error(error), rank=rank, stage="fit", step=state.global_step)
            if rank == 0:
                record.tell_exception(error, state.global_step, int(state.epoch or 0))
        elif rank == 0:
            outcome.tell("running", stage="fit", step=state.global_step)

    def _unlisten(self) -> None:
        if self._listens and threading.current_thread() is threading.main_thread():
            self._listens = False
            signal.signal(signal.SIGTERM, self._before or signal.SIG_DFL)

    def _receive(self, number: int, frame: Any) -> None:
        self._asked = True
        if callable(self._before):
            self._before(number, frame)

    def _try(self, where: str, function: Callable[..., Any], *arguments: Any) -> Any:
        return None if self._off else guard.attempt(where, function, *arguments)

    def _describe(self, args: Any, state: Any, model: Any) -> None:
        if not state.is_world_process_zero:
            return
        if not getattr(state, "is_hyper_param_search", False):  # a trial that is pruned has no end
            outcome.tell("running", stage="fit", of=int(state.max_steps), begins=True)
        told = {"parameters": facts.plain(args.to_dict()), "metrics": True, "training": True, "package": "transformers"}
        told["versions"] = facts.versions("transformers", "accelerate")
        guard.attempt("logs", _tell_logs, args)
        guard.attempt("packages", record.tell_packages, facts.packages)
        if model is not None:
            told["model"] = facts.summary(model)
            told["model"]["config"] = facts.plain(model.config.to_dict()) if hasattr(model, "config") else None
        record.tell(**told)
        self._tell_logs()
        record.resume(state.global_step)

    def _log(self, state: Any, logs: Any) -> None:
        found = {name: record.number(value) for name, value in logs.items() if name != "epoch"}
        values = {_name(name): value for name, value in found.items() if value is not None}
        if values:
            record.log(values, step=state.global_step, epoch=int(state.epoch or 0))
        self._tell_logs()  # a tracker that stands behind us in the list, or that sees an evaluation only

    def _tell_logs(self) -> None:
        writers = [getattr(callback, "tb_writer", None) for callback in self._beside()]
        found = [getattr(writer, "log_dir", None) or getattr(writer, "logdir", None) for writer in writers]
        folders = [os.fspath(folder) for folder in found if isinstance(folder, (str, os.PathLike))]
        folders += facts.tracker_folders()
        if folders != self._folders:
            record.tell_logs(folders)
            self._folders = folders

    def _beside(self) -> list[Any]:
        """The Trainer's callbacks, which it shows to none of them: those of the caller that calls them in turn."""
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            found = getattr(frame.f_locals.get("self"), "callbacks", None)
            if isinstance(found, list) and any(callback is self for callback in found):
                return found
            frame = frame.f_back
        return []

    def _done(self, state: Any) -> None:
        outcome.tell("completed", stage="fit", step=state.global_step)

    def _saved(self, args: Any, state: Any) -> None:
        path = os.path.abspath(os.path.join(args.output_dir, f"checkpoint-{state.global_step}"))
        best = state.best_model_checkpoint
        record.tell_checkpoint({
            "path": path, "step": state.global_step, "epoch": int(state.epoch or 0), "time": time.time(),
            "attempt": record.attempt(), "kind": "stop" if self._asked else "checkpoint",
            "monitor": args.metric_for_best_model,
            "score": record.word(state.best_metric) if best and os.path.abspath(best) == path else None,
            "best": bool(best) and os.path.abspath(best) == path, "last": True,
        })  # fmt: skip


def _observe(trainer_class: Any) -> None:
    """See what ends `train` before its end: the Trainer has no hook for it."""
    if trainer_class in _observed:
        return
    _observed.add(trainer_class)
    original = trainer_class.train

    @functools.wraps(original)
    def train(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return original(self, *args, **kwargs)
        except BaseException as error:
            for callback in self.callback_handler.callbacks:
                if isinstance(callback, HuggingFaceCallback):
                    guard.attempt("on_exception", callback._leave, self, error)
            raise

    trainer_class.train = train


def _tell_logs(args: Any) -> None:
    folder = getattr(args, "logging_dir", None)  # TensorBoard's; transformers 5 has it no more
    record.tell_logs([*facts.tracker_folders(), *([folder] if isinstance(folder, str) else [])])


def _name(name: str) -> str:
    """`train/` and `eval/` before a name, as the Trainer's other trackers have it."""
    for split in ("eval", "test"):
        if name.startswith(split + "_"):
            return f"{split}/{name[len(split) + 1 :]}"
    return "train/" + name
