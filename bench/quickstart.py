"""Train the quickstart preset with several seeds and print what docs/hashing.md shows: time, mAP, queries, styles.

    python bench/quickstart.py [--seeds 1,2,3] [--preset quickstart] [--work FOLDER] [KEY=VALUE ...]

Every step is the real one: the training program in a process of its own, the evaluation's protocol, an index on disk,
its search. Exit status 1 if a seed misses a query or a baseline is not beaten. A seed whose checkpoint already lies in
FOLDER is not trained again.
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

from mlhub.config import find_preset, load_config
from mlhub.data.prepare import prepare
from mlhub.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.data.items import Dataset, Item
    from mlhub.hashing.search import Searcher

#: query → words of which one must stand in an English name of a right answer
QUERIES = {
    "a dog": ("dog", "poodle"),
    "red apple": ("red apple",),
    "guitar": ("guitar",),
    "강아지": ("dog", "poodle"),
    "a smiling face": ("smil", "grin", "beaming"),
    "a cat": ("cat",),
    "개": ("dog", "poodle"),
    "고양이": ("cat",),
    "사과": ("apple",),
    "자동차": ("automobile", "car", "vehicle", "taxi"),
    "비행기": ("airplane",),
    "a red heart": ("red heart",),
    "pizza": ("pizza",),
    "birthday cake": ("birthday cake",),
    "the moon": ("moon",),
    "bicycle": ("bicycle",),
    "a crying face": ("cry",),
    "물고기": ("fish",),
    "tree": ("tree",),
    "a cup of coffee": ("coffee", "hot beverage"),
    "꽃": ("flower", "blossom", "rose", "tulip", "hibiscus", "bouquet", "hyacinth", "lotus"),
    "기타": ("guitar",),
    "penguin": ("penguin",),
    "umbrella": ("umbrella",),
    "the sun": ("sun",),
    "a house": ("house",),
    "horse": ("horse",),
    "하트": ("heart",),
}
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
    """Right answers among the top five at 64 bits over all drawings, a column a seed; then how often styles meet."""
    from mlhub.hashing import checkpoint, index
    from mlhub.hashing.search import Searcher

    dataset = prepare("emoji", Settings.load().to_home())
    hits: dict[str, list[int]] = defaultdict(list)
    shown: dict[str, str] = {}
    styles: dict[str, list[float]] = defaultdict(list)
    for run in runs.values():
        index.build(checkpoint.load(run / "checkpoints"), dataset, run / "index", lambda *_: None)
        searcher = Searcher(run / "index")
        for query, words in QUERIES.items():
            names = [" ".join(hit.captions["en"]) for hit in searcher.text(query, k=5, bits=64).results]
            hits[query].append(sum(any(word in name for word in words) for name in names))
            shown.setdefault(query, ", ".join(hit.captions["en"][0] for hit in searcher.text(query, k=5).results))
        for split, share in other_style(searcher, dataset).items():
            styles[split].append(100 * share)
    print("\n| query | right in the top five, a seed each | top five, first seed |\n|---|---|---|")
    for query, found in hits.items():
        print(f"| {query} | {' '.join(map(str, found))} | {shown[query]} |")
    print("\nimage → its other style in the top ten, 64 bits, % of concepts:")
    for split, found in styles.items():
        print(f"  {split}: {cell(found)}")
    return all(min(found) > 0 for found in hits.values())


def other_style(searcher: Searcher, dataset: Dataset) -> dict[str, float]:
    """Share of drawings whose concept's other drawing is among the ten nearest: both trained, or one held out."""
    drawn: dict[str, list[Item]] = defaultdict(list)
    for item in dataset.items:
        drawn[item.concept].append(item)
    found: dict[str, list[bool]] = defaultdict(list)
    for pair in drawn.values():
        held = any(item.split != "train" for item in pair)
        for one, other in (pair, pair[::-1]):
            answer = searcher.image(dataset.image_path(one), k=11, bits=64)
            near = [hit.id for hit in answer.results if hit.id != one.id][:10]
            found["one held out" if held else "both trained"].append(other.id in near)
    return {name: mean(map(float, hits)) for name, hits in found.items()}


if __name__ == "__main__":
    sys.exit(main())
