"""Several attempts in one file: who writes the mark, and what every reader leaves out."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mlhub
from mlhub.records import Mark, MetricWriter, current_records, find_marks, fold, read_records, summarise

if TYPE_CHECKING:
    from pathlib import Path

Record = dict[str, object]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run's folder in its second attempt; the first left steps 1 to 9."""
    monkeypatch.setenv("MLHUB_RUN_DIR", str(tmp_path))
    monkeypatch.setenv("MLHUB_ATTEMPT", "1")
    write(tmp_path, *range(1, 10))
    monkeypatch.setenv("MLHUB_ATTEMPT", "2")
    (tmp_path / "attempts" / "2").mkdir(parents=True)
    return tmp_path


def write(run: Path, *steps: int) -> None:
    writer = MetricWriter(run / "metrics.jsonl")
    for step in steps:
        writer.log({"a": float(step)}, step=step)
    writer.close()


def marks(run: Path) -> list[tuple[int, int]]:
    return [(mark.step, mark.attempt) for mark in find_marks(run / "metrics.jsonl")[0]]


def steps(path: Path) -> list[object]:
    return [record["step"] for record in current_records(path)]


def test_a_second_attempt_begins_with_a_mark_a_step_before_its_first(run: Path) -> None:
    write(run, 6, 7)
    lines = (run / "metrics.jsonl").read_bytes().splitlines()
    assert json.loads(lines[9]) == {"step": 5, "attempt": 2, "time": json.loads(lines[9])["time"]}
    assert marks(run) == [(5, 2)]


def test_what_an_earlier_attempt_recorded_beyond_the_mark_is_left_out(run: Path) -> None:
    write(run, 6, 7)
    assert steps(run / "metrics.jsonl") == [1, 2, 3, 4, 5, 6, 7]


def test_the_step_continued_from_can_be_said(run: Path) -> None:
    writer = MetricWriter(run / "metrics.jsonl")
    writer.resume(4)
    writer.log({"a": 1.0}, step=10)
    assert marks(run) == [(4, 2)]
    assert steps(run / "metrics.jsonl") == [1, 2, 3, 4, 10]


def test_after_resume_a_step_left_out_counts_on(run: Path) -> None:
    writer = MetricWriter(run / "metrics.jsonl")
    writer.resume(4)
    writer.log({"a": 1.0})
    assert steps(run / "metrics.jsonl") == [1, 2, 3, 4, 5]


def test_beginning_again_supersedes_everything(run: Path) -> None:
    write(run, 0, 1)
    assert steps(run / "metrics.jsonl") == [0, 1]


def test_a_first_attempt_has_no_mark(run: Path) -> None:
    assert marks(run) == []


@pytest.mark.parametrize("attempt", ["", "0", "x", "-2", "2.0", "²", "9" * 50])
def test_an_attempt_that_is_no_number_has_none(run: Path, monkeypatch: pytest.MonkeyPatch, attempt: str) -> None:
    monkeypatch.setenv("MLHUB_ATTEMPT", attempt)
    write(run, 6)
    assert b"attempt" not in (run / "metrics.jsonl").read_bytes()


def test_a_file_that_is_not_the_runs_own_has_no_mark(run: Path) -> None:
    writer = MetricWriter(run / "other.jsonl")
    writer.log({"a": 1.0}, step=1)
    assert b"attempt" not in (run / "other.jsonl").read_bytes()


def test_several_processes_of_an_attempt_write_one_mark_before_all_else(run: Path) -> None:
    script = "import mlhub\nfor step in range(5, 25): mlhub.log({'b': 1.0}, step=step)"
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(6)]
    assert [process.wait(60) for process in processes] == [0] * 6
    assert marks(run) == [(4, 2)]
    assert len([record for record in current_records(run / "metrics.jsonl") if "b" in record]) == 120


def test_a_writer_that_opens_the_file_again_writes_no_second_mark(run: Path) -> None:
    write(run, 6)
    write(run, 3)
    assert (run / "metrics.jsonl").read_bytes().count(b"attempt") == 1


def test_without_the_attempts_folder_the_mark_is_written_all_the_same(run: Path) -> None:
    (run / "attempts" / "2").rmdir()
    write(run, 6)
    write(run, 3)
    assert marks(run) == [(5, 2)]


