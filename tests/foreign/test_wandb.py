from __future__ import annotations

import json
import math
import shutil
import struct
import zlib

import pytest

from mlhub.errors import MlhubError
from mlhub.foreign.wandb_log import read_messages, record_class
from tests.foreign.collect import SAMPLES, find_all, read_one


def sample(run_id: str):
    [path] = (SAMPLES / "wandb").glob(f"*-{run_id}")
    return path


def log(path, *records, version=0):
    """A file of these records, as wandb 0.12 wrote it: LevelDB's log."""
    data = b":W&B" + struct.pack("<HB", 0xBEE1, version)
    for record in records:
        left, first = record, True
        while left or first:
            room = 32768 - len(data) % 32768
            if room < 7:
                data += b"\0" * room
                continue
            part, left = left[: room - 7], left[room - 7 :]
            kind = (1 if not left else 2) if first else (4 if not left else 3)
            data += struct.pack("<IHB", zlib.crc32(part, zlib.crc32(bytes([kind]))), len(part), kind) + part
            first = False
    path.write_bytes(data)
    return path


def run(**fields):
    record = record_class()()
    record.run.run_id = b"abc"
    for name, value in fields.items():
        setattr(record.run, name, value)
    record.run.start_time.seconds = 1_700_000_000
    return record.SerializeToString()


def history(step, **values):
    """A step as older versions wrote it: keys with JSON."""
    record = record_class()()
    for key, value in (values | {"_step": step, "_timestamp": 1.7e9 + step}).items():
        record.history.item.add(key=key.encode(), value_json=json.dumps(value).encode())
    return record.SerializeToString()


def test_a_run_that_ended_well_is_all_there():
    facts, collected = read_one(sample("good0001"))
    assert (facts.name, facts.group, facts.tags) == ("sunny-sample", "seeds", ["paper", "naïve 1"])
    assert facts.note == "two\nlines"
    assert facts.config["model"] == {"depth": 3, "name": "tiny"}
    assert facts.config["late"] is True
    assert "_wandb" not in facts.config
    assert (facts.status, facts.exit_code, facts.host) == ("completed", 0, "sample-host")
    assert facts.command[0].endswith("make.py")
    assert 1 < facts.ended - facts.started < 10
    assert collected.text == "hello from the run\n"


def test_history_is_records_and_media_are_not():
    _, collected = read_one(sample("good0001"))
    steps = [record["step"] for record in collected.metrics]
    assert steps[:21] == [*range(20), 30]
    assert collected.values("train/loss") == pytest.approx([1 / (step + 1) for step in range(20)])
    assert collected.values("val.map")[-1] == 0.95
    assert collected.metrics[15]["epoch"] == 1
    assert math.isnan(collected.values("nan")[0])
    assert collected.values("inf") == [math.inf]
    names = {name for record in collected.metrics for name in record}
    assert not [name for name in names if name.startswith(("image", "text", "_"))]


def test_what_only_the_summary_says_stands_at_the_last_step():
    _, collected = read_one(sample("good0001"))
    assert [record["step"] for record in collected.metrics if "best" in record] == [30]


def test_the_machines_metrics_have_our_names():
    _, collected = read_one(sample("good0001"))
    assert collected.machine
    assert collected.machine[0]["run.memory"] > 1e6


def test_another_exit_code_is_a_failure():
    facts, _ = read_one(sample("bad00001"))
    assert (facts.status, facts.exit_code, facts.reason) == ("failed", 3, "exit code 3")


def test_one_that_was_killed_has_not_completed_whatever_wandb_says():
    facts, collected = read_one(sample("dead0001"))
    assert (facts.status, facts.exit_code) == ("failed", None)
    assert "gone before" in facts.reason
    assert len(collected.values("loss")) == 61


def test_a_file_cut_anywhere_gives_what_is_whole(tmp_path):
    whole = next(sample("dead0001").glob("*.wandb")).read_bytes()
    counts = []
    for length in range(0, len(whole), 997):
        (tmp_path / "run-x.wandb").write_bytes(whole[:length])
        counts.append(len(list(read_messages(tmp_path / "run-x.wandb"))))
    assert counts == sorted(counts)
    assert counts[0] == 0 < counts[-1]


def test_one_without_an_end_says_so(tmp_path):
    log(tmp_path / "run-abc.wandb", run(), history(0, loss=1.0))
    facts, _ = read_one(tmp_path)
    assert facts.status == "failed"
    assert "no end" in facts.reason
    assert facts.ended == 1.7e9


def test_records_longer_than_a_block_are_joined_and_damage_costs_one_block(tmp_path):
    records = [run(notes=b"n" * 100_000), *(history(step, loss=step, pad="x" * 1000) for step in range(200))]
    path = log(tmp_path / "run-abc.wandb", *records)
    facts, collected = read_one(tmp_path)
    assert len(facts.note) == 100_000
    assert collected.values("loss") == list(range(200))
    data = bytearray(path.read_bytes())
    data[5 * 32768 + 400] ^= 1
    path.write_bytes(bytes(data))
    _, collected = read_one(tmp_path)
    assert 150 < len(collected.values("loss")) < 200
    assert collected.values("loss")[-1] == 199
    assert "damaged at byte" in collected.told[0]


def test_older_files_have_trees_in_json(tmp_path):
    config = record_class()()
    config.config.update.add(key=b"lr", value_json=b"0.1")
    config.config.update.add(nested_key=[b"model", b"depth"], value_json=b"3")
    tree = {"val": {"map": 0.5}, "picture": {"_type": "image-file", "width": 9}, "nan": "NaN", "flag": True}
    deep = b"[" * 100_000
    broken = record_class()()
    broken.history.item.add(key=b"deep", value_json=deep)
    log(tmp_path / "run-abc.wandb", run(), config.SerializeToString(), history(0, **tree), broken.SerializeToString())
    facts, collected = read_one(tmp_path)
    assert facts.config == {"lr": 0.1, "model": {"depth": 3}}
    [record] = collected.metrics
    assert record["val.map"] == 0.5
    assert math.isnan(record["nan"])
    assert not {"picture.width", "flag", "deep"} & record.keys()


def test_numbers_that_are_no_json_are_read_too(tmp_path):
    record = record_class()()
    record.history.item.add(nested_key=[b"loss"], number=0.25)
    record.history.item.add(nested_key=[b"count"], integer=-3)
    record.history.step.num = 7
    log(tmp_path / "run-abc.wandb", run(), record.SerializeToString())
    _, collected = read_one(tmp_path)
    assert collected.metrics == [{"step": 7, "loss": 0.25, "count": -3}]


def test_nothing_written_yet_is_no_run_and_another_file_is_told(tmp_path):
    log(tmp_path / "run-abc.wandb")
    assert find_all(tmp_path) == ([], [])
    (tmp_path / "run-abc.wandb").write_bytes(b"something else altogether")
    _, told = find_all(tmp_path)
    assert "no file of W&B's" in told[0]
    log(tmp_path / "run-abc.wandb", run(), version=9)
    with pytest.raises(MlhubError, match="version 9"):
        list(read_messages(tmp_path / "run-abc.wandb"))


def test_a_copy_elsewhere_is_the_same_run(tmp_path):
    shutil.copytree(sample("good0001"), tmp_path / "copy")
    [here], [there] = find_all(tmp_path)[0], find_all(sample("good0001"))[0]
    assert here.id == there.id
