"""Compact metrics: every byte comes back, every reader gives the same answers, and no death loses a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlhub.errors import MlhubError
from mlhub.paths import RunPaths
from mlhub.records import current_records, fold
from mlhub.runner import archive

NUMBERS = st.integers() | st.floats() | st.sampled_from(["NaN", "Infinity", "-Infinity", 0, -0.0, 1 << 63, 10**400])
VALUES = st.recursive(
    NUMBERS | st.none() | st.booleans() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(["step", "epoch", "time", "attempt", "train/loss", "val/map", "", "mlhub:line"]) | st.text()
RECORDS = st.lists(st.dictionaries(KEYS, VALUES, max_size=6), max_size=20)


def text_of(records: list[dict[str, object]]) -> bytes:
    return b"".join(json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records)


def compacted(folder: Path, data: bytes) -> Path:
    path = folder / "metrics.jsonl"
    path.write_bytes(data)
    archive.compact(path)
    assert not path.exists()
    return path


@settings(deadline=None, max_examples=150)
@given(RECORDS)
def test_arbitrary_records_come_back_byte_for_byte(records: list[dict[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = compacted(Path(folder), text_of(records))
        archive.expand(RunPaths(Path(folder)))
        assert path.read_bytes() == text_of(records)
        assert os.listdir(folder) == ["metrics.jsonl"]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.binary() | RECORDS.map(text_of), max_size=8).map(b"\n".join))
def test_arbitrary_bytes_come_back_too(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = compacted(Path(folder), data)
        archive.expand(RunPaths(Path(folder)))
        assert path.read_bytes() == data


STEPS = st.integers(-1, 9) | st.floats(0, 9).map(round) | st.sampled_from([None, "NaN", 2.0, 2.5, True])
LOGGED = st.dictionaries(st.sampled_from(["a", "b"]), NUMBERS, max_size=2)
ENTRIES = st.tuples(STEPS, LOGGED).map(lambda pair: {"step": pair[0], "time": 5.0, **pair[1]})
MARKS = st.tuples(st.integers(-1, 9), st.integers(2, 4)).map(lambda p: {"step": p[0], "attempt": p[1], "time": 5.25})
ATTEMPTS = st.lists(ENTRIES | MARKS, max_size=25)


@settings(deadline=None, max_examples=150)
@given(ATTEMPTS)
def test_readers_give_the_same_answers_of_either_form(records: list[dict[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = RunPaths(Path(folder))
        paths.metrics.write_bytes(text_of(records))
        before = list(current_records(paths.metrics))
        every = [list(archive.records(paths.metrics, superseded=wanted)) for wanted in (False, True)]
        archive.compact(paths.metrics)
        assert repr([list(archive.records(paths.metrics, superseded=wanted)) for wanted in (False, True)]) == repr(
            every
        )
        assert repr(archive.read_summary(paths)) == repr(json.loads(json.dumps(fold({}, before))))


@settings(deadline=None, max_examples=150)
@given(ATTEMPTS)
def test_records_that_hold_are_those_of_every_other_reader(records: list[dict[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metrics.jsonl"
        path.write_bytes(text_of(records))
        ours = [{k: v for k, v in record.items() if k != "attempt"} for record in archive.records(path)]
        theirs = [{k: v for k, v in record.items() if k != "attempt"} for record in current_records(path)]
        assert repr(ours) == repr(theirs)


def test_superseded_records_are_told_by_attempt(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    steps = [{"step": 1, "a": 1}, {"step": 2, "a": 2}, {"step": 1, "attempt": 2, "time": 1.5}, {"step": 2, "a": 3}]
    path.write_bytes(text_of(steps))
    assert [(r["attempt"], r["a"]) for r in archive.records(path, superseded=True)] == [(1, 1), (1, 2), (2, 3)]
    assert [(r["attempt"], r["a"]) for r in archive.records(path)] == [(1, 1), (2, 3)]


def test_other_programs_find_a_column_a_metric(tmp_path: Path) -> None:
    from pyarrow import parquet

    path = compacted(tmp_path, text_of([{"step": 1, "loss": 0.5}, {"step": 2, "loss": "NaN", "map": 3}]))
    table = parquet.read_table(archive.packed(path)).drop_columns(["mlhub:line"])
    assert str(table.to_pydict()) == "{'step': [1, 2], 'loss': [0.5, nan], 'map': [None, 3]}"


def test_many_records_take_a_fraction_of_the_room(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(
        text_of([{"step": n, "epoch": n // 100, "time": 1.7e9 + n, "loss": 1 / (n + 1)} for n in range(20_000)])
    )
    before = path.stat().st_size
    archive.compact(path)
    assert archive.packed(path).stat().st_size < before / 3


def test_a_file_with_a_thousand_and_one_keys_comes_back(tmp_path: Path) -> None:
    data = text_of([{f"key-{n}": n} for n in range(1100)])
    path = compacted(tmp_path, data)
    archive.expand(RunPaths(tmp_path))
    assert path.read_bytes() == data


def test_a_link_and_a_pipe_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text('{"step":1}\n')
    (tmp_path / "metrics.jsonl").symlink_to(tmp_path / "kept")
    os.mkfifo(tmp_path / "system.jsonl")
    for name in ("metrics.jsonl", "system.jsonl"):
        with pytest.raises((MlhubError, OSError)):
            archive.compact(tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == ["kept", "metrics.jsonl", "system.jsonl"]


def test_a_line_longer_than_any_record_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"x" * (17 << 20))
    with pytest.raises(archive.UnsuitableError):
        archive.compact(path)
    assert os.listdir(tmp_path) == ["metrics.jsonl"]


def test_a_compact_file_that_says_something_else_is_not_overwritten(tmp_path: Path) -> None:
    path = compacted(tmp_path, b'{"step":1}\n')
    path.write_bytes(b'{"step":2}\n')
    with pytest.raises(archive.UnsuitableError, match="something else"):
        archive.compact(path)
    assert path.read_bytes() == b'{"step":2}\n'


@pytest.mark.parametrize("data", [b"", b"PAR1", b"garbage" * 100])
def test_a_damaged_compact_file_is_an_error_of_one_line(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "metrics.parquet").write_bytes(data)
    with pytest.raises(MlhubError, match="can't be read"):
        list(archive.records(tmp_path / "metrics.jsonl"))
    with pytest.raises(MlhubError, match="can't be read"):
        archive.expand(RunPaths(tmp_path))
    assert os.listdir(tmp_path) == ["metrics.parquet"]


def test_without_pyarrow_the_extra_is_named_and_the_summary_is_still_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = compacted(tmp_path, b'{"step":1,"loss":0.5}\n')
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert archive.read_summary(RunPaths(tmp_path))["loss"]["last"] == 0.5
    with pytest.raises(MlhubError) as caught:
        list(archive.records(path))
    assert "mlhub[archive]" in caught.value.hint


KILL_AT = """
import os, sys
from pathlib import Path
import pyarrow.parquet
from mlhub.paths import RunPaths
from mlhub.runner import archive
calls = 0
def watch(event, arguments):
    global calls
    if event in ("os.rename", "os.remove", "open", "os.chmod"):
        calls += 1
        if calls == int(sys.argv[3]):
            os.kill(os.getpid(), 9)
sys.addaudithook(watch)
folder = Path(sys.argv[1])
archive.compact(folder / "metrics.jsonl") if sys.argv[2] == "compact" else archive.expand(RunPaths(folder))
"""


@pytest.mark.parametrize("what", ["compact", "expand"])
def test_a_death_at_any_step_leaves_a_whole_file_and_the_next_try_finishes(tmp_path: Path, what: str) -> None:
    data = text_of([{"step": n, "loss": n / 7} for n in range(100)])
    paths = RunPaths(tmp_path)
    for step in range(1, 100):
        for file in tmp_path.iterdir():
            file.unlink()
        paths.metrics.write_bytes(data)
        if what == "expand":
            archive.compact(paths.metrics)
        command = [sys.executable, "-c", KILL_AT, str(tmp_path), what, str(step)]
        died = subprocess.run(command, check=False).returncode == -9
        assert len(list(archive.records(paths.metrics))) == 100
        if what == "compact" and paths.metrics.exists():
            archive.compact(paths.metrics)
        archive.expand(paths)
        assert paths.metrics.read_bytes() == data
        assert not archive.packed(paths.metrics).exists()
        if not died:
            break
    assert step > 4
