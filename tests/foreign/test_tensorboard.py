from __future__ import annotations

import math
import os
import struct
from itertools import pairwise

import google_crc32c
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlhub.foreign.events import CorruptError, event_class, read_part
from mlhub.foreign.tensorboard import read, read_records
from tests.foreign.collect import find_all, read_one


def event_file(folder):
    [file] = [path for path in folder.iterdir() if "tfevents" in path.name]
    return file


def frame(data: bytes) -> bytes:
    """A record as record_writer.h frames it."""

    def masked(part: bytes) -> bytes:
        crc = google_crc32c.value(part)
        return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)

    head = struct.pack("<Q", len(data))
    return head + masked(head) + data + masked(data)


def scalars(*values: tuple[int, bytes, float], time: float = 1.7e9) -> bytes:
    """Events, each of one scalar."""
    found = b""
    for step, tag, number in values:
        event = event_class()(wall_time=time + step, step=step)
        event.summary.value.add(tag=tag, simple_value=number)
        found += frame(event.SerializeToString())
    return found


def write(folder, data: bytes, name="events.out.tfevents.1700000000.box.1.0"):
    folder.mkdir(exist_ok=True)
    start = event_class()(wall_time=1.7e9).SerializeToString()
    (folder / name).write_bytes(frame(start + b"\x1a\x0dbrain.Event:2") + data)
    return folder / name


def test_scalars_of_each_style_are_read_as_written(tmp_path, summary_writer):
    writer = summary_writer(tmp_path)
    for step in range(3):
        writer.add_scalar("loss", 1 / (step + 1), step)
        writer.add_scalar("tensor", step, step, new_style=True)
        writer.add_scalar("double", step / 3, step, new_style=True, double_precision=True)
    writer.flush()
    records, _ = read(event_file(tmp_path))
    assert [record["step"] for record in records] == [0, 1, 2]
    assert [record["double"] for record in records] == [0, 1 / 3, 2 / 3]
    assert [record["tensor"] for record in records] == [0, 1, 2]
    assert records[1]["loss"] == 0.5
    assert all(earlier["time"] <= later["time"] for earlier, later in pairwise(records))


def test_tensorboards_own_reader_sees_the_same(tmp_path, summary_writer):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    writer = summary_writer(tmp_path)
    for step in range(50):
        writer.add_scalar("loss", math.sin(step), step)
    writer.flush()
    theirs = EventAccumulator(str(tmp_path)).Reload().Scalars("loss")
    ours = read(event_file(tmp_path))[0]
    assert [(r["step"], r["time"], r["loss"]) for r in ours] == [(t.step, t.wall_time, t.value) for t in theirs]


def test_a_growing_file_is_read_on_from_where_it_ended(tmp_path, summary_writer):
    writer = summary_writer(tmp_path)
    writer.add_scalar("loss", 1, 0)
    writer.flush()
    first, offset = read(event_file(tmp_path))
    assert read(event_file(tmp_path), offset) == ([], offset)
    writer.add_scalar("loss", 2, 1)
    writer.flush()
    second, _ = read(event_file(tmp_path), offset)
    assert [record["loss"] for record in first + second] == [1, 2]


def test_a_half_written_record_is_left_for_later(tmp_path):
    whole = scalars((0, b"loss", 1.0), (1, b"loss", 2.0))
    for cut in range(1, len(scalars((1, b"loss", 2.0)))):
        file = write(tmp_path / "run", whole[:-cut])
        records, offset = read(file)
        assert [record["step"] for record in records] == [0]
        write(tmp_path / "run", whole)
        assert [record["step"] for record in read(file, offset)[0]] == [1]


