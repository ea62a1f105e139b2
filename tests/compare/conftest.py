"""Runs as rows, made by hand: a comparison reads nothing else."""

from __future__ import annotations

from typing import Any

from mlhub.store.runs import Run


def make_run(run_id: int, *, metrics: dict[str, Any] | None = None, **more: Any) -> Run:
    """A completed run; `metrics` are last values, or whole entries of a summary."""
    summary = {
        name: value if isinstance(value, dict) else {"last": value, "min": value, "max": value, "step": 10}
        for name, value in (metrics or {}).items()
    }
    common = {"name": f"run-{run_id}", "kind": "train", "status": "completed", "host": "here"}
    return Run(id=run_id, created_at="2026-01-01T00:00:00.000Z", summary=summary, **common | more)
