"""Who a process is: this host, this boot, this pid namespace, a pid with its start time, and the run's token.

Reads /proc and sends signals through pidfds, so that a pid used again is never mistaken for the process that had it.
Standard library only: the supervisor uses it. Nothing here decides what a run's state is.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import time
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: in the environment of a run's processes; the supervisor's own environment never has it
TOKEN_NAME = "MLHUB_RUN_TOKEN"  # noqa: S105 - a name, not a secret


class Host(NamedTuple):
    """Where a process runs. `boot` is random at each boot, so an equal one means the same running kernel."""

    name: str
    machine: str
    boot: str
    namespace: int


class Process(NamedTuple):
    """One line of /proc/PID/stat. `start` counts clock ticks (10 ms) since boot."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    start: int
    name: str

    @property
    def dead(self) -> bool:
        return self.state in "ZX"

    @property
    def stopped(self) -> bool:
        return self.state in "Tt"


def this_host() -> Host:
    return Host(os.uname().nodename, _line("/etc/machine-id"), boot_id(), pid_namespace())


def boot_id() -> str:
    return _line("/proc/sys/kernel/random/boot_id")


def pid_namespace() -> int:
    """The inode of our pid namespace; 0 where /proc doesn't say."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def boot_clock() -> float:
    """Seconds since boot, sleep included; no clock change moves it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _line(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.readline(200).strip()
    except OSError:
        return ""


def find_process(pid: int) -> Process | None:
    """The process (or zombie) that has this pid now."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read().decode(errors="replace")
    except (OSError, ValueError):  # gone, while reading too (ESRCH)
        return None
    # the name stands in brackets and may hold brackets and spaces itself
    name, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    try:
        return Process(pid, fields[0], int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]), name)
    except (IndexError, ValueError):
        return None


def all_processes() -> Iterator[Process]:
    """Every process /proc shows, as it was when its line was read."""
    for name in os.listdir("/proc"):
        if name.isdecimal() and (process := find_process(int(name))):
            yield process


def read_environment(pid: int) -> list[bytes] | None:
    """The `NAME=value` entries a process was started with; None if we may not read them.

    Programs that write their title over their arguments garble this: then, as after `env -i`, there may be none.
    """
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return [entry for entry in file.read(1 << 21).split(b"\0") if entry]
    except OSError:
        return None


def read_token(pid: int) -> str | None:
    """The run's token in a process's environment; "" if it is readable and has none, None if it can't tell."""
    entries = read_environment(pid)
    if entries is None:
        return None
    for entry in entries:
        if entry.startswith(TOKEN_NAME.encode() + b"="):
            return entry.partition(b"=")[2].decode(errors="replace")
    well_formed = all(re.match(rb"[^=\s]+=", entry) for entry in entries)
    return "" if entries and well_formed else None


def with_token(token: str) -> list[Process]:
    """Living processes whose environment carries this run's token, wherever they are in the tree of processes."""
    if not token:
        return []
    return [process for process in all_processes() if not process.dead and read_token(process.pid) == token]


def find_same(pid: int, start: int, token: str | None = None) -> Process | None:
    """The process (or zombie) recorded as `pid` started at `start` and, if `token` is given, carrying it; else None.

    Where the environment can't tell (unreadable, empty, written over; a zombie has none) a process that leads its own
    session, as every run's child does for life, is taken for it.
    """
    process = find_process(pid)
    if process is None or process.start != start:
        return None
    if token is None:
        return process
    found = read_token(pid)
    return process if found == token or (found is None and process.session == pid) else None


def send(process: Process, number: int) -> bool:
    """Signal exactly this process. False if it is gone or we are not permitted."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM):  # a kernel before 5.3, or a sandbox that forbids pidfds
            return False
        return _send_by_pid(process, number)
    try:
        now = find_process(process.pid)  # after opening: what the descriptor holds can't be replaced any more
        if now is None or now.start != process.start:
            return False
        signal.pidfd_send_signal(descriptor, number)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _send_by_pid(process: Process, number: int) -> bool:
    now = find_process(process.pid)
    if now is None or now.start != process.start:
        return False
    try:
        os.kill(process.pid, number)
    except OSError:
        return False
    return True