def test_a_mark_for_which_there_is_no_room_keeps_records_back_until_there_is(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    writer = MetricWriter(run / "metrics.jsonl")
    with monkeypatch.context() as patch:
        patch.setattr("mlhub.records.os.write", full)
        writer.log({"a": 1.0}, step=6)
    writer.log({"a": 1.0}, step=7)
    assert marks(run) == [(5, 2)]
    assert steps(run / "metrics.jsonl") == [1, 2, 3, 4, 5, 7]


def test_a_torn_line_of_the_first_attempt_spoils_no_mark(run: Path) -> None:
    with (run / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step":10,"a"')
    write(run, 6)
    assert steps(run / "metrics.jsonl") == [1, 2, 3, 4, 5, 6]


def test_a_first_record_without_a_place_supersedes_nothing(run: Path) -> None:
    writer = MetricWriter(run / "metrics.jsonl")
    writer.log({"a": 1.0}, step=float("nan"))  # type: ignore[arg-type]
    writer.log({"a": 1.0}, step=8)
    assert marks(run) == [(7, 2)]


def test_a_first_record_whose_place_is_a_text_is_refused_and_supersedes_nothing(run: Path) -> None:
    writer = MetricWriter(run / "metrics.jsonl")
    with pytest.raises(TypeError, match="'step': the text 'text' is no number"):
        writer.log({"a": 1.0}, step="text")  # type: ignore[arg-type]
    writer.log({"a": 1.0}, step=8)
    assert marks(run) == [(7, 2)]


def test_a_value_whose_place_is_a_text_is_kept_at_the_next_step(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mlhub, "_writer", None)
    mlhub.log({"a": 1.0}, step=6)
    mlhub.log({"a": 2.0}, step="text")  # type: ignore[arg-type]
    assert steps(run / "metrics.jsonl") == [1, 2, 3, 4, 5, 6, 7]
    assert "not recorded: log: 'step': the text 'text' is no number" in capsys.readouterr().err


def test_numpys_steps_are_steps(run: Path) -> None:
    import numpy as np

    write(run, np.int64(6))  # type: ignore[arg-type]
    assert marks(run) == [(5, 2)]
    assert steps(run / "metrics.jsonl") == [1, 2, 3, 4, 5, 6]


def test_the_one_call_api_says_it_too(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlhub, "_writer", None)
    mlhub.resume(2)
    mlhub.log({"a": 1.0}, step=10)
    assert steps(run / "metrics.jsonl") == [1, 2, 10]


def test_lightnings_logger_says_it_too(run: Path) -> None:
    from mlhub.lightning import MlhubLogger

    logger = MlhubLogger()  # type: ignore[operator]
    logger.resume(2)
    logger.log_metrics({"a": 1.0}, step=10)
    assert steps(run / "metrics.jsonl") == [1, 2, 10]


def put(path: Path, *lines: str) -> None:
    path.write_text("".join(f"{line}\n" for line in lines))


BEFORE = tuple(f'{{"step":{step},"a":{step}.5}}' for step in range(1, 6))


@pytest.mark.parametrize(
    "mark",
    [
        '{"step":0,"attempt":"x","time":1.0}',
        '{"step":0,"attempt":1,"time":1.0}',
        '{"step":0,"attempt":0,"time":1.0}',
        '{"step":0,"attempt":-2,"time":1.0}',
        '{"step":0,"attempt":true,"time":1.0}',
        '{"step":0,"attempt":2.5,"time":1.0}',
        '{"step":1e400,"attempt":2,"time":1.0}',
        '{"step":-2,"attempt":2,"time":1.0}',
        '{"step":false,"attempt":2,"time":1.0}',
        '{"step":null,"attempt":2,"time":1.0}',
        '{"step":0,"attempt":2}',
        '{"step":0,"time":1.0,"attempt":2}',
        '{"step":0,"attempt":2,"time":1.0,"a":1}',
        'x{"step":0,"attempt":2,"time":1.0}',
        "[" * 200 + '{"step":0,"attempt":2,"time":1.0}',
        '{"step":0,"attempt":2,"time":1.0',
        '{"step":' + "9" * 5000 + ',"attempt":2,"time":1.0}',
    ],
)
def test_what_no_writer_writes_is_no_mark(tmp_path: Path, mark: str) -> None:
    put(tmp_path / "m", *BEFORE, mark)
    assert find_marks(tmp_path / "m")[0] == []
    assert [record["a"] for record in current_records(tmp_path / "m") if record.get("a") != 1] == [
        1.5,
        2.5,
        3.5,
        4.5,
        5.5,
    ]


def test_the_attempt_must_rise(tmp_path: Path) -> None:
    put(
        tmp_path / "m",
        *BEFORE,
        '{"step":4,"attempt":3,"time":1.0}',
        '{"step":5,"a":1}',
        '{"step":0,"attempt":3,"time":2.0}',
        '{"step":0,"attempt":2,"time":3.0}',
    )
    assert steps(tmp_path / "m") == [1, 2, 3, 4, 5]


def test_a_mark_that_is_still_being_written_waits(tmp_path: Path) -> None:
    put(tmp_path / "m", *BEFORE)
    with (tmp_path / "m").open("a") as file:
        file.write('{"step":0,"attempt":2,"time":1.0}')
    assert steps(tmp_path / "m") == [1, 2, 3, 4, 5]


def test_a_later_mark_may_go_back_before_an_earlier_one(tmp_path: Path) -> None:
    put(
        tmp_path / "m",
        *BEFORE,
        '{"step":4,"attempt":2,"time":1.0}',
        '{"step":5,"a":1}',
        '{"step":2,"attempt":3,"time":1.0}',
        '{"step":3,"a":1}',
    )
    assert steps(tmp_path / "m") == [1, 2, 3]


def test_a_record_without_a_whole_step_is_kept(tmp_path: Path) -> None:
    kept = ('{"a":1}', '{"step":null,"a":2}', '{"step":7.5,"a":3}', '{"step":"9","a":4}', '{"step":true,"a":5}')
    put(tmp_path / "m", *kept, '{"step":8.0,"a":6}', '{"step":0,"attempt":2,"time":1.0}')
    assert [record["a"] for record in current_records(tmp_path / "m")] == [1, 2, 3, 4, 5]


def test_a_missing_file_has_none(tmp_path: Path) -> None:
    assert list(current_records(tmp_path / "none")) == []
    assert summarise(tmp_path / "none", {}, 0) == ({}, 0)


def test_memory_stays_flat(tmp_path: Path) -> None:
    path = tmp_path / "m"
    with path.open("wb") as file:
        for start in range(0, 400_000, 1000):
            file.write(
                b"".join(b'{"step":%d,"time":1763848800.1,"a":0.5,"b":0.25}\n' % (start + i) for i in range(1000))
            )
    tracemalloc.start()
    count = sum(1 for _ in current_records(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 400_000
    assert peak < 5 * (1 << 24)  # a block of the search twice, a part as objects; the file as objects is 200 MB


STEP = st.integers(0, 12) | st.sampled_from([None, 3.0, 4.5, "x"])
RECORD = st.builds(
    lambda step, a: {"step": step, **a}, STEP, st.dictionaries(st.sampled_from("ab"), st.integers(0, 99))
)
MARK = st.builds(
    lambda step, attempt: {"step": step, "attempt": attempt, "time": 1.5}, st.integers(-2, 12), st.integers(0, 5)
)
LINES = st.lists(st.one_of(RECORD, RECORD, MARK, st.just("garbage")), max_size=25)


def filtered(lines: list[Record | str]) -> list[Record]:
    """What holds, said as plainly as can be."""
    kept: list[Record] = []
    attempt = 1
    for line in lines:
        if isinstance(line, str):
            continue
        if "attempt" not in line:
            kept.append(line)
        elif line["attempt"] > attempt and line["step"] >= -1:  # type: ignore[operator]
            attempt = line["attempt"]  # type: ignore[assignment]
            beyond = line["step"]
            kept = [
                old
                for old in kept
                if not isinstance(old["step"], (int, float)) or old["step"] % 1 or old["step"] <= beyond  # type: ignore[operator]
            ]
    return kept


def encoded(lines: list[Record | str]) -> bytes:
    return b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)


@given(lines=LINES)
def test_what_holds_is_what_no_later_mark_supersedes(
    tmp_path_factory: pytest.TempPathFactory, lines: list[Record | str]
) -> None:
    path = tmp_path_factory.mktemp("m") / "m"
    path.write_bytes(encoded(lines))
    assert list(current_records(path)) == filtered(lines)


@given(
    lines=LINES, cuts=st.lists(st.integers(0, 1500), max_size=6), limit=st.integers(1, 300), part=st.integers(1, 300)
)
def test_a_summary_made_in_any_pieces_is_that_of_the_records_that_hold(
    tmp_path_factory: pytest.TempPathFactory, lines: list[Record | str], cuts: list[int], limit: int, part: int
) -> None:
    """The file grows to each cut in turn; meanwhile it is folded, in parts, once or to the end."""
    path = tmp_path_factory.mktemp("m") / "m"
    data = encoded(lines)
    summary: dict[str, Record] = {}
    offset = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlhub.records._PART", part)
        patch.setattr("mlhub.records._BLOCK", part)
        for cut in (*sorted(cuts), len(data)):
            path.write_bytes(data[:cut])
            summary, offset = summarise(path, summary, offset, limit)
        while (done := summarise(path, summary, offset, limit))[1] != offset:
            summary, offset = done
    assert summary == fold({}, filtered(lines))
    assert offset == len(data)


def test_a_mark_found_where_a_block_ends_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "m", *BEFORE, "y" * 500, '{"step":2,"attempt":2,"time":1.0}')
    for block in range(1, 40):
        monkeypatch.setattr("mlhub.records._BLOCK", block)
        assert find_marks(tmp_path / "m")[0] == [Mark(len("\n".join((*BEFORE, "y" * 500))) + 1, 2, 2)]


def test_read_records_shows_a_file_as_it_is(run: Path) -> None:
    write(run, 6)
    assert len(read_records(run / "metrics.jsonl")[0]) == 11


def test_beginning_again_never_ends_where_the_last_call_ended(tmp_path: Path) -> None:
    """The caller takes an offset that stays as it is for nothing new."""
    put(tmp_path / "m", *BEFORE)
    size = (tmp_path / "m").stat().st_size
    before = summarise(tmp_path / "m", {}, 0)
    put(tmp_path / "m", *BEFORE, '{"step":2,"attempt":2,"time":1.0}')
    summary, offset = summarise(tmp_path / "m", *before, limit=size)
    assert before[1] == size != offset
    assert summary == {"a": {"min": 1.5, "max": 2.5, "last": 2.5, "step": 2}}
