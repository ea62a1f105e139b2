"""`mlhub search`: ask the search program, show what it answers. The encoding and ranking are `mlhub.hashing.search`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.cli.hub import Hub
    from mlhub.store.runs import Run


def search(
    query: Annotated[str | None, typer.Argument(metavar="[TEXT]", show_default=False)] = None,
    image: Annotated[Path | None, typer.Option(help="Search by this image instead of a text.", metavar="FILE")] = None,
    to: Annotated[str, typer.Option(metavar="image|text", help="What to find.")] = "image",
    k: Annotated[int, typer.Option("-k", help="How many results.", min=1, max=1000)] = 10,
    bits: Annotated[int | None, typer.Option(help="Code length to rank by; 64, or the model's longest.")] = None,
    index: Annotated[str | None, typer.Option(help="The index run, else the newest.", metavar="RUN")] = None,
    pictures: Annotated[
        bool | None, typer.Option("--pictures/--no-pictures", help="Small pictures in the table.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> int:
    """Find images by text, or images and texts by an image.

    \b
    mlhub search "a dog"
    mlhub search 강아지 -k 5 --bits 32
    mlhub search --image cat.png --to text
    """
    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import emit_json, tell
    from mlhub.errors import UsageError
    from mlhub.text import one_line

    if (query is None) == (image is None):
        raise UsageError("search wants a text or --image FILE, one of them", 'For example: mlhub search "a dog"')
    if query is not None and not query.strip():
        raise UsageError("the query is empty", 'Say what to look for: mlhub search "a dog"')
    if to not in ("image", "text"):
        raise UsageError(f"--to {to}: expected image or text", "Leave it out for images.")
    hub = open_hub()
    made = _find_index(hub, index)
    folder = hub.home.run(made.id).index
    asked = ("--text", query) if query is not None else ("--image", str(image))
    answer = _ask(folder, *asked, "--to", to, "-k", str(k), *(["--bits", str(bits)] if bits is not None else []))
    for warning in answer["warnings"]:
        tell(f"warning: {one_line(warning)}")
    if json:
        emit_json(answer)
    else:
        _print(answer, pictures=pictures)
    return 0


def _find_index(hub: Hub, ref: str | None) -> Run:
    """The index run asked for, or the newest that completed. Raises NotFoundError naming the command that makes one."""
    from mlhub.errors import MlhubError, NotFoundError
    from mlhub.runner.reconcile import refresh
    from mlhub.text import one_line

    how = "Make one: mlhub index RUN (see mlhub ls for trained runs)"
    if ref is None:
        found = hub.store.newest_completed("index")
        if found is None:
            for run in hub.store.active():
                refresh(hub.store, run)
            found = hub.store.newest_completed("index")
        if found is None:
            raise NotFoundError("there is no index to search", how)
        return found
    run = refresh(hub.store, hub.store.find(ref, kind="index"))
    if run.kind != "index":
        raise NotFoundError(f"run {run.id} ({one_line(run.name)}) is of kind {run.kind}, not an index", how)
    if run.status != "completed":
        hint = "Wait for its end." if run.active else f"See why: mlhub logs {run.name}"
        raise MlhubError(f"index run {run.id} ({one_line(run.name)}) is {run.status}", hint)
    return run


def _ask(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run the search program; its answer. Its own two lines of error become ours."""
    import subprocess

    import msgspec

    from mlhub.adapters import HASHING
    from mlhub.errors import MlhubError
    from mlhub.runner.preflight import check_packages

    check_packages()
    # a text that starts with a dash is still a text: --name=value in one word
    words = [f"{arguments[0]}={arguments[1]}", *arguments[2:]]
    command = HASHING.command("search", "--index", str(folder), *words, "--json")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0:
        raise _program_error(done.stderr.decode(errors="replace"), done.returncode)
    try:
        answer = msgspec.json.decode(done.stdout, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise MlhubError("the search program's answer is not JSON", "MLHUB_DEBUG=1 shows where.") from error
    return answer


def _program_error(stderr: str, code: int) -> Exception:
    """The error a program of ours told in two lines, or, from one that crashed, its last line."""
    from mlhub.errors import MlhubError, UsageError

    lines = [line for line in stderr.splitlines() if line.strip()]
    errors = [line.partition(":")[2].strip() for line in lines if line.startswith("error:")]
    hints = [line.partition(":")[2].strip() for line in lines if line.startswith("hint:")]
    if errors:
        return (UsageError if code == 2 else MlhubError)(errors[-1], hints[-1] if hints else "")
    last = lines[-1] if lines else "no message"
    return MlhubError(f"the search program failed ({code}): {last}", "MLHUB_DEBUG=1 mlhub search … shows more.")


def _print(answer: dict[str, Any], *, pictures: bool | None) -> None:
    from mlhub.cli.out import Column, coloured, columns, say, table
    from mlhub.text import one_line

    results = answer["results"]
    took = f"{answer['took_ms']:.1f} ms"
    say(f"{one_line(answer['query'])} → {len(results)} of {answer['index']['count']}, {answer['bits']} bits, {took}")
    if coloured() if pictures is None else pictures:
        from mlhub.picture import grid

        tiles = [(Path(hit["image"]), f"{hit['rank']} {hit['caption']}") for hit in results[:_PICTURES]]
        for line in grid(tiles, columns()):
            say(line)
    heads = [
        Column("rank", right=True),
        Column("caption", flex=True, least=16),
        Column("distance", right=True),
        Column("score", right=True),
        Column("image", flex=True, least=20, path=True),
    ]
    cells = [
        [str(hit["rank"]), hit["caption"], str(hit["distance"]), f"{hit['score']:.3f}", _shortened(hit["image"])]
        for hit in results
    ]
    for line in table(heads, cells):
        say(line)


#: hits shown as pictures; the others stand in the table alone
_PICTURES = 20


def _shortened(path: str) -> str:
    """A path under the user's folder with `~`, where that is shorter and still can be pasted."""
    home = str(Path.home())
    return "~" + path[len(home) :] if path.startswith(home + "/") else path
