from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mlhub.runner import alerts, identity, lock, record
from mlhub.runner.sample import LOCK, Journal
from tests.nvml import FakeNvml, h100
from tests.runner.conftest import Sandbox, eventually, kill

#: the value at each of its steps, then the wait for a file
LOGGER = """
import json, sys, time, os
out = open(os.environ["METRICS"], "a", buffering=1)
for step, value in enumerate(json.loads(os.environ["VALUES"])):
    out.write(json.dumps({"step": step, "time": time.time(), "train/loss": value}) + "\\n")
while not os.path.exists(os.environ["GO"]):
    time.sleep(0.02)
"""


class Watched:
    """A run whose sampler looks five times a second."""

    def __init__(self, box: Sandbox) -> None:
        self.box = box
        self.environment = {**os.environ, "MLHUB_SAMPLE_SECONDS": "0.2", "GO": str(box.root / "go")}

    def shell(self, script: str, **more: Any) -> Any:
        return self.box.shell(script, env=self.environment, **more)

    def log(self, *values: Any, **more: Any) -> Any:
        self.environment |= {"METRICS": str(self.box.paths.metrics), "VALUES": json.dumps(values)}
        return self.box.launch(sys.executable, "-I", "-S", "-c", LOGGER, env=self.environment, **more)

    def sampler(self) -> identity.Process:
        """Its process, once it runs."""
        lock_file = self.box.paths.attempt(1).root / LOCK
        eventually(lambda: lock.held(str(lock_file)))
        return self.samplers()[0]

    def samplers(self) -> list[identity.Process]:
        return identity.with_token(f"sampler:{self.box.token()}")

    def records(self) -> list[dict[str, Any]]:
        path = self.box.paths.system
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def active(self) -> dict[str, str]:
        return {one["name"]: one["severity"] for one in alerts.read_active(self.box.paths)}

    def ended(self) -> None:
        self.box.over()
        eventually(lambda: not self.samplers())


@pytest.fixture
def run(box: Sandbox) -> Watched:
    return Watched(box)


def test_records_come_while_the_command_runs_and_end_with_it(run: Watched) -> None:
    run.shell(run.box.wait_open("exit 3"))
    eventually(lambda: len(run.records()) >= 3)
    run.box.go()
    run.ended()
    first = run.records()[0]
    assert {"time", "cpu", "memory", "disk_free", "run.cpu", "run.memory", "run.processes"} <= set(first)
    assert first["run.processes"] >= 1
    assert run.box.exit()["exit_code"] == 3


def test_gpus_of_the_run_are_recorded_as_they_change(run: Watched, tmp_path: Path) -> None:
    fake = FakeNvml(tmp_path, h100(utilization=10))
    run.environment |= fake.environment
    run.shell("exec sleep 60")
    eventually(lambda: run.records() and run.records()[-1]["gpu.0.util"] == 10)
    fake.set(driver=False)
    eventually(lambda: "gpu.0.util" not in run.records()[-1])
    fake.set(h100(utilization=90))
    eventually(lambda: run.records()[-1].get("gpu.0.util") == 90)


def test_a_command_of_a_moment_has_no_sampler(run: Watched) -> None:
    run.shell("exit 0")
    run.box.over()
    assert run.samplers() == []
    assert not (run.box.paths.attempt(1).root / LOCK).exists()


@pytest.mark.parametrize("word", ["0", "false"])
def test_it_can_be_turned_off(run: Watched, word: str) -> None:
    run.environment["MLHUB_SAMPLER"] = word
    run.shell("sleep 2")
    run.box.over()
    assert run.records() == []


def test_it_is_turned_off_by_the_file_too(run: Watched) -> None:
    (run.box.root / "config.toml").write_text("sampler = false\n")
    run.shell("sleep 2")
    run.ended()
    assert run.records() == []


def test_it_is_neither_the_run_s_nor_left_behind(run: Watched) -> None:
    run.shell(run.box.wait_open("exit 0"))
    sampler = run.sampler()
    assert sampler.pid not in [process.pid for process in run.box.family()]
    os.kill(sampler.pid, signal.SIGSTOP)  # so that it can't have gone by itself
    run.box.go()
    run.box.over()
    assert run.box.exit()["left_behind"] == []
    assert [process.pid for process in run.samplers()] == [sampler.pid]
    os.kill(sampler.pid, signal.SIGKILL)


def test_its_death_costs_the_run_nothing(run: Watched) -> None:
    run.shell(run.box.wait_open("exit 5"))
    kill(run.sampler().pid)
    eventually(lambda: not run.samplers())
    run.box.go()
    assert run.box.over().exit_code == 5


def test_a_second_one_ends_at_once(run: Watched) -> None:
    run.shell("exec sleep 60")
    first = run.sampler()
    command = [sys.executable, "-P", "-m", "mlhub.runner.sample", str(run.box.paths.root), "1"]
    assert subprocess.run(command, timeout=30, check=False).returncode == 0
    assert [process.pid for process in run.samplers()] == [first.pid]


def test_it_ends_when_the_run_s_folder_is_removed(run: Watched) -> None:
    run.shell("exec sleep 60")
    sampler = run.sampler()
    token = run.box.token()
    shutil.rmtree(run.box.paths.root)
    eventually(lambda: identity.find_same(sampler.pid, sampler.start) is None)
    for process in [*identity.with_token(token), *identity.with_token(f"supervisor:{token}")]:
        identity.send(process, signal.SIGKILL)


