"""What runs left behind: living processes that carry the token of a run whose command is gone. Found, and ended.

Known by the token alone, which no stranger carries. What a single attempt left is also part of its verdict
(`mlhub.runner.truth`); the family of a run that is alive is `mlhub.runner.family`'s.
"""

from __future__ import annotations

from typing import NamedTuple

from mlhub.runner import family, identity, record
from mlhub.runner.folder import numbered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.paths import Home, RunPaths
    from mlhub.store.runs import Run
    from mlhub.store.store import Store

#: seconds between TERM and KILL
_GRACE = 2.0


class LeftOver(NamedTuple):
    """Pids of processes that outlived their run: those that were ended now, and those that could not be."""

    ended: list[int]
    left: list[int]


def end(store: Store, run: Run) -> LeftOver:
    """End what a run that has ended left behind: never two writers in one folder, and no GPU held for nothing."""
    ours = tokens(store.home.run(run.id)) & living_tokens().keys()
    found = [
        process
        for token in ours
        for process in family.end_family(lambda token=token: family.find_family(token, None), 0.0, _GRACE)  # type: ignore[misc]
    ]
    left = [process.pid for process in found if process.end == "still there"]
    if run.orphans != left:
        store.set_orphans(run, left)
    return LeftOver([process.pid for process in found if process.pid not in left], left)


def orphaned(store: Store) -> list[tuple[Run, list[int]]]:
    """Ended runs of which processes live, and their pids."""
    living_now = living_tokens()
    found = []
    for run in store.newest(1 << 62) if living_now else []:
        ours = set() if run.active else tokens(store.home.run(run.id)) & living_now.keys()
        if ours:
            found.append((run, [pid for token in sorted(ours) for pid in living_now[token]]))
    return found


def living(home: Home, run_id: int) -> list[int]:
    """Pids of processes of the run, of whichever attempt, that live now."""
    ours = tokens(home.run(run_id))
    return [pid for token, pids in living_tokens().items() if token in ours for pid in pids] if ours else []


def living_tokens() -> dict[str, list[int]]:
    """The tokens of runs that living processes carry, and their pids: one look at all of /proc."""
    found: dict[str, list[int]] = {}
    for process in identity.all_processes():
        token = None if process.dead else identity.read_token(process.pid)
        if token:
            found.setdefault(token, []).append(process.pid)
    return found


def tokens(paths: RunPaths) -> set[str]:
    """The tokens of a run's attempts; its supervisors', which have a word before it, are none of them."""
    attempts = [paths.attempt(number) for number in numbered(paths.root / "attempts")]
    return {record.text(record.read_launch(str(attempt.root)), "token") for attempt in attempts} - {""}
