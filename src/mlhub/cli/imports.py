"""`mlhub import`: runs that other trackers recorded, as read-only runs of ours."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import Annotated

import typer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlhub.cli.hub import Hub
    from mlhub.foreign.source import Source
    from mlhub.runner.importing import Outcome, Wanted

#: what becomes of a source, in the order it is counted in
_ACTIONS = ("imported", "updated", "unchanged", "removed", "captured", "failed")


def imports(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", show_default=False)],
    kind: Annotated[
        str | None, typer.Option(metavar="tensorboard|lightning|wandb|mlflow", help="Only what this one recorded.")
    ] = None,
    group: Annotated[str | None, typer.Option(help="The group of all of them (default: as recorded).")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag beside those recorded; may be given again.")] = None,
    name: Annotated[
        str | None, typer.Option(help="A name (of several: NAME, NAME-2, …; default: as recorded).")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what lies in the trash, or was captured here.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be imported; change nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what became of each as JSON.")] = False,
) -> int:
    """Import runs of TensorBoard, Lightning's CSVLogger, W&B (offline) and MLflow (file store), with their dates.

    A folder is searched for all it holds. What was imported before is not doubled: what has been added since, is. The
    files are only read; images, tables, models and other artifacts stay where they are.

    \b
    mlhub import lightning_logs
    mlhub import wandb/ mlruns/ --group old --tag imported
    mlhub import runs/exp1 --kind tensorboard --name baseline --dry-run
    """
    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import emit_json, say
    from mlhub.runner.importing import Wanted
    from mlhub.runner.names import check_words

    _check_kind(kind)
    check_words(name, group, tag)
    hub = open_hub()
    sources, remarks = _find(hub, paths, kind)
    wanted = Wanted(group=group, tags=tuple(tag or ()), name=name, again=again)
    done = []
    for outcome in _import(hub, sources, wanted, dry_run=dry_run):
        done.append(outcome)
        if not json:
            _print_outcome(outcome, dry_run=dry_run)
    _draw("")
    if json:
        emit_json({"runs": [_to_json(outcome) for outcome in done], "warnings": remarks})
    else:
        say(_count(done, dry_run=dry_run))
    return int(any(outcome.action == "failed" for outcome in done) or not sources)


def _check_kind(kind: str | None) -> None:
    from mlhub.errors import UsageError
    from mlhub.foreign.source import KINDS
    from mlhub.text import closest, one_line

    if kind is not None and kind not in KINDS:
        raise UsageError(f"--kind {one_line(kind)!r}{closest(kind, list(KINDS))}", f"There are: {', '.join(KINDS)}.")


def _find(hub: Hub, paths: list[Path], kind: str | None) -> tuple[list[Source], list[str]]:
    """What lies below the paths, each run once, and remarks, which are told. Raises NotFoundError if nothing does."""
    from mlhub.cli.out import tell
    from mlhub.errors import NotFoundError
    from mlhub.foreign.find import find
    from mlhub.text import one_line

    remarks: list[str] = []
    found: dict[tuple[str, Path], Source] = {}
    for path in paths:
        for source in find(
            path, remarks.append, lambda count: _draw(f"looked into {count} folders"), kind=kind, leave=hub.home.root
        ):
            found[source.kind, source.path] = source
    _draw("")
    for text in remarks:
        tell(f"warning: {one_line(text)}")
    if not found and not remarks:
        where = ", ".join(one_line(str(path)) for path in paths)
        raise NotFoundError(
            f"no run {f'of {kind} ' if kind else ''}found in {where}",
            "It looks for *tfevents*, metrics.csv, *.wandb and meta.yaml files with something in them.",
        )
    return list(found.values()), remarks


def _import(hub: Hub, sources: list[Source], wanted: Wanted, *, dry_run: bool) -> Iterator[Outcome]:
    """What becomes of each, one after another."""
    from mlhub.runner.importing import importing
    from mlhub.text import fit, one_line

    with importing(hub.store, dry_run=dry_run) as importer:
        for index, source in enumerate(sources, 1):
            _draw(f"{index}/{len(sources)}  {fit(one_line(source.name), 50)}")
            yield importer.expect(source, wanted) if dry_run else importer.add(source, wanted)


def _draw(text: str) -> None:
    """One line on a terminal, drawn over by the next one; nothing in a pipe."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def _print_outcome(outcome: Outcome, *, dry_run: bool) -> None:
    from mlhub.cli.out import columns, say, tell
    from mlhub.text import fit, one_line, width

    _draw("")
    name, path = one_line(outcome.name or outcome.source.name), one_line(str(outcome.source.path))
    if outcome.action in ("imported", "updated"):
        head = f"{'would be ' * dry_run}{outcome.action}"
        run = f"  run {outcome.run_id}" if outcome.run_id else ""
        line = f"{head}{run}  {name}  {outcome.source.kind}"
        say(f"{line}  {fit(path, max(20, columns() - width(line) - 2), keep_end=True)}")
    if outcome.action == "removed":
        tell(f"{path}: imported once as run {outcome.run_id}, which lies in the trash")
        tell(f"  mlhub rm --restore {outcome.run_id} brings it back; mlhub import --again imports it anew")
    if outcome.action == "captured":
        tell(f"{path}: of run {outcome.run_id} ({name}), which recorded it; --again imports it all the same")
    for text in outcome.told:
        tell(f"  {'error' if outcome.action == 'failed' else 'note'}: {one_line(path)}: {one_line(text)}")


def _count(done: Sequence[Outcome], *, dry_run: bool) -> str:
    """`3 imported, 2 unchanged`."""
    words = {"removed": "in the trash", "captured": "recorded here already"}
    counts = {action: sum(outcome.action == action for outcome in done) for action in _ACTIONS}
    parts = [f"{count} {words.get(action, action)}" for action, count in counts.items() if count]
    return (", ".join(parts) or "nothing imported") + (" (dry run: nothing was changed)" if dry_run else "")


def _to_json(outcome: Outcome) -> dict[str, object]:
    source = outcome.source
    path = str(source.path).encode(errors="replace").decode()
    return {
        "action": outcome.action, "run": outcome.run_id, "name": outcome.name, "kind": source.kind, "path": path,
        "id": source.id, "notes": outcome.told,
    }  # fmt: skip
