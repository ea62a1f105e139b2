"""Which runs are in the table, in which order, and what their columns say."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mlhub.compare.comparison import compare
from mlhub.compare.render import spread_text
from mlhub.query import parse
from mlhub.store.runs import Run
from mlhub.tui import theme
from mlhub.tui.runs.cells import Row, alerts_cell, group_row, main_metric, short_count, state_cell, trend
from mlhub.tui.runs.columns import FIELDS, choices, field_of, usual
from mlhub.tui.runs.roster import Group, Roster

LOOK = theme.BY_NAME["night"]


def run_of(number: int, **more: Any) -> Run:
    base = {"name": f"run-{number}", "kind": "train", "status": "completed", "created_at": "2026-01-01", "host": "h"}
    return Run(**{"id": number, **base, **more})


def metric(last: Any, name: str = "val/map_64", **more: Any) -> dict[str, Any]:
    return {"summary": {name: {"last": last, "min": last, "max": last, "step": 1, **more}}}


def arranged(runs: list[Run], **settings: Any) -> list[int | str]:
    roster = Roster()
    for name, value in settings.items():
        setattr(roster, name, value)
    roster.take(runs)
    return roster.keys


def test_what_runs_comes_first_then_what_waits_then_the_newest() -> None:
    runs = [run_of(4), run_of(3, status="queued"), run_of(2, status="running"), run_of(1, status="failed")]
    assert arranged(runs) == [2, 3, 4, 1]


@pytest.mark.parametrize(("turned", "order"), [(False, [2, 1, 4, 3]), (True, [1, 2, 4, 3])])
def test_missing_and_nan_values_are_last_either_way(turned: bool, order: list[int]) -> None:
    runs = [run_of(4), run_of(3, **metric("NaN")), run_of(2, **metric(0.5)), run_of(1, **metric(0.1))]
    assert arranged(runs, sort="last:val/map_64", turned=turned) == order


def test_a_metric_that_is_to_be_small_sorts_the_smallest_first() -> None:
    runs = [run_of(1, **metric(0.5, "val/loss")), run_of(2, **metric(0.1, "val/loss"))]
    assert arranged(runs, sort="best:val/loss") == [2, 1]


def test_numbers_and_words_of_one_key_sort_together() -> None:
    runs = [run_of(number, config={"a": value}) for number, value in enumerate(("x", 2, None, 1.5, True), 1)]
    assert arranged(runs, sort="cfg:a") == [4, 2, 5, 1, 3]


def test_a_filter_leaves_the_runs_it_means() -> None:
    assert arranged([run_of(2), run_of(1, status="failed")], query=parse("status:failed")) == [1]


def test_a_group_stands_where_its_first_run_would() -> None:
    runs = [run_of(4, group="a"), run_of(3), run_of(2, group="b"), run_of(1, group="a")]
    assert arranged(runs, grouped=True) == ["a", 4, 1, 3, "b", 2]


def test_a_folded_group_is_one_row() -> None:
    runs = [run_of(3, group="a"), run_of(2), run_of(1, group="a")]
    assert arranged(runs, grouped=True, folded={"a"}) == ["a", 2]


def test_a_group_knows_the_spread_of_its_finite_values_and_the_best() -> None:
    roster = Roster()
    roster.grouped = True
    roster.take([run_of(n, group="a", **metric(last)) for n, last in enumerate((0.1, 0.3, "NaN", "Infinity"), 1)])
    group = roster.groups["a"]
    assert (group.metric, group.best) == ("val/map_64", math.inf)
    assert group.spread is not None
    assert (group.spread.mean, group.spread.n, group.spread.of) == (pytest.approx(0.2), 2, 4)


def test_a_group_says_the_mean_as_the_compare_view_does_and_how_many_seeds_count() -> None:
    seeds = [run_of(n, group="a", **metric(last)) for n, last in enumerate((0.1, 0.3, "NaN"), 1)]
    compared = compare(seeds).metrics[0].spread([1, 2, 3])
    group = Group("a", tuple(seeds))
    words = "".join(text for text, _ in group_row(group, LOOK, folded=False))
    assert group.spread == compared
    assert words.endswith(f"  {spread_text(compared)}")
    assert "(n=2 of 3)" in words


@pytest.mark.parametrize(("status", "alert"), [("queued", ""), ("running", "▲")])
def test_what_a_waiting_run_waits_for_is_no_alert(status: str, alert: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    run = run_of(1, status=status, waiting=status == "queued", condition="2 of 4 runs at a time")
    assert alerts_cell(Row(run, None, LOOK, 0.0))[0] == alert


@pytest.mark.parametrize(
    ("status", "doing", "words"),
    [("running", "", "◆● run"), ("queued", "", "◆○ wait"), ("completed", "", "◆✔ ok"), ("failed", "", "◆✖ fail"),
     ("cancelled", "", "◆■ stop"), ("running", "stopping", "◆stopping")],
)  # fmt: skip
def test_a_state_is_a_glyph_and_a_word(status: str, doing: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    cell = state_cell(run_of(1, status=status), LOOK, doing, mark="red")
    assert "".join(text for text, _ in cell) == words


@pytest.mark.parametrize("name", ["val/map_64", "validation/a_very_long_name_of_a_metric_loss"])
def test_the_title_of_the_best_says_so_within_its_column(name: str) -> None:
    last, best = field_of(f"last:{name}"), field_of(f"best:{name}")
    assert last is not None
    assert best is not None
    assert best.title.endswith((" max", " min"))
    assert last.title != best.title
    assert max(len(last.title), len(best.title)) < 16
    assert (last.about[:5], best.about[:5]) == ("last ", "best ")


def test_only_changed_rows_are_looked_into_again() -> None:
    roster, asked = Roster(), []

    class Counting:
        text = "x"

        def matches(self, run: Run) -> bool:
            asked.append(run.id)
            return True

    roster.query = Counting()  # type: ignore[assignment]
    runs = [run_of(number) for number in range(5)]
    roster.take(runs)
    roster.take([*runs[:4], run_of(4, name="other")])
    assert asked == [0, 1, 2, 3, 4, 4]


def test_many_new_rows_are_taken_in_batches() -> None:
    roster, runs = Roster(), [run_of(number) for number in range(25, 0, -1)]
    sizes = []
    for _ in range(3):
        roster.take(runs, at_once=10)
        sizes.append((len(roster.keys), roster.more))
    assert sizes == [(10, True), (20, True), (25, False)]


@pytest.mark.parametrize(
    ("names", "config", "wanted"),
    [
        (["lr", "train/loss", "val/loss", "val/map_64"], {}, "val/map_64"),
        (["train/loss", "val/acc"], {}, "val/acc"),
        (["lr", "train/loss"], {}, "train/loss"),
        (["lr"], {}, "lr"),
        ([], {}, ""),
        (["val/acc", "val/loss"], {"checkpoint": {"monitor": "val/loss"}}, "val/loss"),
    ],
)
def test_the_main_metric_is_what_the_run_is_made_for(names: list[str], config: dict[str, Any], wanted: str) -> None:
    assert main_metric(run_of(1, summary={name: {} for name in names}, config=config)) == wanted


def test_a_few_runs_with_another_main_metric_make_no_mixture_and_sort_last() -> None:
    roster = Roster()
    roster.sort = "metric"
    roster.take([run_of(99, **metric(3, "odd")), *(run_of(n, **metric(n / 100)) for n in range(30))])
    assert (roster.mixed, roster.metric, roster.keys[-1]) == (False, "val/map_64", 99)


def test_a_running_run_with_another_main_metric_does() -> None:
    roster = Roster()
    roster.take([run_of(99, status="running", **metric(3, "odd")), *(run_of(n, **metric(0.1)) for n in range(30))])
    assert roster.mixed


def test_every_metric_and_every_key_may_be_a_column() -> None:
    run = run_of(1, config={"training": {"lr": 1}, "x.y": 2}, summary={"val/loss": {}, "odd": {}})
    names = {field.id for field in choices([run])}
    assert names - FIELDS.keys() == {"last:val/loss", "best:val/loss", "last:odd", "cfg:training.lr", "cfg:x.y"}


def test_an_unknown_column_is_none() -> None:
    assert [field_of(name) for name in ("", "nothing", "last:", "odd:x")] == [None] * 4


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_the_usual_columns_leave_room_for_the_name(width: int) -> None:
    fields = [FIELDS[name] for name in usual(width)]
    assert sum(field.width + 1 for field in fields) + 8 + 12 <= max(60, width)


def test_every_column_says_something_of_an_empty_run() -> None:
    row = Row(run_of(1), None, LOOK, 0.0)
    assert all(isinstance(field.cell(row)[0], str) for field in FIELDS.values())


def test_text_in_a_cell_is_clean() -> None:
    row = Row(run_of(1, note="a\x1b]0;b\x07\nc\u202e", tags=["[/]\x9b2J"]), None, LOOK, 0.0)
    assert [FIELDS[name].cell(row)[0] for name in ("note", "tags")] == ["a c", "[/]"]


@pytest.mark.parametrize(
    ("value", "text"), [(9876, "9876"), (12_400, "12.4k"), (999_900, "1M"), (1_230_000, "1.23M"), (None, "–")]
)
def test_counts_are_short(value: float | None, text: str) -> None:
    assert short_count(value) == text


def test_a_trend_goes_from_low_to_high(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.delenv("LC_ALL", raising=False)
    assert trend([1, 2, 3, 4, 5, 6, 7, 8], 8, LOOK)[0] == "▁▂▃▄▅▆▇█"


def test_a_trend_shows_where_it_was_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    assert trend([1.0, math.nan, 2.0], 8, LOOK)[0] == "_x#"


def test_a_flat_trend_is_flat() -> None:
    assert len(set(trend([3.0] * 64, 8, LOOK)[0])) == 1
