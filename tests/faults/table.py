"""The table of faults: what may happen to a run, and what must come out. Each test of this folder begins with a row's
number: `test_8_…`. A line says the rule; the tests say it exactly.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One line of the table."""

    fault: str
    expected: str


TABLE = {
    1: Row("terminal closed, connection dropped", "run goes on; its code recorded"),
    2: Row(
        "mlhub killed between row and launch", "failed (never started) in 10 s, or started once by another; slot freed"
    ),
    3: Row("command missing, not executable", "refused at once, errno in words"),
    4: Row("command exits N, dies of signal S", "failed, code or signal, usage"),
    5: Row("kill -9 of the command", "failed, killed by SIGKILL, not cancelled"),
    6: Row("kill -9 of the supervisor", "running, unsupervised; stop works; end lost, or the trainer's own word"),
    7: Row("kill -9 of both, of all there is", "failed (lost); orphans listed, GPU held till they are gone"),
    8: Row("grandchildren with own session", "TERM, KILL, none left"),
    9: Row("command ignores TERM", "KILL after the grace; cancelled, forced"),
    10: Row("second stop; stop of an ended run", "exit 0 with a message"),
    11: Row("reboot", "failed (reboot), queue paused"),
    12: Row("pid reused", "lost; the stranger never signalled"),
    13: Row("zombie nobody reaps", "dead"),
    14: Row("container restarted, small pids again", "failed (lost)"),
    15: Row("folder seen from another host", "unknown: other host, no signal"),
    16: Row("disk full during a run, at its end", "code recorded, run not killed, launches refused"),
    17: Row("disk full at launch", "refused, nothing ran, nothing left"),
    18: Row("torn record; database deleted, corrupt", "rejected; doctor --rebuild restores every run"),
    19: Row("database locked at the end", "record on disk, next reader catches up"),
    20: Row("OOM killer: trainer, supervisor", "out of memory (host) with evidence; as 6"),
    21: Row("two ticks, one free GPU", "exactly one starts"),
    22: Row("supervisor stopped (SIGSTOP)", "supervisor stalled; stop works; one end"),
    23: Row("clock jumps", "durations by the boot clock, order by ids"),
    24: Row("dependency fails", "dependents cancelled (dependency)"),
    25: Row("rm of a running run", "refused"),
}
