"""`mlhub diff A B`: everything that differs between two runs, section by section.

What differs is found in `mlhub.compare` (`pairs`, `code`, `logs`), from what the runs' folders have on record; how it
is written for people is `mlhub.cli.diff_text`'s.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import typer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlhub.cli.hub import Hub
    from mlhub.compare.code import CodeDifference
    from mlhub.compare.comparison import Comparison
    from mlhub.compare.logs import LogDifference
    from mlhub.compare.pairs import Difference
    from mlhub.store.runs import Run

#: in the order in which they are shown; `logs` only where asked for
SECTIONS = ("outcome", "metrics", "config", "command", "code", "packages", "hardware", "environment", "logs")
#: of a log the first and the last so many bytes are compared
_LOG_PART = 2 << 20


class Found(NamedTuple):
    """What was found: a section that was not asked for is None. `words`: what is to be said of the logs' limits."""

    a: Run
    b: Run
    pairs: Mapping[str, Difference]
    metrics: Comparison | None
    code: CodeDifference | None
    logs: LogDifference | None
    words: Sequence[str]


def diff(
    a: Annotated[str, typer.Argument(metavar="A")],
    b: Annotated[str, typer.Argument(metavar="B")],
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="SECTION,…", help=f"Of: {', '.join(SECTIONS)}.")
    ] = None,
    logs: Annotated[bool, typer.Option("--logs", help="Compare the logs, too.")] = False,
    exact: Annotated[bool, typer.Option("--exact", help="In logs every letter counts: times, rates, losses.")] = False,
    stat: Annotated[bool, typer.Option("--stat", help="Only how much differs.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what differs as JSON.")] = False,
) -> int:
    """Show all that differs between two runs: outcome, metrics, config, code, packages, hardware, logs.

    The code is compared as it ran: both commits with their uncommitted changes, in one git diff. In logs, times,
    rates, addresses, progress bars and decimal fractions count as equal unless --exact is given.

    \b
    mlhub diff calm-otter brave-newt
    mlhub diff 3 4 --only code,packages | less -R
    mlhub diff 3 @last --logs --stat
    """
    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import emit_json, say
    from mlhub.errors import UsageError

    sections = _chosen(only or [], logs=logs or exact)
    hub = open_hub()
    first, second = _fresh(hub, a), _fresh(hub, b)
    if first.id == second.id:
        raise UsageError(f"{a} and {b} are one run", "Name another to compare it with.")
    found = _find(hub, first, second, sections, exact=exact)
    if json:
        emit_json(to_json(found))
        return 0
    from mlhub.cli.diff_text import lines

    for line in lines(found, sections, stat=stat):
        say(line)
    return 0


def _chosen(only: Sequence[str], *, logs: bool) -> list[str]:
    """The sections to show, in their order. Raises UsageError for one that there is not."""
    from mlhub.errors import UsageError
    from mlhub.text import closest, one_line

    asked = [name.strip() for words in only for name in words.split(",") if name.strip()]
    for name in asked:
        if name not in SECTIONS:
            hint = closest(name, list(SECTIONS))
            raise UsageError(f"--only {one_line(name)}: no such section{hint}", f"There are: {', '.join(SECTIONS)}.")
    wanted = set(asked) or set(SECTIONS) - {"logs"}
    return [name for name in SECTIONS if name in wanted or (logs and name == "logs")]


def _fresh(hub: Hub, ref: str) -> Run:
    from mlhub.runner.reconcile import refresh

    return refresh(hub.store, hub.store.find(ref))


def _find(hub: Hub, a: Run, b: Run, sections: Sequence[str], *, exact: bool) -> Found:
    from mlhub.compare import code
    from mlhub.compare.comparison import compare
    from mlhub.compare.pairs import differ, differ_packages
    from mlhub.runner.folder import read_surroundings

    specs = [read_surroundings(hub.home.run(run.id)) for run in (a, b)]
    tables = {name: [_facts(name, run, spec) for run, spec in zip((a, b), specs, strict=True)] for name in _PAIRED}
    logs, words = _differ_logs(hub, a, b, exact=exact) if "logs" in sections else (None, ())
    return Found(
        a,
        b,
        {name: (differ_packages if name == "packages" else differ)(*tables[name])
         for name in _PAIRED if name in sections},
        compare([a, b]) if "metrics" in sections else None,
        code.differ(*(code.Side.of(spec.get("git")) for spec in specs)) if "code" in sections else None,
        logs,
        words,
    )  # fmt: skip


