"""Pictures a second: the lazy loader of a training beside torch's DataLoader over the same decoding of the same files.

    python bench/loader.py [--images 2000] [--rounds 3]

Both decode JPEGs of 256 to 512 pixels into squares of 224 as open_clip's models take them, in batches of 64, with as
many workers as there are cores. Rounds alternate; the first of each is thrown away.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch  # noqa: TID251
from PIL import Image
from torch.utils.data import DataLoader, Dataset  # noqa: TID251

from mlhub.data.items import About, Item, write_items
from mlhub.data.items import Dataset as Pictures
from mlhub.hashing import loading
from mlhub.hashing.pictures import open_image

BATCH = 64


class Square:
    """What is kept of an image, as a backbone would: 224 pixels, three colours."""

    def picture(self, image: Image.Image) -> torch.Tensor:
        small = image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
        return torch.from_numpy(np.asarray(small).transpose(2, 0, 1).copy())


class Files(Dataset[torch.Tensor]):
    def __init__(self, dataset: Pictures) -> None:
        self.paths = [dataset.image_path(item) for item in dataset.items]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> torch.Tensor:
        return Square().picture(open_image(self.paths[row]))


def write(folder: Path, images: int) -> Pictures:
    draw = np.random.default_rng(0)
    items = []
    for number in range(images):
        side = int(draw.integers(256, 513))
        coarse = draw.integers(0, 255, (side // 8, side // 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(
            folder / f"{number}.jpg", quality=90
        )
        items.append(Item(str(number), f"{number}.jpg", {"en": ("x",)}))
    write_items(folder, About("noise"), tuple(items))
    return Pictures.open(folder)


def ours(dataset: Pictures, order: list[int], workers: int) -> int:
    lazy = loading.Lazy(dataset, dataset.items, Square(), workers)  # type: ignore[arg-type]  # decoding is all it asks
    return sum(len(lazy.take(order[start : start + BATCH])) for start in range(0, len(order), BATCH))


def theirs(dataset: Pictures, order: list[int], workers: int) -> int:
    return sum(map(len, DataLoader(Files(dataset), BATCH, sampler=order, num_workers=workers)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    workers = os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="mlhub-bench-") as name:
        dataset = write(Path(name), options.images)
        order = torch.randperm(options.images, generator=torch.Generator().manual_seed(0)).tolist()
        rates: dict[str, list[float]] = {"DataLoader": [], "mlhub": []}
        for _ in range(options.rounds + 1):
            for label, run in (("DataLoader", theirs), ("mlhub", ours)):
                began = time.monotonic()
                count = run(dataset, order, workers)
                rates[label].append(count / (time.monotonic() - began))
    middle = {label: statistics.median(found[1:]) for label, found in rates.items()}
    for label, rate in middle.items():
        print(f"{label:<12} {rate:8.0f} images a second, {workers} workers")
    print(f"ratio        {middle['mlhub'] / middle['DataLoader']:8.2f}")


if __name__ == "__main__":
    main()
