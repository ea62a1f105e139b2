"""`mlhub data export`: a prepared set as JSONL, CSV, Parquet or WebDataset tars."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads it from the signature
from typing import Annotated

import typer


def export(
    name: Annotated[str, typer.Argument(metavar="DATASET", help="The data set.")],
    target: Annotated[Path, typer.Argument(metavar="PATH", help="The file, or of WebDataset the folder.")],
    form: Annotated[
        str, typer.Option("--format", metavar="jsonl|csv|parquet|webdataset", help="Where the name doesn't say it.")
    ] = "",
    split: Annotated[str, typer.Option(metavar="SPLIT", help="Only of train, val or test.")] = "",
    embed: Annotated[bool, typer.Option("--embed", help="The pictures too, into a Parquet file.")] = False,
    shard_size: Annotated[int, typer.Option(metavar="N", min=1, help="Samples of a tar.")] = 10_000,
    force: Annotated[bool, typer.Option("--force", help="Over what is there.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> int:
    """Write a data set for others. JSONL, CSV and Parquet, added again, give the same fingerprint.

    \b
    mlhub data export birds birds.jsonl
    mlhub data export birds birds.parquet --embed
    mlhub data export birds shards --format webdataset --split train
    """
    from mlhub.cli.hub import open_home
    from mlhub.cli.out import emit_json, say
    from mlhub.cli.progress import Progress
    from mlhub.data import export as exporting
    from mlhub.data.items import SPLITS
    from mlhub.data.prepare import find_stored
    from mlhub.errors import UsageError
    from mlhub.text import one_line

    if split and split not in SPLITS:
        raise UsageError(f"--split {split}: no such split", f"There are {', '.join(SPLITS)}.")
    kind = exporting.form_of(target, form)
    stored = find_stored(name, open_home())
    progress = Progress()
    try:
        path = target.expanduser().absolute()
        count = exporting.export(stored, path, kind, progress, split=split, embed=embed, shard=shard_size, force=force)
    finally:
        progress.end()
    if json:
        emit_json({"name": name, "path": str(path), "format": kind, "items": count})
        return 0
    say(one_line(f"{path}: {count} items"))
    if kind != "webdataset" and not embed:
        say(one_line(f"its images are in {stored.root}: mlhub data add NAME {target.name} --images {stored.root}"))
    return 0
