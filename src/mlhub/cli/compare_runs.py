"""Which runs `mlhub compare` and `mlhub report` are about: those that were named or meant."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlhub.cli.compared import Asked
    from mlhub.cli.hub import Hub
    from mlhub.compare.place import Place
    from mlhub.query import Query
    from mlhub.store.runs import Run

#: how many are compared where none is named and there is no group
_NEWEST = 5


@dataclass(frozen=True)
class Choice:
    """Runs, and what is known of each before they are compared."""

    hub: Hub
    runs: list[Run]
    notes: list[str]
    baseline: int | None
    patterns: tuple[str, ...]
    wanted: Callable[[str], bool] | None
    place: Place


def choose(asked: Asked) -> Choice:
    """The runs. Raises UsageError, NotFoundError; what is wrong in the words alone is said before anything is read."""
    from mlhub.cli.filters import parse_filter
    from mlhub.cli.hub import open_hub
    from mlhub.compare.place import parse_place
    from mlhub.runner.reconcile import listed

    place = parse_place(asked.at)
    query = parse_filter(asked.filter)
    hub = open_hub()
    active = hub.refresh()
    notes: list[str] = []
    runs, patterns = _named(hub, asked)
    if not asked.words or (not runs and patterns):
        runs = _meant(hub, asked, notes) if asked.groups or not query else _all(hub, query, active)
    base = hub.store.find(asked.baseline) if asked.baseline else None
    if base is not None and all(run.id != base.id for run in runs):
        runs = [base, *runs]
    runs = [listed(hub.store, run, active) for run in runs]
    if query:
        runs = [run for run in runs if query.matches(run) or (base is not None and run.id == base.id)]
    metrics = asked.metrics
    wanted = (lambda name: any(fnmatchcase(name, pattern) for pattern in metrics)) if metrics else None
    if wanted is not None:
        check_patterns(runs, metrics)
    return Choice(hub, runs, notes, base.id if base else None, tuple(patterns), wanted, place)


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


def _all(hub: Hub, query: Query, active: dict[int, Run]) -> list[Run]:
    """All that a filter means, the oldest first; the others are not kept for a moment."""
    import gc

    from mlhub.runner.reconcile import listed

    gc.disable()  # a hundred thousand runs are millions of objects without a cycle: looking for one takes half the time
    try:
        return query.select(listed(hub.store, run, active) for run in hub.store.each_newest(query.bound))[::-1]
    finally:
        gc.freeze()
        gc.enable()


def _meant(hub: Hub, asked: Asked, notes: list[str]) -> list[Run]:
    """Where none is named: the groups asked for; the newest group; the newest five."""
    from mlhub.text import one_line

    if asked.groups:
        return list({run.id: run for name in asked.groups for run in _group(hub, name)}.values())
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


def check_patterns(runs: Sequence[Run], patterns: Sequence[str]) -> None:
    """Raises UsageError for a pattern that no metric of the runs matches."""
    from mlhub.errors import UsageError
    from mlhub.text import closest, one_line

    names = {name for run in runs for name in run.summary}
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            hint = closest(pattern, sorted(names)[:2000])
            raise UsageError(f"no metric of these runs matches {one_line(pattern)!r}{hint}", some_of(sorted(names)))


def some_of(names: Sequence[str]) -> str:
    from mlhub.text import one_line

    shown = ", ".join(one_line(name)[:60] for name in names[:8])
    return f"There are: {shown}{', …' if len(names) > 8 else ''}." if names else "None of them has metrics."
