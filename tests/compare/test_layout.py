"""A sheet on a terminal, to the letter where the layout is the point."""

from __future__ import annotations

import pytest

from mlhub.compare.comparison import compare
from mlhub.compare.layout import LETTERS, Signs, lay_out
from mlhub.compare.sheet import make_sheet
from mlhub.text import width
from tests.compare.conftest import make_run


def _sheet(count=3, keys=1, **more):
    runs = [
        make_run(
            index,
            name=("calm-otter", "한글 실행", "b")[index - 1] if count == 3 else f"run-{index}",
            config={f"key{key}": index * 10**key for key in range(keys)},
            metrics={"val/acc": index / 10, "loss": 1 / index},
        )
        for index in range(1, count + 1)
    ]
    return make_sheet(compare(runs), lambda _: 62.0, **more)


def _text(rows):
    return ["".join(text for text, _ in row).rstrip() for row in rows]


def test_few_runs_stand_as_columns():
    assert _text(lay_out(_sheet(), 80, Signs())) == [
        "           calm-otter  한글 실행    b",
        "took       1m 02s      1m 02s       1m 02s",
        "key0       1           2            3",
        "val/acc ↑  0.1         0.2 +100.0%     ★ 0.3 +200.0%",
        "loss ↓       1         0.5 -50.0%   ★ 0.3333 -66.7%",
    ]


def test_many_runs_stand_as_rows_their_numbers_to_the_right():
    assert _text(lay_out(_sheet(7, deltas=False), 80, Signs()))[:3] == [
        "       took    key0  val/acc ↑    loss ↓",
        "run-1  1m 02s     1        0.1         1",
        "run-2  1m 02s     2        0.2       0.5",
    ]


def test_what_is_wider_than_the_terminal_is_in_parts_with_runs_as_rows():
    rows = _text(lay_out(_sheet(deltas=False), 30, Signs()))
    assert rows[:4] == [
        "            val/acc ↑",
        "calm-otter        0.1",
        "한글 실행         0.2",
        "b               ★ 0.3",
    ]


def test_what_does_not_fit_even_in_parts_is_one_value_a_line():
    rows = _text(lay_out(_sheet(deltas=False), 16, Signs()))
    assert rows[:4] == ["val/acc ↑", "  calm…    0.1", "  한글…    0.2", "  b      ★ 0.3"]


def test_many_runs_that_are_too_wide_come_in_parts_with_metrics_first():
    rows = _text(lay_out(_sheet(8, keys=9, deltas=False), 60, Signs()))
    parts = "\n".join(rows).split("\n\n")
    assert len(parts) > 1
    assert "val/acc ↑" in parts[0].splitlines()[0]
    assert all(part.splitlines()[1].startswith("run-1") for part in parts)


@pytest.mark.parametrize("total", [30, 50, 80, 200])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("vertical", [False, True])
def test_nothing_is_wider_than_it_may_be(total, count, vertical):
    rows = lay_out(_sheet(count, keys=5), total, Signs(), vertical=vertical)
    assert max(width(line) for line in _text(rows)) <= total


def test_letters_stand_for_signs():
    rows = _text(lay_out(_sheet(2, deltas=False), 80, LETTERS))
    assert any(line.startswith("val/acc ^") and "* 0.2" in line for line in rows)


def test_the_best_and_what_is_better_have_their_styles():
    rows = lay_out(_sheet(2), 80, Signs())
    styles = {style for row in rows for text, style in row if "0.2" in text or "+100" in text}
    assert styles == {"best", "good"}
