"""The tables of a report in words, of which HTML and Markdown are made: results, what differs, ends, environment."""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlhub.compare.configs import is_seed
from mlhub.compare.render import MISSING, delta_text, metric_text, value_text
from mlhub.report.html import Cell, Table
from mlhub.store.runs import step_of
from mlhub.text import duration, number, one_line, size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlhub.compare.comparison import Metric, Spread
    from mlhub.report.contents import Contents, RunPart

_ARROWS = {"max": "\u00a0↑", "min": "\u00a0↓"}
#: parameters that stand in the first table, if they are so short, and metrics with them; rows of the long tables
_PARAMETERS, _SHORT, _COLUMNS, _ROWS = 3, 24, 6, 300
#: packages whose versions are named first
_KEY_PACKAGES = ("torch", "lightning", "pytorch-lightning", "transformers", "numpy", "jax", "tensorflow", "mlhub")


def results(found: Contents) -> Table:
    """A run a row: what differs, the metrics that matter most, how long it took; then means over seeds."""
    comparison = found.comparison
    chosen = {metric.name: metric for metric in comparison.metrics}
    keys = _telling(found) if found.several else []
    metrics = [chosen[name] for name in found.main[: _COLUMNS - len(keys)]]
    ended = any(part.run.status != "completed" for part in found.parts)
    heads = [Cell("run"), *[Cell("status")] * ended, *(Cell(_short(key, keys), code=True) for key in keys)]
    heads += [Cell(metric.name + _ARROWS.get(str(metric.direction), ""), number=True) for metric in metrics]
    heads += [Cell("steps", number=True), Cell("took", number=True)]
    rows = []
    for part in found.parts:
        run = part.run
        tone = {"failed": "bad-tone", "completed": ""}.get(run.status, "quiet")
        cells = [Cell(one_line(run.name), mark=part.mark, note=_note(found, part))]
        cells += [Cell(run.status, tone=tone)] * ended
        cells += [Cell(_value(comparison.config[key], run.id), code=True) for key in keys]
        cells += [_metric(found, metric, run.id) for metric in metrics]
        rows.append([*cells, Cell(number(step_of(run)), number=True), Cell(duration(part.took), number=True)])
    blank = [Cell("")] * (ended + len(keys))
    for ids in comparison.seeds:
        cells = [_spread(metric.spread(ids)) for metric in metrics]
        name = f"mean ± sd of {len(ids)} seeds"
        note = ", ".join(one_line(found.part(run_id).run.name) for run_id in ids)
        rows.append([Cell(name, note=note), *blank, *cells, Cell(""), Cell("")])
    return Table(_caption(found, bool(metrics)), heads, rows)


_VALUES = {"last": "The last value of each metric", "best": "The best value of each metric",
           "min": "The least value of each metric", "max": "The greatest value of each metric"}  # fmt: skip


def _spread(spread: Spread | None) -> Cell:
    """A mean, its deviation below it; how many it is of only where not every seed has a finite value."""
    if spread is None:
        return Cell(MISSING, number=True)
    count = "" if spread.n == spread.of else f" (n={spread.n} of {spread.of})"
    note = "" if spread.sd is None else f"± {spread.sd:.2g}"
    return Cell(number(spread.mean), note=note + count, number=True)


def _caption(found: Contents, has_metrics: bool) -> str:
    words = []
    if has_metrics:
        words.append(_VALUES.get(found.comparison.use, "Values of each metric where they were asked for"))
    if has_metrics and found.several and not found.comparison.only_seeds:
        words.append("★ the best")
    if has_metrics and found.deltas:
        words.append("below each the difference to the baseline")
    return "; ".join(words) + "." if words else "The runs of this report."


def _note(found: Contents, part: RunPart) -> str:
    words = [
        f"run {part.run.id}",
        *(["baseline"] if found.deltas and part.run.id == found.comparison.baseline else []),
    ]
    return ", ".join([*words, *(one_line(str(tag)) for tag in part.run.tags)])