def test_a_damaged_record_is_passed_over(tmp_path):
    data = bytearray(scalars((0, b"a", 1.0), (1, b"a", 2.0), (2, b"a", 3.0)))
    data[len(data) // 3 + 15] ^= 1
    file = write(tmp_path, bytes(data))
    assert [record["step"] for record in read(file)[0]] == [0, 2]
    assert read_part(file, 0).damaged == 1


def test_behind_a_damaged_length_nothing_is_guessed(tmp_path):
    good, bad = scalars((0, b"a", 1.0)), bytearray(scalars((1, b"a", 2.0), (2, b"a", 3.0)))
    bad[0] ^= 1
    file = write(tmp_path, good + bytes(bad))
    records, offset = read(file)
    assert [record["step"] for record in records] == [0]
    with pytest.raises(CorruptError, match=f"byte {offset}"):
        read(file, offset)
    _, collected = read_one(tmp_path)
    assert collected.values("a") == [1.0]
    assert f"damaged at byte {offset}" in collected.told[0]


def test_what_add_scalars_and_add_hparams_write_below_belongs_to_the_run(tmp_path, summary_writer):
    writer = summary_writer(tmp_path / "run")
    writer.add_scalar("loss", 1, 0)
    writer.add_scalars("multi/part", {"x": 1.0, "y": 2.0}, 3)
    writer.add_hparams({"lr": 0.1, "batch": 32, "optimizer": "adam"}, {"hparam/acc": 0.5})
    writer.close()
    facts, collected = read_one(tmp_path)
    assert facts.config == {"lr": 0.1, "batch": 32, "optimizer": "adam"}
    assert {"loss", "multi/part/x", "multi/part/y", "hparam/acc"} <= {name for r in collected.metrics for name in r}
    assert collected.values("multi/part/y") == [2.0]


def test_a_run_in_a_folder_of_another_is_a_run_of_its_own(tmp_path, summary_writer):
    summary_writer(tmp_path).add_scalar("loss", 1, 0)
    summary_writer(tmp_path / "second").add_scalar("loss", 1, 0)
    summary_writer(tmp_path).flush()
    assert len(find_all(tmp_path)[0]) == 2


def test_a_purge_supersedes_later_steps(tmp_path, summary_writer):
    first = summary_writer(tmp_path)
    for step in range(5):
        first.add_scalar("loss", step, step)
    first.close()
    second = summary_writer(tmp_path, purge_step=3)
    second.add_scalar("loss", 9, 3)
    second.close()
    _, collected = read_one(tmp_path)
    assert [step for step, _ in collected.marks] == [2]
    assert collected.values("loss") == [0, 1, 2, 3, 4, 9]


def test_names_and_numbers_that_are_no_plain_ones(tmp_path):
    write(
        tmp_path, scalars((0, b"step", 1.0), (0, b"\xff\x00", math.nan), (0, b"x" * 10_000, -math.inf), (0, b"", 2.0))
    )
    [record] = read(event_file(tmp_path))[0]
    assert record["step"] == 0
    assert record["metric/step"] == 1
    assert math.isnan(record["\ufffd\x00"])
    assert record["x" * 10_000] == -math.inf
    assert record["(no name)"] == 2


def test_lightnings_epoch_is_the_records_place(tmp_path):
    write(tmp_path, scalars((7, b"loss", 1.0), (7, b"epoch", 2.0)))
    [record] = read(event_file(tmp_path))[0]
    assert (record["step"], record["epoch"]) == (7, 2)
    assert isinstance(record["epoch"], int)


def test_a_pipe_that_is_called_like_one_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "events.out.tfevents.1")
    with pytest.raises(OSError, match="not a regular file"):
        read(tmp_path / "events.out.tfevents.1")
    sources, told = find_all(tmp_path)
    assert not sources
    assert "no regular file" in told[0]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.booleans())
def test_garbage_gives_nothing_worse_than_corrupt(tmp_path, data, framed):
    file = write(tmp_path, frame(data) if framed else data)
    records, offset = read(file)
    try:
        while (after := read(file, offset))[1] != offset:
            offset = after[1]
    except CorruptError:
        pass
    assert all(isinstance(record.get("step"), int) for record in records)
    list(read_records([data]))


def test_lightnings_placeholder_is_no_metric_and_a_measured_one_is(tmp_path):
    write(tmp_path, scalars((0, b"hp_metric", -1.0), (1, b"loss", 2.0), (2, b"hp_metric", 0.5)))
    _, collected = read_one(tmp_path)
    assert [(record["step"], *sorted(record.keys() - {"step", "time"})) for record in collected.metrics] == [
        (1, "loss"), (2, "hp_metric"),
    ]  # fmt: skip