def test_without_a_supervisor_it_stays_until_the_command_ends_and_clears_the_alerts(run: Watched) -> None:
    run.environment["MLHUB_STALL_MINUTES"] = "0.005"
    started = run.log(1.0)
    eventually(lambda: run.active() == {"stalled": "warn"})
    kill(started.supervisor_pid)
    eventually(lambda: run.box.inspect().condition == "unsupervised")
    count = len(run.records())
    eventually(lambda: len(run.records()) > count + 1)
    run.box.go()
    eventually(lambda: not run.samplers())
    assert run.active() == {}


def test_when_both_are_killed_it_ends(run: Watched) -> None:
    started = run.shell("exec sleep 60")
    run.sampler()
    kill(started.supervisor_pid)
    kill(started.pid)
    eventually(lambda: not run.samplers())
    assert run.box.inspect().status == "failed"


def test_a_stall_is_raised_and_cleared_by_the_next_metric(run: Watched) -> None:
    run.environment["MLHUB_STALL_MINUTES"] = "0.005"
    run.log(1.0)
    eventually(lambda: run.active() == {"stalled": "warn"})
    with open(run.box.paths.metrics, "a") as file:
        file.write('{"step":9,"time":1.0,"train/loss":1.0}\n')
    eventually(lambda: "cleared" in run.box.paths.alerts.read_text())


def test_a_hot_gpu_is_an_alert_until_it_has_cooled(run: Watched, tmp_path: Path) -> None:
    fake = FakeNvml(tmp_path, h100(temperature=96))
    run.environment |= fake.environment
    run.shell("exec sleep 60")
    eventually(lambda: run.active() == {"gpu-hot": "fail"})
    fake.set(h100(temperature=60))
    eventually(lambda: run.active() == {})


def test_a_loss_that_is_nan_is_an_alert_that_stays_with_the_run(run: Watched) -> None:
    run.log(1.0, "NaN")
    eventually(lambda: run.active() == {"nan": "fail"})
    run.box.go()
    run.ended()
    (alert,) = alerts.read_active(run.box.paths)
    assert alert["text"] == "train/loss is NaN at step 1"
    assert run.box.final().status == "completed"


def ask_to_stop_on_nan(run: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    write = record.write_json

    def with_wish(path: str, tree: record.Tree, **more: Any) -> None:
        write(path, tree | ({"stop_on_nan": True} if path.endswith(record.LAUNCH) else {}), **more)

    monkeypatch.setattr(record, "write_json", with_wish)


def test_a_run_started_so_is_stopped_when_its_loss_is_nan(run: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    ask_to_stop_on_nan(run, monkeypatch)
    run.log(1.0, "NaN", 1.0, 1.0, 1.0)
    verdict = run.box.over()
    assert verdict.status == "failed"
    assert "train/loss is NaN at step 1 (--stop-on-nan)" in (verdict.reason or "")


def test_it_is_stopped_without_a_supervisor_too(run: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    ask_to_stop_on_nan(run, monkeypatch)
    started = run.log(1.0)
    run.sampler()
    kill(started.supervisor_pid)
    with open(run.box.paths.metrics, "a") as file:
        file.write('{"step":9,"time":1.0,"train/loss":"NaN"}\n')
    run.box.final()
    eventually(lambda: (found := identity.find_process(started.pid)) is None or found.dead)


def test_a_long_log_is_compressed_while_the_run_writes_it(run: Watched) -> None:
    run.environment["MLHUB_LOG_LIMIT_MB"] = "2"
    run.shell(f"head -c 9000000 /dev/urandom | base64; {run.box.wait_open('echo the end')}")
    eventually(lambda: list(run.box.paths.root.glob("logs/*.zst")))
    eventually(lambda: run.box.paths.log.stat().st_blocks * 512 < 2 << 20)
    run.box.go()
    run.ended()
    assert run.box.paths.log.read_bytes().endswith(b"the end\n")


def test_a_wrong_setting_does_not_keep_it_from_watching(run: Watched) -> None:
    (run.box.root / "config.toml").write_text("sample_seconds = 'often'\n")
    del run.environment["MLHUB_SAMPLE_SECONDS"]
    run.shell("exec sleep 60")
    eventually(run.records)
    supervisor_log = run.box.paths.attempt(1).root / "supervisor.log"
    assert "sample_seconds: expected a number" in supervisor_log.read_text()


@pytest.mark.root
def test_on_a_full_disk_it_goes_on_and_writes_again_when_there_is_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)], check=True)
    try:
        run = Watched(Sandbox(disk))
        started = run.shell("exec sleep 60")
        eventually(lambda: run.active() == {"disk": "fail"})
        with (disk / "fill").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        whole = run.box.paths.system.stat().st_blocks * 512
        eventually(lambda: run.box.paths.system.stat().st_size == whole)
        (disk / "fill").unlink()
        eventually(lambda: run.box.paths.system.stat().st_size > whole)
        kill(started.pid)
        run.ended()
        assert json.loads(run.box.paths.system.read_text().splitlines()[-1])["time"] > 0
    finally:
        run.box.clear()
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_journal_mends_the_half_line_of_one_that_was_killed(tmp_path: Path) -> None:
    (tmp_path / "j").write_text('{"a":1}\n{"b"')
    Journal(tmp_path / "j").append({"c": 3})
    assert (tmp_path / "j").read_text().splitlines()[2] == '{"c":3}'


def test_a_journal_writes_when_it_can_what_it_could_not(tmp_path: Path) -> None:
    kept, lossy = Journal(tmp_path / "full" / "a", keep=2), Journal(tmp_path / "full" / "b")
    for journal in (kept, lossy):
        for number in range(3):
            journal.append({"n": number})
    (tmp_path / "full").mkdir()
    kept.flush()
    lossy.append({"n": 9})
    assert (tmp_path / "full" / "a").read_text() == '{"n":1}\n{"n":2}\n'
    assert (tmp_path / "full" / "b").read_text() == '{"n":9}\n'
