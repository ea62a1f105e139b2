"""`mlhub data preview`: pictures of a data set with their captions, a page at a time, or as a contact sheet in HTML."""

from __future__ import annotations

import shlex
from pathlib import Path  # noqa: TC003 - Typer reads it from the signature
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mlhub.data.items import Item, Stored

#: items on a sheet, at most: each is a picture of ten kilobytes in one file
_ON_A_SHEET = 1000


def preview(
    name: Annotated[str, typer.Argument(metavar="[DATASET]", help="The data set.")] = "emoji",
    split: Annotated[str, typer.Option(metavar="SPLIT", help="Only of train, val or test.")] = "",
    language: Annotated[str, typer.Option(help="Captions in one language.")] = "",
    label: Annotated[str, typer.Option(help="Only of one label or category.")] = "",
    contains: Annotated[str, typer.Option(metavar="TEXT", help="Only with this in a caption.")] = "",
    number: Annotated[int, typer.Option("-n", min=1, help="Items on a page.")] = 12,
    page: Annotated[int, typer.Option(metavar="N", min=1, help="Which page.")] = 1,
    shuffle: Annotated[int | None, typer.Option(metavar="SEED", help="In the order that this seed gives.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a contact sheet.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the items as JSON.")] = False,
) -> int:
    """Look into a data set: its pictures and what is said of them.

    \b
    mlhub data preview emoji --contains dog
    mlhub data preview coco --split val -n 24 --page 3
    mlhub data preview coco --shuffle 1 -n 200 --html sheet.html
    """
    from mlhub.cli.hub import open_home
    from mlhub.cli.out import emit_json, tell
    from mlhub.data.items import SPLITS
    from mlhub.data.prepare import find_stored
    from mlhub.data.select import Wanted
    from mlhub.data.select import page as choose
    from mlhub.errors import UsageError

    if split and split not in SPLITS:
        raise UsageError(f"--split {split}: no such split", f"There are {', '.join(SPLITS)}.")
    if html is not None and number > _ON_A_SHEET:
        raise UsageError(f"-n {number}: a sheet takes {_ON_A_SHEET} items", "Make several: --page 2")
    stored = find_stored(name, open_home())
    items, total = choose(stored, Wanted(split, language, label, contains), number, page, shuffle)
    pages = max(1, -(-total // number))
    if json:
        emit_json({"name": name, "page": page, "pages": pages, "total": total, "items": items})
        return 0
    if not items:
        tell("no item is like that" if not total else f"page {page}: there are {pages}")
        return 0
    if html is not None:
        return _write_sheet(stored, items, html, f"{name}: {len(items)} of {total} items, page {page} of {pages}")
    _print(stored, items, language)
    tell(f"page {page} of {pages}, {total} items" + (f"; the next: {_next(page)}" if page < pages else ""))
    return 0


def _next(page: int) -> str:
    """The command line as it was typed, for the page behind."""
    import sys

    words: list[str] = []
    skip = False
    for word in sys.argv[1:]:
        if not skip and word != "--page" and not word.startswith("--page="):
            words.append(word)
        skip = word == "--page"
    return " ".join(map(shlex.quote, ["mlhub", *words, "--page", str(page + 1)]))


def _write_sheet(stored: Stored, items: list[Item], path: Path, title: str) -> int:
    from mlhub.cli.out import put, say
    from mlhub.data.sheet import write

    put(path, write(stored, items, title))
    say(f"{path}: {len(items)} pictures")
    return 0


def _print(stored: Stored, items: list[Item], language: str) -> None:
    from mlhub.cli.out import coloured, columns, say
    from mlhub.errors import MlhubError
    from mlhub.text import fit, one_line, pad

    if coloured():
        from mlhub.picture import grid

        tiles = []
        for item in items:
            try:
                tiles.append((stored.image_path(item), _said(item, language)))
            except MlhubError:
                tiles.append((stored.root / "-", _said(item, language)))  # a link out of the folder is not followed
        for line in grid(tiles, columns()):
            say(line)
        return
    for item in items:
        head = f"{pad(fit(one_line(item.id), 28), 28)} {item.split:<5} "
        say(fit(f"{head} {one_line(_said(item, language))}", columns()))


def _said(item: Item, language: str) -> str:
    texts = item.captions.get(language, ()) if language else next((some for some in item.captions.values() if some), ())
    return texts[0] if texts else ", ".join(item.labels)
