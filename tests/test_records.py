from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlhub.records import PLACE, MetricWriter, decode_lines, fold, read_number, read_records

WORDS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity", "NaN": "NaN"}


def test_what_is_logged_is_read_back(tmp_path: Path) -> None:
    writer = MetricWriter(tmp_path / "m.jsonl")
    writer.log({"loss": 0.5}, step=3, epoch=1)
    records, offset = read_records(tmp_path / "m.jsonl")
    assert {key: records[0][key] for key in ("step", "epoch", "loss")} == {"step": 3, "epoch": 1, "loss": 0.5}
    assert offset == (tmp_path / "m.jsonl").stat().st_size


NUMBERS = st.floats() | st.integers() | st.booleans()
NAMES = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda name: name and name not in PLACE)


@pytest.fixture(scope="module", params=["msgspec", "json"])
def spelling(request: pytest.FixtureRequest) -> Iterator[str]:
    """Records are written with msgspec and, in environments of other people, without it."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "json":
            patch.setitem(sys.modules, "msgspec.json", None)
        yield request.param


@settings(deadline=None)
@given(st.lists(st.tuples(st.dictionaries(NAMES, NUMBERS, max_size=6), st.integers(0, 1 << 70)), max_size=5))
def test_whatever_numbers_are_logged_under_whatever_names_are_read_back(
    spelling: str, logged: list[tuple[dict[str, float], int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.jsonl"
        writer = MetricWriter(path)
        for values, step in logged:
            writer.log(values, step=step, epoch=2)
        writer.close()
        records, _ = read_records(path)
    assert [(record.pop("step"), record.pop("epoch")) for record in records] == [(step, 2) for _, step in logged]
    for record, (values, _) in zip(records, logged, strict=True):
        assert record.pop("time") > 1.7e9
        assert record == {name: WORDS.get(str(value), value) for name, value in values.items()}
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        assert {name: type(record[name]) for name in finite} == {
            name: int if value is True or value is False else type(value) for name, value in finite.items()
        }  # true and false are 1 and 0


@pytest.mark.parametrize(
    "value", [Decimal("0.5"), Fraction(1, 2), IntEnum("Level", {"LOW": 3}).LOW, Decimal("NaN"), True, 1 << 70]
)
def test_numbers_of_other_kinds_are_numbers(spelling: str, tmp_path: Path, value: float) -> None:
    MetricWriter(tmp_path / "m.jsonl").log({"a": value, "b": 1.0}, step=0)
    (record,) = read_records(tmp_path / "m.jsonl")[0]
    assert (read_number(record["a"]) == value) or record["a"] == WORDS.get(str(value), value)


def test_a_name_that_is_no_unicode_costs_no_record(spelling: str, tmp_path: Path) -> None:
    MetricWriter(tmp_path / "m.jsonl").log({"loss/\udcff": 0.5, "b": math.nan}, step=0)
    (record,) = read_records(tmp_path / "m.jsonl")[0]
    assert (record["loss/?"], record["b"]) == (0.5, "NaN")


def test_what_is_no_number_is_an_error_of_the_caller(spelling: str, tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        MetricWriter(tmp_path / "m.jsonl").log({"a": object()}, step=0)
    assert read_records(tmp_path / "m.jsonl")[0] == []


def test_both_spellings_say_the_same_of_places_and_names(tmp_path: Path, spelling: str) -> None:
    writer, names = MetricWriter(tmp_path / "m"), ("100%s", 'a"b\\', "ü", "%(x)d", "\n")
    for step, epoch in ((1, None), (2, 3), (4, 1.5), (5.5, 2), (6, True)):
        writer.log(dict.fromkeys(names, 0.1), step=step, epoch=epoch)  # type: ignore[arg-type]
        writer.log({"epoch": 7.0, "a": 0.1}, step=step, epoch=epoch)  # type: ignore[arg-type]
    for number in range(200):  # more sets of names than are kept
        writer.log({f"n{number}": 0.5}, step=number, epoch=number)
    found, _ = read_records(tmp_path / "m")
    assert [(one.pop("step"), one.pop("epoch", None)) for one in found[:10:2]] == [
        (1, None), (2, 3), (4, 1.5), (5.5, 2), (6, True),
    ]  # fmt: skip
    assert [one["epoch"] for one in found[1:10:2]] == [7.0] * 5
    assert all({name: one[name] for name in names} == dict.fromkeys(names, 0.1) for one in found[:10:2])
    assert [one[f"n{number}"] for number, one in enumerate(found[10:])] == [0.5] * 200


def test_a_step_left_out_counts_on(tmp_path: Path) -> None:
    writer = MetricWriter(tmp_path / "m.jsonl")
    for step in (None, 7, None):
        writer.log({"a": 1.0}, step=step)
    assert [record["step"] for record in read_records(tmp_path / "m.jsonl")[0]] == [0, 7, 8]


def test_steps_left_out_count_on_from_whole_numbers_alone(spelling: str, tmp_path: Path) -> None:
    writer = MetricWriter(tmp_path / "m.jsonl")
    for step in (4, math.nan, None, 7.5, None, math.inf, None):
        writer.log({"a": 1.0}, step=step)  # type: ignore[arg-type]
    lines = [json.loads(line) for line in (tmp_path / "m.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, "NaN", 5, 7.5, 8, "Infinity", 9]


def test_a_whole_number_beyond_every_float_is_refused(spelling: str, tmp_path: Path) -> None:
    writer = MetricWriter(tmp_path / "m.jsonl")
    with pytest.raises(TypeError, match="'a': int is no number"):
        writer.log({"a": 10**400})
    writer.log({"a": 2**70})
    assert [record["a"] for record in read_records(tmp_path / "m.jsonl")[0]] == [2.0**70]


def test_a_step_of_numpy_is_a_whole_number_and_so_are_those_that_follow(spelling: str, tmp_path: Path) -> None:
    import numpy as np

    writer = MetricWriter(tmp_path / "m.jsonl")
    for step, epoch in ((np.int64(5), np.int32(1)), (None, None), (np.uint8(255), None), (None, None)):
        writer.log({"a": 1.0}, step=step, epoch=epoch)
    writer.log({"a": math.nan}, step=np.int64(300))
    writer.log({"a": 1.0}, step=np.float32(7.5))
    found = read_records(tmp_path / "m.jsonl")[0]
    places = [part for record in found for part in (record["step"], record.get("epoch"))]
    assert places == [5, 1, 6, None, 255, None, 256, None, 300, None, 7.5, None]
    assert {type(place) for place in places[:-2]} == {int, type(None)}


def test_every_line_is_strict_json_also_with_numbers_json_has_no_word_for(tmp_path: Path) -> None:
    writer = MetricWriter(tmp_path / "m.jsonl")
    writer.log({"a": math.nan, "b": math.inf, "c": -math.inf, "d": 1.0}, step=0)

    def refuse(word: str) -> float:
        raise AssertionError(word)

    record = json.loads((tmp_path / "m.jsonl").read_text(), parse_constant=refuse)
    assert [record[name] for name in "abcd"] == ["NaN", "Infinity", "-Infinity", 1.0]


def test_anything_float_takes_can_be_logged(tmp_path: Path) -> None:
    import numpy as np

    writer = MetricWriter(tmp_path / "m.jsonl")
    writer.log({"a": np.float32(0.5), "b": np.array(2.0), "c": np.float32("nan")}, step=0)
    record = read_records(tmp_path / "m.jsonl")[0][0]
    assert [record[name] for name in "abc"] == [0.5, 2.0, "NaN"]


def test_a_half_written_line_waits_for_its_rest(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(b'{"step":1}\n{"step":')
    records, offset = read_records(path)
    assert (records, offset) == ([{"step": 1}], 11)
    with path.open("ab") as file:
        file.write(b"2}\n")
    assert read_records(path, offset)[0] == [{"step": 2}]


def test_a_torn_line_swallows_no_record_of_the_next_writer(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(b'{"step":1}\n{"st')
    MetricWriter(path).log({"a": 1.0}, step=2)
    assert [record["step"] for record in read_records(path)[0]] == [1, 2]


def test_garbage_between_records_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(b'\x00\xff\n[1]\n"x"\n' + b"[" * 100_000 + b'\n{"step":5}\n')
    assert read_records(path)[0] == [{"step": 5}]


ODD = [
    '{"a":NaN}',
    '{"a":1e400}',
    '{"a":-0}',
    '{"a":1}{"a":2}',
    '{"a":\n1}',
    ' {"a":1}\r',
    '{"a":"\\ud800"}',
    '{"a":1,"a":2}',
]


@given(st.lists(st.dictionaries(NAMES, NUMBERS).map(json.dumps) | st.sampled_from([*ODD, "[1]", ""]), max_size=5))
def test_lines_are_read_alike_with_and_without_msgspec(lines: list[str]) -> None:
    data = "\n".join(lines).encode() + b"\n"
    with pytest.MonkeyPatch.context() as patch:
        fast = list(decode_lines(data))
        patch.setitem(sys.modules, "msgspec.json", None)
        assert repr(fast) == repr(list(decode_lines(data)))


def test_a_missing_file_has_no_records(tmp_path: Path) -> None:
    assert read_records(tmp_path / "none.jsonl") == ([], 0)


def test_reading_in_small_parts_gives_every_record_once(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    writer = MetricWriter(path)
    for step in range(100):
        writer.log({"a": step / 3}, step=step)
    steps, offset = [], 0
    while part := read_records(path, offset, limit=100)[0]:
        offset = read_records(path, offset, limit=100)[1]
        steps += [record["step"] for record in part]
    assert steps == list(range(100))


def test_killing_the_writer_loses_no_record(tmp_path: Path) -> None:
    script = (
        "import mlhub, os, signal, sys\n"
        "for step in range(1000): mlhub.log({'a': 1.0}, step=step)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | {"MLHUB_RUN_DIR": str(tmp_path)}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert [record["step"] for record in read_records(tmp_path / "metrics.jsonl")[0]] == list(range(1000))


def test_outside_a_run_log_does_nothing(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLHUB_")}
    subprocess.run(
        [sys.executable, "-c", "import mlhub; mlhub.log({'a': 1}, step=1)"], cwd=tmp_path, env=environment, check=True
    )
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_never_reaches_the_training() -> None:
    writer = MetricWriter("/dev/full")
    writer.log({"a": 1.0}, step=1)
    writer.close()


def test_the_summary_keeps_last_min_max_and_step() -> None:
    records = [{"step": s, "a": v} for s, v in enumerate([2.0, 0.5, 1.0])]
    assert fold({}, records) == {"a": {"last": 1.0, "min": 0.5, "max": 2.0, "step": 2}}


def test_a_nan_is_last_but_neither_min_nor_max() -> None:
    summary = fold({}, [{"step": 0, "a": 1.0}, {"step": 1, "a": "NaN"}])
    assert summary["a"] == {"last": "NaN", "min": 1.0, "max": 1.0, "step": 1}


@given(st.lists(st.floats(allow_nan=False) | st.sampled_from(["NaN", "Infinity"]), max_size=20), st.integers(0, 20))
def test_folding_in_two_parts_is_folding_at_once(values: list[float | str], cut: int) -> None:
    records: list[dict[str, object]] = [{"step": step, "a": value} for step, value in enumerate(values)]
    assert fold(fold({}, records[:cut]), records[cut:]) == fold({}, records)


@pytest.mark.parametrize("value", [None, True, "text", [1], {"a": 1}])
def test_what_is_no_number_is_none(value: object) -> None:
    assert read_number(value) is None
