"""A file of metrics read in pieces and followed."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlhub.curves import follower
from mlhub.curves.follower import Follower
from mlhub.records import current_records, read_number


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.jsonl"


def read_all(path, attempts=1):
    """All of the file."""
    found = Follower(path, attempts)
    found.advance(10)
    while found.busy:
        found.advance(10)
    return found


def pairs(found, name="loss"):
    points = found.metrics[name].points
    return list(zip(points.step.tolist(), points.value.tolist(), strict=True))


def line(**record):
    return json.dumps(record, separators=(",", ":")) + "\n"


def mark(step, attempt):
    return f'{{"step":{step},"attempt":{attempt},"time":1700000000.5}}\n'


def test_a_missing_file_has_no_metrics_until_it_is_there(path):
    found = Follower(path)
    assert not found.advance(1)
    path.write_text(line(step=1, loss=0.5))
    assert found.advance(1)
    assert pairs(found) == [(1, 0.5)]


def test_a_torn_last_line_waits_for_its_rest(path):
    path.write_text(line(step=1, loss=0.5) + '{"step":2,"lo')
    found = read_all(path)
    assert pairs(found) == [(1, 0.5)]
    with path.open("a") as file:
        file.write('ss":0.25}\n')
    found.advance(1)
    assert pairs(found) == [(1, 0.5), (2, 0.25)]


def test_points_that_were_given_out_never_change(path):
    path.write_text(line(step=1, loss=0.5))
    found = read_all(path)
    before = found.metrics["loss"].points
    with path.open("a") as file:
        file.writelines(line(step=step, loss=step) for step in range(2, 2000))
    found.advance(1)
    assert before.value.tolist() == [0.5]
    assert len(found.metrics["loss"].points) == 1999


@pytest.mark.parametrize("replace", [True, False])
def test_a_file_that_was_written_anew_is_read_anew(path, replace):
    path.write_text("".join(line(step=step, loss=step) for step in range(10)))
    found = read_all(path)
    if replace:
        path.unlink()
    path.write_text(line(step=3, acc=1))
    found.advance(1)
    assert set(found.metrics) == {"acc"}


def test_what_is_no_number_and_no_record_is_passed_over(path):
    text = [
        line(step=0, loss=0.5, word="3.5", flag=True, nested={"a": 1}, nothing=None, list=[1]),
        "no json\n", "[1,2]\n", "7\n", "\n", '{"step":\n', "\x00\x00\n",
        line(step=1, loss=True), line(step=2, loss="text"), line(step="x", loss=3), line(step=4, loss=4, flag=2),
    ]  # fmt: skip
    path.write_text("".join(text))
    found = read_all(path)
    assert [value for _, value in pairs(found)] == [0.5, 3, 4]
    assert pairs(found, "flag") == [(4, 2)]
    assert set(found.metrics) == {"loss", "flag"}


def test_numbers_too_large_for_anything_are_passed_over(path):
    path.write_text(line(step=1, loss=1) + '{"step":2,"loss":1' + "0" * 400 + "}\n" + line(step=3, loss=3))
    assert pairs(read_all(path)) == [(1, 1), (3, 3)]


def test_records_without_a_step_get_their_number(path):
    path.write_text(line(loss=5) + line(other=1) + line(loss=6))
    assert pairs(read_all(path)) == [(0, 5), (2, 6)]


def test_not_a_number_and_infinities_are_gaps_and_are_kept_as_events(path):
    words = [0.5, "NaN", 1e200, "-Infinity", 0.25]
    path.write_text("".join(line(step=step, epoch=1, time=step + 0.5, loss=word) for step, word in enumerate(words)))
    series = read_all(path).metrics["loss"]
    assert np.isnan(series.points.value).tolist() == [False, True, True, True, False]
    np.testing.assert_array_equal(series.events.value, [np.nan, 1e200, -np.inf])
    np.testing.assert_array_equal([series.recorded(at) for at in range(5)], [0.5, np.nan, 1e200, -np.inf, 0.25])
    assert series.events.time.tolist() == [1.5, 2.5, 3.5]


def test_a_later_attempt_supersedes_what_is_beyond_its_mark(path):
    path.write_text(
        "".join(line(step=step, loss=step) for step in range(5))
        + mark(2, 2) + "".join(line(step=step, loss=10 * step) for step in range(3, 5))
    )  # fmt: skip
    found = read_all(path)
    assert pairs(found) == [(0, 0), (1, 1), (2, 2), (3, 30), (4, 40)]
    (old,) = found.metrics["loss"].superseded
    assert old.value.tolist() == [3, 4]
    assert found.attempt == 2


def test_a_mark_that_comes_while_following_supersedes_too(path):
    path.write_text("".join(line(step=step, loss=step) for step in range(5)))
    found = read_all(path)
    with path.open("a") as file:
        file.write(mark(0, 2))
    found.advance(1)
    assert pairs(found) == [(0, 0)]
    assert found.metrics["loss"].superseded[0].step.tolist() == [1, 2, 3, 4]


def test_a_not_a_number_of_a_superseded_part_is_said_to_be_old(path):
    path.write_text(line(step=0, loss=1) + line(step=5, loss="NaN") + mark(0, 2) + line(step=1, loss=2))
    assert read_all(path).metrics["loss"].events.old.tolist() == [True]


def test_steps_out_of_order_are_put_in_order(path):
    path.write_text("".join(line(step=step, time=100 + step, loss=step) for step in (0, 5, 3, 9, 1)))
    found = read_all(path)
    assert pairs(found) == [(0, 0), (1, 1), (3, 3), (5, 5), (9, 9)]
    assert np.all(np.diff(found.metrics["loss"].points.time) >= 0)


def test_a_line_too_long_is_passed_over_and_what_follows_is_read(path, monkeypatch):
    monkeypatch.setattr(follower, "_LONGEST", 1 << 18)
    with path.open("w") as file:
        file.write(line(step=1, loss=1))
        file.write('{"a":"' + "x" * (1 << 20) + '"}\n')
        file.write(line(step=2, loss=2))
    assert pairs(read_all(path)) == [(1, 1), (2, 2)]


def test_a_line_longer_than_a_piece_is_read(path):
    path.write_text(line(step=1, loss=1, text="x" * 300_000) + line(step=2, loss=2))
    assert pairs(read_all(path)) == [(1, 1), (2, 2)]


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "metrics.jsonl")
    assert not Follower(tmp_path / "metrics.jsonl").advance(1)


def test_names_from_outside_are_clean(path):
    path.write_text(line(step=1, **{"lo\x1b[31mss\x07": 1.0}))
    (series,) = read_all(path).metrics.values()
    assert series.name == "loss"


def test_epochs_begin_where_their_number_changes(path):
    path.write_text("".join(line(step=step, epoch=step // 3, loss=1) for step in range(9)))
    assert read_all(path).epochs == ((0, 0), (3, 1), (6, 2))


def test_a_large_file_is_shown_before_it_is_read(path, monkeypatch):
    monkeypatch.setattr(follower, "_LARGE", 1 << 16)
    with path.open("w") as file:
        file.writelines(line(step=step, loss=step) for step in range(200_000))
    found = Follower(path)
    assert found.advance(0)
    preview = found.metrics["loss"].points
    assert found.busy
    assert preview.step[0] == 0
    assert preview.step[-1] == 199_999
    while found.busy:
        found.advance(0.05)
    assert found.progress == 1
    assert len(found.metrics["loss"].points) == 200_000


def test_a_preview_leaves_out_what_was_superseded(path, monkeypatch):
    monkeypatch.setattr(follower, "_LARGE", 1 << 16)
    with path.open("w") as file:
        file.writelines(line(step=step, loss=1) for step in range(50_000))
        file.write(mark(100, 2))
        file.writelines(line(step=step, loss=2) for step in range(101, 50_000))
    found = Follower(path, attempts=2)
    found.advance(0)
    assert found.busy
    points = found.metrics["loss"].points
    assert np.all(points.value[points.step > 100] == 2)


def test_a_metric_beyond_its_limit_is_thinned_and_keeps_its_extremes(path):
    values = np.random.default_rng(0).normal(size=40_000)
    values[12_345], values[30_001] = 99, -99
    with path.open("w") as file:
        file.writelines(line(step=step, loss=value) for step, value in enumerate(values.tolist()))
    found = Follower(path, most=1 << 13)
    found.advance(60)
    points = found.metrics["loss"].points
    assert len(points) <= 1 << 13
    assert (points.value.max(), points.value.min()) == (99, -99)
    assert np.all(np.diff(points.step) >= 0)


records = st.lists(
    st.one_of(
        st.builds(
            lambda step, value, key: line(step=step, **{key: value}),
            st.integers(0, 30),
            st.one_of(
                st.floats(-5, 5), st.sampled_from(["NaN", "Infinity", "text"]), st.integers(-3, 3), st.booleans()
            ),
            st.sampled_from(["loss", "acc"]),
        ),
        st.builds(mark, st.integers(0, 30), st.integers(2, 4)),
        st.sampled_from(["junk\n", "\n", "{}\n", line(loss=1)]),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(records, st.lists(st.integers(1, 60), max_size=40))
def test_however_a_growing_file_is_read_the_points_are_the_records_that_hold(tmp_path_factory, lines, sizes):
    path = tmp_path_factory.mktemp("grown") / "metrics.jsonl"
    data = "".join(lines).encode()
    found = Follower(path)
    with path.open("wb", buffering=0) as file:
        for size in sizes:
            file.write(data[:size])
            data = data[size:]
            found.advance(1)
        file.write(data)
    found.advance(1)
    want = {"loss": [], "acc": []}
    for record in current_records(path):
        for name, expected in want.items():
            number = read_number(record.get(name))
            if number is not None and "step" in record:
                expected.append((float(record["step"]), number if np.isfinite(number) else None))
    for name, expected in want.items():
        got = (
            [(step, None if np.isnan(value) else value) for step, value in pairs(found, name)]
            if name in found.metrics
            else []
        )
        if any("step" not in text and "loss" in text for text in lines) and name == "loss":
            continue  # records without a step have a number of their own
        assert sorted(got, key=str) == sorted(expected, key=str)
