"""What the programs of this room share: `mlhub.program`, and how many threads they take."""

from __future__ import annotations

from mlhub.program import attempt, remember, run, run_folder, say, write_json, write_outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.hashing.checkpoint import Encoder

__all__ = ["attempt", "remember", "run", "run_folder", "say", "spare_threads", "write_json", "write_outcome"]


def spare_threads(encoder: Encoder) -> None:
    """Let the tiny towers run in one thread: on a busy machine two wait for each other longer than they work."""
    import torch

    if encoder.config.model.backbone == "tiny":
        torch.set_num_threads(1)
