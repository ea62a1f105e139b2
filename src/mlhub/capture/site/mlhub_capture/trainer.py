"""The callback that a Trainer of `lightning` or `pytorch_lightning` gets, and what is observed of the Trainer itself.

Metrics are taken where the Trainer hands them to its loggers, also if it has none: at its own rhythm, each value once,
and nothing is done per batch. Saved checkpoints are seen at `Trainer.save_checkpoint`. A failure of any of it is noted
(`mlhub_capture.guard`); the training does not hear of it.
"""

from __future__ import annotations

import functools
import importlib
import math
import os
import sys
import time
import weakref

from mlhub_capture import facts, guard, outcome, record, resuming, stopping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: checkpoints of a tuner's trial
_OF_TUNER = (".lr_find_", ".scale_batch_size_")
#: hooks of each batch. Lightning calls what can be called, in a profiler's context that costs more than most calls;
#: None is passed over, and a batch is not slowed
_PER_BATCH = (
    "on_train_batch_start", "on_train_batch_end", "on_before_zero_grad", "on_before_backward", "on_after_backward",
    "on_before_optimizer_step", "on_validation_batch_start", "on_validation_batch_end", "on_test_batch_start",
    "on_test_batch_end", "on_predict_batch_start", "on_predict_batch_end",
)  # fmt: skip
_hooked: set[object] = set()


def make_callback(package: str) -> Any:
    """The callback for a Trainer of `package`: "lightning.pytorch" or "pytorch_lightning"."""
    from mlhub_capture import workers

    base = importlib.import_module(package + ".callbacks").Callback
    _observe_trainers(importlib.import_module(package).Trainer)
    workers.keep_alive()
    _observe_crashes()
    return _class(base, package)()


@functools.cache
def _class(base: Any, package: str) -> type:
    quiet = dict.fromkeys(_PER_BATCH)
    return type("MlhubCapture", (Capture, base), {**quiet, "package": package, "__module__": __name__})


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, whose failures are noted; SystemExit, by which a stop leaves, passes."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return guard.attempt(function.__qualname__, function, *args, **kwargs)

    return call


class Capture:
    """The hooks; the Trainer's own Callback is the other base."""

    package = ""

    def __reduce__(self) -> tuple[Any, ...]:  # a spawned process makes its own, and so does a copy
        return make_callback, (self.package,)

    @guarded
    def setup(self, trainer: Any, pl_module: Any, stage: Any = None) -> None:
        _observe_loggers(trainer)
        if not trainer.is_global_zero:
            return
        outcome.begin(trainer)
        outcome.await_ranks(trainer)
        record.tell(package=self.package, metrics=True)  # they come from us: no file of a logger is to be followed
        told = {"parameters": facts.hyperparameters(trainer, pl_module), "trainer": facts.trainer_settings(trainer)}
        told["versions"] = facts.versions("lightning", "pytorch_lightning")
        _tell_packages()
        _tell_logs(trainer)
        record.tell(**{name: part for name, part in told.items() if part or name != "parameters"})

    @guarded
    def on_sanity_check_start(self, trainer: Any, pl_module: Any) -> None:
        stopping.listen(trainer, self)

    @guarded
    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        self._tell_model(trainer, pl_module)

    @guarded
    def on_test_start(self, trainer: Any, pl_module: Any) -> None:
        self._tell_model(trainer, pl_module)

    @guarded
    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        stopping.listen(trainer, self)
        if not trainer.is_global_zero:
            return
        _tell_total(trainer)
        record.tell(training=True, optimizers=facts.optimizers(trainer))
        if resuming.fits() == 1 and not _own_logger(trainer):
            known = resuming.logged()
            record.resume(_step(trainer) - 1 if known is None else known)  # what comes after it is recorded anew

    def _tell_model(self, trainer: Any, pl_module: Any) -> None:
        if trainer.is_global_zero:
            record.tell(model=facts.summary(pl_module))

    @guarded
    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        stopping.leave_at_end(trainer)

    @guarded
    def teardown(self, trainer: Any, pl_module: Any, stage: Any = None) -> None:
        if trainer.is_global_zero and outcome.end(trainer):
            record.release()

    @guarded
    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        if isinstance(exception, SystemExit):  # a stop, or the script's own wish
            outcome.leave(trainer)
            return
        stopping.save_after_failure(trainer)
        if trainer.is_global_zero:
            record.tell_exception(exception, trainer.global_step, trainer.current_epoch)
        outcome.fail(trainer, exception)


@guarded
def _tell_total(trainer: Any) -> None:  # apart: a Trainer that can't say it costs nothing else
    outcome.tell_total(trainer)


@guarded
def _tell_logs(trainer: Any) -> None:  # of whatever it does: a test has loggers, too
    record.tell_logs(facts.log_folders(trainer))


@guarded
def _tell_packages() -> None:
    record.tell_packages(facts.packages)


def _mine(trainer: Any) -> bool:
    """Whether our callback is among the Trainer's: a tuner takes it out for its trials."""
    return any(isinstance(callback, Capture) for callback in trainer.callbacks)


