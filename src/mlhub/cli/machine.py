"""`mlhub gpu` and `mlhub doctor`: what the accelerators are and who uses them, and whether everything is healthy."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlhub.monitor import Gpu
    from mlhub.paths import Home
    from mlhub.runner.health import Check
    from mlhub.runner.owners import Claims


def gpu(json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> int:
    """Show the accelerators, whose processes use them, and the batch size that "auto" would choose.

    \b
    mlhub gpu
    mlhub gpu --json
    """
    import msgspec

    from mlhub import monitor
    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import emit_json, say
    from mlhub.config import auto_batch
    from mlhub.runner.owners import owners
    from mlhub.text import one_line

    found, why_none = monitor.gpus()
    auto = auto_batch([gpu.memory.total for gpu in found])
    claims = owners(open_hub().store, found) if found else []
    if json:
        cards = [msgspec.to_builtins(card) | msgspec.to_builtins(use) for card, use in zip(found, claims, strict=True)]
        emit_json({"gpus": cards, "auto": auto})
        return 0
    if found:
        _print_gpus(found, claims)
    else:
        say(f"no GPU: {one_line(why_none or 'none found')}")
    say(f"batch size auto: {auto.batch_size} ({auto.reason})")
    return 0


def _print_gpus(found: Sequence[Gpu], claims: Sequence[Claims]) -> None:
    from mlhub.cli.out import Column, say, table
    from mlhub.text import number, size

    heads = [Column("gpu", right=True), Column("name", flex=True), *(Column(t, right=True) for t in _GPU_HEADS)]
    rows = []
    for card, use in zip(found, claims, strict=True):
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
                ", ".join(map(str, use.claimed)) or "–",
            ]
        )
    for line in table(heads, rows):
        say(line)
    rows = [
        [
            str(card.index),
            str(process.pid),
            size(process.memory) if process.memory is not None else "–",
            f"{process.run} {process.name}" if process.run else "–",
            process.user or "–",
            process.command or "–",
        ]
        for card, use in zip(found, claims, strict=True)
        for process in use.processes
    ]
    if rows:
        say()
        heads = [*(Column(t, right=True) for t in ("gpu", "pid", "memory")), Column("run", flex=True), Column("user")]
        for line in table([*heads, Column("command", flex=True)], rows):
            say(line)


_GPU_HEADS = ("memory", "busy", "temp", "power", "claimed by")


def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Put right what is safe to; each step is named.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make the database anew from the run folders.")] = False,
    unit: Annotated[bool, typer.Option("--unit", help="Print a systemd user unit for `mlhub queue watch`.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
) -> int:
    """Check that everything is healthy: home, store, runs, queue, disk, GPUs, clock, logout. Exit 1 if a check fails.

    \b
    mlhub doctor
    mlhub doctor --fix        close the home, end and remove left-overs
    mlhub doctor --rebuild    the database anew, from the runs' folders
    mlhub doctor --unit > ~/.config/systemd/user/mlhub-queue.service
    """
    from mlhub.cli.hub import open_home
    from mlhub.cli.out import emit_json, say
    from mlhub.runner.health import examine
    from mlhub.text import one_line

    home = open_home()
    if unit:
        return _print_unit(home)
    done = _mend(home, fix=fix, rebuild=rebuild)
    checks = examine(home)
    ok = all(check.status != "fail" for check in checks)
    if json:
        trees = [asdict(check) for check in checks]
        emit_json({"ok": ok, "checks": [*_as_checks(done), *trees], "fixed": [words for _, words in done]})
        return 0 if ok else 1
    for name, words in done or ([("fixed", "nothing was to be fixed")] if fix else []):
        say(f"{name:<5} {one_line(words)}")
    _print_checks(checks, fixed=fix)
    return 0 if ok else 1


def _mend(home: Home, *, fix: bool, rebuild: bool) -> list[tuple[str, str]]:
    """What was put right: how it is called, and in words."""
    from mlhub.cli.out import tell

    done: list[tuple[str, str]] = []
    if fix or rebuild:
        from mlhub.runner.mend import make_anew, mend

        if rebuild:
            done.append(("rebuild", make_anew(home)))
        if fix:
            done += [("fixed", words) for words in mend(home, tell)]
    return done


def _as_checks(done: list[tuple[str, str]]) -> list[dict[str, object]]:
    """A rebuild stands among the checks too, where scripts look for it."""
    return [{"name": name, "status": "ok", "detail": words, "remedy": ""} for name, words in done if name == "rebuild"]


def _print_checks(checks: list[Check], *, fixed: bool) -> None:
    from mlhub.cli.out import say
    from mlhub.runner.unit import has_user_manager
    from mlhub.text import one_line

    wide = max(len(check.name) for check in checks)
    for check in checks:
        say(f"{check.status:<5} {check.name:<{wide}} {one_line(check.detail)}")
        if check.remedy and check.status != "ok":
            say(f"      {'':<{wide}} → {one_line(check.remedy)}")
    if not fixed and any(check.mend and check.status != "ok" and "--fix" not in check.remedy for check in checks):
        say("mlhub doctor --fix puts right what is safe to")
    if has_user_manager():
        say("mlhub doctor --unit prints a systemd unit that looks after the queue")


def _print_unit(home: Home) -> int:
    from mlhub.cli.out import say, tell
    from mlhub.runner.unit import how_to_enable, unit

    say(unit(home).rstrip("\n"))
    tell("to enable it:")
    for command in how_to_enable():
        tell(f"  {command}")
    return 0
