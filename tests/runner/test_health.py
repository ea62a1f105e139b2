"""Each check of the doctor, healthy and not; and what --fix puts right."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from mlhub import monitor
from mlhub.monitor import Disk, Gpu, GpuMemory
from mlhub.paths import Home
from mlhub.runner import health, identity, mend, record
from mlhub.store.store import Store
from mlhub.text import now, stamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlhub.runner.health import Check
    from mlhub.store.runs import Run


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    store = Store.open(home)
    yield store
    store.close()


def make_run(store: Store, status: str = "completed", ended: float = 0.0, **more: object) -> Run:
    run = store.get(store.add(name=f"run-{len(store.ids())}", kind="train", host="here", created_at=now(), **more))
    if status == "running":
        store.claim(run, [], 0.0)
        store.start(run, started_at=now(), pid=1, supervisor_pid=1, started_boot=0.0)
    else:
        store.finish(run, status=status, ended_at=stamp(time.time() - ended), exit_code=0, signal=None, reason=None)
    store.home.run(run.id).attempt(1).root.mkdir(parents=True)
    return store.reload(run)


def told(home: Home) -> dict[str, Check]:
    return {check.name: check for check in health.examine(home)}


def test_a_new_home_is_healthy(store: Store) -> None:
    assert {name for name, check in told(store.home).items() if check.status == "fail"} == set()


def test_every_check_that_is_not_well_names_a_remedy(home: Home) -> None:
    home.root.chmod(0o755)
    home.database.write_bytes(b"garbage" * 1000)
    bad = [check for check in health.examine(home) if check.status != "ok"]
    assert {check.name for check in bad} >= {"home", "store"}
    assert all(check.remedy for check in bad)


def test_a_home_open_to_others_is_closed_by_fix(home: Home) -> None:
    home.root.chmod(0o755)
    assert health.check_home(home).status == "warn"
    assert mend.mend(home, print) == [f"chmod 700 {home.root}"]
    assert health.check_home(home).status == "ok"


def test_a_damaged_database_is_made_anew_by_fix(home: Home) -> None:
    home.database.write_bytes(b"garbage" * 1000)
    home.run(3).root.mkdir(parents=True)
    home.run(3).spec.write_text('{"name":"otter"}')
    assert told(home)["store"].status == "fail"
    assert "1 runs restored" in mend.mend(home, print)[0]
    assert told(home)["store"].status == "ok"


def test_a_sound_database_is_left_alone_by_fix(store: Store) -> None:
    make_run(store)
    assert mend.mend(store.home, print) == []


def test_a_run_without_its_supervisor_is_named(store: Store) -> None:
    run = make_run(store, "running")
    store.set_condition(run, "unsupervised")
    assert "run 1 (run-0): unsupervised" in health.check_runs(store).detail


@pytest.mark.parametrize("severity", ["warn", "fail"])
def test_an_alert_is_told_with_its_severity(store: Store, severity: str) -> None:
    run = make_run(store, "running")
    store.set_alerts(run, [{"name": "nan", "severity": severity, "text": "train/loss is NaN\x1b[2J", "at": now()}])
    found = health.check_alerts(store)
    assert (found.status, found.detail) == (severity, "run 1 (run-0): train/loss is NaN")


def test_a_paused_queue_says_why(store: Store) -> None:
    host = socket.gethostname()
    state = msgspec.structs.replace(store.queue_state(host), paused=True, reason="the machine was restarted")
    store.set_queue_state(state)
    found = health.check_queue(store)
    assert (found.status, found.remedy) == ("warn", "mlhub queue resume")
    assert "the machine was restarted" in found.detail


def test_a_held_migrate_lock_is_seen(store: Store) -> None:
    store.home.migrate_lock.touch()
    assert health.check_locks(store).status == "ok"
    with store.home.migrate_lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "migrate.lock" in health.check_locks(store).detail


HOLD = "import sys; from mlhub.runner import lock; held = lock.take(sys.argv[1]); print(flush=True); sys.stdin.read()"


def test_a_lock_held_by_the_supervisor_of_an_ended_run_is_seen(store: Store) -> None:
    run = make_run(store, ended=3600)
    path = store.home.run(run.id).attempt(1).lock
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        assert "which has ended" in health.check_locks(store).detail
        holder.stdin.close()


@pytest.fixture
def orphan(store: Store) -> Iterator[subprocess.Popen[bytes]]:
    """A process that an ended run left behind."""
    run = make_run(store, "failed")
    record.write_json(str(store.home.run(run.id).attempt(1).launch), {"token": "0123456789abcdef"})
    environment = os.environ | {identity.TOKEN_NAME: "0123456789abcdef"}
    with subprocess.Popen(["sleep", "1000"], env=environment) as process:
        yield process
        process.kill()


def test_orphans_are_named_with_their_run(store: Store, orphan: subprocess.Popen[bytes]) -> None:
    assert health.check_orphans(store).detail == f"processes of ended runs: run 1 (run-0): {orphan.pid}"


def test_orphans_are_ended_by_fix_which_says_so_before(store: Store, orphan: subprocess.Popen[bytes]) -> None:
    said: list[tuple[str, bool]] = []
    done = mend.mend(store.home, lambda words: said.append((words, orphan.poll() is None)))
    assert said == [(f"ending what run 1 (run-0) left behind: {orphan.pid}", True)]
    assert done[0] == f"ended processes of run 1 (run-0): {orphan.pid}"
    assert orphan.wait() == -signal.SIGTERM


def test_processes_of_an_active_run_are_no_orphans(store: Store, orphan: subprocess.Popen[bytes]) -> None:
    run = store.get(1)
    store.requeue(run, retries=0, claimed_boot=0.0, priority=0, gpus_wanted=0, after=[], slots=0)
    assert health.check_orphans(store).status == "ok"
    assert mend._end_orphans(store, print) == []
    assert orphan.poll() is None


def test_orphans_of_another_home_are_not_ours(home: Home, tmp_path: Path, orphan: subprocess.Popen[bytes]) -> None:
    other = Home(tmp_path / "other", tmp_path / "data")
    other.root.mkdir()
    assert mend.mend(open_to_others(other), print)[1:] == []
    assert orphan.poll() is None


def open_to_others(home: Home) -> Home:
    home.root.chmod(0o755)
    return home


def test_half_written_files_of_the_dead_are_removed_by_fix(store: Store) -> None:
    path = store.home.root / ".config.toml.4194305"
    path.write_text("half")
    os.utime(path, (0, 0))
    assert health.check_temporary(store).mend
    assert "removed 1 half-written files" in mend.mend(store.home, print)[0]
    assert not path.exists()


@pytest.mark.parametrize("name", ["spec.json", "process.json"])
def test_a_torn_record_is_named(store: Store, name: str) -> None:
    run = make_run(store)
    (store.home.run(run.id).root / name).write_text('{"name": "ot')
    assert health.check_files(store).detail == f"torn or garbled: runs/1/{name}"


def test_a_torn_slot_is_named_and_an_empty_one_is_not(store: Store) -> None:
    run = make_run(store)
    slot = store.home.run(run.id).attempt(1).slot
    slot.write_bytes(b"\n" * record.SLOT_SIZE)
    assert health.check_files(store).status == "ok"
    slot.write_bytes(b"mlhub-exit-1 00000000 {".ljust(record.SLOT_SIZE, b"\n"))
    assert "exit.slot" in health.check_files(store).detail


def test_a_clock_behind_the_newest_run_is_seen(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_synchronised", lambda: None)
    store.add(name="later", kind="train", host="here", created_at=stamp(time.time() + 3600))
    assert health.check_clock(store).status == "warn"


@pytest.mark.parametrize(("word", "status"), [(True, "ok"), (False, "warn"), (None, "ok")])
def test_a_clock_is_synchronised_not_or_nobody_knows(
    store: Store, monkeypatch: pytest.MonkeyPatch, word: bool | None, status: str
) -> None:
    monkeypatch.setattr(health, "_synchronised", lambda: word)
    assert health.check_clock(store).status == status


def test_timedatectl_is_asked_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "timedatectl"
    fake.write_text("#!/bin/sh\necho no\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert health._synchronised() is False
    fake.unlink()
    assert health._synchronised() is None


@pytest.mark.parametrize(("free", "status"), [(10**10, "ok"), (10**9, "warn"), (10**7, "fail")])
def test_a_disk_is_judged_by_what_is_free(home: Home, monkeypatch: pytest.MonkeyPatch, free: int, status: str) -> None:
    monkeypatch.setattr(monitor, "disk", lambda _: Disk(10**11, free))
    assert health.check_disk(home, "home").status == status


def test_folders_on_the_homes_own_disk_are_not_told_twice(home: Home) -> None:
    assert health.check_disk(home, "data").detail == ""
    assert health.check_disk(home, "logs").detail == ""


@pytest.mark.parametrize(("degrees", "status"), [(61, "ok"), (85, "warn"), (95, "fail"), (None, "ok")])
def test_a_gpu_is_judged_by_its_warmth(monkeypatch: pytest.MonkeyPatch, degrees: int | None, status: str) -> None:
    card = Gpu(0, "NVIDIA H100", GpuMemory(1, 1, unified=False), 0, degrees, None, ())
    monkeypatch.setattr(monitor, "gpus", lambda: ((card,), None))
    assert health.check_nvml().status == status


def test_a_check_that_can_not_be_made_does_not_cost_the_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Home) -> None:
        raise PermissionError(13, "Permission denied", "/somewhere")

    monkeypatch.setattr(health.trash, "entries", refuse)
    found = told(store.home)
    assert found["sizes"].status == "fail"
    assert found["logout"].status in ("ok", "warn")
