"""mlhub: a terminal-first experiment hub for people who train models on NVIDIA GPUs.

This module holds the version and what others' code may call. In a training script: `log`, `log_text`, `log_image`,
`log_table`, `log_artifact`, and `resume` if it continues; outside a run they do nothing. In a notebook: `runs` and
`metrics`, Arrow tables. It is not a place for imports: everything heavier than the standard library's smallest parts is
loaded where it is used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    import pyarrow as pa

    from mlhub.writer import MetricWriter

__all__ = [
    "__version__", "log", "log_artifact", "log_image", "log_table", "log_text", "metrics", "resume", "runs",
]  # fmt: skip

__version__ = "0.1.0"

_writer: MetricWriter | None = None


def log(values: Mapping[str, float], *, step: int | None = None, epoch: int | None = None) -> None:
    """Record `values` (metric name -> number) for the run this process belongs to; outside a run do nothing.

    `step` left out counts up by one from the last call. The record is in the kernel's hands on return. This and the
    calls below never raise: what can't be recorded (a text, a name that is empty, a file that is not there, a full
    disk) is told on stderr, once, and the rest is recorded.
    """
    writer = None
    try:
        writer = _writer or _open()
        if writer is not None:
            writer.log(values, step=step, epoch=epoch)
    except Exception as error:
        if writer is None:
            _tell("log", error)
        else:
            from mlhub.writer import log_rest

            log_rest(writer, values, step, epoch)


def resume(step: int) -> None:
    """Say that this attempt of a run continues from `step`, before anything is logged: later records are superseded.

    For a script that has loaded its checkpoint after `mlhub resume`. Without it, what is logged first tells. In a first
    attempt and outside a run do nothing.
    """
    try:
        writer = _writer or _open()
        if writer is not None:
            writer.resume(int(step))
    except Exception as error:
        _tell("resume", error)


def log_artifact(path: str | os.PathLike[str], name: str | None = None, *, step: int | None = None) -> None:
    """Keep a copy of a file or folder, as it is now, with the run. `name`: what it is called; else its own name."""
    _keep("log_artifact", "keep_file", path, name, step=step)


def log_text(name: str, text: str, *, step: int | None = None) -> None:
    """Keep a text with the run: samples of a language model, a summary, a report."""
    _keep("log_text", "keep_text", name, text, step=step)


def log_image(name: str, image: Any, *, step: int | None = None, caption: str | None = None) -> None:  # noqa: ANN401
    """Keep a picture with the run: a path, a PIL image, or a numpy array or torch tensor, H×W, H×W×3 or 3×H×W.

    Whole numbers count from 0 to 255, floats from 0 to 1.
    """
    _keep("log_image", "keep_image", name, image, step=step, caption=caption)


def log_table(name: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, step: int | None = None) -> None:
    """Keep a table with the run, of rows with a cell a column. Cells are numbers, texts, booleans or None."""
    _keep("log_table", "keep_table", name, columns, rows, step=step)


def runs(query: str | None = None) -> pa.Table:
    """The runs of the home as an Arrow table, newest first; `query` as for `mlhub ls --filter`. See docs/api.md.

    Needs pyarrow (`pip install 'mlhub[archive]'`). Raises MlhubError, for a query that is none too.
    """
    from mlhub.arrow import runs_table
    from mlhub.cli.hub import open_hub

    hub = open_hub()
    try:
        return runs_table(hub.store, query)
    finally:
        hub.store.close()


def metrics(run: int | str, names: Iterable[str] | None = None, system: bool = False) -> pa.Table:
    """The records of a run (an id, a name or `@last`) as an Arrow table, a row a record. See docs/api.md.

    Columns: step, epoch, time, attempt, then a column of floats a metric. `names`: only these; patterns such as `val/*`
    too. `system`: GPU, CPU and memory in their place. Needs pyarrow. Raises MlhubError.
    """
    from mlhub.arrow import metrics_table
    from mlhub.cli.hub import open_hub

    hub = open_hub()
    try:
        return metrics_table(hub.store, run, names, system=system)
    finally:
        hub.store.close()


def _run() -> str | None:
    """The folder of the run this process belongs to."""
    import os

    return os.environ.get("MLHUB_RUN_DIR") or None


def _keep(call: str, function: str, *args: object, **kwargs: object) -> None:
    """A function of `mlhub.artifacts`, within a run; what it raises is told and stays here."""
    try:
        if run := _run():
            from mlhub import artifacts

            getattr(artifacts, function)(run, *args, **kwargs)
    except Exception as error:
        _tell(call, error)


def _tell(call: str, error: Exception) -> None:
    from mlhub.writer import tell

    tell(f"{call}: {type(error).__name__}: {error}")


def _open() -> MetricWriter | None:
    global _writer  # noqa: PLW0603 - one file descriptor a process, opened by the first call
    run = _run()
    if run is None:
        return None
    import os

    from mlhub.writer import MetricWriter

    _writer = MetricWriter(os.path.join(run, "metrics.jsonl"))
    return _writer
