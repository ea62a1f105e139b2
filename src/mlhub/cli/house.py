"""`mlhub rm` and `mlhub gc`: what is thrown away, and what else can be freed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.cli.hub import Hub
    from mlhub.runner.house import Item
    from mlhub.runner.trash import Entry

#: with less free than this, it is said that the trash frees nothing yet
_LOW_DISK = 2_000_000_000


def rm(
    runs: Annotated[list[str] | None, typer.Argument(metavar="RUN...", show_default=False)] = None,
    purge: Annotated[bool, typer.Option("--purge", help="For good, at once: nothing goes to the trash.")] = False,
    restore: Annotated[bool, typer.Option("--restore", help="Bring runs back from the trash, by id or name.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="Show what is in the trash.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask before --purge.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print ids, or what is in the trash, as JSON.")] = False,
) -> int:
    """Remove ended runs, checkpoints included. They stay in the trash for some days: `mlhub gc` frees it.

    \b
    mlhub rm calm-otter            to the trash
    mlhub rm --restore calm-otter  and back
    mlhub rm --list                what is in the trash
    mlhub rm calm-otter --purge    for good: what it took on disk is free at once
    """
    from mlhub.cli.hub import open_hub
    from mlhub.errors import UsageError

    if purge + restore + listing > 1:
        raise UsageError("--purge, --restore and --list are three different things", "Use one of them.")
    if bool(runs) == listing:
        raise UsageError("which run?" if not listing else "--list takes no RUN", "mlhub rm --help has examples.")
    hub = open_hub()
    refs = list(dict.fromkeys(runs or []))
    if listing:
        return _list_trash(hub, json)
    return _restore(hub, refs, json) if restore else _remove(hub, refs, purge, yes, json)


def _remove(hub: Hub, refs: list[str], purge: bool, yes: bool, json: bool) -> int:
    from mlhub.cli.out import emit_json, say, tell
    from mlhub.runner.ending import check_over
    from mlhub.runner.reconcile import refresh
    from mlhub.runner.trash import move, purge_run
    from mlhub.text import one_line, size

    found = {run.id: run for ref in refs if (run := refresh(hub.store, hub.store.find(ref)))}
    for run in found.values():
        check_over(hub.store, run)
    if purge and sys.stdin.isatty() and not yes and not json:
        names = ", ".join(one_line(run.name) for run in found.values())
        typer.confirm(f"Remove {names} for good, with everything in the folder{'s' * (len(found) > 1)}?", abort=True)
    waiting = hub.store.active()
    kept: list[Entry] = []
    for run in found.values():
        if purge:
            freed = purge_run(hub.store, run)
            line = f"removed run {run.id} ({one_line(run.name)}) for good: {size(freed)} freed"
        else:
            entry = move(hub.store, run)
            kept += [entry] if entry else []
            line = f"removed run {run.id} ({one_line(run.name)})" + (
                f": {size(entry.size())} in the trash" if entry else "; its folder was gone already"
            )
        if not json:
            say(line)
        if after := [one_line(other.name) for other in waiting if run.id in other.after]:
            tell(f"note: {', '.join(after)} waited for run {run.id} (--after) and will be cancelled without it")
    if json:
        emit_json({"removed": list(found)})
    elif kept:
        _say_how_to_free(hub, kept)
    return 0


def _say_how_to_free(hub: Hub, kept: list[Entry]) -> None:
    from mlhub.cli.out import say
    from mlhub.monitor import disk
    from mlhub.settings import Settings
    from mlhub.text import size

    days = Settings.load().trash_days
    again = kept[0].id if len(kept) == 1 else "ID"
    say(f"back: mlhub rm --restore {again}   free it: mlhub gc --trash now --yes (gc does after {days} days)")
    space = disk(hub.home.root)
    if space is not None and space.free < _LOW_DISK:
        say(f"only {size(space.free)} free on this disk, and the trash frees nothing: next time --purge, now gc")


def _restore(hub: Hub, refs: list[str], json: bool) -> int:
    from mlhub.cli.out import emit_json, say, tell
    from mlhub.runner import trash
    from mlhub.text import one_line

    found = {entry.id: entry for ref in refs if (entry := trash.find(hub.home, ref))}
    back = []
    for entry in found.values():
        run, left = trash.restore(hub.store, entry)
        back.append(run)
        for words in left:
            tell(f"warning: {one_line(words)}")
        if not json:
            renamed = f" (its name was taken: it was {entry.name})" if run.name != entry.name else ""
            say(f"restored run {run.id}  {one_line(run.name)}{renamed}")
    if json:
        emit_json({"restored": [run.id for run in back]})
    return 0


def _list_trash(hub: Hub, json: bool) -> int:
    from mlhub.cli.out import Column, emit_json, say, table
    from mlhub.runner.trash import entries
    from mlhub.text import local_time, size, stamp

    found = [(entry, entry.size(), stamp(entry.trashed)) for entry in reversed(entries(hub.home))]
    if json:
        emit_json(
            [
                {"id": entry.id, "name": entry.name, "bytes": taken, "removed_at": at, "dir": str(entry.path)}
                for entry, taken, at in found
            ]
        )
        return 0
    if not found:
        say("the trash is empty")
        return 0
    heads = [Column("id", right=True), Column("name", flex=True), Column("size", right=True), Column("removed")]
    rows = [[str(entry.id), entry.name, size(taken), local_time(at)] for entry, taken, at in found]
    for line in table(heads, rows):
        say(line)
    say(f"{size(sum(taken for _, taken, _ in found))} in all; back: mlhub rm --restore ID, free: mlhub gc --trash now")
    return 0


def gc(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it; without this it is only shown.")] = False,
    older_than: Annotated[
        float | None,
        typer.Option("--older-than", metavar="DAYS", min=0, help="In place of each age set in config.toml."),
    ] = None,
    trash: Annotated[str | None, typer.Option(metavar="now|DAYS", help="From which age on the trash is freed.")] = None,
    only: Annotated[str, typer.Option(metavar="WORDS", help="Of what: trash,checkpoints,states,temporary,…")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print what can be, or was, freed as JSON.")] = False,
) -> int:
    """Show what can be freed, or free it: the trash, spare checkpoints, left-overs; compress old logs and metrics.

    Best and last checkpoints always stay, and nothing of a run that is active is touched.

    \b
    mlhub gc                               only show it
    mlhub gc --yes                         do it
    mlhub gc --trash now --yes             also what was removed today
    mlhub gc --only checkpoints,states
    """
    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import emit_json
    from mlhub.runner.house import Ages, check_kinds, plan
    from mlhub.runner.reconcile import refresh_active

    kinds = check_kinds(only)
    hub = open_hub()
    refresh_active(hub.store)
    found = plan(hub.store, Ages.of(hub.settings, older_than, _days(trash)), kinds)
    freed, failed = _free(hub, found.items, json) if yes else ([0] * len(found.items), False)
    if json:
        items = [
            {"kind": item.kind, "what": item.what, "why": item.why, "run": item.run, "bytes": item.bytes, "freed": done}
            for item, done in zip(found.items, freed, strict=True)
        ]
        total = sum(item.bytes for item in found.items)
        emit_json({"dry_run": not yes, "items": items, "bytes": total, "freed": sum(freed), "notes": found.notes})
    elif not yes:
        _show_plan(found.items)
    if not json:
        _say_notes(found.notes)
    return int(failed)


def _days(word: str | None) -> float | None:
    """`--trash`'s value in days."""
    import math

    from mlhub.errors import UsageError

    try:
        days = None if word is None else 0.0 if word == "now" else float(word)
    except ValueError:
        days = math.nan
    if days is not None and not 0 <= days < math.inf:
        raise UsageError(f"--trash {word}: neither now nor a number of days", "mlhub gc --trash now --yes")
    return days


