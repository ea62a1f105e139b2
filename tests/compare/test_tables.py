"""A sheet for other programs: CSV by rows, Markdown, HTML."""

from __future__ import annotations

import csv
import io
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from mlhub.compare.comparison import compare
from mlhub.compare.sheet import make_sheet
from mlhub.compare.tables import to_csv, to_html, to_markdown
from tests.compare.conftest import make_run


def _took(_run):
    return 62.0


def _found(*names, count=2):
    names = names or tuple(f"run-{index}" for index in range(count))
    return compare(
        [
            make_run(
                index, name=name, config={"lr": index / 10, "steps": 5}, metrics={"val/acc": index / 7, "loss": 1.0}
            )
            for index, name in enumerate(names)
        ],
        everything=True,
    )


def _sheet(*names, **more):
    return make_sheet(_found(*names, **more), _took)


def test_csv_is_what_a_data_frame_likes():
    rows = list(csv.DictReader(io.StringIO(to_csv(_found(), _took))))
    assert [(row["id"], row["name"], row["lr"], row["took_seconds"]) for row in rows] == [
        ("0", "run-0", "0.0", "62.0"), ("1", "run-1", "0.1", "62.0"),
    ]  # fmt: skip
    assert float(rows[1]["val/acc"]) == 1 / 7


def test_a_parameter_that_has_the_name_of_a_fact_gets_one_of_its_own():
    head = to_csv(_found(), _took).splitlines()[0].split(",")
    assert len(head) == len(set(head))
    assert {"steps", "config.steps"} <= set(head)


def test_markdown_has_a_column_a_run_and_a_row_a_run_where_they_are_many():
    assert to_markdown(_sheet()).splitlines()[0] == "|  | run-0 | run-1 |"
    lines = to_markdown(_sheet(count=8)).splitlines()
    assert lines[0].startswith("| run | took")
    assert len(lines) == 10
    assert "**1**" in lines[-1]


def test_html_sorts_by_each_column_and_needs_nothing_from_outside():
    text = to_html(_sheet(count=3), "three", ["best: <x>"])
    assert "&lt;x&gt;" in text
    assert "<script" not in text
    assert "http" not in text
    for at, _ in enumerate(_sheet(count=3).lines):
        assert f"body:has(#s{at}:checked) tbody tr {{ order: var(--s{at}); }}" in text


def test_markdown_says_the_delta_to_the_baseline():
    assert (
        "| val/acc ↑ | 0.1 | **0.15** (+50.0%) |"
        in to_markdown(
            make_sheet(compare([make_run(1, metrics={"val/acc": 0.1}), make_run(2, metrics={"val/acc": 0.15})]), _took)
        ).splitlines()
    )


@given(st.sampled_from("=+-@＝\t\r") | st.just("-1+"), st.text(max_size=5))
def test_no_cell_of_csv_is_a_formula(first, rest):
    run = make_run(1, name=first + rest, tags=[first + rest], config={first + rest: first + rest})
    for row in csv.reader(io.StringIO(to_csv(compare([run], everything=True), _took))):
        assert not any(cell[:1] and cell[0] in "=+-@＝\t\r" and not _is_number(cell) for cell in row), row


def _is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True


def test_negative_numbers_stay_numbers():
    rows = list(csv.reader(io.StringIO(to_csv(compare([make_run(1, metrics={"x": -1.5})]), _took))))
    assert rows[1][rows[0].index("x")] == "-1.5"


@given(st.text(max_size=12))
def test_no_control_character_of_theirs_is_left(text):
    hostile = f"\x1b]0;x\x07{text}\u202e\x9b31m"
    run = make_run(1, name=hostile, metrics={hostile: 1.0}, config={hostile: hostile}, tags=[hostile], host=hostile)
    found = compare([run], everything=True)
    sheet = make_sheet(found, _took)
    for shown in (to_markdown(sheet), to_csv(found, _took), to_html(sheet, "t")):
        assert not set(shown) & {"\x1b", "\x07", "\x9b", "\u202e", "\x00"}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data):
        self.text += data


@given(st.text(min_size=1, max_size=30))
def test_no_name_becomes_markup(name):
    tags, plain = _Tags(), _Tags()
    tags.feed(to_html(_sheet(name, "b"), "t"))
    plain.feed(to_html(_sheet("a", "b"), "t"))
    assert tags.found == plain.found
    markdown = to_markdown(_sheet(name, "b")).splitlines()
    assert len({line.replace("\\|", "").count("|") for line in markdown}) == 1
