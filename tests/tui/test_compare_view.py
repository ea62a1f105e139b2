"""The comparison on the screen: marked runs beside each other, over a home in which runs ran."""

from __future__ import annotations

import sys

import pytest

from mlhub.tui.compare.view import CompareView
from tests.tui.conftest import open_top, screen_text, until

_TRAIN = (
    "import sys,mlhub; lr, seed = float(sys.argv[2]), int(sys.argv[4])\n"
    "mlhub.log({'val/loss': lr + seed / 100, 'acc': 0.5, 'x[red]': lr}, step=7)"
)


@pytest.fixture
def ran(cli):
    """Runs 1 and 2 differ in their seed, 3 in its learning rate."""
    for name, lr, seed in (("one", "0.5", "1"), ("two", "0.5", "2"), ("three", "0.1", "1")):
        cli("run", "--name", name, "--group", "sweep", "--wait", "--",
            sys.executable, "-c", _TRAIN, "--lr", lr, "--seed", seed)  # fmt: skip
    return cli


def _line(app, name):
    """The line of the screen that begins with a name, without it."""
    found = [line.strip() for line in screen_text(app).splitlines() if line.strip().startswith(name)]
    return found[0][len(name) :].split() if found else []


async def _compare(pilot, *marks):
    for run_id in marks:
        pilot.app.model.selection.toggle(run_id)
    await pilot.press("c")
    await until(pilot, lambda: _line(pilot.app, "configuration:")[:1] not in ([], ["0"]))  # command lines are read
    await until(pilot, lambda: _has_focus(pilot.app))  # keys that follow are for it


def _has_focus(app):
    return app.focused is not None and any(isinstance(node, CompareView) for node in app.focused.ancestors_with_self)


async def test_without_two_runs_it_says_how_to_mark_them(ran):
    async with open_top(ran.home, (80, 24)) as pilot:
        await pilot.press("c")
        await until(pilot, lambda: "0 of 2 runs are marked" in screen_text(pilot.app))
        assert "space marks" in screen_text(pilot.app)


async def test_marks_of_removed_runs_do_not_count(ran):
    async with open_top(ran.home, (80, 24)) as pilot:
        model = pilot.app.model
        model.selection.choose(2)
        for run_id in (1, 99):  # there is no run 99 (any more)
            model.selection.toggle(run_id)
        await pilot.press("c")
        await until(pilot, lambda: "1 of 2 runs are marked" in screen_text(pilot.app))
        assert [run.id for run in model.chosen] == [1]
        model.selection.toggle(1)
        await until(pilot, lambda: "0 of 2 runs are marked" in screen_text(pilot.app))
        assert [run.id for run in model.chosen] == [2]


async def test_only_keys_that_differ_are_there(ran):
    async with open_top(ran.home, (80, 24)) as pilot:
        await _compare(pilot, 1, 3)
        assert _line(pilot.app, "lr") == ["0.5", "0.1"]
        assert "1 key differs" in screen_text(pilot.app)


async def test_everything_is_there_if_asked_for(ran):
    async with open_top(ran.home, (80, 40)) as pilot:
        await _compare(pilot, 1, 2)
        assert not _line(pilot.app, "acc")
        await pilot.press("d")
        await until(pilot, lambda: _line(pilot.app, "acc"))


async def test_the_best_is_marked_and_the_rest_is_measured_by_the_baseline(ran):
    async with open_top(ran.home, (80, 24)) as pilot:
        await _compare(pilot, 1, 3)
        assert _line(pilot.app, "val/loss") == ["↓", "0.51", "★", "0.11", "-78.4%"]


async def test_another_run_becomes_the_baseline(ran):
    async with open_top(ran.home, (80, 24)) as pilot:
        await _compare(pilot, 1, 3)
        await pilot.press("l", "b")
        await until(pilot, lambda: _line(pilot.app, "id") == ["1", "3", "baseline"])
        assert pilot.app.model.selection.baseline == 3
        assert "+363.6%" in _line(pilot.app, "val/loss")


