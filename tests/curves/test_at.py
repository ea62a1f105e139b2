"""Values at a place of a run: the search by bytes gives what reading every record gives."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlhub.curves import at
from mlhub.curves.at import at_best, at_epoch, at_step
from mlhub.records import current_records, fold, read_number

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, records: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records))
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """5,000 steps of 10 an epoch: a loss each, accuracy at an epoch's end, a learning rate at the first step alone."""
    records: list[dict[str, object]] = [{"step": 0, "epoch": 0, "time": 1.0, "lr": 0.1}]
    for step in range(5000):
        records.append({"step": step, "epoch": step // 10, "time": 1.0 + step, "loss": 1.0 / (step + 1)})
        if step % 10 == 9:
            records.append({"step": step, "epoch": step // 10, "time": 1.0 + step, "acc": 1 - abs(step - 3009) / 5000})
    return write(tmp_path / "metrics.jsonl", records)


@pytest.fixture(params=["search", "whole"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways: by bytes, in steps so small that every branch is taken; and record by record."""
    monkeypatch.setattr(at, "_SHORT", 100 if request.param == "search" else 1 << 40)
    for name in ("_LOOK", "_PROBE"):
        monkeypatch.setattr(at, name, 1 << 9)
    monkeypatch.setattr(at, "_NEAR", 1 << 11)
    return str(request.param)


NAMES = ["loss", "acc", "lr", "none"]


def test_at_a_step_each_metric_has_its_newest_value_up_to_there(run: Path, way: str) -> None:
    found = at_step(run, NAMES, 1234)
    assert found.values == {"loss": 1 / 1235, "acc": 1 - (3009 - 1229) / 5000, "lr": 0.1}
    assert (found.step, found.epoch) == (1234, 123)


def test_at_an_epoch_counts_what_was_logged_at_its_end(run: Path, way: str) -> None:
    found = at_epoch(run, NAMES, 3)
    assert found.values == {"loss": 1 / 40, "acc": 1 - (3009 - 39) / 5000, "lr": 0.1}
    assert found.epoch == 3


@pytest.mark.parametrize("known", [1.0, None, 0.123])
def test_where_a_metric_was_best_the_others_have_the_values_of_that_step(run: Path, way: str, known: object) -> None:
    assert at_best(run, NAMES, "acc", "max", known) == ({"loss": 1 / 3010, "acc": 1.0, "lr": 0.1}, 3009, 300)


def test_beyond_the_end_the_newest_values_hold_and_the_place_says_where_they_are_from(run: Path, way: str) -> None:
    assert at_step(run, ["loss"], 10**9) == ({"loss": 1 / 5000}, 4999, 499)


def test_before_the_first_record_there_is_nothing(run: Path, way: str) -> None:
    assert at_step(run, NAMES, -1) == ({}, None, None)


def test_of_records_without_an_epoch_no_epoch_is_known(tmp_path: Path, way: str) -> None:
    path = write(tmp_path / "metrics.jsonl", [{"step": step, "loss": 1.0} for step in range(300)])
    assert at_epoch(path, ["loss"], 3) == ({}, None, None)


def test_a_missing_file_has_no_values(tmp_path: Path) -> None:
    assert at_step(tmp_path / "none.jsonl", NAMES, 5) == ({}, None, None)
    assert at_best(tmp_path / "none.jsonl", NAMES, "acc", "max", 1.0) == ({}, None, None)


def test_what_a_later_attempt_superseded_does_not_count(tmp_path: Path, way: str) -> None:
    first = [{"step": step, "loss": step} for step in range(400)]
    second = [{"step": step, "loss": -step} for step in range(201, 300)]
    mark = {"step": 200, "attempt": 2, "time": 1.5}
    path = write(tmp_path / "metrics.jsonl", [*first, mark, *second])
    assert at_step(path, ["loss"], 250).values == {"loss": -250}
    assert at_step(path, ["loss"], 150).values == {"loss": 150}
    assert at_step(path, ["loss"], 350) == ({"loss": -299}, 299, None)
    assert at_best(path, ["loss"], "loss", "max", 200).step == 200
    assert at_best(path, ["loss"], "loss", "max", 399).step == 200


def test_a_torn_line_and_garbage_are_passed_over(run: Path, way: str) -> None:
    with run.open("ab") as file:
        file.write(b'\xff\xfe garbage\n[1,2]\n{"step":5000,"loss":NaN}\n{"step":5001,"loss"')
    found = at_step(run, ["loss"], 10**9)
    assert found.step == 5000
    assert math.isnan(found.values["loss"])


def test_a_name_within_a_value_or_another_name_is_not_taken_for_it(tmp_path: Path, way: str) -> None:
    fill = [{"step": step, "note": 'x"acc":7', "acc2": 1.0} for step in range(1, 500)]
    path = write(tmp_path / "metrics.jsonl", [{"step": 0, "acc": 0.5}, *fill])
    assert at_step(path, ["acc", "acc2"], 400).values == {"acc": 0.5, "acc2": 1.0}


def test_an_old_record_found_for_one_metric_gives_no_old_value_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at, "_SHORT", 100)
    monkeypatch.setattr(at, "_NEAR", 1 << 9)
    monkeypatch.setattr(at, "_PROBE", 1 << 8)
    records: list[dict[str, object]] = [{"step": 0, "rare": 1.0, "some": 1.0}, {"step": 1, "some": 2.0}]
    records += [{"step": step, "loss": 1.0} for step in range(2, 500)]
    path = write(tmp_path / "metrics.jsonl", records)
    assert at_step(path, ["rare", "some", "loss"], 450).values == {"rare": 1.0, "some": 2.0, "loss": 1.0}


STEPS = st.lists(st.integers(0, 40), min_size=1, max_size=60)


@given(STEPS, st.booleans(), st.lists(st.sampled_from(["a", "b", "c"]), min_size=60, max_size=60), st.integers(-1, 45))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_any_file_gives_what_its_records_say(
    tmp_path: Path, way: str, steps: list[int], rising: bool, names: list[str], step: int
) -> None:
    """Steps that go back are no reason for another value: the greatest step counts, of several records the newest."""
    steps = sorted(steps) if rising else steps
    path = write(
        tmp_path / "metrics.jsonl",
        [{"step": at, names[index]: index, "fill": "x" * 20} for index, at in enumerate(steps)],
    )
    expected: dict[str, tuple[float, float]] = {}
    for record in current_records(path):
        place = read_number(record["step"]) or 0.0
        for name in record.keys() & {"a", "b", "c"}:
            if place <= step and place >= expected.get(name, (-1.0, 0.0))[0]:
                expected[name] = (place, float(str(record[name])))
    assert at_step(path, ["a", "b", "c"], step).values == {name: value for name, (_, value) in expected.items()}


def test_the_summary_of_a_file_finds_its_best_without_reading_every_record(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = fold({}, current_records(run))
    monkeypatch.setattr(at, "_SHORT", 100)
    monkeypatch.setattr(at, "current_records", None)  # would be called if every record were read
    assert at_best(run, NAMES, "acc", "max", summary["acc"]["max"]).step == 3009
