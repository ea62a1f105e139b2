"""mlhub: a terminal-first experiment hub for people who train models on NVIDIA GPUs.

This module holds the version and what a training script may call: `log`, and `resume` if it continues. It is not a
place for imports: everything heavier than the standard library's smallest parts is loaded where it is used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlhub.records import MetricWriter

__all__ = ["__version__", "log", "resume"]

__version__ = "0.1.0"

_writer: MetricWriter | None = None


def log(values: Mapping[str, float], *, step: int | None = None, epoch: int | None = None) -> None:
    """Record `values` (metric name -> number) for the run this process belongs to; outside a run do nothing.

    `step` left out counts up by one from the last call. The record is in the kernel's hands on return.
    """
    writer = _writer or _open()
    if writer is not None:
        writer.log(values, step=step, epoch=epoch)


def resume(step: int) -> None:
    """Say that this attempt of a run continues from `step`, before anything is logged: later records are superseded.

    For a script that has loaded its checkpoint after `mlhub resume`. Without it, what is logged first tells. In a first
    attempt and outside a run do nothing.
    """
    writer = _writer or _open()
    if writer is not None:
        writer.resume(step)


def _open() -> MetricWriter | None:
    global _writer  # noqa: PLW0603 - one file descriptor a process, opened by the first call
    import os

    run_dir = os.environ.get("MLHUB_RUN_DIR")
    if not run_dir:
        return None
    from mlhub.records import MetricWriter

    _writer = MetricWriter(os.path.join(run_dir, "metrics.jsonl"))
    return _writer
