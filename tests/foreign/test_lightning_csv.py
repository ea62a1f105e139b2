from __future__ import annotations

import math
import os

import pytest
from lightning.pytorch.loggers import CSVLogger

from mlhub.foreign.lightning_csv import START, read
from tests.foreign.collect import read_one


@pytest.fixture
def logger(tmp_path):
    return CSVLogger(tmp_path, name="model")


@pytest.fixture
def file(logger):
    return tmp_file(logger)


def tmp_file(logger):
    from pathlib import Path

    return Path(logger.log_dir) / "metrics.csv"


def test_rows_are_records_without_what_they_leave_out(logger, file):
    logger.log_metrics({"train/loss": 0.5, "epoch": 0}, step=1)
    logger.log_metrics({"train/loss": math.nan, "epoch": 1}, step=2)
    logger.save()
    first, second = read(file)[0]
    assert first == {"train/loss": 0.5, "epoch": 0, "step": 1}
    assert math.isnan(second["train/loss"])


def test_a_header_written_anew_costs_and_doubles_no_row(logger, file):
    logger.log_metrics({"a": 1.0}, step=0)
    logger.log_metrics({"a": 2.0}, step=1)
    logger.save()
    before, place = read(file)
    assert read(file, place) == ([], place)
    logger.log_metrics({"a": 3.0, 'new, "metric"': 4.0}, step=2)
    logger.save()
    after, place = read(file, place)
    assert [record["step"] for record in before + after] == [0, 1, 2]
    assert after[0]['new, "metric"'] == 4.0
    assert read(file, place) == ([], place)


def test_a_file_that_is_written_anew_this_moment_is_waited_for(tmp_path):
    file = tmp_path / "metrics.csv"
    file.write_text("a,step\n1,0\n2,1\n3,2\n")
    _, place = read(file)
    for torn in ("", "a,b,st", "a,b,step\n", "a,b,step\n1,,0\n2,,"):
        os.truncate(file, 0)
        file.write_text(torn)
        assert read(file, place) == ([], place)
    file.write_text("a,b,step\n1,,0\n2,,1\n3,,2\n4,5,3\n")
    assert read(file, place)[0] == [{"a": 4, "b": 5, "step": 3}]


def test_another_file_in_its_place_is_read_from_its_beginning(tmp_path):
    file = tmp_path / "metrics.csv"
    file.write_text("a,step\n1,0\n2,1\n")
    _, place = read(file)
    (tmp_path / "new").write_text("a,step\n9,0\n")
    (tmp_path / "new").rename(file)
    assert read(file, place)[0] == [{"a": 9, "step": 0}]


def test_a_half_written_row_is_left_for_later(tmp_path):
    file = tmp_path / "metrics.csv"
    file.write_text("a,step\n1,0\n2,")
    records, place = read(file)
    assert [record["step"] for record in records] == [0]
    file.write_text("a,step\n1,0\n2,1\n")
    assert [record["step"] for record in read(file, place)[0]] == [1]


def test_a_file_larger_than_what_is_read_at_once_comes_in_parts(tmp_path):
    file = tmp_path / "metrics.csv"
    file.write_text("a,step\n" + "".join(f"{step / 7},{step}\n" for step in range(300_000)))
    steps, place = [], START
    while (part := read(file, place))[0]:
        steps += [record["step"] for record in part[0]]
        place = part[1]
    assert steps == list(range(300_000))


def test_a_run_has_its_hyperparameters_and_its_files_dates(logger, file, tmp_path):
    logger.log_hyperparams({"lr": 0.1, "model": {"depth": 3}})
    logger.log_metrics({"a": 1.0}, step=0)
    logger.save()
    os.utime(file, (1.7e9, 1.7e9))
    os.utime(file.parent / "hparams.yaml", (1.6e9, 1.6e9))
    facts, collected = read_one(tmp_path)
    assert facts.config == {"lr": 0.1, "model": {"depth": 3}}
    assert (facts.started, facts.ended) == (1.6e9, 1.7e9)
    assert collected.values("a") == [1.0]


def test_pythons_tags_in_hyperparameters_make_nothing(tmp_path):
    (tmp_path / "metrics.csv").write_text("a,step\n1,0\n")
    (tmp_path / "hparams.yaml").write_text(
        "lr: 0.1\nshape: !!python/tuple [1, 2]\nact: !!python/name:torch.nn.ReLU ''\n"
        f"bad: !!python/object/apply:os.mkdir ['{tmp_path}/made']\nown: !Mine {{a: 1}}\n"
    )
    facts, _ = read_one(tmp_path)
    assert facts.config["lr"] == 0.1
    assert facts.config["shape"] == [1, 2]
    assert facts.config["own"] == {"a": 1}
    assert "ReLU" in facts.config["act"]
    assert not (tmp_path / "made").exists()


def test_a_bomb_of_aliases_is_left_out_and_told(tmp_path):
    (tmp_path / "metrics.csv").write_text("a,step\n1,0\n")
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    (tmp_path / "hparams.yaml").write_text("\n".join(lines))
    facts, collected = read_one(tmp_path)
    assert facts.config == {}
    assert "more than" in collected.told[0]
