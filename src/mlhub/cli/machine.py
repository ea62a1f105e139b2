"""`mlhub gpu` and `mlhub doctor`: what the accelerators are, and whether everything is healthy."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Literal

import typer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.paths import Home

_LOW_DISK = 2_000_000_000


def gpu(json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> int:
    """Show the accelerators, what uses them, and the batch size that "auto" would choose.

    \b
    mlhub gpu
    mlhub gpu --json
    """
    from mlhub import monitor
    from mlhub.cli.out import Column, emit_json, say, table
    from mlhub.config import auto_batch
    from mlhub.text import number, one_line, size

    found, why_none = monitor.gpus()
    auto = auto_batch([gpu.memory.total for gpu in found])
    if json:
        emit_json({"gpus": found, "auto": auto})
        return 0
    if not found:
        say(f"no GPU: {one_line(why_none or 'none found')}")
    else:
        heads = [Column("gpu", right=True), Column("name", flex=True), *(Column(t, right=True) for t in _GPU_HEADS)]
        rows = []
        for card in found:
            used, total = card.memory.used, card.memory.total
            memory = f"{size(used) if used is not None else '–'} / {size(total) if total else '–'}"
            rows.append(
                [
                    str(card.index),
                    card.name,
                    memory + (" shared" if card.memory.unified else ""),
                    f"{number(card.utilization)}%",
                    f"{number(card.temperature)} °C",
                    f"{number(card.power)} W",
                    str(len(card.processes)),
                ]
            )
        for line in table(heads, rows):
            say(line)
    say(f"batch size auto: {auto.batch_size} ({auto.reason})")
    return 0


_GPU_HEADS = ("memory", "busy", "temp", "power", "processes")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at, and what to do if it isn't well."""

    name: str
    status: Literal["ok", "warn", "fail"]
    detail: str
    remedy: str = ""


def doctor(
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make the database anew from the run folders.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
) -> int:
    """Check that everything is healthy: home, store, disk, packages, GPUs, logout. Exit 1 if a check fails.

    \b
    mlhub doctor
    mlhub doctor --rebuild    after the database was lost or damaged; the run folders are the truth
    """
    from mlhub.cli.hub import open_home
    from mlhub.cli.out import emit_json, say

    home = open_home()
    checks = [
        *([_rebuild(home)] if rebuild else []),
        _home(home),
        _store(home),
        _disk(home),
        _packages(),
        _gpus(),
        _logout(),
    ]
    ok = all(check.status != "fail" for check in checks)
    if json:
        emit_json({"ok": ok, "checks": [asdict(check) for check in checks]})
        return 0 if ok else 1
    for check in checks:
        say(f"{check.status:<5} {check.name:<9} {check.detail}")
        if check.remedy and check.status != "ok":
            say(f"      {'':<9} → {check.remedy}")
    return 0 if ok else 1


def _home(home: Home) -> Check:
    mode = home.root.stat().st_mode & 0o777
    if mode & 0o077:
        return Check("home", "warn", f"{home.root} is open to other users ({mode:04o})", f"chmod 700 {home.root}")
    return Check("home", "ok", str(home.root))


def _rebuild(home: Home) -> Check:
    """Set a database that can't be used aside, then put a row back for each run folder that has none."""
    from mlhub.runner.folder import rebuild, set_aside
    from mlhub.runner.reconcile import refresh_active
    from mlhub.store.store import Store

    aside = set_aside(home)
    store = Store.open(home)
    count = rebuild(store)
    refresh_active(store)
    store.close()
    kept = f"; the old file is {aside.name}" if aside else ""
    return Check("rebuild", "ok", f"{count} runs restored from their folders{kept}")


def _store(home: Home) -> Check:
    from mlhub.errors import MlhubError
    from mlhub.store.store import Store

    try:
        store = Store.open(home)
        found = store.check()
        runs, active = len(store.ids()), len(store.active())
        store.close()
    except MlhubError as error:
        return Check("store", "fail", error.message, error.hint)
    if found != "ok":
        return Check("store", "fail", f"{home.database}: {found}", "mlhub doctor --rebuild")
    return Check("store", "ok", f"{runs} runs, {active} active")


def _disk(home: Home) -> Check:
    from mlhub.monitor import disk
    from mlhub.text import size

    space = disk(home.root)
    if space is None:
        return Check("disk", "warn", f"{home.root}: its file system doesn't say")
    text = f"{size(space.free)} free of {size(space.total)}"
    if space.free < _LOW_DISK:
        return Check("disk", "warn", text, "Free some space: mlhub rm RUN removes a run with its checkpoints.")
    return Check("disk", "ok", text)


def _packages() -> Check:
    from mlhub.adapters import HASHING

    if absent := HASHING.missing():
        return Check("hashing", "warn", f"not installed: {', '.join(absent)}", f"pip install 'mlhub[{HASHING.extra}]'")
    return Check("hashing", "ok", "training, evaluation and search can run")


def _gpus() -> Check:
    from mlhub import monitor

    found, why_none = monitor.gpus()
    if not found:
        return Check("nvml", "ok", f"no GPU ({why_none or 'none found'})")
    return Check("nvml", "ok", ", ".join(card.name for card in found))


def _logout() -> Check:
    from mlhub.runner.launch import logout_kills

    danger = logout_kills()
    if danger:
        return Check("logout", "warn", danger, "loginctl enable-linger")
    return Check("logout", "ok", "runs survive a logout")
