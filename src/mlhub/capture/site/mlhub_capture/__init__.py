"""What a Trainer finds inside a run of mlhub: by its entry points, the callback that records it.

This folder is on the PYTHONPATH of other people's programs: standard library only, Python 3.9 on, and whatever goes
wrong in it is noted (`mlhub_capture.record`) and never reaches the training. Not a part of the hub, which imports
nothing of it.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["HuggingFaceCallback", "lightning", "pytorch_lightning"]


def lightning() -> list[Any]:
    """Callbacks for each Trainer of `lightning`; the entry point `lightning.pytorch.callbacks_factory`."""
    return _callbacks("lightning.pytorch")


def pytorch_lightning() -> list[Any]:
    """The same for `pytorch_lightning`."""
    return _callbacks("pytorch_lightning")


def _callbacks(package: str) -> list[Any]:
    if not os.environ.get("MLHUB_RUN_DIR"):
        return []
    try:
        from mlhub_capture.trainer import make_callback

        return [make_callback(package)]
    except Exception as error:
        _note(package, error)
        return []


def _note(where: str, error: BaseException) -> None:
    try:
        from mlhub_capture import record

        record.note(where, error)
    except Exception:  # nothing of ours can even be imported: the training goes on without us
        return


def __getattr__(name: str) -> Any:
    if name == "HuggingFaceCallback":  # its base class is transformers', which is loaded for those who ask
        from mlhub_capture.huggingface import HuggingFaceCallback

        return HuggingFaceCallback
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
