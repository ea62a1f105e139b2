"""Records as columns: which kind a column has, and lines that come back as they were."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlhub.records import MetricWriter
from mlhub.runner.columns import Column, find_columns, join, split


def lines(*texts: str) -> list[bytes]:
    return [f"{text}\n".encode() for text in texts]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (("1", "-5"), "int"),
        (("1", "0.5"), "float"),
        (("0.5", '"NaN"', "null"), "float"),
        (('"NaN"', '"text"'), "text"),
        (("1", "true"), "json"),
        (("[1]",), "json"),
        (("null",), "json"),
        ((str(1 << 63),), "json"),
    ],
)
def test_a_column_has_the_one_kind_that_all_its_values_fit(values: tuple[str, ...], kind: str) -> None:
    assert find_columns(lines(*(f'{{"a":{value}}}' for value in values))) == [Column("a", kind)]


def test_place_keys_come_first_as_the_writer_puts_them() -> None:
    found = find_columns(lines('{"loss":1,"step":1}', '{"step":2,"epoch":1,"time":1.0}'))
    assert [column.key for column in found] == ["step", "epoch", "time", "loss"]


def test_a_line_as_the_writer_spells_it_needs_no_copy() -> None:
    given = lines('{"step":1,"loss":0.5}', '{"step":2,"loss":"NaN"}', "{}")
    assert split(given, find_columns(given))[-1] == [None, None, None]


@pytest.mark.parametrize("line", ['{"step": 1}', '{"a":1,"step":1}', '{"step":1e2}', "garbage", "", '{"step":null}'])
def test_a_line_in_another_spelling_is_kept_whole(line: str) -> None:
    given = lines('{"step":1,"a":1}', line)
    columns = find_columns(given)
    assert list(join(split(given, columns), columns)) == given


NAMES = ["loss", "verlust/ß", 'a"b']


@given(st.lists(st.lists(st.none() | st.floats(), min_size=3, max_size=3)))
def test_a_line_as_the_writer_writes_it_needs_no_copy_and_comes_back(logged: list[list[float | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.jsonl"
        writer = MetricWriter(path)
        for step, values in enumerate([[0.5, 3e-05, 1e16], *logged]):
            pairs = zip(NAMES, values, strict=True)
            writer.log({name: value for name, value in pairs if value is not None}, step=step)
        writer.close()
        written = path.read_bytes().splitlines(keepends=True)
    columns = find_columns(written)
    values = split(written, columns)
    assert {line for line in values[-1] if line} == set()
    assert list(join(values, columns)) == written
