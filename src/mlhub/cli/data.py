"""`mlhub data`: the data sets there are, what is in them, and making the built-in one."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.data.items import Dataset

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Data sets: list, show, prepare.

\b
mlhub data ls             which there are
mlhub data prepare emoji  make one
""",
)


@app.command("ls")
def ls(json: Annotated[bool, typer.Option("--json", help="Print an array as JSON.")] = False) -> int:
    """List data sets, prepared or not.

    \b
    mlhub data ls
    """
    from mlhub.cli.hub import open_home
    from mlhub.cli.out import Column, emit_json, say, table
    from mlhub.data.prepare import find, known
    from mlhub.errors import MlhubError

    home = open_home()
    found = sorted({*known(), *_folders(home.data)})
    rows: list[dict[str, Any]] = []
    for name in found:
        try:
            rows.append(_summary(find(name, home)) | {"status": "ready"})
        except MlhubError as error:
            prepared = home.dataset(name).is_dir()
            rows.append({"name": name, "status": "broken" if prepared else "missing", "detail": error.message})
    if json:
        emit_json(rows)
        return 0
    heads = [Column("name"), Column("status"), Column("items", right=True), Column("folder", flex=True, path=True)]
    for line in table(heads, [[r["name"], r["status"], str(r.get("items", "–")), r.get("folder", "")] for r in rows]):
        say(line)
    if any(row["status"] == "missing" for row in rows):
        say("a missing one is made by: mlhub data prepare NAME")
    return 0


def _folders(root: Any) -> list[str]:  # noqa: ANN401 - a Path, not imported for a name
    if not root.is_dir():
        return []
    return [entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")]


def _open(name: str) -> Dataset:
    from mlhub.cli.hub import open_home
    from mlhub.data.prepare import find

    return find(name, open_home())


def _summary(dataset: Dataset) -> dict[str, Any]:
    from collections import Counter

    items = dataset.items
    captions = Counter(language for item in items for language, texts in item.captions.items() for _ in texts)
    return {
        "name": dataset.name,
        "folder": str(dataset.folder),
        "fingerprint": dataset.fingerprint,
        "items": len(items),
        "concepts": len({item.key for item in items}),
        "categories": len({item.category for item in items} - {""}),
        "labels": len({label for item in items for label in item.labels}),
        "splits": dict(Counter(item.split for item in items)),
        "captions": dict(captions.most_common()),
    }


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="[DATASET]", help="The data set.")] = "emoji",
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> int:
    """Show what is in a data set: counts, splits, languages, a few items.

    \b
    mlhub data show emoji
    """
    from mlhub.cli.out import emit_json, say
    from mlhub.text import one_line

    dataset = _open(name)
    summary = _summary(dataset)
    sample = dataset.items[:: max(1, len(dataset.items) // 5)][:5]
    if json:
        emit_json(summary | {"sample": sample})
        return 0
    for key, value in summary.items():
        text = ", ".join(f"{word} {count}" for word, count in value.items()) if isinstance(value, dict) else str(value)
        say(f"{key:<12} {one_line(text)}")
    say("sample")
    for item in sample:
        said = " · ".join(texts[0] for language in ("en", "ko") if (texts := item.captions.get(language)))
        say(f"  {one_line(item.id):<24} {item.split:<6} {one_line(said)}")
    return 0


@app.command("prepare")
def prepare(
    name: Annotated[str, typer.Argument(metavar="[DATASET]", help="The data set.")] = "emoji",
    force: Annotated[bool, typer.Option("--force", help="Make it anew, whatever is there.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was made as JSON.")] = False,
) -> int:
    """Make a data set ready, and check its images. One that is whole is left alone.

    \b
    mlhub data prepare emoji    built from installed packages, no download
    """
    from mlhub.cli.hub import open_home
    from mlhub.cli.out import emit_json, say
    from mlhub.data.prepare import check_images, known
    from mlhub.data.prepare import prepare as make
    from mlhub.text import one_line

    home = open_home()
    dataset = make(name, home, _progress, force=force)
    if name not in known():  # those it makes were checked by the making
        check_images(dataset, _progress)
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    if json:
        emit_json(_summary(dataset))
        return 0
    say(one_line(f"data set {dataset.name}: {len(dataset.items)} items in {dataset.folder}"))
    return 0


def _progress(done: int, total: int, what: str) -> None:
    """One line that is drawn over on a terminal; in a pipe a line at each quarter. A remark has its own line."""
    from mlhub.text import one_line

    what = one_line(what)
    if not total:
        sys.stderr.write(("\r\x1b[K" if sys.stderr.isatty() else "") + f"{what}\n")
    elif sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{what} {done}/{total}")
        sys.stderr.flush()
    elif (4 * done) // total != (4 * (done - 1)) // total:
        sys.stderr.write(f"{what} {done}/{total}\n")
