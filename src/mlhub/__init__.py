"""mlhub: a terminal-first experiment hub for people who train models on NVIDIA GPUs.

This module holds the version and `log`, the one call a training script needs. It is not a place for imports: everything
heavier than the standard library's smallest parts is loaded where it is used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlhub.metrics import MetricWriter

__all__ = ["__version__", "log"]

__version__ = "0.1.0"

_writer: MetricWriter | None = None


def log(values: Mapping[str, float], *, step: int | None = None, epoch: int | None = None) -> None:
    """Record `values` (metric name -> number) for the run this process belongs to; outside a run do nothing.

    `step` left out counts up by one from the last call. The record is in the kernel's hands on return.
    """
    global _writer  # noqa: PLW0603 - one file descriptor a process, opened by the first call
    if _writer is None:
        import os

        run_dir = os.environ.get("MLHUB_RUN_DIR")
        if not run_dir:
            return
        from mlhub.metrics import MetricWriter

        _writer = MetricWriter(os.path.join(run_dir, "metrics.jsonl"))
    _writer.log(values, step=step, epoch=epoch)
