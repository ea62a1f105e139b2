"""Write a prepared set for others: JSONL, CSV, Parquet, or WebDataset tars. Whole or not at all; streaming.

What was exported can be registered again (`mlhub data add`): JSONL, CSV and Parquet give the same fingerprint.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import tarfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from mlhub.data.formats.fields import LANGUAGES
from mlhub.errors import MlhubError, UsageError
from mlhub.files import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mlhub.data.items import Item, Stored
    from mlhub.data.prepare import Progress

FORMS = ("jsonl", "csv", "parquet", "webdataset")
_SUFFIXES = {".jsonl": "jsonl", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}
#: samples of a tar, rows of a group
SHARD, _ROWS = 10_000, 5_000
_HEAD = ("id", "image", "language", "caption", "labels", "split", "concept", "style", "category", "digest")


#: what an export leaves in a folder; one that holds anything else is somebody's
_TAR = re.compile(r".+-(train|val|test)-\d{6,}\.tar")
#: of a member with the picture; others would be taken for what is said of it
_SUFFIX = re.compile(r"\.(?!json$|txt$|cls$)[a-z0-9]{1,8}")


def form_of(target: Path, chosen: str) -> str:
    """The form that is asked for, or that the target's name says. Raises UsageError."""
    form = chosen or _SUFFIXES.get(target.suffix, "" if target.suffix else "webdataset")
    if form not in FORMS:
        raise UsageError(
            f"{target.name}: of which form?" if not chosen else f"--format {chosen}: no such form",
            f"--format {'|'.join(FORMS)}",
        )
    return form


def export(
    stored: Stored,
    target: Path,
    form: str,
    progress: Progress,
    *,
    split: str = "",
    embed: bool = False,
    shard: int = SHARD,
    force: bool = False,
) -> int:
    """Write the items (of one split) to `target`; how many. Raises MlhubError; then the target is as it was.

    `embed`: pictures go into the Parquet file; into tars they always go.
    """
    if os.path.lexists(target) and not force:
        raise UsageError(f"{target} is there already", "Name another, or put --force.")
    _require_ours(stored, target, form)
    if embed and form not in ("parquet", "webdataset"):
        raise UsageError(f"--embed: {form} holds no pictures", "Use --format parquet or webdataset.")
    temporary = target.with_name(f".{target.name}.part")
    items = _told(stored, split, progress)
    try:
        _remove(temporary)  # of an export that was killed
        _mend(target)
        if form == "webdataset":
            count = _write_tars(stored, items, temporary, target.name, shard)
        elif form == "parquet":
            count = _write_parquet(stored, items, temporary, embed=embed)
        else:
            count = _write_lines(items, temporary, form, "\t" if target.suffix == ".tsv" else ",")
        if not count:
            raise MlhubError(f"data set {stored.name} has no items in {split or 'it'}", "mlhub data show NAME")
        _put(temporary, target)
    except OSError as error:
        raise MlhubError(
            f"{error.filename or target}: {error.strerror or error}", f"Make room for {target}, or mend the image."
        ) from error
    finally:
        with suppress(OSError):
            _remove(temporary)
    return count


def _told(stored: Stored, split: str, progress: Progress) -> Iterator[Item]:
    total = stored.facts().items
    for number, item in enumerate(stored, 1):
        if number % 256 == 0 or number == total:
            progress(number, total, "exporting")
        if not split or item.split == split:
            yield item


def _require_ours(stored: Stored, target: Path, form: str) -> None:
    """Raise MlhubError where even --force would remove what is no export: a folder of other files, the set itself."""
    real, own = os.path.realpath(target), os.path.realpath(stored.folder)
    if os.path.join(real, "").startswith(os.path.join(own, "")):
        raise MlhubError(f"{target} is in the folder of the set itself", "Name another place.")
    if target.is_dir() and not target.is_symlink():
        others = [name for name in os.listdir(target) if not _TAR.fullmatch(name)]
        if form != "webdataset" or others:
            raise MlhubError(
                f"{target} is a folder{f' with other files, such as {others[0]}' if others else ''}: not replaced",
                "Name another, or remove it yourself.",
            )
    elif os.path.lexists(target) and not target.is_symlink() and not target.is_file():
        raise MlhubError(f"{target} is no regular file", "Name another.")


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}.part-old")


def _mend(target: Path) -> None:
    """Put back, or remove, the folder that an export took aside before it was killed."""
    aside = _aside(target)
    if aside.is_dir() and not os.path.lexists(target):
        aside.rename(target)
    _remove(aside)


