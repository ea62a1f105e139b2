"""`mlhub data split`: who trains, who validates, who is tested on."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads it from the signature
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlhub.data.items import Split, Stored


def split(
    name: Annotated[str, typer.Argument(metavar="DATASET", help="The data set.")],
    ratio: Annotated[str, typer.Option(metavar="SHARES", help="TRAIN/VAL/TEST or TRAIN/TEST.")] = "",
    by: Annotated[
        str, typer.Option(metavar="FIELD", help="What stays together: image, concept, category, style.")
    ] = "",
    seed: Annotated[int | None, typer.Option(metavar="N", help="Another deal of the same shares.")] = None,
    file: Annotated[Path | None, typer.Option(metavar="FILE", help="Lines of id and split.")] = None,
    all_as: Annotated[str, typer.Option("--as", metavar="SPLIT", help="The file is of ids alone, all of this.")] = "",
    field: Annotated[str, typer.Option(metavar="FIELD", help="By what a field says, with --values.")] = "",
    values: Annotated[
        str, typer.Option(metavar="VALUES", help="SPLIT=VALUE, with commas between; the rest trains.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be, and change nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> int:
    """Deal the items of a prepared set into train, val and test. An image never sits on both sides.

    The deal depends on the seed and the ids alone. Whoever was trained on the old split evaluates on it no more: the
    set's fingerprint is another.

    \b
    mlhub data split birds --ratio 80/10/10
    mlhub data split birds --ratio 90/10 --by concept --seed 2
    mlhub data split birds --file test-ids.txt --as test
    mlhub data split birds --field style --values test=sketch,val=photo
    """
    from mlhub.cli.hub import open_home
    from mlhub.cli.out import emit_json, say
    from mlhub.data.split import apply

    deal = _deal(ratio, by, seed, file, all_as, field, values)
    before, after = apply(open_home(), name, deal, dry=dry_run)
    if json:
        emit_json({"name": name, "before": before, "after": after, "changed": not dry_run})
        return 0
    for key in dict.fromkeys((*before, *after)):
        say(f"{key:<6} {before.get(key, 0):>9} → {after.get(key, 0)}")
    if dry_run:
        say("nothing was changed")
    return 0


def _deal(
    ratio: str, by: str, seed: int | None, file: Path | None, all_as: str, field: str, values: str
) -> Callable[[Stored], Any]:
    """One of the three ways. Raises UsageError for none, for several, and for options of another."""
    from mlhub.data import split as ways
    from mlhub.data.items import SPLITS
    from mlhub.errors import UsageError

    given = [word for word, value in (("--ratio", ratio), ("--file", file), ("--field", field)) if value]
    if len(given) != 1:
        raise UsageError(f"{' and '.join(given) or 'no way'} given to split by", "One of --ratio, --file, --field.")
    strangers = {
        "--by": by and not ratio, "--seed": seed is not None and not ratio,
        "--as": all_as and file is None, "--values": values and not field,
    }  # fmt: skip
    for word, strange in strangers.items():
        if strange:
            raise UsageError(f"{word} says nothing beside {given[0]}", "mlhub help data split")
    if all_as and all_as not in SPLITS:
        raise UsageError(f"--as {all_as}: no such split", f"There are {', '.join(SPLITS)}.")
    if ratio:
        together = by or "image"
        if together not in ways.BY:
            raise UsageError(f"--by {by}: nothing that can stay together", f"There are {', '.join(ways.BY)}.")
        shares = ways.ratio_of(ratio)
        return lambda stored: ways.by_ratio(stored, shares, seed or 0, together)
    if file is not None:
        return lambda stored: ways.by_file(stored, file, all_as or None)
    chosen = _values(values)
    return lambda stored: ways.by_field(stored, field, chosen)


def _values(text: str) -> dict[str, Split]:
    from mlhub.data.items import SPLITS
    from mlhub.errors import UsageError

    found: dict[str, Any] = {}
    for word in filter(None, text.split(",")):
        split, sign, value = word.partition("=")
        if not sign or split not in SPLITS or not value:
            raise UsageError(f"--values {word}: not SPLIT=VALUE", "Such as --values test=sketch")
        found[value] = split
    if not found:
        raise UsageError("--field needs --values", "Such as --values test=sketch")
    return found
