"""Speed and memory of the exact mAP against the usual per-query loop, in one run on one machine: prints the ratios.

    python bench/ranking.py [QUERIES GALLERY]

The loop is `calc_map_k` as published with DCMH and copied since: codes of ±1 as float tensors, for each query a label
product, a distance row, a sort and the places of the relevant items. It leaves ties in whatever order the sort does, so
its figure is shown beside the exact one. One thread each.
"""

from __future__ import annotations

import sys
import time
import tracemalloc

import numpy as np
import torch  # noqa: TID251 - the loop we compare with is written in it
from torch import Tensor  # noqa: TID251

from mlhub.hashing.codes import unpack
from mlhub.hashing.ranking import SharedLabels, evaluate_codes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LABELS = 24


def loop(queries: Tensor, gallery: Tensor, query_labels: Tensor, gallery_labels: Tensor) -> float:
    """mAP over the whole gallery, one query after another."""
    total = 0.0
    for code, labels in zip(queries, query_labels, strict=True):
        relevant = (labels.unsqueeze(0).mm(gallery_labels.t()) > 0).float().squeeze()
        distance = 0.5 * (gallery.shape[1] - code.unsqueeze(0).mm(gallery.t()))
        _, order = torch.sort(distance.squeeze())
        places = torch.nonzero(relevant[order]).squeeze(1).float() + 1.0
        total += float(torch.mean(torch.arange(1, len(places) + 1) / places)) if len(places) else 0.0
    return total / len(queries)


def measured(call: Callable[[], float]) -> tuple[float, float]:
    """What a call gives, and the seconds of the best of three."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        value = call()
        seconds.append(time.perf_counter() - start)
    return value, min(seconds)


def peak(call: Callable[[], float]) -> float:
    """MiB that numpy and Python allocate at most during a call."""
    tracemalloc.start()
    call()
    most = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return most


def main() -> None:
    asked, held = (int(text) for text in (sys.argv[1:3] or ("500", "25000")))
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    codes = random.integers(0, 256, (asked + held, 16), np.uint8)
    labels = (random.random((asked + held, LABELS)) < 0.1).astype(np.float32)
    tensor = torch.from_numpy(labels)
    shared = SharedLabels(labels[:asked], labels[asked:])
    print(f"{asked} queries × {held} items, {LABELS} labels")
    print("bits   exact mAP       s   MiB   loop mAP       s   times faster")
    for bits in (16, 64, 128):
        signs = torch.from_numpy(unpack(codes[:, : bits // 8]).astype(np.float32) * 2 - 1)

        def exact(bits: int = bits) -> float:
            return evaluate_codes(codes[:asked], codes[asked:], shared, bits).map

        def usual(signs: Tensor = signs) -> float:
            return loop(signs[:asked], signs[asked:], tensor[:asked], tensor[asked:])

        value, seconds = measured(exact)
        old_value, old_seconds = measured(usual)
        print(
            f"{bits:>4}   {value:>9.5f} {seconds:>7.3f} {peak(exact):>5.0f}   "
            f"{old_value:>8.5f} {old_seconds:>7.3f}   {old_seconds / seconds:>6.1f}"
        )


if __name__ == "__main__":
    main()
