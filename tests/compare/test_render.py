"""A comparison as JSON, Markdown and CSV."""

from __future__ import annotations

import csv
import io
import json

from hypothesis import given
from hypothesis import strategies as st

from mlhub.compare import render
from mlhub.compare.comparison import compare
from tests.compare.conftest import make_run


def _took(_run):
    return 62.0


def _found(**more):
    return compare(
        [
            make_run(1, config={"t": {"lr": 0.1, "seed": 1}}, metrics={"val/map_64": 0.5, "loss": "NaN"}),
            make_run(2, config={"t": {"lr": 0.1, "seed": 2}}, metrics={"val/map_64": 0.55, "loss": 1.0}),
        ],
        **more,
    )


def test_json_has_the_shape_of_the_contract():
    tree = json.loads(json.dumps(render.to_json(_found()), allow_nan=False))
    assert [run["id"] for run in tree["runs"]] == [1, 2]
    assert tree["metrics"] == {"val/map_64": {"1": 0.5, "2": 0.55}, "loss": {"1": "NaN", "2": 1.0}}
    assert tree["best"] == {"val/map_64": 2, "loss": 2}
    assert tree["config_diff"] == {"t.seed": {"1": 1, "2": 2}}


def test_json_says_mean_and_deviation_over_seeds():
    group = render.to_json(_found())["seeds"][0]
    assert group["runs"] == [1, 2]
    assert group["metrics"]["val/map_64"]["n"] == 2
    assert group["metrics"]["loss"] == {"mean": 1.0, "sd": None, "n": 1}


def test_markdown_marks_the_best_and_says_the_delta():
    text = render.to_markdown(_found(), _took)
    assert "| val/map\\_64 ↑ | 0.5 | **0.55** (+10.0 %) | 0.525 ± 0.035 (n=2) |" in text.splitlines()


def test_a_pipe_in_a_name_is_no_cell_of_markdown():
    text = render.to_markdown(compare([make_run(1, name="a|b [x](y) <b>")]), _took)
    assert text.splitlines()[0] == "|  | a\\|b \\[x\\](y) \\<b\\> |"


def test_every_line_of_markdown_has_as_many_cells():
    lines = render.to_markdown(_found(everything=True), _took).replace("\\|", "").splitlines()
    assert {line.count("|") for line in lines} == {5}


def test_csv_holds_numbers_in_full_and_the_best():
    rows = list(csv.reader(io.StringIO(render.to_csv(_found(), _took))))
    assert rows[0] == ["section", "name", "direction", "best", "run-1", "run-2", "seeds of run-1"]
    assert ["metric", "val/map_64", "max", "run-2", "0.5", "0.55", "0.525 ± 0.035 (n=2)"] in rows


@given(st.sampled_from("=+-@＝\t\r") | st.just("-1+"), st.text(max_size=5))
def test_no_cell_of_csv_is_a_formula(first, rest):
    run = make_run(1, name=first + rest, tags=[first + rest], config={first + rest: first + rest})
    for row in csv.reader(io.StringIO(render.to_csv(compare([run], everything=True), _took))):
        assert not any(cell[:1] and cell[0] in "=+-@＝\t\r" and not _is_number(cell) for cell in row), row


def _is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True


def test_negative_numbers_stay_numbers():
    assert "metric,x,,,-1.5" in render.to_csv(compare([make_run(1, metrics={"x": -1.5})]), _took)


@given(st.text(max_size=12))
def test_no_control_character_of_theirs_is_left(text):
    hostile = f"\x1b]0;x\x07{text}\u202e\x9b31m"
    run = make_run(1, name=hostile, metrics={hostile: 1.0}, config={hostile: hostile}, tags=[hostile], host=hostile)
    for shown in (f(compare([run], everything=True), _took) for f in (render.to_markdown, render.to_csv)):
        assert not set(shown) & {"\x1b", "\x07", "\x9b", "\u202e", "\x00"}


def test_text_that_reads_as_a_number_is_quoted():
    assert [render.value_text(value) for value in ("1", 1, "null", None, "a", [1, "b"])] == [
        '"1"', "1", '"null"', "null", "a", '[1, "b"]',
    ]  # fmt: skip