def _put(temporary: Path, target: Path) -> None:
    """Rename; a folder that is in the way is taken aside first, as no rename goes over one that is full."""
    if target.is_dir() and not target.is_symlink():
        aside = _aside(target)
        target.rename(aside)
        temporary.rename(target)
        _remove(aside)
    else:
        temporary.replace(target)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _write_lines(items: Iterable[Item], path: Path, form: str, delimiter: str) -> int:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        if form == "csv":
            writer.writerow(_HEAD)
        count = 0
        for item in items:
            count += 1
            if form == "jsonl":
                file.write(msgspec.json.encode(item).decode() + "\n")
            else:
                writer.writerows(_rows(item))
        _sync(file)
    return count


def _sync(file: Any) -> None:  # noqa: ANN401 - a text or a binary file
    file.flush()
    os.fsync(file.fileno())


def _rows(item: Item) -> Iterator[list[str]]:
    """A row a caption; of an item without one, one all the same."""
    labels = json.dumps(list(item.labels), ensure_ascii=False) if item.labels else ""
    said = [(language, text) for language, texts in item.captions.items() for text in texts] or [("", "")]
    for language, text in said:
        yield [item.id, item.image, language, text, labels, item.split, item.concept, item.style, item.category,
               item.digest]  # fmt: skip


def _write_parquet(stored: Stored, items: Iterable[Item], path: Path, *, embed: bool) -> int:
    from mlhub.data.formats.parquet import pyarrow

    arrow = pyarrow()
    languages = list(stored.facts().captions)
    if odd := [language for language in languages if language not in LANGUAGES]:
        raise MlhubError(
            f"captions in {odd[0]!r}: columns are called by ISO 639-1 codes", "Export them as JSONL or WebDataset."
        )
    text, texts = arrow.string(), arrow.list_(arrow.string())
    image = arrow.struct([("bytes", arrow.binary()), ("path", text)]) if embed else text
    names = ("split", "concept", "style", "category", "digest")
    schema = arrow.schema([
        ("id", text), ("image", image), *((f"caption_{language}", texts) for language in languages),
        ("labels", texts), *((name, text) for name in names),
    ])  # fmt: skip
    rows: list[dict[str, Any]] = []
    with path.open("wb") as file, arrow.parquet.ParquetWriter(file, schema) as writer:
        count = 0
        for item in items:
            count += 1
            row: dict[str, Any] = {"id": item.id, "image": item.image, "labels": list(item.labels)}
            row |= {name: getattr(item, name) for name in names}
            row |= {f"caption_{language}": list(item.captions.get(language, ())) for language in languages}
            if embed:
                row["image"] = {"bytes": _bytes(stored, item), "path": item.image}
            rows.append(row)
            if len(rows) >= (256 if embed else _ROWS):
                writer.write_table(arrow.Table.from_pylist(rows, schema))
                rows = []
        if rows:
            writer.write_table(arrow.Table.from_pylist(rows, schema))
    return count


def _bytes(stored: Stored, item: Item) -> bytes:
    path = stored.image_path(item)
    try:
        with open_regular(path) as file:
            return file.read()
    except OSError as error:
        raise MlhubError(
            f"{item.id}: {path}: {error.strerror}", f"See what else is missing: mlhub data check {stored.name}"
        ) from None


def _write_tars(stored: Stored, items: Iterable[Item], folder: Path, name: str, shard: int) -> int:
    """`NAME-train-000000.tar`, …: a sample is `KEY.jpg` and `KEY.json`, its key a number, as ids may be anything."""
    folder.mkdir()
    open_now: dict[str, tarfile.TarFile] = {}
    counts: dict[str, int] = {}
    try:
        for item in items:
            number = counts.get(item.split, 0)
            if number % shard == 0:
                if item.split in open_now:
                    open_now.pop(item.split).close()
                path = folder / f"{name}-{item.split}-{number // shard:06}.tar"
                open_now[item.split] = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
            counts[item.split] = number + 1
            suffix = os.path.splitext(item.image)[1].lower()
            suffix = suffix if _SUFFIX.fullmatch(suffix) else ".img"
            key = f"{item.split}-{number:09}"
            _add(open_now[item.split], f"{key}{suffix}", _bytes(stored, item))
            said = msgspec.to_builtins(item) | {"image": f"{key}{suffix}"}
            _add(open_now[item.split], f"{key}.json", msgspec.json.encode(said))
    finally:
        for tar in open_now.values():
            tar.close()
    return sum(counts.values())


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """A member without time and owner: the same items make the same bytes."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o644
    tar.addfile(member, io.BytesIO(data))
