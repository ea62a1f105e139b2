"""Whose a process on a GPU is: a run's, known by the token in its environment, or somebody else's, by user and command.

Where the environment can't be read (another user's) or was written over, a run is known by its recorded process and
what is below it in the tree. Nothing is signalled here.
"""

from __future__ import annotations

import msgspec

from mlhub.runner import identity, leftovers
from mlhub.runner.truth import Evidence
from mlhub.text import fit, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlhub.monitor import Gpu, GpuProcess
    from mlhub.paths import Home
    from mlhub.store.runs import Run
    from mlhub.store.store import Store

#: characters of a command line that are told
_LONGEST = 200


class Owned(msgspec.Struct, frozen=True):
    """A process on a GPU. `memory` in bytes; `run` and `name`: the run it is of, None if it is nobody's of ours."""

    pid: int
    memory: int | None
    run: int | None
    name: str | None
    user: str | None
    command: str | None


class Claims(msgspec.Struct, frozen=True):
    """An accelerator's processes with their owners, and the runs that have claimed it."""

    processes: tuple[Owned, ...]
    claimed: tuple[int, ...]


def owners(store: Store, gpus: Sequence[Gpu]) -> list[Claims]:
    """For each GPU whose its processes are, and which runs have claimed it, lost ones that left processes too."""
    if not gpus:
        return []
    return Owners(store.home, store.active(), store.orphaned()).of(gpus)


class Owners:
    """The active runs, by the tokens and by the processes of their attempts; ended ones only if one lives on."""

    def __init__(self, home: Home, active: Sequence[Run], lost: Sequence[Run]) -> None:
        """`lost`: ended runs that left processes behind. Their folders are looked at when a process is asked about."""
        self._home = home
        self._runs = [*active, *lost]
        self._known: tuple[dict[str, Run], dict[int, Run]] | None = None

    def of(self, gpus: Sequence[Gpu]) -> list[Claims]:
        """For each GPU whose its processes are, and which runs have claimed it."""
        found = []
        for gpu in gpus:
            claimed = tuple(run.id for run in self._runs if gpu.index in run.gpus)
            found.append(Claims(tuple(map(self._owned, gpu.processes)), claimed))
        return found

    def _owned(self, process: GpuProcess) -> Owned:
        run = self.run_of(process.pid)
        name = one_line(run.name) if run else None
        user = one_line(process.user) if process.user else None
        command = _command(process.pid) or (one_line(process.name) if process.name else None)
        return Owned(process.pid, process.memory, run.id if run else None, name, user, command)

    def _look_up(self) -> tuple[dict[str, Run], dict[int, Run]]:
        by_token: dict[str, Run] = {}
        by_pid: dict[int, Run] = {}
        for run in reversed(self._runs):
            paths = self._home.run(run.id)
            by_token.update(dict.fromkeys(leftovers.tokens(paths), run))
            evidence = Evidence.read(paths.attempt(run.attempt))
            child = evidence.find_child() if evidence else None
            if child is not None:
                by_pid[child.pid] = run
        return by_token, by_pid

    def run_of(self, pid: int) -> Run | None:
        """The run that a process is of."""
        if self._known is None:
            self._known = self._look_up()
        by_token, by_pid = self._known
        token = identity.read_token(pid)
        if token is not None:
            return by_token.get(token)
        seen: set[int] = set()
        while pid > 1 and pid not in seen:  # its environment can't tell: its place in the tree may
            if pid in by_pid:
                return by_pid[pid]
            seen.add(pid)
            process = identity.find_process(pid)
            pid = process.parent if process else 0
        return None


def _command(pid: int) -> str | None:
    """The command line, in clean words; None if there is none to be seen."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(1 << 14).rstrip(b"\0").split(b"\0")
    except OSError:
        return None
    return fit(one_line(" ".join(word.decode(errors="replace") for word in words)), _LONGEST) or None
