"""The evaluation program: how well a checkpoint's codes find held-out items, beside float cosine and three baselines.

    python -m mlhub.hashing.evaluate --checkpoint FILE [--json]

Not the arithmetic (`mlhub.hashing.ranking`) and not the rules (`mlhub.hashing.protocol`). Inside a run it writes one
metrics record at the checkpoint's step and `artifacts/eval.json`; the table goes to stdout.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mlhub.data.prepare import find
from mlhub.errors import MlhubError
from mlhub.hashing import baselines, program, protocol
from mlhub.hashing.codes import pack
from mlhub.hashing.ranking import RECALL_AT, Retrieval, evaluate_codes, evaluate_float
from mlhub.settings import Settings
from mlhub.writer import MetricWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mlhub.data.items import Dataset
    from mlhub.hashing.checkpoint import Encoded, Encoder
    from mlhub.hashing.codes import Codes
    from mlhub.hashing.protocol import Plan, Task
    from mlhub.hashing.ranking import Relevance, Vectors

_BASELINE_SEED = 0


@dataclass(frozen=True, slots=True)
class Figure:
    """What one method reached on one task. `bits` 0 stands for the un-hashed embedding."""

    task: str
    method: str
    bits: int
    concept: Retrieval
    label: Retrieval | None

    def values(self) -> Iterator[tuple[str, float]]:
        """Metric names and values: `eval/t2i/map_64`, `eval/ko/i2t/r10_32_itq`, `eval/t2i/r5_label_float`."""
        suffix = (
            "float" if not self.bits else str(self.bits) if self.method == "learned" else f"{self.bits}_{self.method}"
        )
        for measure in ("map", *(f"r{k}" for k in RECALL_AT)):
            yield f"eval/{self.task}/{measure}_{suffix}", getattr(self.concept, measure)
            if self.label is not None:
                yield f"eval/{self.task}/{measure}_label_{suffix}", getattr(self.label, measure)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m mlhub.hashing.evaluate", description="Evaluate a checkpoint.")
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="print eval.json's document in place of the table")
    options = parser.parse_args(arguments)
    from mlhub.hashing import checkpoint  # torch: only once the command line is known to be right

    encoder = checkpoint.load(options.checkpoint)
    program.spare_threads(encoder)
    dataset = find(encoder.config.data.dataset, Settings.load().to_home())
    check_data(encoder, dataset)
    plan = protocol.plan(dataset, encoder.config.data.languages)
    _say(f"encoding {len(plan.images)} images and {len(plan.texts)} texts of {dataset.name}")
    images, texts = encoder.images(plan.images), encoder.texts(plan.texts)
    _say(f"measuring {len(plan.tasks)} tasks by {plan.protocol.name}, fitting the baselines")
    figures = measure(plan, images, texts, encoder.config.model.bit_list)
    document = report(encoder, dataset, plan, figures)
    write(document, encoder.sidecar.step, encoder.sidecar.epoch)
    shown = json.dumps(document, ensure_ascii=False, indent=1) if options.json else table(document, plan, figures)
    sys.stdout.write(f"{shown}\n")


def check_data(encoder: Encoder, dataset: Dataset) -> None:
    """Raise MlhubError if the checkpoint was trained on other data than lies there now: what it held out may differ."""
    trained = encoder.sidecar.data
    if trained != dataset.fingerprint:
        raise MlhubError(
            f"the checkpoint was trained on another version of data set {dataset.name} "
            f"({trained[:8]}, now {dataset.fingerprint[:8]}): what is held out may differ",
            "Train on the data as it is now, then evaluate that run.",
        )


def measure(plan: Plan, images: Encoded, texts: Encoded, bit_list: Sequence[int]) -> list[Figure]:
    """Every task by every method at every length, then by float cosine. `images` and `texts` are the plan's, encoded.

    A length that a baseline does not have is left out, and so is a task in which no query has a relevant item.
    """
    fitted = images.vectors[plan.fit_images], texts.vectors[plan.fit_texts]
    learned = {"image": pack(images.logits), "text": pack(texts.logits)}
    methods: list[tuple[str, int, dict[str, Codes]]] = [("learned", bits, learned) for bits in bit_list]
    for name in baselines.NAMES:
        for bits in bit_list:
            if planes := baselines.fit(name, *fitted, bits, _BASELINE_SEED):
                codes = {"image": planes.encode_images(images.vectors), "text": planes.encode_texts(texts.vectors)}
                methods.append((name, bits, codes))
    vectors = {"image": images.vectors, "text": texts.vectors}
    figures = []
    for task in plan.tasks:
        for name, bits, codes in methods:
            figures.append(_figure(task, name, bits, _ranked_by_codes(task, codes, bits)))
        figures.append(_figure(task, "float", 0, _ranked_by_cosine(task, vectors)))
    return [figure for figure in figures if figure.concept.queries]


def _ranked_by_codes(task: Task, codes: dict[str, Codes], bits: int) -> Callable[[Relevance], Retrieval]:
    queries = codes[task.queries.modality][task.queries.rows]
    gallery = codes[task.gallery.modality][task.gallery.rows]
    return lambda relevant: evaluate_codes(queries, gallery, relevant, bits, itself=task.itself)


def _ranked_by_cosine(task: Task, vectors: dict[str, Vectors]) -> Callable[[Relevance], Retrieval]:
    queries = vectors[task.queries.modality][task.queries.rows]
    gallery = vectors[task.gallery.modality][task.gallery.rows]
    return lambda relevant: evaluate_float(queries, gallery, relevant, itself=task.itself)


def _figure(task: Task, method: str, bits: int, ranked: Callable[[Relevance], Retrieval]) -> Figure:
    return Figure(task.key, method, bits, ranked(task.relevant), ranked(task.labels) if task.labels else None)


def report(encoder: Encoder, dataset: Dataset, plan: Plan, figures: Sequence[Figure]) -> dict[str, Any]:
    """The document of `eval.json`: the protocol, what was measured, and every figure by its metric name."""
    sidecar = encoder.sidecar
    counted = {figure.task: figure.concept for figure in figures}
    return {
        "protocol": msgspec.to_builtins(plan.protocol),
        "checkpoint": {
            "path": str(encoder.path.absolute()),
            "digest": encoder.digest,
            "step": sidecar.step,
            "epoch": sidecar.epoch,
            "run": sidecar.run,
        },
        "data": {"name": dataset.name, "fingerprint": dataset.fingerprint, "items": len(dataset.items)},
        "tasks": {
            task.key: {
                "queries": counted[task.key].queries,
                "left_out": counted[task.key].left_out,
                "gallery": len(task.gallery.rows) - (task.itself is not None),
            }
            for task in plan.tasks
            if task.key in counted
        },
        "figures": {name: value for figure in figures for name, value in figure.values()},
    }


def write(document: dict[str, Any], step: int, epoch: int) -> None:
    """Into the run's folder: `artifacts/eval.json` and one metrics record. Outside a run nothing is written."""
    paths = program.run_folder()
    if paths is None:
        return
    program.write_json(paths.artifacts / "eval.json", document)
    writer = MetricWriter(paths.metrics)
    writer.log(document["figures"], step=step, epoch=epoch)
    writer.close()


