"""`mlhub data`: which data sets there are; to register one, and to remove one. Its other commands: `data_*` beside."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads it from the signature
from typing import Annotated, Any

import typer

from mlhub.cli.data_check import check
from mlhub.cli.data_export import export
from mlhub.cli.data_make import prepare
from mlhub.cli.data_preview import preview
from mlhub.cli.data_show import show
from mlhub.cli.data_split import split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.data.registry import State
    from mlhub.paths import Home

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Data sets: register, look, prepare, check, split, export.

\b
mlhub data ls                      which there are
mlhub data prepare emoji           make the built-in one
mlhub data show coco               how to fetch one that is known by name
mlhub data add birds captions.csv --images photos
mlhub data prepare birds           its files as JSONL: a run of its own
mlhub data preview birds           pictures and captions
mlhub data check birds             every image there, duplicates, leaks
""",
)

#: statuses as people read them
_WORDS = {"raw": "raw only", "changed": "ready, source changed"}


@app.command("ls")
def ls(json: Annotated[bool, typer.Option("--json", help="Print an array as JSON.")] = False) -> int:
    """List data sets: ready, raw only (to be prepared), preparing, or missing.

    \b
    mlhub data ls
    mlhub data ls --json
    """
    from mlhub.cli.hub import open_home
    from mlhub.cli.out import Column, emit_json, say, table
    from mlhub.data import registry

    home = open_home()
    found = [registry.state(home, name) for name in registry.names(home)]
    if json:
        emit_json([row(home, state) for state in found])
        return 0
    heads = [
        Column("name", middle=True, flex=True),
        Column("status"),
        Column("kind"),
        Column("items", right=True),
        Column("captions", flex=True),
        Column("size", right=True),
    ]
    for line in table(heads, [_cells(state) for state in found]):
        say(line)
    for state in found:
        if state.status == "broken" or state.detail:
            say(_detail(state))
    if any(state.status == "raw" for state in found):
        say("one that is raw only is made ready by: mlhub data prepare NAME")
    if any(state.status == "missing" for state in found):
        say("how to get one that is missing: mlhub data show NAME")
    return 0


def _cells(state: State) -> list[str]:
    from mlhub.text import size

    facts = state.facts
    return [
        state.name,
        _WORDS.get(state.status, state.status),
        state.kind or "–",
        str(facts.items) if facts else "–",
        ", ".join(f"{language} {count}" for language, count in facts.captions.items()) if facts else "–",
        size(facts.size + facts.images) if facts else "–",
    ]


def _detail(state: State) -> str:
    from mlhub.text import one_line

    return one_line(f"{state.name}: {state.detail}")


def row(home: Home, state: State) -> dict[str, Any]:
    """A data set as JSON."""
    folder = str(home.dataset(state.name))
    made: dict[str, Any] = {"name": state.name, "status": state.status, "kind": state.kind, "folder": folder}
    if state.detail:
        made["detail"] = state.detail
    if facts := state.facts:
        made |= {
            "items": facts.items,
            "fingerprint": facts.fingerprint,
            "splits": facts.splits,
            "captions": facts.captions,
            "bytes": facts.size + facts.images,
        }
    return made


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Its files or folder, as they were got.")],
    kind: Annotated[str | None, typer.Option(help="Its form, where it is not recognised.")] = None,
    images: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the images' paths begin.")] = None,
    option: Annotated[
        list[str] | None, typer.Option("-o", "--option", metavar="OPTION=VALUE", help="How it is read; repeatable.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Over an earlier registration.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was noted as JSON.")] = False,
) -> int:
    """Register a data set. Its form is recognised; nothing is copied or read to its end.

    Forms: jsonl, csv (and TSV), parquet, coco, karpathy, flickr30k, mirflickr, nuswide, cc3m, aihub, webdataset,
    huggingface, images.

    \b
    mlhub data add birds captions.csv --images photos
    mlhub data add birds t.tsv -o image=file -o caption=titel -o language=de
    mlhub data add coco ~/coco            a folder as `mlhub data show coco` says
    mlhub data add coco dataset_coco.json --images ~/coco
    mlhub data add shards ~/cc3m/*.tar
    """
    from mlhub.cli.hub import open_home
    from mlhub.cli.out import emit_json, say
    from mlhub.data import registry
    from mlhub.errors import UsageError
    from mlhub.text import one_line

    options: dict[str, str] = {}
    for word in option or []:
        key, sign, value = word.partition("=")
        if not sign or not key:
            raise UsageError(f"-o {word}: not OPTION=VALUE", "Such as -o language=ko")
        options[key] = value
    source = registry.add(open_home(), name, paths, kind=kind, images=images, options=options, force=force)
    if json:
        emit_json(source)
        return 0
    say(f"registered {name}: {source.kind}" + (one_line(f", images in {source.images}") if source.images else ""))
    say(f"make it ready: mlhub data prepare {name}")
    return 0


@app.command("rm")
def rm(
    name: Annotated[str, typer.Argument(metavar="DATASET", help="The data set.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
) -> int:
    """Forget a data set and remove what mlhub made of it. The files it was made of stay.

    \b
    mlhub data rm birds
    """
    from mlhub.cli.hub import open_home
    from mlhub.cli.out import say
    from mlhub.data import registry

    home = open_home()
    if not yes and home.dataset(name).is_dir() and registry.read(home, name) is None and name not in registry.BUILT_IN:
        from mlhub.errors import UsageError

        raise UsageError(
            f"data set {name} was put there by hand: to remove it removes the only copy mlhub knows", "Put --yes."
        )
    registry.remove(home, name)
    say(f"removed {name}")
    return 0


for _command in (show, preview, prepare, check, split, export):
    app.command(_command.__name__)(_command)
