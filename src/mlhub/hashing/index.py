"""The index program: every image and caption of a data set as codes and vectors of one checkpoint, on disk.

    python -m mlhub.hashing.index --checkpoint FILE [--dataset NAME] [--output FOLDER]

Not the searching (`mlhub.hashing.search`), and not what the files are (`mlhub.hashing.index_files`). The folder is
written beside its place and renamed when whole.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import msgspec
import numpy as np

from mlhub.data.prepare import find
from mlhub.errors import MlhubError, UsageError
from mlhub.hashing import program
from mlhub.hashing.codes import BYTES, pack
from mlhub.hashing.index_files import FORMAT, IndexInfo, ItemRow, Maker, Ranking, Source, TextRow, write_lines
from mlhub.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlhub.data.items import Dataset, Item
    from mlhub.hashing.checkpoint import Encoded, Encoder

T = TypeVar("T")
#: things encoded between two writes
_CHUNK = 1024


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m mlhub.hashing.index", description="Index a data set.")
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="FILE")
    parser.add_argument("--dataset", metavar="NAME", help="in place of the one the checkpoint was trained on")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="in place of index/ of the run it is started in")
    options = parser.parse_args(arguments)
    run = program.run_folder()
    target = options.output or (run.index if run else None)
    if target is None:
        raise UsageError("no folder to write the index to", "Start it with mlhub index RUN, or give --output FOLDER.")
    from mlhub.hashing import checkpoint  # torch: only once the command line is known to be right

    encoder = checkpoint.load(options.checkpoint)
    program.spare_threads(encoder)
    dataset = find(options.dataset or encoder.config.data.dataset, Settings.load().to_home())
    info = build(encoder, dataset, target.absolute(), _report)
    sys.stdout.write(f"indexed {info.items} images and {info.texts} captions of {info.data.name} in {target}\n")


def build(encoder: Encoder, dataset: Dataset, target: Path, report: Callable[[str, int, int], None]) -> IndexInfo:
    """Write the index of `dataset` to `target`, in place of one that is there. `report` hears (what, done, all).

    Raises MlhubError naming a broken image or a full disk; `target` is then as it was.
    """
    temporary = target.with_name(f".{target.name}.new")
    try:
        shutil.rmtree(temporary, ignore_errors=True)  # of an indexing that was killed; a run has one writer
        temporary.mkdir(parents=True, mode=0o700)
        info = _write(encoder, dataset, temporary, report)
        _swap(temporary, target)
    except OSError as error:
        raise MlhubError(
            f"{target}: can't be written: {error.strerror}", "Make room, or name a folder you own."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return info


def _write(encoder: Encoder, dataset: Dataset, folder: Path, report: Callable[[str, int, int], None]) -> IndexInfo:
    languages = encoder.config.data.languages
    texts, rows = caption_rows(dataset.items, languages)
    items = [_item_row(item, own) for item, own in zip(dataset.items, rows, strict=True)]
    paths = [dataset.image_path(item) for item in dataset.items]
    width = _encode(paths, encoder.images, folder, "", lambda done: report("images", done, len(paths)))
    captions = [row.text for row in texts]
    _encode(captions, encoder.texts, folder, "text_", lambda done: report("captions", done, len(captions)))
    write_lines(folder / "items.jsonl", items)
    write_lines(folder / "texts.jsonl", texts)
    info = IndexInfo(
        format=FORMAT,
        model=Maker(
            checkpoint=str(encoder.path.absolute()),
            digest=encoder.digest,
            step=encoder.sidecar.step,
            run=encoder.sidecar.run,
            backbone=encoder.config.model.backbone,
        ),
        data=Source(dataset.name, dataset.fingerprint, str(dataset.folder.absolute())),
        protocol=Ranking(),
        bits=encoder.config.model.bit_list,
        languages=languages,
        width=width,
        items=len(items),
        texts=len(texts),
    )
    program.write_json(folder / "index.json", msgspec.to_builtins(info))
    return info


def caption_rows(items: Sequence[Item], languages: Sequence[str]) -> tuple[list[TextRow], list[tuple[int, ...]]]:
    """Every caption in `languages`, once a concept, and for each item the rows of its own."""
    texts: list[TextRow] = []
    known: dict[tuple[str, str, str], int] = {}
    rows = []
    for place, item in enumerate(items):
        own = []
        for language in languages:
            for caption in item.captions.get(language, ()):
                row = known.setdefault((item.key, language, caption), len(texts))
                if row == len(texts):
                    texts.append(TextRow(f"{item.key}/{language}/{row}", caption, language, []))
                texts[row].items.append(place)
                own.append(row)
        rows.append(tuple(own))
    return texts, rows


def _item_row(item: Item, texts: tuple[int, ...]) -> ItemRow:
    return ItemRow(item.id, item.image, item.captions, item.labels, item.concept, item.split, texts)


def _encode(
    things: Sequence[T],
    encode: Callable[[Sequence[T]], Encoded],
    folder: Path,
    prefix: str,
    report: Callable[[int], None],
) -> int:
    """Write codes and vectors of `things`, a chunk at a time so that memory stays small; the vectors' width.

    Written, not mapped: a full disk is then an error to report, and not a SIGBUS.
    """
    width = 0
    with (folder / f"{prefix}codes.npy").open("wb") as codes, (folder / f"{prefix}vectors.npy").open("wb") as vectors:
        for start in range(0, len(things), _CHUNK):
            part = encode(things[start : start + _CHUNK])
            if start == 0:
                width = part.vectors.shape[1]
                _write_header(codes, "|u1", (len(things), BYTES))
                _write_header(vectors, "<f4", (len(things), width))
            codes.write(pack(part.logits).tobytes())
            vectors.write(part.vectors.astype("<f4").tobytes())
            report(start + len(part.logits))
    return width


def _write_header(file: BinaryIO, kind: str, shape: tuple[int, int]) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})


def _swap(new: Path, target: Path) -> None:
    """Put `new` in the place of `target`, which a reader finds whole, old or new, but for the time of one rename."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _report(what: str, done: int, total: int) -> None:
    sys.stdout.write(f"encoded {done} of {total} {what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(program.run(main))