#: sections that are two mappings beside each other
_PAIRED = ("outcome", "config", "command", "packages", "hardware", "environment")


def _facts(name: str, run: Run, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping that a section compares, of one run; empty where its folder says nothing."""
    from mlhub.compare.configs import flatten

    if name == "outcome":
        facts = {"status": run.status, "reason": run.reason, "condition": run.condition, "exit code": run.exit_code,
                 "signal": run.signal, "attempts": run.attempt}  # fmt: skip
        return {key: value for key, value in facts.items() if value is not None}
    if name == "config":
        return dict(flatten(run.config))
    if name == "environment":
        names = spec.get("environment")
        return dict.fromkeys((name for name in names if isinstance(name, str)), "") if isinstance(names, list) else {}
    if name == "command":
        facts = {key: spec.get(key) for key in ("command", "cwd", "python", "preset")}
        return {key: value for key, value in facts.items() if value is not None}
    table = spec.get(name)
    return {str(key): value for key, value in table.items() if value is not None} if isinstance(table, dict) else {}


def _differ_logs(hub: Hub, a: Run, b: Run, *, exact: bool) -> tuple[LogDifference, list[str]]:
    from mlhub.compare import logs
    from mlhub.runner.segments import LogReader

    words: list[str] = []
    sides = []
    for name, run in (("A", a), ("B", b)):
        reader = LogReader(hub.home.run(run.id))
        size = reader.size
        data = _read(reader, 0, min(size, _LOG_PART if size > 2 * _LOG_PART else size))
        if size > 2 * _LOG_PART:
            words.append(f"{name}'s log has {size} bytes: its first and last {_LOG_PART >> 20} MiB are compared")
            tail = _read(reader, size - _LOG_PART, size)
            data = data[: data.rfind(b"\n") + 1] + tail[tail.find(b"\n") + 1 :]
        lines, left = logs.shortened(logs.to_lines(data))
        if left:
            words.append(f"{name}'s log: {left} lines in the middle are left out")
        sides.append(lines)
    own = [(run.dir, str(hub.home.run(run.id).root), run.name) for run in (a, b)]
    return logs.differ(*sides, exact=exact, own=[[word for word in side if word] for side in own]), words


def _read(reader: Any, start: int, end: int) -> bytes:  # noqa: ANN401 - LogReader is loaded where it is needed
    parts = []
    while start < end:
        data, start = reader.read(start, min(1 << 20, end - start))
        if not data:
            break
        parts.append(data)
    return b"".join(parts)


def to_json(found: Found) -> dict[str, Any]:
    """One document: the two runs, and by section what differs. In a pair the first is A's."""
    from mlhub.compare.render import to_json as compared

    tree: dict[str, Any] = {"a": found.a.to_json(), "b": found.b.to_json()}
    tree |= {name: pair.to_json() for name, pair in found.pairs.items()}
    if "environment" in found.pairs:  # names alone: values are nobody's business
        pair = found.pairs["environment"]
        tree["environment"] = {"only_a": list(pair.only_a), "only_b": list(pair.only_b), "same": pair.same}
    if found.metrics is not None:
        whole = compared(found.metrics)
        tree["metrics"] = {
            metric.name: {
                "a": whole["metrics"][metric.name].get(str(found.a.id)),
                "b": whole["metrics"][metric.name].get(str(found.b.id)),
                "direction": metric.direction,
                "delta": whole["delta"][metric.name].get(str(found.b.id)),
            }
            for metric in found.metrics.metrics
        }
    if found.code is not None:
        tree["code"] = found.code.to_json()
    if found.logs is not None:
        tree["logs"] = {"only_a": found.logs.only_a, "only_b": found.logs.only_b, "diff": list(found.logs.lines),
                        "notes": list(found.words)}  # fmt: skip
    return tree
