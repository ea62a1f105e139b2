"""Checkpoints: `NAME.safetensors` holds the weights and what they are; nothing is ever unpickled.

`NAME.json` beside it is a copy of the latter for people and scripts: one file can be replaced whole, two can not.

Not Lightning's checkpoints, which are pickles. `load` gives an `Encoder`: images and texts in, codes and vectors out.
It needs torch, and not Lightning.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from mlhub import __version__
from mlhub.config import RunConfig, recorded_config
from mlhub.errors import ConfigError, MlhubError, NotFoundError
from mlhub.files import replace_bytes
from mlhub.hashing import backbones
from mlhub.hashing.model import HashingModel, Output
from mlhub.hashing.pictures import open_image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

FORMAT = 1
_BATCH = 256
_WORDS = "backbone.keys"
_FROZEN = "backbone.clip."
#: bytes of a header, of any model
_MOST_HEADER = 1 << 26
#: key of the sidecar in the file's own metadata
_METADATA = "mlhub"


class Sidecar(msgspec.Struct, frozen=True):
    """What the weights are. `sha256` is that of their bytes; `data` is the data set's fingerprint."""

    format: int
    config: RunConfig
    dataset: str
    data: str
    step: int
    epoch: int
    sha256: str = ""
    metrics: dict[str, float | None] = {}
    version: str = __version__
    run: str | None = None
    created: str = ""


@dataclass(frozen=True, slots=True)
class Encoded:
    """logits [n, 128] (a code's bit is logit > 0) and L2-normalised vectors [n, d], both float32."""

    logits: NDArray[np.float32]
    vectors: NDArray[np.float32]


class Encoder:
    """A trained model ready for use, on the GPU if CUDA has one; what it gives is on the CPU."""

    def __init__(
        self, model: HashingModel, sidecar: Sidecar, path: Path, device: torch.device | str | None = None
    ) -> None:
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.model = model.eval().to(self.device)
        self.sidecar = sidecar
        self.path = path

    @property
    def digest(self) -> str:
        """sha256 of the weights: what an index remembers."""
        return self.sidecar.sha256

    @property
    def config(self) -> RunConfig:
        return self.sidecar.config

    def images(self, images: Sequence[Path] | Sequence[Image.Image]) -> Encoded:
        """Encode files or decoded images. Raises MlhubError naming a file that is missing or broken."""

        def encode(some: Sequence[Path] | Sequence[Image.Image]) -> Output:
            decoded = (item if isinstance(item, Image.Image) else open_image(item) for item in some)
            pictures = torch.stack([self.model.backbone.picture(image) for image in decoded])
            return self.model.images(self.model.backbone.batch(pictures, None).to(self.device))

        return self._encode(images, encode)

    def texts(self, texts: Sequence[str]) -> Encoded:
        """Encode texts in any language the model was trained on."""

        def encode(some: Sequence[str]) -> Output:
            return self.model.texts(tuple(part.to(self.device) for part in self.model.backbone.tokens(some)))

        return self._encode(texts, encode)

    @torch.inference_mode()
    def _encode(self, things: Sequence[Any], encode: Callable[[Any], Output]) -> Encoded:
        logits, vectors = [], []
        for start in range(0, len(things), _BATCH):
            output = encode(things[start : start + _BATCH])
            logits.append(output.logits.float().cpu())
            vectors.append(output.vectors.float().cpu())
        if not logits:
            raise MlhubError("nothing to encode", "Give at least one image or text.")
        return Encoded(torch.cat(logits).numpy(), torch.cat(vectors).numpy())


def save(path: Path, model: HashingModel, sidecar: Sidecar) -> str:
    """Write `path` (… .safetensors), whole or not at all, and then its readable sidecar; the `sha256` filled in there.

    Frozen weights are not written: they are the pretrained ones, and by far the most.
    """
    frozen = bool(getattr(model.backbone, "frozen", False))
    tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in model.state_dict().items()
        if not (frozen and name.startswith(_FROZEN))
    }
    about = msgspec.structs.replace(sidecar, sha256=_hash(save_tensors(tensors)))
    text = msgspec.json.encode(about)
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, save_tensors(tensors, {_METADATA: text.decode()}))
    _replace(path.with_suffix(".json"), msgspec.json.format(text, indent=1) + b"\n")
    return about.sha256


