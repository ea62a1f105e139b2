"""Preparing a Karpathy file of 120,000 images and 600,000 captions, beside a plain `json.load` loop: time and memory.

    python bench/data.py [--images 120000]

Each is a process of its own, timed from its start, its memory the kernel's figure at its end. The plain loop loads the
document and writes the same JSONL; it looks at no image, cleans nothing, and can't be killed and gone on with.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PLAIN = """
import json, sys
with open(sys.argv[2], "w") as out:
    for image in json.load(open(sys.argv[1]))["images"]:
        item = {"id": str(image["cocoid"]), "image": image["filepath"] + "/" + image["filename"],
                "captions": {"en": [s["raw"] for s in image["sentences"]]}, "split": image["split"]}
        out.write(json.dumps(item) + "\\n")
"""
OURS = """
import sys
from pathlib import Path
from mlhub.data import registry
from mlhub.data.prepare import make
from mlhub.paths import Home
home = Home(Path(sys.argv[3]), Path(sys.argv[3]) / "data")
registry.add(home, "coco", [Path(sys.argv[1])], images=Path(sys.argv[2]))
print(make("coco", home).facts().items)
"""


def write_source(folder: Path, images: int) -> Path:
    """The document as Karpathy's is, and a file for each image: links to one, as what is in them doesn't count here."""
    (folder / "images" / "train2014").mkdir(parents=True)
    one = folder / "images" / "one.jpg"
    one.write_bytes(b"x" * 1000)
    path = folder / "dataset_coco.json"
    with path.open("w") as file:
        file.write('{"images": [')
        for number in range(images):
            name = f"COCO_train2014_{number:012}.jpg"
            if number % 30_000 == 0:  # a file has so many links at most
                one = folder / "images" / f"one-{number}.jpg"
                one.write_bytes(b"x" * 1000)
            os.link(one, folder / "images" / "train2014" / name)
            sentences = [_sentence(number, k) for k in range(5)]
            record = {"filepath": "train2014", "filename": name, "sentids": [5 * number + k for k in range(5)],
                      "imgid": number, "sentences": sentences, "split": "restval" if number % 3 else "train",
                      "cocoid": number}  # fmt: skip
            file.write((", " if number else "") + json.dumps(record))
        file.write('], "dataset": "coco"}')
    return path


def _sentence(number: int, k: int) -> dict[str, object]:
    raw = f"A picture of thing {number} seen {k} times."
    return {"tokens": raw[:-1].lower().split(), "raw": raw, "imgid": number, "sentid": 5 * number + k}


def measure(program: str, *arguments: Path) -> tuple[float, float]:
    """Seconds and peak MB of a Python program."""
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], stdout=subprocess.PIPE)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"failed: {status}")
    return time.monotonic() - began, used.ru_maxrss / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=120_000)
    images = parser.parse_args().images
    with tempfile.TemporaryDirectory(prefix="mlhub-bench-") as name:
        folder = Path(name)
        source = write_source(folder, images)
        print(f"{images} images, {5 * images} captions, {source.stat().st_size / 1e6:.0f} MB")
        plain = measure(PLAIN, source, folder / "plain.jsonl")
        ours = measure(OURS, source, folder / "images", folder / "home")
    for label, (seconds, peak) in (("json.load loop", plain), ("data prepare", ours)):
        print(f"{label:<16} {seconds:7.1f} s {images / seconds:9.0f} images a second {peak:7.0f} MB at most")
    print(f"ratio            {ours[0] / plain[0]:7.2f} × the time, {ours[1] / plain[1]:.2f} × the memory")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