def _show_plan(items: list[Item]) -> None:
    from mlhub.cli.out import Column, say, table
    from mlhub.text import size

    if not items:
        say("nothing to free")
        return
    heads = [Column("kind"), Column("of", flex=True), Column("size", right=True), Column("why", flex=True, least=16)]
    for line in table(heads, [[item.kind, item.what, size(item.bytes), item.why] for item in items]):
        say(line)
    packed = any(item.kind in ("logs", "metrics") for item in items)
    total = size(sum(item.bytes for item in items))
    say(f"{total} in all{' (what is compressed frees most of its size)' * packed}; free it: mlhub gc --yes")


def _free(hub: Hub, items: list[Item], json: bool) -> tuple[list[int], bool]:
    """Free all of them; the bytes that each freed, and whether one could not be."""
    from mlhub.cli.out import say, tell
    from mlhub.errors import MlhubError
    from mlhub.monitor import disk
    from mlhub.runner.house import free
    from mlhub.text import one_line, size

    freed = []
    failed = False
    for item in items:
        try:
            freed.append(free(hub.store, item))
        except (MlhubError, OSError) as error:  # one thing that can't be freed must not keep the others
            failed = True
            freed.append(0)
            why = error.message if isinstance(error, MlhubError) else error.strerror or str(error)
            tell(f"error: {item.kind} of {item.what}: {one_line(why)}")
            continue
        if not json:
            say(f"{size(freed[-1]):>8}  {item.kind} of {item.what}: {item.why}")
    space = disk(hub.home.root)
    if not json:
        say(f"freed {size(sum(freed))}" + (f"; {size(space.free)} free on the home's disk" if space else ""))
    return freed, failed


def _say_notes(notes: list[str]) -> None:
    from mlhub.cli.out import tell

    for note in notes:
        tell(f"note: {note}")
