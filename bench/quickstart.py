"""Train the quickstart preset with several seeds and print what docs/hashing.md shows: time, mAP, queries, styles.

    python bench/quickstart.py [--seeds 1,2,3] [--preset quickstart] [--work FOLDER] [KEY=VALUE ...]

Every step is the real one: the training program in a process of its own, the evaluation's protocol, an index on disk,
its search. Exit status 1 if a seed misses a query (`queries.py`) or a baseline is not beaten. A seed whose checkpoint
already lies in FOLDER is not trained again.
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
from collections import defaultdict
from pathlib import Path
from statistics import mean, pstdev

import numpy as np
from queries import QUERIES

from mlhub.config import find_preset, load_config
from mlhub.data.prepare import prepare
from mlhub.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlhub.data.items import Dataset
    from mlhub.hashing.search import Searcher

LENGTHS = (8, 16, 32, 48, 64, 128)
METHODS = ("learned", "itq", "pca", "lsh")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--preset", default="quickstart")
    parser.add_argument("--work", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    options = parser.parse_args()
    work = (options.work or Path(tempfile.mkdtemp(prefix="mlhub-bench-"))).absolute()
    work.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("MLHUB_HOME", str(work / "home"))
    seeds = [int(seed) for seed in options.seeds.split(",")]
    runs = {seed: work / f"seed-{seed}" for seed in seeds}
    prepare("emoji", Settings.load().to_home())
    for seed, run in runs.items():
        train(options.preset, [*options.overrides, f"training.seed={seed}"], run)
    figures = {seed: evaluate(run) for seed, run in runs.items()}
    good = print_table(figures)
    return 0 if print_queries(runs) and good else 1


def train(preset: str, overrides: list[str], run: Path) -> None:
    if (run / "checkpoints" / "best.safetensors").is_file():
        print(f"{run.name}: trained before")
        return
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.yaml").write_text(load_config(find_preset(preset), overrides).to_yaml(), encoding="utf-8")
    environment = os.environ | {"MLHUB_RUN_DIR": str(run), "MLHUB_CONFIG": str(run / "config.yaml")}
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with (run / "output.log").open("w") as log:
        subprocess.run(
            [sys.executable, "-m", "mlhub.hashing.train"], env=environment, stdout=log, stderr=log, check=True
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    load = os.getloadavg()[0]
    print(
        f"{run.name}: {time.monotonic() - started:.0f} s of wall time, {used:.0f} s of CPU, load {load:.1f}", flush=True
    )


def evaluate(run: Path) -> dict[str, float]:
    """`figures` of the evaluation program, run as a user would."""
    command = [sys.executable, "-m", "mlhub.hashing.evaluate", "--checkpoint", str(run / "checkpoints"), "--json"]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout[done.stdout.index("{") :])["figures"]
    return figures


def print_table(figures: dict[int, dict[str, float]]) -> bool:
    """mAP by identity in per cent, mean ± deviation over the seeds. True if the learned codes win from 16 bits on."""
    good = True
    for task in ("t2i", "i2t", "ko/t2i", "ko/i2t", "i2i"):
        if not any(name.startswith(f"eval/{task}/") for name in next(iter(figures.values()))):
            continue
        print(f"\n{task}, mAP %, held-out items, {len(figures)} seeds\n\n| bits | " + " | ".join(METHODS) + " |")
        print("|--:|" + "--:|" * len(METHODS))
        for bits in LENGTHS:
            row = [values(figures, f"eval/{task}/map_{bits}" + ("" if m == "learned" else f"_{m}")) for m in METHODS]
            print(f"| {bits} | " + " | ".join(cell(found) for found in row) + " |")
            others = [mean(found) for found in row[1:] if found]
            if task != "i2i" and bits in (16, 32, 64, 128) and others and mean(row[0]) <= max(others):
                good = False
        print(f"| float | {cell(values(figures, f'eval/{task}/map_float'))} |" + " |" * (len(METHODS) - 1))
        print(f"\nrecall@10 at 64 bits: {cell(values(figures, f'eval/{task}/r10_64'))}")
    return good


def values(figures: dict[int, dict[str, float]], name: str) -> list[float]:
    return [100 * found[name] for found in figures.values() if name in found]


def cell(found: list[float]) -> str:
    return f"{mean(found):.1f} ± {pstdev(found):.1f}" if found else "–"


def print_queries(runs: dict[int, Path]) -> bool:
    """Right answers among the first five at 64 bits over all drawings; then how often styles meet.

    By the search as it is, and by Hamming distance alone, in expectation over every order of the tied.
    """
    from mlhub.hashing import checkpoint, index, program
    from mlhub.hashing.codes import hamming, pack
    from mlhub.hashing.search import Searcher

    dataset = prepare("emoji", Settings.load().to_home())
    names = [item.captions["en"][0] for item in dataset.items]
    reranked: dict[str, list[float]] = defaultdict(list)
    plain: dict[str, list[float]] = defaultdict(list)
    shown: dict[str, str] = {}
    styles: dict[str, list[float]] = defaultdict(list)
    for run in runs.values():
        encoder = checkpoint.load(run / "checkpoints")
        program.spare_threads(encoder)
        index.build(encoder, dataset, run / "index", lambda *_: None)
        searcher, codes = Searcher(run / "index"), np.load(run / "index" / "codes.npy")
        for query, right in QUERIES.items():
            first = [hit.captions["en"][0] for hit in searcher.text(query, k=5, bits=64).results]
            distances = hamming(pack(encoder.texts([query]).logits), codes, 64)[0]
            reranked[query].append(sum(name in right for name in first))
            plain[query].append(expected(distances, np.array([name in right for name in names]), 5))
            shown.setdefault(query, ", ".join(first))
        for name, shares in other_style(searcher, codes, dataset).items():
            styles[name] += [100 * mean(shares)]
    print("\n| query | right in the first five, a seed each | by Hamming alone | first five, first seed |")
    print("|---|---|---|---|")
    for query, found in reranked.items():
        alone = " ".join(f"{value:.1f}" for value in plain[query])
        print(f"| {query} | {' '.join(map(str, found))} | {alone} | {shown[query]} |")
    print("\nimage → its other style in the first ten, 64 bits, % of concepts:")
    for name, found in styles.items():
        print(f"  {name}: {cell(found)}")
    return all(min(found) > 0 for found in reranked.values())


def expected(distances: NDArray[np.uint8], right: NDArray[np.bool_], k: int) -> float:
    """How many right ones [n] are among the first `k` by distance [n], on average over every order of the tied."""
    limit = np.partition(distances, k - 1)[k - 1]
    sure = distances < limit
    return float(right[sure].sum() + (k - sure.sum()) * right[distances == limit].mean())


def other_style(searcher: Searcher, codes: NDArray[np.uint8], dataset: Dataset) -> dict[str, list[float]]:
    """For each drawing, whether its concept's other one is among the ten nearest: both trained, or one held out."""
    from mlhub.hashing.codes import hamming

    drawn: dict[str, list[int]] = defaultdict(list)
    for row, item in enumerate(dataset.items):
        drawn[item.key].append(row)
    found: dict[str, list[float]] = defaultdict(list)
    for pair in drawn.values():
        held = "one held out" if any(dataset.items[row].split != "train" for row in pair) else "both trained"
        for one, other in (pair, pair[::-1]):
            item = dataset.items[one]
            answer = searcher.image(dataset.image_path(item), k=11, bits=64)
            near = [hit.id for hit in answer.results if hit.id != item.id][:10]
            found[held].append(dataset.items[other].id in near)
            distances = hamming(codes[one : one + 1], codes, 64)[0]
            distances[one] = 255  # not itself
            found[f"{held}, by Hamming alone"].append(expected(distances, np.arange(len(codes)) == other, 10))
    return found


if __name__ == "__main__":
    sys.exit(main())
