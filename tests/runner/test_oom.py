from __future__ import annotations

import os

import pytest

from mlhub.runner import identity, oom


def test_counters_of_this_machine_are_read() -> None:
    assert "/proc/vmstat" in oom.counts(os.getpid())


def test_only_counters_that_rose_are_evidence() -> None:
    assert oom.rises({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 0}) == ["oom_kill +1 in b"]


def test_process_that_is_gone_has_the_machines_counter_only() -> None:
    assert list(oom.counts(1 << 30)) == ["/proc/vmstat"]


# lines as a kernel 6.18 printed them, with the fields that /dev/kmsg puts before each
KERNEL_LOG = """\
6,814,12018773585,-;python invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
6,849,12018774133,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,oom_memcg=/box,task=python,pid=6277,uid=0
3,850,12018774155,-;Memory cgroup out of memory: Killed process 6277 (python) total-vm:52500kB, anon-rss:42752kB, UID:0
3,851,12018774200,-;Out of memory: Killed process 99 (a) b) total-vm:1kB, file-rss:5676kB
6,852,12018774300,-;process 7 was happy
"""


def test_kills_are_found_in_the_kernels_log() -> None:
    assert [(kill.pid, kill.name) for kill in oom.parse_log(KERNEL_LOG)] == [(6277, "python"), (99, "a) b")]
    assert str(oom.parse_log(KERNEL_LOG)[0]) == "kernel log: killed process 6277 (python) at 43.8 MB"


def watched(monkeypatch: pytest.MonkeyPatch, log: str, risen: int, child: int, *, killed: bool = True) -> list[str]:
    """The evidence when the machine's counter rose by `risen` and the kernel's log gained `log`."""
    monkeypatch.setattr(oom, "_open_log", lambda: os.open(os.devnull, os.O_RDONLY))
    monkeypatch.setattr(oom, "_lines", lambda _descriptor: log)
    monkeypatch.setattr(oom, "_FIRST_NAMESPACE", identity.pid_namespace())
    totals = iter([{oom._MACHINE: 5}, {oom._MACHINE: 5 + risen}])
    monkeypatch.setattr(oom, "counts", lambda _pid: next(totals))
    return oom.Watch(1).evidence(child, killed=killed)


def test_command_named_in_the_kernels_log_is_the_first_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert watched(monkeypatch, KERNEL_LOG, 2, 6277)[0] == "kernel log: killed process 6277 (python) at 43.8 MB"


def test_killed_command_is_not_suspected_when_the_kernel_names_others_for_every_kill(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert watched(monkeypatch, KERNEL_LOG, 2, 1234) == []


def test_killed_command_is_suspected_while_the_kernel_has_not_named_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    assert watched(monkeypatch, KERNEL_LOG, 3, 1234) == ["oom_kill +3 in /proc/vmstat"]


def test_unreadable_kernel_log_leaves_the_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    assert watched(monkeypatch, "", 1, 1234) == ["oom_kill +1 in /proc/vmstat"]


def test_worker_of_a_command_that_lived_on_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "killed process 99 (a) b)" in watched(monkeypatch, KERNEL_LOG, 2, 1234, killed=False)[1]