def _telling(found: Contents) -> list[str]:
    """The parameters for the first table: what most runs set, in few letters, and no seed before another."""
    config = {key: values for key, values in found.comparison.config.items() if len(values) > 1}

    def rank(key: str) -> tuple[int, bool, bool]:
        values = config[key]
        return -len(values), any(len(value_text(value)) > _SHORT for value in values.values()), is_seed(key)

    return [key for key in sorted(config, key=rank)[:_PARAMETERS] if not rank(key)[1]]


def _short(key: str, keys: Sequence[str]) -> str:
    """A parameter's last word, if no other of them has the same."""
    last = [one_line(one).rpartition(".")[2] for one in keys]
    short = one_line(key).rpartition(".")[2]
    return short if last.count(short) == 1 else one_line(key)


def _value(values: Mapping[int, Any], run_id: int) -> str:
    return value_text(values[run_id])[:200] if run_id in values else MISSING


def _metric(found: Contents, metric: Metric, run_id: int) -> Cell:
    base = found.comparison.baseline
    note = delta_text(metric.delta(run_id, base), percent=metric.in_percent(base)) if found.deltas else ""
    text = metric_text(metric.values.get(run_id))
    best = found.several and run_id in metric.winners
    return Cell(text, best=best, note=note, number=True)


def all_metrics(found: Contents) -> Table:
    """A metric a row, a run a column."""
    comparison = found.comparison
    rows = [
        [Cell(metric.name + _ARROWS.get(str(metric.direction), ""), code=True),
         *(_metric(found, metric, run.id) for run in comparison.runs)]
        for metric in comparison.metrics[:_ROWS]
    ]  # fmt: skip
    return Table(_left("All metrics", len(comparison.metrics)), _run_heads(found, "metric", number=True), rows)


def _run_heads(found: Contents, first: str, *, number: bool = False) -> list[Cell]:
    names = [Cell(one_line(part.run.name), mark=part.mark, number=number) for part in found.parts]
    return [Cell(first), *names]


def _left(words: str, count: int) -> str:
    return f"{words}." if count <= _ROWS else f"{words}: {_ROWS} of {count}."


def parameters(found: Contents) -> Table:
    """What differs between the configurations, a run a column."""
    config = found.comparison.config
    rows = [
        [Cell(one_line(key), code=True), *(Cell(_value(values, part.run.id), code=True) for part in found.parts)]
        for key, values in list(config.items())[:_ROWS]
    ]
    return Table(_left("Parameters that differ; – where a run does not set it", len(config)),
                 _run_heads(found, "parameter"), rows)  # fmt: skip


def ends(found: Contents) -> Table:
    """How each run ended and why, in the words of its trainer or of whoever watched it."""
    rows = []
    for part in found.parts:
        run = part.run
        why = one_line(run.reason or "") or (one_line(run.condition or "") or MISSING)
        status = run.status + (f", attempt {run.attempt}" if run.attempt > 1 else "")
        alerts = "; ".join(part.alerts) or MISSING
        started = _date(run.started_at)
        rows.append([
            Cell(one_line(run.name), mark=part.mark), Cell(status, tone="bad-tone" if run.status == "failed" else ""),
            Cell(why, note=part.advice), Cell(alerts), Cell(started), Cell(duration(part.took), number=True),
        ])  # fmt: skip
    heads = [Cell("run"), Cell("status"), Cell("why"), Cell("alerts"), Cell("started"), Cell("took", number=True)]
    return Table("How the runs ended.", heads, rows)


def _date(stored: str | None) -> str:
    """A stored time on the clock of whoever makes the report, with its day: a file is read later."""
    try:
        return datetime.fromisoformat(stored).astimezone().strftime("%Y-%m-%d %H:%M") if stored else MISSING
    except (ValueError, OverflowError):
        return MISSING


