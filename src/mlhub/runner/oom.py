"""Evidence that the kernel's out-of-memory killer struck: counters and its log, before and after. It judges nobody.

cgroup v2 `memory.events`, cgroup v1 `memory.oom_control`, the whole machine's `oom_kill` in /proc/vmstat, and, where we
may read it, /dev/kmsg: there the kernel names whom it killed. Standard library only: the supervisor uses it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from typing import NamedTuple

from mlhub.runner import identity

_ROOT = "/sys/fs/cgroup"
_MACHINE = "/proc/vmstat"
_KMSG = "/dev/kmsg"
#: the kernel's first pid namespace (PROC_PID_INIT_INO): the pids in its log are of that one
_FIRST_NAMESPACE = 0xEFFFFFFC
#: mm/oom_kill.c, `__oom_kill_process`; "Memory cgroup out of memory" where a group's limit was met
_KILLED = re.compile(
    r"out of memory[^:\n]*: Kill(?:ed)? process (\d+) \((.*?)\),? (?:UID|total-vm)(?:.*?anon-rss:(\d+)kB)?",
    re.IGNORECASE,
)


class Kill(NamedTuple):
    """A process the kernel says it killed for want of memory; `resident` in kB, where it is said."""

    pid: int
    name: str
    resident: int | None

    def __str__(self) -> str:
        from mlhub.text import size

        held = f" at {size(self.resident * 1024)}" if self.resident else ""
        return f"kernel log: killed process {self.pid} ({self.name}){held}"


class Watch:
    """What the counters and the kernel's log say from the making of this on, seen by the groups of process `pid`."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before = counts(pid)
        self._log = _open_log()

    @property
    def reads_log(self) -> bool:
        """Whether the kernel's log can be read here, and its pids are those we know."""
        return self._log is not None and identity.pid_namespace() == _FIRST_NAMESPACE

    def evidence(self, child: int, *, killed: bool) -> list[str]:
        """Why it may have been the OOM killer, the most telling first; empty if it certainly or likely was not.

        `child` is the command's own process, `killed` whether that one died of SIGKILL. If it did, and the log names
        somebody else for each time the machine's counter rose, nothing is left to suspect.
        """
        after = counts(self._pid)
        kills = self._read_log() if self.reads_log else []
        ours = [str(kill) for kill in kills if kill.pid == child]
        risen = after.get(_MACHINE, 0) - self._before.get(_MACHINE, 0)
        if killed and kills and not ours and len(kills) >= risen:
            return []
        # of a command that did not die of it itself, some worker or a shell's child may have
        others = [] if killed else [str(kill) for kill in reversed(kills)]
        return ours + rises(self._before, after) + others

    def _read_log(self) -> list[Kill]:
        if self._log is None:
            return []
        found = parse_log(_lines(self._log))
        os.close(self._log)
        self._log = None
        return found


def parse_log(text: str) -> list[Kill]:
    """The kills that lines of the kernel's log tell of."""
    return [Kill(int(pid), name, int(resident) if resident else None) for pid, name, resident in _KILLED.findall(text)]


def _open_log() -> int | None:
    """The kernel's log, to be read from its present end on; None where that is not for us."""
    try:
        descriptor = os.open(_KMSG, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with contextlib.suppress(OSError):
        os.lseek(descriptor, 0, os.SEEK_END)
        return descriptor
    os.close(descriptor)
    return None


def _lines(descriptor: int) -> str:
    """All records from where `descriptor` stands; what the kernel has overwritten meanwhile is passed over."""
    records: list[bytes] = []
    for _ in range(1 << 16):  # the ring holds fewer, and somebody may be writing faster than we read
        try:
            record = os.read(descriptor, 1 << 13)  # one record a call
        except OSError as error:
            if error.errno == errno.EPIPE:
                continue
            break  # EAGAIN: that was the last
        if not record:
            break
        if b"process" in record:
            records.append(record)
    return b"\n".join(records).decode(errors="replace")


def counts(pid: int) -> dict[str, int]:
    """Kills so far, by the file that counts them, as seen by the control groups of process `pid`."""
    found = {}
    for path in (*_files(pid), _MACHINE):
        if (count := _oom_kill(path)) is not None:
            found[path] = count
    return found


def rises(before: dict[str, int], after: dict[str, int]) -> list[str]:
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