async def test_a_group_of_seeds_has_its_mean_and_deviation(ran):
    async with open_top(ran.home, (160, 45)) as pilot:
        await _compare(pilot, 1, 2, 3)
        await pilot.press("z")
        await until(pilot, lambda: "mean ± sd of 2 seeds" in screen_text(pilot.app))
        assert _line(pilot.app, "val/loss")[-3:] == ["0.515", "±", "0.0071"]


async def test_runs_stand_as_rows_if_asked_for(ran):
    async with open_top(ran.home, (120, 24)) as pilot:
        await _compare(pilot, 1, 3)
        await pilot.press("o")
        await until(pilot, lambda: _line(pilot.app, "three"))
        assert "0.11" in _line(pilot.app, "three")


async def test_runs_stand_in_the_order_of_a_line(ran):
    async with open_top(ran.home, (80, 24)) as pilot:
        await _compare(pilot, 1, 3)
        view = pilot.app.active_view
        view._table.move_to_key(("metric", "val/loss"))
        await pilot.press("r")
        await until(pilot, lambda: _line(pilot.app, "lr") == ["0.1", "0.5"])
        await pilot.press("r")
        await until(pilot, lambda: _line(pilot.app, "lr") == ["0.5", "0.1"])


async def test_the_group_is_marked_with_one_key(ran):
    async with open_top(ran.home, (80, 24)) as pilot:
        pilot.app.model.selection.choose(2)
        await pilot.press("c", "a")
        await until(pilot, lambda: pilot.app.model.selection.marks == (1, 2, 3))


async def test_space_leaves_a_run_out(ran):
    async with open_top(ran.home, (80, 24)) as pilot:
        await _compare(pilot, 1, 2, 3)
        await pilot.press("space")
        await until(pilot, lambda: pilot.app.model.selection.marks == (2, 3))


async def test_enter_shows_the_curves_of_the_run(ran):
    async with open_top(ran.home, (80, 24)) as pilot:
        await _compare(pilot, 1, 3)
        await pilot.press("l", "enter")
        await until(pilot, lambda: pilot.app.active == "charts")
        assert pilot.app.model.selection.focus == 3


@pytest.mark.parametrize(
    ("key", "ending", "start"), [("y", "md", "|  | one | three |"), ("v", "csv", "id,name,status,")]
)
async def test_a_copy_is_in_the_clipboard_and_in_a_file(ran, key, ending, start):
    async with open_top(ran.home, (80, 24)) as pilot:
        await _compare(pilot, 1, 3)
        await pilot.press(key)
        await until(pilot, lambda: "copied" in screen_text(pilot.app))
        assert pilot.app.clipboard.startswith(start)
        assert (ran.home / "exports" / f"compare.{ending}").read_bytes() == pilot.app.clipboard.encode()


async def test_what_is_too_much_for_a_clipboard_is_in_the_file_alone(ran, monkeypatch):
    monkeypatch.setattr("mlhub.tui.compare.view._CLIPBOARD", 10)
    async with open_top(ran.home, (160, 24)) as pilot:
        await _compare(pilot, 1, 3)
        await pilot.press("y")
        await until(pilot, lambda: "too much for a terminal's clipboard" in screen_text(pilot.app))
        assert pilot.app.clipboard == ""


async def test_a_metric_named_like_markup_is_shown_as_it_is(ran):
    async with open_top(ran.home, (80, 24)) as pilot:
        await _compare(pilot, 1, 3)
        assert _line(pilot.app, "x[red]") == ["0.5", "0.1", "-80.0%"]


async def test_values_change_while_a_run_goes_on(ran):
    code = (
        "import mlhub, os, time\nmlhub.log({'acc': 0.125}, step=0)\n"
        "while not os.path.exists('go'): time.sleep(0.05)\nmlhub.log({'acc': 0.875}, step=1)\ntime.sleep(60)"
    )
    ran("run", "--name", "live", "--", sys.executable, "-c", code)
    async with open_top(ran.home, (80, 24)) as pilot:
        await _compare(pilot, 1, 4)
        await until(pilot, lambda: "0.125" in _line(pilot.app, "acc"))
        (ran.home.parent / "go").touch()
        await until(pilot, lambda: "0.875" in _line(pilot.app, "acc"))
