"""The machine over time: readings, whose processes are, what is lost, the past that samplers recorded."""

from __future__ import annotations

import getpass
import json
import math
import os
import subprocess
import time

import pytest

from mlhub import monitor
from mlhub.settings import Settings
from mlhub.tui.feed import Feed
from mlhub.tui.prefs import Prefs
from mlhub.tui.system.machine import Machine
from tests.conftest import wait_until
from tests.nvml import GIB, FakeNvml, h100


@pytest.fixture
def nvml(tmp_path, monkeypatch):
    fake = FakeNvml(tmp_path, h100())
    fake.install(monkeypatch)
    return fake


@pytest.fixture
def start(cli):
    """A machine over the home of `cli`, that reads again and again."""
    opened = []

    def begin(prefs: Prefs | None = None) -> Machine:
        settings = Settings.load({"MLHUB_HOME": str(cli.home)})
        home = settings.to_home()
        home.root.mkdir(mode=0o700, exist_ok=True)
        feed = Feed(home, settings)
        machine = Machine(home, prefs or Prefs(), feed)
        opened.extend((machine, feed))
        feed.ready.wait(30)
        machine.start()
        return machine

    yield begin
    for reader in opened:
        reader.close()


def see(machine: Machine, condition):
    """What `condition` gives of a reading, once it is true."""

    def look():
        machine.watch(0.05)
        return machine.reading is not None and condition(machine.reading)

    return wait_until(look)


def test_a_reading_has_the_machine_and_the_card(start, nvml):
    nvml.set(h100(utilization=93, temperature=61))
    machine = start()
    reading = see(machine, lambda reading: reading.cpu is not None and reading)
    (card,) = reading.cards
    assert (card.name, card.gpu.utilization, card.gpu.temperature) == ("NVIDIA H100", 93, 61)
    assert reading.memory.total > reading.memory_used > 0
    assert reading.disk.free > 0
    assert reading.rates.keys() == {"net_rx", "net_tx", "disk_read", "disk_write"}
    assert len(see(machine, lambda reading: reading.cores)) == os.cpu_count()
    assert machine.words()[0][0] == "GPU0 93% 0/80G 61C"


def test_each_reading_raises_the_version_and_lengthens_the_history(start, nvml):
    machine = start()
    first = see(machine, lambda _: machine.version)
    see(machine, lambda _: machine.version > first + 3)
    assert len(machine.history) >= 3
    assert machine.history.curves(time.time(), 60, 6)["gpu.0.temp"][-1] == 40


def test_without_a_driver_it_is_said_why(start):
    reading = see(start(), lambda reading: reading)
    assert reading.cards == reading.lost == ()
    assert reading.no_gpu.startswith("no NVIDIA driver")


def test_a_process_is_told_with_its_run_and_a_strangers_with_its_user(cli, start, nvml):
    run = cli.json("run", "--name", "otter", "--", "sleep", "1000")
    with subprocess.Popen(["sleep", "998"]) as stranger:
        nvml.set(h100(processes=[{"pid": run["pid"], "memory": GIB}, {"pid": stranger.pid, "memory": None}]))
        ours, theirs = see(start(), lambda reading: reading.cards[0].processes)
        stranger.kill()
    assert (ours.run, ours.name, ours.memory) == (1, "otter", GIB)
    assert (theirs.run, theirs.user, theirs.command) == (None, getpass.getuser(), "sleep 998")


def test_a_run_that_began_later_owns_its_processes_too(cli, start, nvml):
    machine = start()
    see(machine, lambda reading: reading.cards)
    run = cli.json("run", "--name", "later", "--", "sleep", "1000")
    nvml.set(h100(processes=[{"pid": run["pid"], "memory": GIB}]))
    assert see(machine, lambda reading: [one.name for one in reading.cards[0].processes if one.run]) == ["later"]


def test_a_name_from_outside_is_clean(start, nvml):
    nvml.set(h100(name="H\x1b[2J100\n[red]"))
    assert see(start(), lambda reading: reading.cards[0].name) == "H100 [red]"


