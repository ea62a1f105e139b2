"""How far a run is: what configuration and records say, and nothing where they don't."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mlhub.store.runs import Run
from mlhub.tui.charts.series import Sketch
from mlhub.tui.runs.progress import coarse, progress_of, speed_of, total_steps

NOW = 1000.0


def run_of(config: dict[str, Any], status: str = "running") -> Run:
    return Run(id=1, name="a", kind="train", status=status, created_at="", host="h", config=config)


@pytest.mark.parametrize(
    ("config", "steps"),
    [
        ({"training": {"max_steps": 500}}, 500), ({"trainer": {"total_steps": 500}}, 500), ({"max_steps": 500}, 500),
        ({"num_training_steps": 500}, 500), ({"training": {"max_epochs": 5}}, 100), ({"num_train_epochs": 3}, 60),
        ({"epochs": 2.5}, 50), ({"max_steps": 500, "max_epochs": 5}, 100), ({"max_steps": 50, "max_epochs": 5}, 50),
        ({"max_steps": 500, "num_train_epochs": 3}, 500), ({"max_steps": -1, "max_epochs": 5}, 100),
        ({"max_steps": None, "epochs": True}, None), ({"max_steps": "many"}, None), ({"max_steps": math.nan}, None),
        ({"max_steps": math.inf}, None), ({}, None), ({"training": [1]}, None),
    ],
)  # fmt: skip
def test_the_total_is_what_the_configuration_says(config: dict[str, Any], steps: float | None) -> None:
    assert total_steps(config, 20) == steps


def test_epochs_of_unknown_length_are_no_steps() -> None:
    assert total_steps({"max_epochs": 5, "max_steps": 500}, None) is None


def test_an_eta_is_what_is_left_by_the_speed() -> None:
    sketch = Sketch(step=100, time=NOW, speed=4.0)
    found = progress_of(run_of({"max_steps": 500}), sketch, None, NOW)
    assert (found.fraction, found.eta) == (0.2, 100.0)


@pytest.mark.parametrize(("since", "eta"), [(0, 100.0), (30, 70.0), (150, 0.0), (-5, 100.0)])
def test_an_eta_goes_on_between_two_records(since: float, eta: float) -> None:
    sketch = Sketch(step=100, time=NOW - since, speed=4.0)
    assert progress_of(run_of({"max_steps": 500}), sketch, None, NOW).eta == eta


@pytest.mark.parametrize(("since", "eta"), [(1800, 38200.0), (1801, None)])
def test_a_run_that_seldom_logs_keeps_its_eta_for_three_intervals(since: float, eta: float | None) -> None:
    sketch = Sketch(step=100, time=NOW - since, speed=0.01, interval=600.0)
    found = progress_of(run_of({"max_steps": 500}), sketch, None, NOW)
    assert (found.eta, speed_of(run_of({}), sketch, NOW) is None) == (eta, eta is None)


@pytest.mark.parametrize(
    ("sketch", "status"),
    [
        (Sketch(step=100, time=NOW, speed=None), "running"),
        (Sketch(step=100, time=NOW, speed=0.0), "running"),
        (Sketch(step=100, time=NOW - 301, speed=4.0), "running"),
        (Sketch(step=100, time=NOW, speed=4.0), "failed"),
        (Sketch(time=NOW, speed=4.0), "running"),
        (None, "running"),
    ],
    ids=["no speed", "standing", "long ago", "ended", "no step", "not read"],
)
def test_there_is_no_eta_without_a_speed_of_now(sketch: Sketch | None, status: str) -> None:
    assert progress_of(run_of({"max_steps": 500}, status), sketch, None, NOW).eta is None


def test_more_steps_than_were_planned_are_no_more_than_all() -> None:
    found = progress_of(run_of({"max_steps": 500}), Sketch(step=600, time=NOW, speed=1.0), None, NOW)
    assert (found.fraction, found.eta) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0s"), (59.9, "59s"), (61, "1m"), (3599, "59m"), (3725, "1h 02m"), (90_000, "1d 01h"), (None, "–"),
     (math.inf, "–"), (math.nan, "–"), (-1, "–")],
)  # fmt: skip
def test_long_durations_tick_in_minutes(seconds: float | None, words: str) -> None:
    assert coarse(seconds) == words
