"""The comparison that `mlhub compare` and `mlhub report` show: runs sorted, limited and judged, with notes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlhub.cli.compare_runs import Choice
    from mlhub.cli.compared import Asked
    from mlhub.cli.hub import Hub
    from mlhub.compare.comparison import Comparison
    from mlhub.compare.sheet import Sheet
    from mlhub.compare.verdict import Verdict


@dataclass(frozen=True)
class Chosen:
    """What is compared. `plots`: the metrics whose curves were asked for. `steps`: of the place, of each run."""

    hub: Hub
    found: Comparison
    sheet: Sheet
    verdict: Verdict
    notes: tuple[str, ...]
    plots: tuple[str, ...] = ()
    steps: Mapping[int, float | None] = field(default_factory=dict)
    protocols: Mapping[int, str] = field(default_factory=dict)


def narrow(choice: Choice, asked: Asked) -> Chosen:
    """Compare, sort, limit; with a limit what is left is compared anew: who is best is best of these."""
    chosen = _compare(choice, asked)
    if asked.sort is None and asked.limit is None:
        return chosen
    places = _order(chosen, asked)
    kept = places[: asked.limit]
    if kept == [*range(len(places))] == [*range(len(chosen.sheet.subjects))]:
        return chosen  # nothing is left out, nothing stands elsewhere
    by_id = {run.id: run for run in chosen.found.runs}
    ids = [run_id for place in kept for run_id in chosen.sheet.subjects[place].ids]
    if choice.baseline is not None and choice.baseline not in ids:
        ids = [choice.baseline, *ids]
    if len(ids) < len(by_id):
        choice.notes.append(f"{len(kept)} of {len(places)} are shown")
    return _compare(replace(choice, runs=[by_id[run_id] for run_id in ids]), asked)


def _order(chosen: Chosen, asked: Asked) -> list[int]:
    """Places of the subjects in the order that was asked for. Raises UsageError if there is nothing of that name."""
    from mlhub.compare.sheet import places_by, sort_keys, sortable
    from mlhub.errors import UsageError
    from mlhub.runner.reconcile import elapsed
    from mlhub.text import closest, one_line

    count = len(chosen.sheet.subjects)
    if asked.sort is None:
        return list(range(count))[::-1] if asked.reverse else list(range(count))
    known = sortable(chosen.found)
    ends = [name for name in known if name.endswith((f".{asked.sort}", f"/{asked.sort}"))]
    name = ends[0] if asked.sort not in known and len(ends) == 1 else asked.sort
    keys = sort_keys(chosen.sheet, chosen.found, name, elapsed)
    if keys is None:
        raise UsageError(
            f"--sort {one_line(asked.sort)}: neither a metric nor a parameter that differs{closest(asked.sort, known)}",
            "With --all-params it may be one that doesn't.",
        )
    return places_by(chosen.sheet, name, keys, reverse=asked.reverse)


def _compare(choice: Choice, asked: Asked) -> Chosen:
    from mlhub.cli.compare_values import adapters_of, flats_of, protocols_of, values_of
    from mlhub.compare.comparison import compare
    from mlhub.compare.sheet import make_sheet
    from mlhub.compare.verdict import judge
    from mlhub.runner.reconcile import elapsed

    runs, place = choice.runs, choice.place
    adapters = adapters_of(choice)
    protocols = protocols_of(choice)
    values, steps, words = values_of(choice, adapters)
    found = compare(
        runs,
        baseline=choice.baseline,
        use="at" if values is not None else place.kind,  # type: ignore[arg-type]  # a summary's
        everything=asked.all_params,
        flats=flats_of(choice),
        values=values,
        protocols=protocols,
        wanted=choice.wanted,
        adapters=adapters,
    )
    against = choice.baseline is not None
    more = {"at step": {run_id: f"{step:g}" for run_id, step in steps.items() if step is not None}} if steps else {}
    more |= {"protocol": protocols} if protocols else {}
    deltas = against or (len(runs) == 2 and not found.only_seeds)
    sheet = make_sheet(found, elapsed, together=asked.seeds, deltas=deltas, more=more)
    main = next((m.name for m in found.metrics if m.name == asked.sort), None)
    plots = _plots(found, choice.patterns) if choice.patterns else ()
    verdict = judge(sheet, found, metric=main or _alone(found, asked), against=against)
    notes = (*choice.notes, *words, *_warnings(found, protocols, asked, sheet))
    return Chosen(choice.hub, found, sheet, verdict, notes, plots, steps, protocols)


def _alone(found: Comparison, asked: Asked) -> str | None:
    """The one metric that was asked for, where it has a direction."""
    names = [metric.name for metric in found.metrics if metric.direction]
    return names[0] if asked.metrics and len(names) == 1 else None


def _plots(found: Comparison, patterns: Sequence[str]) -> tuple[str, ...]:
    from mlhub.cli.compare_runs import check_patterns

    check_patterns(found.runs, patterns)
    names = dict.fromkeys(metric.name for pattern in patterns for metric in found.metrics
                          if fnmatchcase(metric.name, pattern))  # fmt: skip
    return tuple(names)


def _warnings(found: Comparison, protocols: Mapping[int, str], asked: Asked, sheet: Sheet) -> list[str]:
    """What a reader must know so as not to compare what can't be compared."""
    from mlhub.text import first_few, one_line

    runs = found.runs
    notes: list[str] = [] if asked.at == "last" else [f"values at {one_line(asked.at)}"]
    if not runs:
        return [*notes, "no run is meant"]
    if len(runs) == 1:
        notes.append("one run alone: name another to compare it with")
    kinds = sorted({one_line(run.kind) for run in runs})
    if len(kinds) > 1:
        notes.append(f"runs of different kinds ({', '.join(kinds)}): their metrics may not mean the same")
    if len(set(protocols.values())) > 1:
        names = ", ".join(sorted({one_line(name) for name in protocols.values()}))
        notes.append(f"measured by different protocols ({names}): their metrics stand apart and can't be compared")
    failed = [one_line(run.name) for run in runs if run.status in ("failed", "cancelled")]
    if failed and len(runs) > 1:
        notes.append(f"did not complete: {first_few(failed)}")
    now = [one_line(run.name) for run in runs if run.status == "running"]
    if now and len(runs) > 1:
        notes.append(f"still running: {first_few(now)}")
    taken = [len(one.ids) for one in sheet.subjects if len(one.ids) > 1]
    if taken:
        groups = f"{len(taken)} groups" if len(taken) > 1 else "1 group"
        notes.append(f"seeds as mean ± sd: {sum(taken)} runs in {groups}; --no-seeds shows each run")
    elif found.only_seeds and len(sheet.subjects) > 1:
        notes.append("--seeds shows the mean ± sd of each metric")
    deltas = [cell.delta for line in sheet.lines for cell in line.cells if cell.delta]
    if deltas and sheet.baseline is not None:
        name = sheet.subjects[sheet.baseline].name
        near = "" if all("%" in delta for delta in deltas) else f"; not in percent where {name} is near zero"
        notes.append(f"differences are against {name}{near}")
    return notes