def _observe_trainers(trainer_class: Any) -> None:
    """See each checkpoint that is saved, and give a resumed run the one it continues from."""
    if trainer_class in _hooked:
        return
    _hooked.add(trainer_class)
    save, fit = trainer_class.save_checkpoint, trainer_class.fit

    @functools.wraps(save)
    def save_checkpoint(self: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        result = save(self, filepath, *args, **kwargs)
        _saved(self, filepath, args, kwargs)
        return result

    @functools.wraps(fit)
    def fit_resumed(self: Any, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = _resumed(fit, self, args, kwargs) or (args, kwargs)
        return fit(self, *args, **kwargs)

    trainer_class.save_checkpoint, trainer_class.fit = save_checkpoint, fit_resumed


@guarded
def _resumed(fit: Any, trainer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return resuming.arguments(fit, trainer, args, kwargs)


@guarded
def _saved(trainer: Any, filepath: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    path = os.fspath(filepath)
    if not trainer.is_global_zero or not _mine(trainer) or os.path.basename(path).startswith(_OF_TUNER):
        return
    weights_only = args[0] if args else kwargs.get("weights_only")
    line = {
        "path": path if "://" in path else os.path.abspath(path), "step": trainer.global_step,
        "epoch": trainer.current_epoch, "time": time.time(), "attempt": record.attempt(), "fit": resuming.fits(),
        "weights_only": bool(weights_only), "logged": min(_step(trainer), trainer.global_step - 1),
        **_rank_of(trainer, path),
    }  # fmt: skip
    record.tell_checkpoint(line)


def _rank_of(trainer: Any, path: str) -> dict[str, Any]:
    """What the ModelCheckpoint that saves it thinks of it: by which metric, with what score, best or last."""
    if stopping.saving():
        return {"kind": "stop", "last": True}
    for callback in trainer.checkpoint_callbacks:
        of_k = getattr(callback, "best_k_models", None) or {}
        best, last = getattr(callback, "best_model_path", ""), getattr(callback, "last_model_path", "")
        if path in of_k or path in (best, last):
            monitor, score = getattr(callback, "monitor", None), of_k.get(path)
            if path == last and path not in of_k and monitor:
                score = trainer.callback_metrics.get(monitor)
            return {
                "kind": "checkpoint", "monitor": monitor, "mode": getattr(callback, "mode", None),
                "score": record.word(record.number(score)) if score is not None else None,
                "best": bool(monitor) and path == best, "last": path == last or not monitor,
            }  # fmt: skip
    return {"kind": "script"}


@guarded
def _observe_loggers(trainer: Any) -> None:
    """See what the Trainer gives to its loggers, and what callbacks such as LearningRateMonitor give to the first."""
    connector = type(trainer._logger_connector)
    if connector not in _hooked:
        _hooked.add(connector)
        connector.log_metrics = _tapped(connector.log_metrics, lambda connector: connector.trainer, direct=False)
    for logger in trainer.loggers[:1]:
        if type(logger) not in _hooked:
            _hooked.add(type(logger))
            type(logger).log_metrics = _tapped(type(logger).log_metrics, _trainer_of, direct=True)
    _last[:] = [weakref.ref(trainer)]


#: the one that was set up last, what its first logger gets is its own; weakly: its model may fill a GPU
_last: list[Any] = []
#: how deep we are in the handing over of one record: to be seen once
_depth = [0]


def _trainer_of(logger: Any) -> Any:
    trainer = _last[0]() if _last else None
    return trainer if trainer is not None and logger is trainer.logger else None


def _tapped(original: Callable[..., Any], find: Callable[[Any], Any], *, direct: bool) -> Callable[..., Any]:
    @functools.wraps(original)
    def log_metrics(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not _depth[0]:
            _metrics(find(self), args, kwargs, direct)
        _depth[0] += 1
        try:
            return original(self, *args, **kwargs)
        finally:
            _depth[0] -= 1

    return log_metrics


@guarded
def _metrics(trainer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], direct: bool) -> None:
    """One record, as the loggers get it."""
    if trainer is None or not trainer.is_global_zero or trainer.sanity_checking or not _mine(trainer):
        return
    if _own_logger(trainer):
        return
    metrics = args[0] if args else kwargs.get("metrics")
    step = args[1] if len(args) > 1 else kwargs.get("step")
    values: dict[str, float] = {}
    _flatten(metrics or {}, values)
    if direct and values.get("hp_metric") == -1:  # the placeholder of Lightning's TensorBoardLogger, measured by nobody
        del values["hp_metric"]
    epoch = values.pop("epoch", None)
    if step is None:
        step = values.pop("step", None)
    step = _step(trainer) if step is None else int(step)
    if epoch is None or not math.isfinite(epoch):  # a script's own metric of that name may be anything
        epoch = trainer.current_epoch
    if values:
        record.log(values, step=step, epoch=int(epoch))


def _flatten(metrics: Any, into: dict[str, float], prefix: str = "") -> None:
    for name, value in metrics.items():
        if hasattr(value, "items"):
            _flatten(value, into, f"{prefix}{name}/")
        else:
            found = record.number(value)
            if found is not None:
                into[f"{prefix}{name}"] = found


def _step(trainer: Any) -> int:
    """The step that loggers are told."""
    return int(trainer.fit_loop.epoch_loop._batches_that_stepped)


def _own_logger(trainer: Any) -> bool:
    """Whether the script records all of it by mlhub's own logger."""
    return any(type(logger).__name__ == "MlhubLogger" for logger in trainer.loggers)


def _observe_crashes() -> None:
    """An exception outside the Trainer ends the program too: note it as its outcome, then as ever."""
    if "excepthook" in _hooked:
        return
    _hooked.add("excepthook")
    before = sys.excepthook
    pid = os.getpid()

    def excepthook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if os.getpid() == pid:
            _crashed(kind, error)
        before(kind, error, trace)

    sys.excepthook = excepthook


@guarded
def _crashed(kind: type[BaseException], error: BaseException) -> None:
    rank = int(os.environ.get("RANK") or os.environ.get("LOCAL_RANK") or 0)
    outcome.crash(record.describe_error(error), rank)
