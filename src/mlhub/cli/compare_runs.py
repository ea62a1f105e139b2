"""What `mlhub compare` compares: the runs that were named or meant, and the values of theirs that count."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from mlhub.adapters import Adapter
    from mlhub.cli.compare import Asked
    from mlhub.cli.hub import Hub
    from mlhub.compare.comparison import Comparison
    from mlhub.compare.configs import Flat
    from mlhub.compare.place import Place
    from mlhub.compare.sheet import Sheet
    from mlhub.compare.verdict import Verdict
    from mlhub.curves.at import At
    from mlhub.store.runs import Run

#: how many are compared where none is named and there is no group
_NEWEST = 5
#: of so many runs a note names the places
_NAMED = 3


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


@dataclass(frozen=True)
class _Choice:
    """Runs, and what is known of each before they are compared."""

    hub: Hub
    runs: list[Run]
    notes: list[str]
    baseline: int | None
    patterns: tuple[str, ...]
    wanted: Callable[[str], bool] | None
    place: Place


def choose(asked: Asked) -> _Choice:
    """The runs. Raises UsageError, NotFoundError; what is wrong in the words alone is said before anything is read."""
    from mlhub.cli.hub import open_hub
    from mlhub.cli.runs import _parse_filter
    from mlhub.compare.place import parse_place
    from mlhub.runner.reconcile import listed

    place = parse_place(asked.at)
    query = _parse_filter(asked.filter)
    hub = open_hub()
    active = hub.refresh()
    notes: list[str] = []
    runs, patterns = _named(hub, asked)
    if not asked.words or (not runs and patterns):
        runs = _meant(hub, asked, notes, narrowed=bool(query))
    base = hub.store.find(asked.baseline) if asked.baseline else None
    if base is not None and all(run.id != base.id for run in runs):
        runs = [base, *runs]
    runs = [listed(hub.store, run, active) for run in runs]
    if query:
        runs = [run for run in runs if query.matches(run) or (base is not None and run.id == base.id)]
    metrics = asked.metrics
    wanted = (lambda name: any(fnmatchcase(name, pattern) for pattern in metrics)) if metrics else None
    if wanted is not None:
        _check_patterns(runs, metrics)
    return _Choice(hub, runs, notes, base.id if base else None, tuple(patterns), wanted, place)


def _named(hub: Hub, asked: Asked) -> tuple[list[Run], list[str]]:
    """The runs that were named, each once; and words that name none, if curves are to be drawn: those are metrics."""
    from mlhub.errors import NotFoundError

    runs: dict[int, Run] = {}
    patterns: list[str] = []
    for word in asked.words:
        try:
            run = hub.store.find(word)
        except NotFoundError:
            if not asked.curves:
                raise
            patterns.append(word)
        else:
            runs[run.id] = run
    for name in asked.groups if runs else ():
        runs |= {run.id: run for run in _group(hub, name)}
    return list(runs.values()), patterns


def _group(hub: Hub, name: str) -> list[Run]:
    from mlhub.errors import NotFoundError
    from mlhub.text import closest, one_line

    found = hub.store.in_group(name)
    if not found:
        names = sorted({run.group for run in hub.store.newest(1000) if run.group})
        raise NotFoundError(f"no run has the group {one_line(name)!r}{closest(name, names)}", "mlhub ls shows them.")
    return found


def _meant(hub: Hub, asked: Asked, notes: list[str], *, narrowed: bool) -> list[Run]:
    """Where none is named: the groups asked for; all, for a filter; the newest group; the newest five."""
    from mlhub.text import one_line

    if asked.groups:
        return list({run.id: run for name in asked.groups for run in _group(hub, name)}.values())
    if narrowed:
        return list(hub.store.each_newest())[::-1]
    group = hub.store.newest_group()
    if group is not None:
        runs = hub.store.in_group(group)
        if len(runs) > 1:
            notes.append(f"{len(runs)} runs of group {one_line(group)}, the newest group")
            return runs
    newest = hub.store.newest(20 * _NEWEST)
    kind = next((run.kind for run in newest if run.summary), newest[0].kind if newest else "")
    runs = [run for run in newest if run.kind == kind][:_NEWEST][::-1]
    if runs:
        notes.append(f"the newest {len(runs)} runs of kind {one_line(kind)}")
    return runs


def _check_patterns(runs: Sequence[Run], patterns: Sequence[str]) -> None:
    """Raises UsageError for a pattern that no metric of the runs matches."""
    from mlhub.errors import UsageError
    from mlhub.text import closest, one_line

    names = {name for run in runs for name in run.summary}
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            hint = closest(pattern, sorted(names)[:2000])
            raise UsageError(f"no metric of these runs matches {one_line(pattern)!r}{hint}", _some(sorted(names)))


def _some(names: Sequence[str]) -> str:
    from mlhub.text import one_line

    shown = ", ".join(one_line(name)[:60] for name in names[:8])
    return f"There are: {shown}{', …' if len(names) > 8 else ''}." if names else "None of them has metrics."


# comparing


def narrow(choice: _Choice, asked: Asked) -> Chosen:
    """Compare, sort, limit; with a limit what is left is compared anew: who is best is best of these."""
    chosen = _compare(choice, asked)
    if asked.sort is None and asked.limit is None:
        return chosen
    places = _order(chosen, asked)
    kept = places[: asked.limit]
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


def _compare(choice: _Choice, asked: Asked) -> Chosen:
    from mlhub.compare.comparison import compare
    from mlhub.compare.sheet import make_sheet
    from mlhub.compare.verdict import judge
    from mlhub.runner.reconcile import elapsed

    runs, place = choice.runs, choice.place
    adapters = _adapters(choice)
    protocols = _protocols(choice)
    values, steps, words = _values(choice, adapters)
    found = compare(
        runs,
        baseline=choice.baseline,
        use="at" if values is not None else place.kind,  # type: ignore[arg-type]  # a summary's
        everything=asked.all_params,
        flats=_flats(choice),
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
    _check_patterns(found.runs, patterns)
    names = dict.fromkeys(metric.name for pattern in patterns for metric in found.metrics
                          if fnmatchcase(metric.name, pattern))  # fmt: skip
    return tuple(names)


def _adapters(choice: _Choice) -> dict[str, Adapter]:
    from mlhub.adapters.load import find_or_none

    names = {run.adapter for run in choice.runs if run.adapter}
    return {name: found for name in sorted(names) if (found := find_or_none(name, choice.hub.home)) is not None}


def _protocols(choice: _Choice) -> dict[int, str]:
    """By which protocol each evaluation was made."""
    from mlhub.runner.folder import protocol_of

    evals = [run for run in choice.runs if run.kind == "eval"]
    found = {run.id: protocol_of(choice.hub.home.run(run.id)) for run in evals}
    return {run_id: name for run_id, name in found.items() if name}


def _flats(choice: _Choice) -> dict[int, Flat]:
    """Of runs without a configuration of ours what their command line says."""
    from mlhub.arguments import of_command
    from mlhub.runner.folder import read_spec

    found: dict[int, Flat] = {}
    for run in choice.runs:
        if not run.config:
            command = read_spec(choice.hub.home.run(run.id)).get("command")
            if isinstance(command, list):
                found[run.id] = of_command([str(word) for word in command])
    return found


def _values(
    choice: _Choice, adapters: Mapping[str, Adapter]
) -> tuple[dict[int, dict[str, float]] | None, dict[int, float | None], list[str]]:
    """The metrics of each run at the place, the step each is of, and what is to be said; None: as the summary says."""
    from mlhub.errors import MlhubError
    from mlhub.text import one_line

    place = choice.place
    if place.in_summary:
        return None, {}, []
    way = _way(choice, adapters)
    values: dict[int, dict[str, float]] = {}
    steps: dict[int, float | None] = {}
    short: list[str] = []
    words: list[str] = []
    for run in choice.runs:
        names = [name for name in run.summary if choice.wanted is None or choice.wanted(name)]
        try:
            here = _look_up(choice.hub, run, place, way, names)
        except (MlhubError, OSError) as error:
            words.append(f"{one_line(run.name)}: {one_line(str(error))}")
            continue
        values[run.id], steps[run.id] = here.values, here.step
        reached = here.epoch if place.kind == "epoch" else here.step
        if place.kind == "epoch" and here.step is None and names:
            words.append(f"{one_line(run.name)} has no epochs on record")
        elif place.kind == "best of" and here.step is None:
            words.append(f"{one_line(run.name)} has no {one_line(place.metric)}")
        elif place.kind != "best of" and reached is not None and reached < place.number and _ended_before(run, place):
            short.append(f"{one_line(run.name)} {reached:g}")
    if short:
        more = f" and {len(short) - _NAMED} more" if len(short) > _NAMED else ""
        words.append(f"ended before {place.kind} {place.number:g}: {', '.join(short[:_NAMED])}{more}")
    return values, steps, words


def _ended_before(run: Run, place: Place) -> bool:
    """Whether the run's newest step is before the place; of an epoch only its records know."""
    from mlhub.store.runs import step_of

    newest = step_of(run)
    return place.kind == "epoch" or newest is None or newest < place.number


