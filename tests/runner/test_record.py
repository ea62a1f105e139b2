from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlhub.paths import AttemptPaths, RunPaths
from mlhub.runner import record

ENDED = {"status": "failed", "exit_code": 3, "reason": "exit code 3"}


def write_slot(folder: Path, tree: dict[str, Any]) -> Path:
    slot = record.reserve_slot(str(folder))
    record.fill_slot(slot, tree)
    os.close(slot)
    return folder / record.SLOT


@pytest.mark.parametrize("name", ["lock", "slot", "exit", "process", "launch", "stop"])
def test_names_are_those_of_the_paths(name: str) -> None:
    path: Path = getattr(AttemptPaths(Path("/runs/1/attempts/1")), name)
    assert path.name == getattr(record, name.upper())


def test_name_of_the_outcome_is_that_of_the_paths() -> None:
    assert RunPaths(Path("/runs/1")).outcome.name == record.OUTCOME


def test_slot_gives_back_what_was_written(tmp_path: Path) -> None:
    assert record.read_slot(str(write_slot(tmp_path, ENDED))) == ENDED


def test_reserved_slot_is_no_record(tmp_path: Path) -> None:
    os.close(record.reserve_slot(str(tmp_path)))
    assert record.read_exit(str(tmp_path)) is None


def test_slot_takes_no_more_room_when_it_is_filled(tmp_path: Path) -> None:
    assert write_slot(tmp_path, {**ENDED, "reason": "x" * 3000}).stat().st_size == record.SLOT_SIZE


def test_too_long_record_keeps_the_code_and_drops_the_list(tmp_path: Path) -> None:
    slot = write_slot(tmp_path, {**ENDED, "left_behind": ["x" * 100] * 100})
    assert record.read_slot(str(slot)) == ENDED


@settings(max_examples=50)
@given(position=st.integers(0, 60), byte=st.integers(0, 255))
def test_slot_with_one_byte_changed_is_rejected(
    position: int, byte: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    slot = write_slot(tmp_path_factory.mktemp("slot"), ENDED)
    data = bytearray(slot.read_bytes())
    changed = data[position] != byte
    data[position] = byte
    slot.write_bytes(data)
    assert (record.read_slot(str(slot)) is None) == changed


@pytest.mark.parametrize("length", [0, 1, 30, 100, 4095])
def test_slot_cut_short_is_rejected(tmp_path: Path, length: int) -> None:
    slot = write_slot(tmp_path, ENDED)
    os.truncate(slot, length)
    assert record.read_slot(str(slot)) is None


def test_torn_slot_leaves_the_readable_copy(tmp_path: Path) -> None:
    write_slot(tmp_path, ENDED).write_bytes(b"torn")
    record.write_json(str(tmp_path / record.EXIT), ENDED)
    assert record.read_exit(str(tmp_path)) == ENDED


HOSTILE = [b"", b"{", b"null", b"[1]", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000, b'{"a":' + b"9" * 10_000 + b"}"]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_garbage_is_no_json(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    assert record.read_json(str(tmp_path / "file")) is None


def test_huge_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.write(b"{}")
        file.truncate(1 << 40)
    assert record.read_json(str(tmp_path / "file")) is None


def test_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("{}")
    (tmp_path / "link").symlink_to("real")
    assert record.read_json(str(tmp_path / "link")) is None


def test_pipe_does_not_block_a_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert record.read_json(str(tmp_path / "pipe")) is None


def test_folder_is_no_json(tmp_path: Path) -> None:
    assert record.read_json(str(tmp_path)) is None


@pytest.mark.parametrize("value", [None, True, "7", 1e400, 1 << 70, [1], {}])
def test_field_of_another_type_is_missing(value: object) -> None:
    tree = {"key": value}
    assert record.whole(tree, "key") is None


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        record.write_json(str(tmp_path / "file"), {})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_exclusive_write_does_not_replace(tmp_path: Path) -> None:
    record.write_json(str(tmp_path / "file"), {"a": 1}, exclusive=True)
    with pytest.raises(FileExistsError):
        record.write_json(str(tmp_path / "file"), {"a": 2}, exclusive=True)
    assert record.read_json(str(tmp_path / "file")) == {"a": 1}
    assert len(list(tmp_path.iterdir())) == 1


def test_older_attempt_is_not_mirrored(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / "attempts" / str(number)).mkdir(parents=True)
    record.write_json(str(tmp_path / "attempts" / "2" / record.LAUNCH), {})
    record.write_copies(str(tmp_path / "attempts" / "1"), record.EXIT, ENDED)
    assert not (tmp_path / "exit.json").exists()


def test_stop_request_is_read_back(tmp_path: Path) -> None:
    record.write_stop(str(tmp_path), "alice", 5)
    request = record.read_stop(str(tmp_path))
    assert request is not None
    assert (request.who, request.grace) == ("alice", 5)


@pytest.mark.parametrize(("grace", "who"), [(60, "alice"), (1, "bob")])
def test_later_stop_request_counts_only_if_its_grace_is_shorter(tmp_path: Path, grace: float, who: str) -> None:
    record.write_stop(str(tmp_path), "alice", 5)
    record.write_stop(str(tmp_path), "bob", grace)
    request = record.read_stop(str(tmp_path))
    assert request is not None
    assert request.who == who


@pytest.mark.parametrize(("first", "second", "kept"), [("loss is NaN", "", "loss is NaN"), ("", "loss is NaN", "")])
def test_first_stop_request_decides_whether_it_is_a_failure(tmp_path: Path, first: str, second: str, kept: str) -> None:
    record.write_stop(str(tmp_path), "alice", 5, first)
    record.write_stop(str(tmp_path), "bob", 1, second)
    request = record.read_stop(str(tmp_path))
    assert request is not None
    assert (request.grace, request.why) == (1, kept)


def test_empty_stop_request_still_says_that_somebody_asked(tmp_path: Path) -> None:
    (tmp_path / record.STOP).touch()
    assert record.read_stop(str(tmp_path)) == record.StopRequest("", None, "")


def test_no_stop_request_is_none(tmp_path: Path) -> None:
    assert record.read_stop(str(tmp_path)) is None


def test_time_is_utc_with_milliseconds() -> None:
    assert record.timestamp(1763848800.125) == "2025-11-22T22:00:00.125Z"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.timestamp())