def _hash(data: bytes) -> str:
    """sha256 of a safetensors file's tensors: of everything behind its header, whose length is the first 8 bytes."""
    return hashlib.sha256(memoryview(data)[8 + int.from_bytes(data[:8], "little") :]).hexdigest()


def load(path: Path, device: torch.device | str | None = None) -> Encoder:
    """The encoder of a checkpoint: a file, a folder of checkpoints or a run's folder (`best`, else `last`).

    On a GPU if there is one, unless `device` says otherwise. Raises NotFoundError if there is none, MlhubError if it is
    not one or is damaged.
    """
    file = _find(path)
    try:
        data = file.read_bytes()
        tensors = load_tensors(data)
    except (OSError, SafetensorError) as error:
        raise _not_one(file, str(error)) from None
    sidecar = _read_sidecar(file, data)
    if _hash(data) != sidecar.sha256:
        raise _not_one(file, "its weights were changed after they were written")
    model = _rebuild(sidecar.config, tensors, file)
    return Encoder(model, sidecar, file, device)


def describe(path: Path) -> Sidecar:
    """What a checkpoint's file says of its weights, which are left unread. Raises MlhubError as `load` does."""
    try:
        with path.open("rb") as file:
            size = file.read(8)
            head = size + file.read(min(int.from_bytes(size, "little"), _MOST_HEADER))
    except OSError as error:
        raise _not_one(path, str(error)) from None
    return _read_sidecar(path, head)


def _rebuild(config: RunConfig, tensors: dict[str, Tensor], file: Path) -> HashingModel:
    words = len(tensors[_WORDS]) if _WORDS in tensors else 0
    backbone = backbones.build(config.model, config.data.image_size, config.data.max_text_length, words=words)
    model = HashingModel(backbone, config.model.dropout)
    try:
        missing, unexpected = model.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        raise _not_one(file, str(error).partition("\n")[0]) from None
    frozen = bool(getattr(model.backbone, "frozen", False))
    missing = [name for name in missing if not (frozen and name.startswith(_FROZEN))]
    if missing or unexpected:
        raise _not_one(file, f"its tensors are not this model's ({', '.join([*missing, *unexpected][:3])})")
    return model


def _find(path: Path) -> Path:
    if path.is_dir():
        for folder in (path, path / "checkpoints"):
            for name in ("best.safetensors", "last.safetensors"):
                if (folder / name).is_file():
                    return folder / name
        raise NotFoundError(f"{path}: no checkpoint here", "Train first: mlhub run quickstart")
    if not path.exists():
        raise NotFoundError(
            f"{path}: no such checkpoint", "mlhub ls shows the runs; a run's checkpoints are best and last."
        )
    return path.with_suffix(".safetensors") if path.suffix == ".json" else path


def _read_sidecar(file: Path, data: bytes) -> Sidecar:
    """What the header of a safetensors file says of it; the file has been parsed already."""
    try:
        header = msgspec.json.decode(data[8 : 8 + int.from_bytes(data[:8], "little")], type=dict[str, dict[str, Any]])
    except msgspec.DecodeError as error:
        raise _not_one(file, str(error)) from None
    text = header.get("__metadata__", {}).get(_METADATA)
    if text is None:
        raise _not_one(file, "mlhub did not write it")
    try:
        tree = msgspec.json.decode(text, type=dict[str, Any])
        if (number := tree.get("format", 0)) > FORMAT:
            raise _not_one(file, f"format {number} is newer than this mlhub knows")
        tree["config"] = recorded_config(tree.get("config"))
        return msgspec.convert(tree, Sidecar)
    except (msgspec.DecodeError, ConfigError, TypeError) as error:
        raise _not_one(file, str(error)) from None


def _not_one(file: Path, why: str) -> MlhubError:
    return MlhubError(
        f"{file} is not a checkpoint of mlhub: {why}", "Name a run, or a .safetensors file that mlhub wrote."
    )


def _replace(path: Path, data: bytes) -> None:
    try:
        replace_bytes(path, data)
    except OSError as error:
        raise MlhubError(
            f"{path}: can't be written: {error.strerror}", "Make room, or set MLHUB_CHECKPOINT_DIR."
        ) from error
