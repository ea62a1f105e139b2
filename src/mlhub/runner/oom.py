"""Evidence that the kernel's out-of-memory killer struck: counters before and after. It accuses nobody by itself.

cgroup v2 `memory.events`, cgroup v1 `memory.oom_control`, and the whole machine's `oom_kill` in /proc/vmstat.
"""

from __future__ import annotations

import os

_ROOT = "/sys/fs/cgroup"


def counts(pid: int) -> dict[str, int]:
    """Kills so far, by the file that counts them, as seen by the control groups of process `pid`."""
    found = {}
    for path in (*_files(pid), "/proc/vmstat"):
        if (count := _oom_kill(path)) is not None:
            found[path] = count
    return found


def evidence(before: dict[str, int], after: dict[str, int]) -> list[str]:
    """Which counters rose, in words, the most telling first. A control group met only at the end starts from nought."""
    return [
        f"oom_kill +{count - before.get(path, 0)} in {path}"
        for path, count in after.items()
        if count > before.get(path, 0)
    ]


def _files(pid: int) -> list[str]:
    """The memory counters of the process's control groups; the root's where a container shows no path of its own."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
            lines = file.read(1 << 16).splitlines()
    except OSError:
        return []
    files = []
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers == "":
            mounts, name = [_ROOT, f"{_ROOT}/unified"], "memory.events"
        elif "memory" in controllers.split(","):
            mounts, name = [f"{_ROOT}/memory"], "memory.oom_control"
        else:
            continue
        candidates = [f"{mount}{folder}/{name}" for folder in (path.rstrip("/"), "") for mount in mounts]
        files += [candidate for candidate in candidates if os.path.exists(candidate)][:1]
    return files


def _oom_kill(path: str) -> int | None:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            for line in file:
                name, _, value = line.partition(" ")
                if name == "oom_kill":
                    return int(value)
    except (OSError, ValueError):
        pass
    return None