def test_a_card_that_no_longer_answers_is_lost_until_it_does(start, nvml):
    nvml.set(h100(), h100())
    machine = start()
    see(machine, lambda reading: len(reading.cards) == 2)
    nvml.set(h100(), h100(lost=True))
    assert see(machine, lambda reading: reading.lost) == ("GPU1 NVIDIA H100",)
    nvml.set(h100(), h100())
    see(machine, lambda reading: not reading.lost)


def test_a_driver_that_vanishes_is_survived_and_found_again(start, nvml):
    machine = start()
    see(machine, lambda reading: reading.cards)
    nvml.set(driver=False)
    assert see(machine, lambda reading: not reading.cards and reading.no_gpu) == "no NVIDIA driver: Driver Not Loaded"
    assert machine.words()[-1] == ("GPUs gone", "bad")
    nvml.set(h100())
    see(machine, lambda reading: reading.cards)


def test_heat_raises_an_alert_that_keeps_its_time_and_goes(start, nvml):
    nvml.set(h100(temperature=86))
    machine = start()
    (alert,) = see(machine, lambda reading: reading.alerts)
    assert (alert["severity"], alert["text"]) == ("warn", "GPU 0 at 86 °C")
    nvml.set(h100(temperature=97))
    worse = see(machine, lambda reading: [one for one in reading.alerts if one["severity"] == "fail"])
    assert worse[0]["at"] == alert["at"]
    nvml.set(h100(temperature=60))
    see(machine, lambda reading: not reading.alerts)


def test_with_meters_off_nothing_is_read_until_they_are_on(start, nvml):
    machine = start(Prefs(meters=False))
    for _ in range(3):
        machine.watch(0.01)
        time.sleep(0.05)
    assert machine.reading is None
    assert machine.words() == []
    machine.switch()
    see(machine, lambda reading: reading.cards)


def test_a_failure_is_said_and_the_next_reading_is_tried(start, nvml, monkeypatch):
    machine = start()
    see(machine, lambda reading: reading.cards)
    with monkeypatch.context() as broken:
        broken.setattr(monitor, "memory", lambda: 1 / 0)
        assert "division by zero" in see(machine, lambda reading: reading.error)
        assert machine.words() == [("meters failed", "bad")]
    see(machine, lambda reading: not reading.error)


def test_the_past_of_active_runs_is_in_the_history(cli, start, nvml):
    run = cli.json("run", "--", "sleep", "1000")
    now = time.time()
    with open(f"{run['dir']}/system.jsonl", "a") as file:
        seconds = range(60, 0, -1)
        file.writelines(json.dumps({"time": now - at, "cpu": 50.0, "gpu.0.util": 90}) + "\n" for at in seconds)
    machine = start()
    see(machine, lambda _: machine.history)
    found = machine.history.curves(now, 60, 6)
    assert found["gpu.0.util"][:5] == [90] * 5
    assert found["cpu"][:4] == [50] * 4


def test_what_we_would_not_have_written_becomes_no_curve(cli, start, nvml):
    run = cli.json("run", "--", "sleep", "1000")
    now = time.time()
    hostile = [
        {"time": now - 9, "gpu.99.util": 5, "gpu.x.util": 5, "\x1b[2J": 1, "run.cpu": 3, "cpu": "no"},
        {"time": now - 8, "memory": "Infinity"},
        {"time": "NaN", "cpu": 77}, {"time": now + 1e6, "cpu": 77}, {"time": -5, "cpu": 77}, {"cpu": 77}, [1], "x",
    ]  # fmt: skip
    with open(f"{run['dir']}/system.jsonl", "a") as file:
        file.writelines(json.dumps(line) + "\n" for line in hostile)
        file.write('{"time": ' + str(now))  # torn
    machine = start()
    see(machine, lambda _: machine.history)
    found = machine.history.curves(time.time(), 300, 300)
    assert all(name in ("cpu", "memory", "disk_free") or name[:3] in ("net", "dis", "gpu") for name in found)
    assert not any(name.startswith(("gpu.9", "gpu.x")) for name in found)
    assert 77 not in found.get("cpu", ())
    assert not any(map(math.isinf, found["memory"]))


def test_closing_ends_the_thread(start, nvml):
    machine = start()
    see(machine, lambda reading: reading)
    machine.close()
    assert not machine._thread.is_alive()
