"""Changes as lines: what is told, what is not, and how often."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from mlhub.monitor import Gpu, GpuMemory
from mlhub.store.runs import Run
from mlhub.tui.runs.progress import Progress
from mlhub.tui.system.machine import Card, Reading
from mlhub.tui.words.outline import State
from mlhub.tui.words.plain import Changes

RUN = Run(id=1, name="calm-otter", kind="train", status="running", created_at="2026-01-01T00:00:00.000Z", host="h")
NAN = {"name": "nan", "severity": "fail", "text": "loss is NaN at step 3"}


class Fake:
    """Readers whose findings the test says."""

    def __init__(self, *runs, focus=None):
        self.focus = focus
        self.feed = SimpleNamespace(snapshot=SimpleNamespace(error=None))
        self.machine = SimpleNamespace(reading=None)
        self.runs = runs
        self.steps = {}

    def want(self):
        return []

    def state(self, run):
        return State(run, "val/map_64", 0.5, Progress(self.steps.get(run.id), 1000, 60.0), 10.0, 2)

    def show(self, *runs):
        self.runs = runs


def told(changes):
    return list(changes.lines())


def card(busy, used=10, index=0):
    return Card(Gpu(index, "H100", GpuMemory(100, used, False), busy, 50, 100.0, ()), "H100")


def test_nothing_new_is_nothing_told():
    readers = Fake(RUN)
    assert told(Changes(readers, 0)) == []


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (None, RUN, "run 1 calm-otter started"),
        (None, replace(RUN, status="queued", condition="waits for run 2"), "run 1 calm-otter waits: waits for run 2"),
        (replace(RUN, status="queued"), RUN, "run 1 calm-otter started"),
        (RUN, replace(RUN, attempt=2), "run 1 calm-otter started, attempt 2"),
        (
            RUN,
            replace(RUN, status="completed", started_at=RUN.created_at, duration=65.0),
            "run 1 calm-otter completed after 1m 05s",
        ),
        (RUN, replace(RUN, status="failed", reason="exit code \x1b[31m1"), "run 1 calm-otter failed: exit code 1"),
        (RUN, replace(RUN, condition="stalled"), "run 1 calm-otter: stalled"),
        (replace(RUN, condition="stalled"), RUN, "run 1 calm-otter: all is well again"),
        (RUN, None, "run 1 calm-otter was removed"),
        (RUN, replace(RUN, alerts=[NAN]), "alert: run 1 calm-otter: loss is NaN at step 3"),
        (replace(RUN, alerts=[NAN]), RUN, "alert over: run 1 calm-otter: loss is NaN at step 3"),
    ],
)
def test_what_becomes_of_a_run_is_a_line(before, after, line):
    readers = Fake(*([before] if before else []))
    changes = Changes(readers, 0)
    readers.show(*([after] if after else []))
    assert told(changes) == [line]
    assert told(changes) == []


def test_a_run_that_began_and_ended_between_two_looks_is_told_of_twice():
    readers = Fake()
    changes = Changes(readers, 0)
    readers.show(replace(RUN, status="failed", reason="killed"))
    assert told(changes) == ["run 1 calm-otter started", "run 1 calm-otter failed: killed"]


def test_alerts_of_a_run_that_has_ended_are_not_called_over():
    readers = Fake(replace(RUN, alerts=[NAN]))
    changes = Changes(readers, 0)
    readers.show(replace(RUN, status="failed", alerts=[NAN]))
    assert told(changes) == ["run 1 calm-otter failed"]


def test_progress_is_told_when_there_is_some():
    readers = Fake(RUN)
    changes = Changes(readers, 0)
    readers.steps[1] = 250
    assert told(changes) == [
        "run 1 calm-otter: epoch 2, step 250 of 1000 (25 %), val/map_64 0.5, 10 steps/s, ETA 1m 00s"
    ]
    assert told(changes) == []


def test_progress_is_told_at_most_so_often(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    readers = Fake(RUN)
    changes = Changes(readers, 30)
    lines = []
    for step in range(100):
        readers.steps[1] = step
        now[0] += 1
        lines += told(changes)
    assert len(lines) == 3


def test_a_gpu_is_told_of_when_it_has_moved_by_ten_points():
    readers = Fake()
    readers.machine.reading = Reading(cards=(card(50),))
    changes = Changes(readers, 0)
    for busy, lines in ((55, 0), (59, 0), (60, 1), (51, 0), (50, 1)):
        readers.machine.reading = Reading(cards=(card(busy),))
        assert len(told(changes)) == lines, busy
    readers.machine.reading = Reading(cards=(card(50, used=30),))
    assert told(changes) == ["GPU 0 H100: 50 %, 30 B of 100 B, 50 °C, 100 W"]


def test_alerts_of_the_machine_are_told():
    readers = Fake()
    readers.machine.reading = Reading()
    changes = Changes(readers, 0)
    readers.machine.reading = Reading(alerts=({"name": "disk", "text": "1.0 GB free"},))
    assert told(changes) == ["alert: the machine: 1.0 GB free"]


def test_rows_of_the_past_are_said_to_be_so_and_no_run_is_taken_for_removed():
    readers = Fake(RUN)
    changes = Changes(readers, 0)
    readers.feed.snapshot.error = "disk full"
    readers.show()
    assert told(changes) == ["rows are of the past: disk full"]
    readers.feed.snapshot.error = None
    readers.show(RUN)
    assert told(changes) == ["rows are read again"]


@pytest.mark.parametrize(
    ("run", "over"),
    [(RUN, False), (replace(RUN, status="completed"), True), (replace(RUN, status="failed", retries=1), False)],
)
def test_watching_one_run_is_over_when_it_has_ended(run, over):
    assert Changes(Fake(run, focus=1), 0).over is over
    assert not Changes(Fake(run), 0).over