def _way(choice: _Choice, adapters: Mapping[str, Adapter]) -> str:
    """Which way the metric of `best:METRIC` is good. Raises UsageError if nobody knows, or no run has it."""
    from mlhub.compare.direction import directions
    from mlhub.errors import UsageError
    from mlhub.text import closest, one_line

    place = choice.place
    if place.kind != "best of":
        return ""
    names = {name for run in choice.runs for name in run.summary}
    if choice.runs and place.metric not in names:
        hint = closest(place.metric, sorted(names)[:2000])
        raise UsageError(f"--at: no run has a metric {one_line(place.metric)!r}{hint}", _some(sorted(names)))
    rules = [rule.better for one in adapters.values() if (rule := one.rule(place.metric)) and rule.better]
    known = {place.metric: rules[0]} if rules else {}
    way = place.way or directions([place.metric], [run.config for run in choice.runs], known).get(place.metric)
    if way is None and choice.runs:
        raise UsageError(
            f"--at: whether more or less of {one_line(place.metric)} is better isn't known",
            f"Say it: --at max:{place.metric} or --at min:{place.metric}",
        )
    return way or "max"


def _look_up(hub: Hub, run: Run, place: Place, way: str, names: list[str]) -> At:
    from mlhub.curves import at
    from mlhub.runner import archive

    with archive.opened(hub.home.run(run.id).metrics) as path:
        if place.kind == "step":
            return at.at_step(path, names, place.number)
        if place.kind == "epoch":
            return at.at_epoch(path, names, place.number)
        return at.at_best(path, names, place.metric, way, run.summary.get(place.metric, {}).get(way))


def _warnings(found: Comparison, protocols: Mapping[int, str], asked: Asked, sheet: Sheet) -> list[str]:
    """What a reader must know so as not to compare what can't be compared."""
    from mlhub.text import one_line

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
        more = f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        notes.append(f"did not complete: {', '.join(failed[:_NAMED])}{more}")
    now = [one_line(run.name) for run in runs if run.status == "running"]
    if now and len(runs) > 1:
        more = f" and {len(now) - _NAMED} more" if len(now) > _NAMED else ""
        notes.append(f"still running: {', '.join(now[:_NAMED])}{more}")
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


def put(path: Path, document: bytes) -> None:
    """Write a file whole or not at all. Raises MlhubError."""
    from mlhub.errors import MlhubError
    from mlhub.files import replace_bytes

    try:
        replace_bytes(path, document)
    except OSError as error:
        raise MlhubError(
            f"{path}: {error.strerror or error}", "Name a file in a folder that can be written."
        ) from error
