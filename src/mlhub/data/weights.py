"""Are a model's pretrained weights on this machine? A look into folders, without torch, open_clip or the network.

Not a download: the error names the command that does one. A model that isn't in the table below is open_clip's to find.
"""

from __future__ import annotations

import os
from pathlib import Path

from mlhub.errors import NotFoundError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.config import ModelConfig

#: where open_clip looks on the Hugging Face hub, for the models of our presets and their relatives
REPOSITORIES = {
    (f"ViT-{name}", "webli"): f"timm/ViT-{name}"
    for name in (
        "B-32-SigLIP2-256",
        "B-16-SigLIP2",
        "B-16-SigLIP2-256",
        "B-16-SigLIP2-384",
        "L-16-SigLIP2-256",
        "L-16-SigLIP2-384",
        "SO400M-14-SigLIP2",
        "SO400M-14-SigLIP2-378",
        "SO400M-16-SigLIP2-256",
        "SO400M-16-SigLIP2-384",
        "SO400M-16-SigLIP2-512",
    )
}

_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def cached(backbone: str, pretrained: str | None) -> Path | None:
    """The weights' file if it is here, None if it is not (or if the model is not in the table)."""
    if pretrained and (file := Path(pretrained).expanduser()).is_file():
        return file
    repository = REPOSITORIES.get((backbone, pretrained or ""))
    if repository is None:
        return None
    snapshots = _hub() / f"models--{repository.replace('/', '--')}" / "snapshots"
    # a snapshot is links to blobs: one whose download was cut short dangles, and is_file says so
    found = [folder / name for folder in snapshots.glob("*") for name in _NAMES if (folder / name).is_file()]
    return max(found, key=lambda file: file.stat().st_mtime, default=None)


def require(model: ModelConfig) -> None:
    """Raises NotFoundError naming the command to type if the weights are known to be missing."""
    if model.backbone == "tiny" or not model.pretrained or cached(model.backbone, model.pretrained):
        return
    if repository := REPOSITORIES.get((model.backbone, model.pretrained)):
        raise NotFoundError(
            f"the weights of {model.backbone} ({model.pretrained}) are not on this machine",
            f"Type: hf download {repository}",
        )
    if "/" in model.pretrained or model.pretrained.endswith((".safetensors", ".bin", ".pt")):
        raise NotFoundError(
            f"model.pretrained: {model.pretrained}: no such file", "Name the file that holds the weights."
        )


def _hub() -> Path:
    """Hugging Face's cache folder, found the way huggingface_hub finds it."""
    if folder := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(folder).expanduser()
    home = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    return Path(home).expanduser() / "hub"
