"""Images a second of `mlhub data check` beside a plain Pillow loop over the same files: 20,000 small ones.

    python bench/data_check.py [--images 20000]

The loop opens and decodes each file and does no more; the check decodes, hashes, keeps what it saw, and compares all
with all. The ratio is to cores × the loop. Images: the emoji's, drawn anew with a mark of their own each.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from PIL import Image

from mlhub.data.check import PARTS, check
from mlhub.data.items import About, Item, Stored, write_items
from mlhub.data.prepare import build
from mlhub.paths import Home


def write(home: Home, images: int) -> Stored:
    emoji = build("emoji", home)
    folder = home.dataset("small")
    folder.mkdir()
    items = []
    for number in range(images):
        with Image.open(emoji.image_path(emoji.items[number % len(emoji.items)])) as image:
            canvas = Image.new("RGB", (96, 96), (number % 251, number // 251 % 251, 90))
            canvas.paste(image.convert("RGBA"), (number % 24, number // 24 % 24), image.convert("RGBA"))
            canvas.save(folder / f"{number}.jpg", quality=90)
        items.append(Item(str(number), f"{number}.jpg", {"en": (f"thing {number}",)}))
    write_items(folder, About("small"), tuple(items))
    return Stored.open(folder)


def loop(stored: Stored) -> float:
    began = time.monotonic()
    for item in stored:
        with Image.open(stored.image_path(item)) as image:
            image.load()
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20_000)
    images = parser.parse_args().images
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="mlhub-bench-") as name:
        home = Home(Path(name), Path(name) / "data")
        home.data.mkdir()
        stored = write(home, images)
        loop(stored)  # the files are in the page cache for both
        plain = images / loop(stored)
        began = time.monotonic()
        check(home, stored, PARTS, lambda *_: None)
        ours = images / (time.monotonic() - began)
        began = time.monotonic()
        check(home, stored, PARTS, lambda *_: None)
        again = images / (time.monotonic() - began)
    print(f"Pillow loop   {plain:8.0f} images a second on one core")
    print(f"data check    {ours:8.0f} images a second on {cores} cores; a second time {again:.0f}")
    print(f"ratio         {ours / (cores * plain):8.2f} of cores × the loop")


if __name__ == "__main__":
    main()