def table(document: dict[str, Any], plan: Plan, figures: Sequence[Figure]) -> str:
    """What a reader wants to see, 80 columns wide: a block a task, a row a length, mAP of each method in per cent."""
    about, used = plan.protocol, document["checkpoint"]
    lines = [
        f"{about.name}: {about.dataset} {about.fingerprint[:8]}, checkpoint {used['digest'][:8]}, step {used['step']}",
        "mAP in %, ties averaged exactly. R@k and label (mAP, the same label counts as",
        "found) are the learned codes'; in the last row, the float embedding's.",
    ]
    for task in plan.tasks:
        own = {(figure.method, figure.bits): figure for figure in figures if figure.task == task.key}
        if own:
            lines += ["", _title(task, document["tasks"][task.key]), *_rows(own)]
    return "\n".join(lines)


def _title(task: Task, counts: dict[str, int]) -> str:
    language = f", {task.language}" if task.language else ""
    rest = f", {counts['left_out']} without a match left out" if counts["left_out"] else ""
    sides = f"{task.queries.modality} → {task.gallery.modality}{language}"
    return f"{sides}: {counts['queries']} queries among {counts['gallery']}{rest}"


def _rows(own: dict[tuple[str, int], Figure]) -> Iterator[str]:
    yield " bits  learned     ITQ     PCA     LSH  │     R@1     R@5    R@10   label"
    for bits in sorted({bits for _, bits in own if bits}):
        methods = [own.get((name, bits)) for name in ("learned", *baselines.NAMES)]
        yield f"{bits:>5} {_cells([found.concept.map if found else None for found in methods])}  │{_more(methods[0])}"
    best = own["float", 0]
    yield f"float {_cells([best.concept.map, None, None, None])}  │{_more(best)}"


def _more(figure: Figure | None) -> str:
    if figure is None:
        return ""
    found, label = figure.concept, figure.label
    return _cells([found.r1, found.r5, found.r10, label.map if label else None])


def _cells(shares: Iterable[float | None]) -> str:
    return "".join("       –" if share is None else f"{100 * share:8.1f}" for share in shares)


def _say(text: str) -> None:
    """Progress goes to stderr: stdout is the table's, or the document's alone."""
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(program.run(main))
