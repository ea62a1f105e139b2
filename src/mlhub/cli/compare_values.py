"""What counts of the runs that are compared: parameters, protocols, and their values at the place of `--at`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlhub.adapters import Adapter
    from mlhub.cli.compare_runs import Choice
    from mlhub.cli.hub import Hub
    from mlhub.compare.configs import Flat
    from mlhub.compare.place import Place
    from mlhub.curves.at import At
    from mlhub.store.runs import Run


def adapters_of(choice: Choice) -> dict[str, Adapter]:
    from mlhub.adapters.load import find_or_none

    names = {run.adapter for run in choice.runs if run.adapter}
    return {name: found for name in sorted(names) if (found := find_or_none(name, choice.hub.home)) is not None}


def protocols_of(choice: Choice) -> dict[int, str]:
    """By which protocol each evaluation was made."""
    from mlhub.runner.folder import protocol_of

    evals = [run for run in choice.runs if run.kind == "eval"]
    found = {run.id: protocol_of(choice.hub.home.run(run.id)) for run in evals}
    return {run_id: name for run_id, name in found.items() if name}


def flats_of(choice: Choice) -> dict[int, Flat]:
    """Of each run what its command line says beside its configuration."""
    from mlhub.runner.folder import said_beside

    return {run.id: said_beside(choice.hub.home.run(run.id), run.config) for run in choice.runs}


def values_of(
    choice: Choice, adapters: Mapping[str, Adapter]
) -> tuple[dict[int, dict[str, float]] | None, dict[int, float | None], list[str]]:
    """The metrics of each run at the place, the step each is of, and what is to be said; None: as the summary says."""
    from mlhub.errors import MlhubError
    from mlhub.runner import archive
    from mlhub.text import first_few, one_line

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
        if names and not here.values and not archive.readable(choice.hub.home.run(run.id).metrics):
            words.append(f"{one_line(run.name)}: its metrics file is missing")
            continue
        reached = here.epoch if place.kind == "epoch" else here.step
        if place.kind == "epoch" and here.step is None and names:
            words.append(f"{one_line(run.name)} has no epochs on record")
        elif place.kind == "best of" and here.step is None:
            words.append(f"{one_line(run.name)} has no {one_line(place.metric)}")
        elif place.kind != "best of" and reached is not None and reached < place.number and _ended_before(run, place):
            short.append(f"{one_line(run.name)} {reached:g}")
    if short:
        words.append(f"ended before {place.kind} {place.number:g}: {first_few(short)}")
    return values, steps, words


def _ended_before(run: Run, place: Place) -> bool:
    """Whether the run's newest step is before the place; of an epoch only its records know."""
    from mlhub.store.runs import step_of

    newest = step_of(run)
    return place.kind == "epoch" or newest is None or newest < place.number


def _way(choice: Choice, adapters: Mapping[str, Adapter]) -> str:
    """Which way the metric of `best:METRIC` is good. Raises UsageError if nobody knows, or no run has it."""
    from mlhub.cli.compare_runs import some_of
    from mlhub.compare.direction import directions
    from mlhub.errors import UsageError
    from mlhub.text import closest, one_line

    place = choice.place
    if place.kind != "best of":
        return ""
    names = {name for run in choice.runs for name in run.summary}
    if choice.runs and place.metric not in names:
        hint = closest(place.metric, sorted(names)[:2000])
        raise UsageError(f"--at: no run has a metric {one_line(place.metric)!r}{hint}", some_of(sorted(names)))
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
