"""Keeping house: what can be freed, and freeing it. First a plan, each line with its size and reason; then, if told to.

Nothing of a run that is active, or of which a process lives, is touched; `best` and `last` checkpoints always stay.
"""

from __future__ import annotations

from mlhub.runner import identity, record
from mlhub.runner.folder import numbered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.paths import Home, RunPaths


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
    found = {record.text(record.read_json(str(attempt.launch)), "token") for attempt in attempts}
    return found - {""}
