"""`mlhub metrics`: what other programs get."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli

LINES = [
    {"step": 1, "epoch": 0, "time": 5.5, "train/loss": 0.5},
    {"step": 2, "epoch": 0, "time": 6.5, "train/loss": "NaN", "val/map": 1},
    {"step": 3, "time": 7.5, "val/map": 0.25, "note": 'a, "b"', "extra": [1, None]},
]  # fmt: skip


@pytest.fixture
def logged(cli: Cli) -> Cli:
    cli("run", "--wait", "--name", "otter", "--", "true")
    write(cli, LINES)
    return cli


def write(cli: Cli, lines: list[dict[str, object]], name: str = "metrics.jsonl") -> None:
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    (cli.home / "runs" / "1" / name).write_text(text)


def test_lines_are_those_that_were_logged(logged: Cli) -> None:
    assert [json.loads(line) for line in logged("metrics").stdout.splitlines()] == LINES


def test_json_is_one_array(logged: Cli) -> None:
    assert logged.json("metrics", "otter") == LINES
    assert logged.json("metrics", "otter", "--only", "nothing") == []


def test_a_table_has_a_row_a_record_and_nothing_where_nothing_is(logged: Cli) -> None:
    rows = list(csv.reader(io.StringIO(logged("metrics", "--format", "csv").stdout)))
    assert rows == [
        ["step", "epoch", "time", "extra", "note", "train/loss", "val/map"],
        ["1", "0", "5.5", "", "", "0.5", ""],
        ["2", "0", "6.5", "", "", "NaN", "1"],
        ["3", "", "7.5", "[1,null]", 'a, "b"', "", "0.25"],
    ]


def test_parquet_has_typed_columns(logged: Cli, tmp_path: Path) -> None:
    from pyarrow import parquet

    file = tmp_path / "out.parquet"
    logged("metrics", "--format", "parquet", "-o", str(file))
    table = parquet.read_table(file)
    assert {field.name: str(field.type) for field in table.schema} == {
        "step": "int64", "epoch": "int64", "time": "double", "extra": "string", "note": "string",
        "train/loss": "double", "val/map": "double",
    }  # fmt: skip
    assert table.column("val/map").to_pylist() == [None, 1.0, 0.25]


def test_parquet_goes_through_a_pipe_too(logged: Cli) -> None:
    from pyarrow import BufferReader, parquet

    command = [sys.executable, "-m", "mlhub", "metrics", "--format", "parquet"]
    done = subprocess.run(command, env=logged.environment, stdout=subprocess.PIPE, check=True)
    assert parquet.read_table(BufferReader(done.stdout)).num_rows == 3


def test_only_what_matches_with_its_place(logged: Cli) -> None:
    found = logged.json("metrics", "--only", "val/*")
    assert found == [
        {"step": 2, "epoch": 0, "time": 6.5, "val/map": 1},
        {"step": 3, "time": 7.5, "val/map": 0.25},
    ]


def test_samples_of_the_system_are_exported_too(logged: Cli) -> None:
    write(logged, [{"time": 5.0, "cpu": 12.5}], "system.jsonl")
    assert logged.json("metrics", "--system") == [{"time": 5.0, "cpu": 12.5}]


def test_what_was_superseded_is_left_out_unless_asked_for(logged: Cli) -> None:
    write(
        logged, [{"step": 1, "a": 1}, {"step": 2, "a": 2}, {"step": 1, "attempt": 2, "time": 5.5}, {"step": 2, "a": 3}]
    )
    assert [(r["attempt"], r["a"]) for r in logged.json("metrics")] == [(1, 1), (2, 3)]
    assert [(r["attempt"], r["a"]) for r in logged.json("metrics", "--all")] == [(1, 1), (1, 2), (2, 3)]


def test_a_half_written_line_is_left_for_later(logged: Cli) -> None:
    with (logged.home / "runs" / "1" / "metrics.jsonl").open("a") as file:
        file.write('{"step":4,"train/lo')
    assert len(logged.json("metrics")) == 3


def test_hostile_names_reach_no_terminal(logged: Cli) -> None:
    write(logged, [{"step": 1, "\x1b[2J\x9b2J\n": 1, "b": "\x1b[2J"}])
    assert "\x1b" not in logged("metrics").stdout
    master, slave = os.openpty()
    command = [sys.executable, "-m", "mlhub", "metrics", "--format", "csv"]
    subprocess.run(command, env=logged.environment, stdout=slave, check=True)
    os.close(slave)
    assert b"\x1b" not in os.read(master, 1 << 16)
    os.close(master)


def test_parquet_is_not_written_to_a_terminal(logged: Cli) -> None:
    master, slave = os.openpty()
    command = [sys.executable, "-m", "mlhub", "metrics", "--format", "parquet"]
    done = subprocess.run(command, env=logged.environment, stdout=slave, stderr=subprocess.PIPE, check=False)
    os.close(slave)
    os.close(master)
    assert (done.returncode, b"-o FILE" in done.stderr) == (2, True)


def test_a_file_that_can_not_be_written_is_two_lines_and_leaves_nothing(logged: Cli, tmp_path: Path) -> None:
    said = logged("metrics", "-o", str(tmp_path / "no" / "file"), code=1).stderr.splitlines()
    assert len(said) == 2
    said = logged("metrics", "-o", str(logged.home), code=1).stderr.splitlines()
    assert (len(said), [name for name in os.listdir(tmp_path) if name.startswith(".")]) == (2, [])


def test_the_ending_of_a_file_says_its_form(logged: Cli, tmp_path: Path) -> None:
    for name in ("x.csv", "x.jsonl"):
        logged("metrics", "-o", str(tmp_path / name))
    assert (tmp_path / "x.csv").read_text().startswith("step,")
    assert (tmp_path / "x.jsonl").read_text().startswith("{")
    assert "no form has this ending" in logged("metrics", "-o", str(tmp_path / "x.xls"), code=2).stderr
    assert not (tmp_path / "x.xls").exists()


@pytest.mark.parametrize("arguments", [["--format", "xml"], ["--json", "--format", "csv"]])
def test_words_that_do_not_go_together_are_wrong_usage(logged: Cli, arguments: list[str]) -> None:
    logged("metrics", *arguments, code=2)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_run_without_metrics_gives_nothing(cli: Cli, form: str) -> None:
    cli("run", "--wait", "--", "true")
    assert cli("metrics", "--format", form).stdout == ""


def test_lines_that_a_terminal_or_a_parser_would_not_like_are_spelled_anew(logged: Cli) -> None:
    text = '{"step": 1, "a": 1}\n{"step":2,"é":2}\n\n[1]\n{"step":3,"\x7f":1}\n{"step":4,"attempt":9}\n{"torn'
    (logged.home / "runs" / "1" / "metrics.jsonl").write_text(text)
    assert logged("metrics").stdout == '{"step":1,"a":1}\n{"step":2,"\\u00e9":2}\n{"step":3,"\\u007f":1}\n'


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_of_too_many_metrics_is_refused_and_lines_are_not(logged: Cli, tmp_path: Path, form: str) -> None:
    write(logged, [{"step": step} | {f"m{step}.{n}": n for n in range(4000)} for step in range(3)])
    said = logged("metrics", "--format", form, "-o", str(tmp_path / "out"), code=1).stderr
    assert "more than 10000 metrics" in said
    assert "--only" in said
    assert not (tmp_path / "out").exists()
    assert len(logged("metrics").stdout.splitlines()) == 3
    logged("metrics", "--format", form, "-o", str(tmp_path / "out"), "--only", "m1.*")


def test_what_a_program_printed_at_its_end_is_exported_too(cli: Cli) -> None:
    cli("run", "--wait", "--", "printf", '{"step":1,"a":2}')
    assert json.loads(cli("metrics").stdout)["a"] == 2
