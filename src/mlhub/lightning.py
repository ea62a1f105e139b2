"""`MlhubLogger`: Lightning's logger interface over the append-only metric file. Works inside a run and by itself.

One of two places that know Lightning outside `mlhub.hashing`; it is imported only when the class is asked for, because
the class must inherit from Lightning's and importing that costs a second. `lightning` and `pytorch_lightning` both do.
"""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import Any

from mlhub.files import write_json


def __getattr__(name: str) -> object:
    if name == "MlhubLogger":
        return _logger_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@functools.cache
def _logger_class() -> type:  # noqa: C901 - the body of a class
    base, rank_zero_only = _lightning()

    class MlhubLogger(base):  # type: ignore[misc, valid-type]  # the base is known only at run time
        """Records what a Trainer logs in `path` (default: the run's metrics.jsonl, else ./metrics.jsonl).

        >>> Trainer(logger=MlhubLogger())
        """

        def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
            super().__init__()
            run_dir = os.environ.get("MLHUB_RUN_DIR")
            self._path = Path(path) if path is not None else Path(run_dir or ".") / "metrics.jsonl"
            self._writer: Any = None

        @property
        def name(self) -> str:
            return "mlhub"

        @property
        def version(self) -> str:
            return os.environ.get("MLHUB_RUN_ID", "0")

        @property
        def save_dir(self) -> str:
            """Where Lightning puts what it saves by itself."""
            return str(self._path.parent)

        @rank_zero_only  # type: ignore[untyped-decorator]
        def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
            """One record; Lightning's own `epoch` metric becomes the record's place."""
            epoch = metrics.get("epoch")
            values = {name: value for name, value in metrics.items() if name != "epoch"}
            if values:
                from mlhub.writer import log_rest

                writer, number = self._open(), None if epoch is None else int(epoch)
                try:
                    writer.log(values, step=step, epoch=number)
                except (TypeError, ValueError):
                    log_rest(writer, values, step, number)

        @rank_zero_only  # type: ignore[untyped-decorator]
        def resume(self, step: int) -> None:
            """Say that this attempt of the run continues from `step`, before anything is logged; see `mlhub.resume`."""
            self._open().resume(step)

        def _open(self) -> Any:  # noqa: ANN401 - a MetricWriter, imported when there is something to write
            if self._writer is None:
                from mlhub.writer import MetricWriter

                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._writer = MetricWriter(self._path)
            return self._writer

        @rank_zero_only  # type: ignore[untyped-decorator]
        def log_hyperparams(self, params: Any, *_args: Any, **_kwargs: Any) -> None:  # noqa: ANN401
            """Keep the hyperparameters beside the metrics, as `hparams.json`; what JSON can't say is kept as text."""
            table = params if isinstance(params, dict) else vars(params)
            target = self._path.parent / "hparams.json"
            target.parent.mkdir(parents=True, exist_ok=True)
            write_json(target, table, default=str)

        @rank_zero_only  # type: ignore[untyped-decorator]
        def finalize(self, status: str) -> None:
            """Nothing is buffered, so there is nothing to flush; the file is closed. A later record opens it again."""
            del status
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    return MlhubLogger


def _lightning() -> Any:  # noqa: ANN401 - a pair of a class and a decorator, known only at run time
    """Logger and rank_zero_only of whichever package the training already uses, else of whichever is installed."""
    if "lightning.pytorch" not in sys.modules and (package := sys.modules.get("pytorch_lightning")):
        return package.loggers.Logger, package.utilities.rank_zero_only
    from importlib import import_module

    try:
        package = import_module("lightning.pytorch")
    except ImportError:
        package = import_module("pytorch_lightning")
    return package.loggers.Logger, package.utilities.rank_zero_only
