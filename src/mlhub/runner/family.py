"""All processes of one run, data loaders with their own session too: finding them and ending them.

Used by the supervisor and, where that was killed, by `mlhub stop`. Standard library only.
"""

from __future__ import annotations

import signal
import time
from typing import NamedTuple

from mlhub.runner.identity import Process, all_processes, boot_clock, read_token, send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_POLL = 0.02
#: after KILL a process is gone in milliseconds, unless it hangs in the kernel
_KILL_SECONDS = 5.0


class LeftBehind(NamedTuple):
    """A process that outlived the command, and what ended it: TERM, KILL, itself, or nothing ("still there")."""

    pid: int
    name: str
    end: str


def find_family(token: str, leader: int | None, root: int | None = None) -> list[Process]:
    """Living processes of the run with `token`.

    By token; in the group or session of `leader`; or below `leader` or `root` (the subreaper) in the tree. What carries
    another run's token is left out with all below it: a run started from within a run is on its own. `leader` must be
    alive or an unreaped zombie, or its number may mean somebody else.
    """
    table = list(all_processes())
    below = _below(table, {pid for pid in (leader, root) if pid}, token)
    return [
        process
        for process in table
        if not process.dead
        and process.pid != root
        and (
            process.pid in below
            or (leader is not None and leader in (process.group, process.session))
            or read_token(process.pid) == token
        )
    ]


def _below(table: list[Process], tops: set[int], token: str) -> set[int]:
    """`tops` and what is under them in the tree, without other runs."""
    children: dict[int, list[int]] = {}
    for process in table:
        children.setdefault(process.parent, []).append(process.pid)
    found, waiting = set(tops), list(tops)
    while waiting:
        for pid in children.get(waiting.pop(), ()):
            if pid not in found and read_token(pid) in (token, "", None):
                found.add(pid)
                waiting.append(pid)
    return found


def end_family(find: Callable[[], list[Process]], settle: float, grace: float) -> list[LeftBehind]:
    """End whatever `find` finds: `settle` seconds to go by itself, TERM, `grace` seconds, KILL until none is left.

    What went by itself within `settle` is not counted as left behind.
    """
    if not _wait_until_none(find, settle):
        return []
    noted = {(process.pid, process.start): process for process in find()}
    for process in noted.values():
        send(process, signal.SIGTERM)
        send(process, signal.SIGCONT)  # a stopped one would never hear of it
    stubborn = _wait_until_none(find, grace) if noted else []
    killed = set()
    deadline = boot_clock() + _KILL_SECONDS
    while stubborn and boot_clock() < deadline:
        for process in stubborn:
            noted.setdefault((process.pid, process.start), process)
            if send(process, signal.SIGKILL):
                killed.add((process.pid, process.start))
        stubborn = _wait_until_none(find, _POLL)  # again: one may have forked just before
    alive = {(process.pid, process.start) for process in stubborn}
    return [
        LeftBehind(process.pid, process.name, "still there" if key in alive else "KILL" if key in killed else "TERM")
        for key, process in noted.items()
    ]


def _wait_until_none(find: Callable[[], list[Process]], seconds: float) -> list[Process]:
    """What is still found after at most `seconds`."""
    deadline = boot_clock() + seconds
    while (found := find()) and boot_clock() < deadline:
        time.sleep(_POLL)
    return found
