"""A run at a glance, from parts of its metrics."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mlhub.tui.charts.sketches import Sketcher


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.jsonl"


def write(path, steps, mode="w", **more):
    """A record a step: its loss is its step, ten steps a second, a hundred an epoch."""
    with path.open(mode) as file:
        for step in steps:
            record = {"step": step, "epoch": step // 100, "time": 1000 + step / 10, "loss": step, **more}
            file.write(json.dumps(record, separators=(",", ":")) + "\n")


def test_a_run_without_metrics_has_an_empty_sketch_once(path):
    sketcher = Sketcher(path, "loss")
    assert sketcher.update().points == ()
    assert sketcher.update() is None


def test_a_sketch_has_the_newest_place_and_the_speed(path):
    write(path, range(1000))
    sketch = Sketcher(path, "loss").update()
    assert (sketch.step, sketch.epoch, sketch.time) == (999, 9, 1099.9)
    assert sketch.speed == pytest.approx(10, rel=0.02)
    assert sketch.steps_an_epoch == 100
    assert len(sketch.points) == 64
    assert list(sketch.points) == sorted(sketch.points)


def test_a_sketch_knows_how_often_records_come(path):
    times = [1000 + 600 * index for index in range(10)] + [16400, 17000]  # a pause in between
    path.write_text("".join(json.dumps({"step": at, "time": time}) + "\n" for at, time in enumerate(times)))
    assert Sketcher(path, "loss").update().interval == 600
    path.write_text(json.dumps({"step": 0, "time": 1000}) + "\n")
    assert Sketcher(path, "loss").update().interval is None


def test_an_unchanged_file_is_not_sketched_again(path):
    write(path, range(10))
    sketcher = Sketcher(path, "loss")
    assert sketcher.update() is not None
    assert sketcher.update() is None
    write(path, range(10, 12), "a")
    assert sketcher.update().step == 11


def test_a_large_file_is_sketched_from_its_places(path):
    write(path, range(100_000))
    sketch = Sketcher(path, "loss").update()
    assert sketch.step == 99_999
    assert sketch.points[0] < 5_000
    assert sketch.points[-1] > 95_000
    assert sketch.steps_an_epoch == pytest.approx(100, rel=0.02)


def test_a_metric_in_few_records_of_a_large_file_is_found(path):
    for begin in range(0, 30_000, 3_000):
        write(path, range(begin, begin + 3_000), "a")
        write(path, [begin + 3_000], "a", **{"val/map": begin})
    sketch = Sketcher(path, "val/map").update()
    assert list(sketch.points) == list(range(0, 30_000, 3_000))


def test_what_a_later_attempt_superseded_is_left_out(path):
    write(path, range(100))
    with path.open("a") as file:
        file.write('{"step":9,"attempt":2,"time":1700000000.5}\n')
    write(path, range(10, 20), "a")
    sketch = Sketcher(path, "loss", attempts=2).update()
    assert list(sketch.points) == list(range(20))


def test_not_a_number_is_a_gap(path):
    write(path, range(3))
    write(path, [3], "a", loss="NaN")
    assert np.isnan(Sketcher(path, "loss").update().points).tolist() == [False, False, False, True]


def test_a_file_that_was_cut_is_sketched_anew(path):
    write(path, range(100))
    sketcher = Sketcher(path, "loss")
    sketcher.update()
    write(path, range(3))
    assert sketcher.update().points == (0, 1, 2)
