"""Pictures of a training: all decoded once and held, or each decoded whenever a batch wants it.

The same pixels either way, hence the same batches. Decoding is by threads: decoders and torch release the interpreter
lock. Not which pictures a batch has: `mlhub.hashing.data`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mlhub.errors import MlhubError
from mlhub.hashing.pictures import open_image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlhub.config import DataConfig
    from mlhub.data.items import Dataset, Item
    from mlhub.hashing.backbones import Backbone

#: of the memory that is available, what pictures may take under `data.decode: auto`
_SHARE = 0.25
#: pictures from which a backbone takes what training needs to begin: more change a mean no more
_FITTED = 4096
#: a control group's memory: its limit and what it uses, of version 2 and 1
_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


class Lazy:
    """Pictures that are decoded when they are taken. Missing files are told at once, damaged ones when they are met."""

    def __init__(self, dataset: Dataset, items: Sequence[Item], backbone: Backbone, workers: int) -> None:
        self._dataset, self._items, self._backbone = dataset, items, backbone
        self._pool = ThreadPoolExecutor(max(1, workers), thread_name_prefix="decode")
        for item in items:
            if not (path := dataset.image_path(item)).is_file():
                raise MlhubError(f"{item.id}: {path}: no such image", f"See: mlhub data check {dataset.name}")

    def __len__(self) -> int:
        return len(self._items)

    def take(self, rows: Sequence[int]) -> Tensor:
        """uint8 [n, …] of some rows. Raises MlhubError naming item and file of one that is broken."""
        return torch.stack(list(self._pool.map(self._one, rows)))

    def _one(self, row: int) -> Tensor:
        return decode_one(self._dataset, self._items[row], self._backbone)


Pictures = Tensor | Lazy


def decode_one(dataset: Dataset, item: Item, backbone: Backbone) -> Tensor:
    """uint8 of one item's image. Raises MlhubError naming item and file."""
    path = dataset.image_path(item)
    try:
        return backbone.picture(open_image(path))
    except MlhubError as error:
        raise MlhubError(f"{item.id}: {error.message}", f"Type: mlhub data prepare {dataset.name}") from None


def take(pictures: Pictures, rows: Sequence[int]) -> Tensor:
    """[n, …] of some rows."""
    return pictures.take(rows) if isinstance(pictures, Lazy) else pictures[torch.tensor(rows)]


def parts(pictures: Pictures, size: int) -> Iterator[Tensor]:
    """All of them, `size` at a time."""
    if not isinstance(pictures, Lazy):
        yield from torch.split(pictures, size)
        return
    for start in range(0, len(pictures), size):
        yield pictures.take(range(start, min(start + size, len(pictures))))


def sample(pictures: Pictures) -> Tensor:
    """All of them, or of many some thousands, evenly spread: the same ones however they are held."""
    if len(pictures) <= _FITTED:
        return pictures.take(range(len(pictures))) if isinstance(pictures, Lazy) else pictures
    return take(pictures, [place * len(pictures) // _FITTED for place in range(_FITTED)])


def is_lazy(config: DataConfig, dataset: Dataset, items: Sequence[Item], backbone: Backbone) -> tuple[bool, str]:
    """Whether pictures are to be decoded as they are wanted, and why, in words; `auto` asks the memory."""
    if config.decode != "auto":
        return config.decode == "always", f"data.decode: {config.decode}"
    first = decode_one(dataset, items[0], backbone)
    each = len(backbone.keep(first.unsqueeze(0))) * first.nbytes
    wanted, available = len(items) * each / 1e9, available_memory() / 1e9
    lazy = wanted > _SHARE * available
    how = "decoded as they are wanted" if lazy else "decoded once and held"
    return lazy, f"pictures are {how}: {wanted:.1f} GB of {available:.1f} GB that are free"


def available_memory() -> int:
    """Bytes that may be taken without swapping: what the kernel says, or less where a control group allows less."""
    import psutil

    room = int(psutil.virtual_memory().available)
    for limit, used in _GROUPS:
        try:
            room = min(room, int(Path(limit).read_text()) - int(Path(used).read_text()))
        except (OSError, ValueError):  # not of this version, or `max`
            continue
    return max(0, room)