def environment(found: Contents) -> list[Table]:
    """Command, code, Python, packages that matter, machine: what all runs share, and what differs, a run a column."""
    facts: dict[str, list[str]] = {}
    for place, part in enumerate(found.parts):
        for name, text in _facts(part).items():
            facts.setdefault(name, [MISSING] * len(found.parts))[place] = text or MISSING
    order = [name for name, texts in facts.items() if set(texts) != {MISSING}]
    shared = [name for name in order if len(set(facts[name])) == 1]
    made: list[Table] = []
    if shared:
        who = "all runs" if found.several else "the run"
        rows = [[Cell(name), Cell(facts[name][0], code=name in _CODE)] for name in shared]
        made.append(Table(f"What {who} ran with, as recorded at the start.", [Cell("fact"), Cell(who)], rows))
    if len(shared) < len(order):
        rows = [[Cell(name), *(Cell(text, code=name in _CODE) for text in facts[name])]
                for name in order if name not in shared]  # fmt: skip
        made.append(Table("In what the runs differ.", _run_heads(found, "fact"), rows))
    return made


_CODE = frozenset(("command", "folder", "commit", "Python"))


def _facts(part: RunPart) -> dict[str, str]:
    spec = part.spec
    command, git, packages, machine = (spec.get(key) for key in ("command", "git", "packages", "hardware"))
    facts = {
        "command": one_line(shlex.join(map(str, command)))[:1000] if isinstance(command, list) else "",
        "folder": _text(spec.get("cwd")),
        "commit": _commit(git) if isinstance(git, dict) else "no git repository",
        "Python": _text(spec.get("python")),
    }
    if isinstance(packages, dict):
        known = {str(name).lower().replace("_", "-"): one_line(str(version)) for name, version in packages.items()}
        facts |= {name: known[name] for name in _KEY_PACKAGES if name in known}
    if isinstance(machine, dict):
        gpus = [_text(name) for name in machine.get("gpus") or ()] if isinstance(machine.get("gpus"), list) else []
        memory = machine.get("memory_kb")
        facts |= {
            "GPUs": ", ".join(f"{gpus.count(name)} × {name}" for name in dict.fromkeys(gpus) if name) or "none",
            "GPU driver": _text(machine.get("driver")),
            "processor": f"{_text(machine.get('cpu'))}, {_text(machine.get('cores'))} cores",
            "memory": size(1024 * memory) if isinstance(memory, int) else "",
            "host": _text(machine.get("host")),
            "kernel": _text(machine.get("kernel")),
        }
    return facts


def _commit(git: Mapping[str, Any]) -> str:
    changed = " with uncommitted changes" if git.get("dirty") else ""
    untracked = git.get("untracked")
    more = f", untracked files: {len(untracked)}" if isinstance(untracked, list) and untracked else ""
    return f"{_text(git.get('commit'))[:12] or 'no commit yet'}{changed}{more}"


def _text(value: object) -> str:
    return "" if value is None else one_line(str(value))


def differing_packages(found: Contents) -> Table | None:
    """Packages of which not all runs had the same version, a run a column; None if all had."""
    if not any(len(one.packages) for one in found.against):
        return None
    versions = [_packages(part) for part in found.parts]
    names = sorted({name for one in found.against for kind in one.packages.to_json().values()
                    if isinstance(kind, dict) for name in kind})  # fmt: skip
    rows = [
        [Cell(name, code=True), *(Cell(one.get(name, MISSING), code=True) for one in versions)]
        for name in names[:_ROWS]
    ]
    return Table(_left("Packages that differ; – where one is not installed", len(names)),
                 _run_heads(found, "package"), rows)  # fmt: skip


def _packages(part: RunPart) -> dict[str, str]:
    from mlhub.compare.pairs import differ_packages

    packages = part.spec.get("packages")
    table = packages if isinstance(packages, dict) else {}
    return {name: one_line(str(version)) for name, version in differ_packages(table, {}).only_a.items()}
