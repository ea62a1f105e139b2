"""The charts view over real runs."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace

import msgspec
import pytest

from mlhub.tui import theme
from mlhub.tui.theme import colours_of
from tests.tui.conftest import open_top, screen_text, until

CODE = """
import mlhub
for step in range({steps}):
    mlhub.log({{"train/loss": 2 / (step + 1), "train/lr": 0.1, "grad": float("nan") if step == 3 else 1.0}},
              step=step, epoch=step // 10)
mlhub.log({{"val/map_64": {best}}}, step={steps})
"""


@pytest.fixture
def trained(cli):
    """Two runs that have ended; `one` has id 1."""
    for name, best in (("one", 0.25), ("two", 0.75)):
        cli("run", "--name", name, "--wait", "--", sys.executable, "-c", CODE.format(steps=40, best=best))
    return cli


def charts(app):
    """The charts of the view that are to be seen."""
    return [chart for chart in app.query("ChartsView Chart") if chart.display and chart.size]


def shown(app):
    return [chart._title for chart in charts(app) if chart._title]


async def open_charts(pilot, marks=()):
    for run_id in marks:
        pilot.app.model.selection.toggle(run_id)
    await pilot.press("2")
    await until(pilot, lambda: shown(pilot.app))


async def test_main_metrics_and_losses_come_first(trained):
    async with open_top(trained.home, (80, 24)) as pilot:
        await open_charts(pilot)
        await until(pilot, lambda: shown(pilot.app) == ["val/map_64", "train/loss"])
        await pilot.press("]")
        await until(pilot, lambda: shown(pilot.app) == ["train/lr", "grad"])
        await until(pilot, lambda: "page 2/" in screen_text(pilot.app))
        await pilot.press("[")
        assert shown(pilot.app) == ["val/map_64", "train/loss"]


async def test_marked_runs_are_overlaid_with_their_values(trained):
    async with open_top(trained.home, (80, 24)) as pilot:
        await open_charts(pilot, (1, 2))
        head = await until(pilot, lambda: next((t for t in screen_text(pilot.app).splitlines() if "0.75" in t), None))
        assert "val/map_64" in head
        assert "0.25" in head
        assert "one" in screen_text(pilot.app)
        assert "two" in screen_text(pilot.app)


def pretend(app, ids):
    """As if run 1 were all of these, its records included; they are marked."""
    model = app.model
    (run,) = (run for run in model.runs.runs if run.id == 1)
    runs = tuple(msgspec.structs.replace(run, id=run_id, name=f"r{run_id}") for run_id in ids)
    for run_id in ids:
        if run_id not in model.runs.by_id:
            shutil.copytree(model.home.root / "runs/1", model.home.root / f"runs/{run_id}", dirs_exist_ok=True)
    by_id = {run.id: run for run in runs}
    model.feed.snapshot = replace(model.runs, version=model.runs.version + 1, runs=runs, by_id=by_id)
    for run_id in ids:
        model.selection.toggle(run_id)


async def test_runs_on_one_chart_differ_in_colour_and_the_legend_agrees(trained):
    async with open_top(trained.home, (100, 30)) as pilot:
        app = pilot.app
        clashing = 1 + len(app.look.runs)
        pretend(app, (1, 2, clashing))
        await open_charts(pilot)
        await until(pilot, lambda: len(charts(app)[0]._curves) == 3)
        colours = {curve.run_id: curve.colour for curve in charts(app)[0]._curves}
        assert colours == colours_of(app.look, (1, 2, clashing))
        assert len(set(colours.values())) == 3
        marks = {run_id: app.query_one("RunsView")._mark_of(run_id) for run_id in (*colours, 99)}
        assert marks == {**colours, 99: ""}
        legend = app.query_one("ChartsView Legend")
        assert {entry.name: entry.colour for entry in legend._entries} == {f"r{n}": c for n, c in colours.items()}


async def test_runs_that_are_left_out_are_counted(trained):
    async with open_top(trained.home, (100, 30)) as pilot:
        pretend(pilot.app, range(1, 21))
        await open_charts(pilot)
        await until(pilot, lambda: "16 of 20 runs" in screen_text(pilot.app))
        assert pilot.app.query_one("ChartsView").title.words.startswith("16 of 20 runs")


async def test_a_metric_that_was_no_number_is_marked(trained):
    async with open_top(trained.home, (80, 24)) as pilot:
        await open_charts(pilot)
        await pilot.press("]")
        await until(pilot, lambda: f"grad {theme.glyph(('✖', 'x'))}1" in screen_text(pilot.app))


async def test_a_filter_leaves_the_metrics_that_match_and_persists(trained):
    async with open_top(trained.home, (80, 24)) as pilot:
        await open_charts(pilot)
        await pilot.press("slash", "l", "r", "enter")
        await until(pilot, lambda: shown(pilot.app) == ["train/lr"])
        await pilot.press("s")  # keys are the view's again
        assert pilot.app.model.prefs.smoothing != 0.6
    assert json.loads((trained.home / "top.json").read_text())["metric_filter"] == "lr"


async def test_a_filter_that_matches_nothing_says_so_and_escape_ends_it(trained):
    async with open_top(trained.home, (80, 24)) as pilot:
        await open_charts(pilot)
        await pilot.press("slash", "q", "q", "enter")
        await until(pilot, lambda: "no metric matches qq" in screen_text(pilot.app))
        await pilot.press("escape")
        await until(pilot, lambda: shown(pilot.app))


async def test_the_cursor_is_the_same_in_all_charts(trained):
    async with open_top(trained.home, (80, 24)) as pilot:
        await open_charts(pilot)
        await pilot.press(*["left"] * 30)
        cursors = {chart.scale.cursor for chart in charts(pilot.app)}
        (cursor,) = cursors
        assert 0 < cursor < 40
        await until(pilot, lambda: f"step {round(cursor)}" in screen_text(pilot.app))
        await pilot.press("escape")
        assert {chart.scale.cursor for chart in charts(pilot.app)} == {None}


async def test_zoom_pan_and_back_to_all(trained):
    async with open_top(trained.home, (80, 24)) as pilot:
        await open_charts(pilot)
        view = pilot.app.active_view
        whole = view._whole
        await pilot.press("plus", "plus")
        low, high = view._window
        assert whole[0] < low < high < whole[1]
        await pilot.press("less_than_sign")
        assert view._window[0] < low
        await pilot.press("0")
        assert view._window is None
        assert charts(pilot.app)[0].window == whole


async def test_the_axis_may_be_time_and_epochs(trained):
    async with open_top(trained.home, (80, 24)) as pilot:
        await open_charts(pilot)
        for words in ("by relative time", "by wall time", "by epoch", "by step"):
            await pilot.press("x")
            await until(pilot, lambda words=words: words in screen_text(pilot.app))
            assert all(chart.window for chart in charts(pilot.app))


async def test_enter_shows_a_chart_alone_with_its_values_and_escape_leaves_it(trained):
    async with open_top(trained.home, (80, 24)) as pilot:
        await open_charts(pilot, (1, 2))
        await pilot.press("j", "enter")
        await until(pilot, lambda: shown(pilot.app) == ["train/loss"])
        text = await until(pilot, lambda: t if "last" in (t := screen_text(pilot.app)) else None)
        assert "max" in text
        await pilot.press("escape")
        await until(pilot, lambda: len(shown(pilot.app)) == 2)


async def test_smoothing_log_and_grid_are_kept_in_prefs(trained):
    async with open_top(trained.home, (80, 24)) as pilot:
        await open_charts(pilot)
        await pilot.press("y", "o")
        await until(pilot, lambda: "log y" in screen_text(pilot.app))
        assert (pilot.app.model.prefs.log_y, pilot.app.model.prefs.grid) == (True, "1x1")
        assert len(shown(pilot.app)) == 1


async def test_a_run_that_logs_is_followed(cli):
    code = (
        "import mlhub, os, time\nmlhub.log({'loss': 5}, step=0)\nwhile not os.path.exists('go'): time.sleep(0.02)\n"
        "mlhub.log({'loss': 0.125}, step=1)\ntime.sleep(60)"
    )
    cli("run", "--name", "live", "--", sys.executable, "-c", code)
    async with open_top(cli.home, (80, 24)) as pilot:
        await open_charts(pilot)
        await until(pilot, lambda: shown(pilot.app)[0] == "loss")
        (cli.home.parent / "go").touch()
        await until(pilot, lambda: "0.125" in screen_text(pilot.app))


async def test_a_run_without_metrics_says_how_to_write_them(cli):
    cli("run", "--name", "silent", "--wait", "--", "true")
    async with open_top(cli.home, (80, 24)) as pilot:
        await pilot.press("2")
        (cli.home / "runs/1/system.jsonl").unlink(missing_ok=True)
        await until(pilot, lambda: "mlhub.log" in screen_text(pilot.app) or "system/" in screen_text(pilot.app))


async def test_an_empty_home_names_the_next_command(cli):
    cli("ls")
    cli.home.mkdir(exist_ok=True)
    async with open_top(cli.home, (80, 24)) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: "mlhub run" in screen_text(pilot.app))
