"""A comparison as JSON, and values as texts."""

from __future__ import annotations

import json

from mlhub.compare import render
from mlhub.compare.comparison import compare
from tests.compare.conftest import make_run


def _took(_run):
    return 62.0


def _found():
    return compare(
        [
            make_run(1, config={"t": {"lr": 0.1, "seed": 1}}, metrics={"val/map_64": 0.5, "loss": "NaN"}),
            make_run(2, config={"t": {"lr": 0.1, "seed": 2}}, metrics={"val/map_64": 0.55, "loss": 1.0}),
        ]
    )


def test_json_has_the_shape_of_the_contract():
    tree = json.loads(json.dumps(render.to_json(_found()), allow_nan=False))
    assert [run["id"] for run in tree["runs"]] == [1, 2]
    assert tree["metrics"] == {"val/map_64": {"1": 0.5, "2": 0.55}, "loss": {"1": "NaN", "2": 1.0}}
    assert tree["best"] == {}  # seeds of one configuration: a difference is chance
    assert tree["config_diff"] == {"t.seed": {"1": 1, "2": 2}}


def test_json_says_who_is_best_of_several_configurations():
    runs = [make_run(index, config={"lr": index}, metrics={"val/map_64": index / 10}) for index in (1, 2)]
    assert render.to_json(compare(runs))["best"] == {"val/map_64": 2}


def test_json_says_mean_and_deviation_over_seeds():
    group = render.to_json(_found())["seeds"][0]
    assert group["runs"] == [1, 2]
    assert group["metrics"]["val/map_64"]["n"] == 2
    assert group["metrics"]["loss"] == {"mean": 1.0, "sd": None, "n": 1}


def test_text_that_reads_as_a_number_is_quoted():
    assert [render.value_text(value) for value in ("1", 1, "null", None, "a", [1, "b"])] == [
        '"1"', "1", '"null"', "null", "a", '[1, "b"]',
    ]  # fmt: skip
