"""The chart widget: what it shows, what it repaints, the mouse."""

from __future__ import annotations

import numpy as np
import pytest
from textual.app import App

from mlhub.curves.axes import Curve, Scale
from mlhub.curves.follower import Events, MetricSeries
from mlhub.curves.points import make_points
from mlhub.tui import theme
from mlhub.tui.charts.chart import Chart
from tests.tui.conftest import screen_text


def make_curve(values, name="one", bad=(), run_id=1, was=np.nan):
    values = np.asarray(values, float)
    steps = np.arange(len(values), dtype=float)
    count = len(bad)
    events = Events(np.array(bad, float), np.array(bad, float), np.full(count, was), np.zeros(count, bool))
    series = MetricSeries("loss", make_points(steps, steps, values), (), events)
    return Curve(run_id, name, "red", series, 0.0)


class Stage(App[None]):
    """A chart alone."""

    def __init__(self, look="night"):
        super().__init__()
        self.look = theme.BY_NAME[look]
        self.heard = []

    def compose(self):
        yield Chart()

    def on_chart_pointed(self, message):
        self.heard.append(("pointed", round(message.x), message.chosen))

    def on_chart_scrolled(self, message):
        self.heard.append(("scrolled", message.by))

    def on_chart_dragged(self, message):
        self.heard.append(("dragged", tuple(round(end) for end in message.window)))


@pytest.fixture
def painted(monkeypatch):
    """Regions that a chart asked to be painted again."""
    found = []
    refresh = Chart.refresh

    def watch(self, *regions, **more):
        found.extend(regions or ["all"])
        return refresh(self, *regions, **more)

    monkeypatch.setattr(Chart, "refresh", watch)
    return found


async def test_it_says_what_it_is_and_the_newest_value():
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.query_one(Chart).show([make_curve(np.linspace(5, 0.25, 100))], title="train/loss")
        await pilot.pause()
        head = screen_text(app).splitlines()[0]
        assert head.startswith("train/loss")
        assert head.endswith("0.25")


async def test_it_says_how_often_it_was_no_number():
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.query_one(Chart).show([make_curve([1, np.nan, 2], bad=[1])], title="loss")
        await pilot.pause()
        assert f"{theme.glyph(('✖', 'x'))}1" in screen_text(app).splitlines()[0]


@pytest.mark.parametrize(("language", "mark"), [("C", "i"), ("C.UTF-8", "∞")])
@pytest.mark.parametrize(("was", "words"), [(np.inf, "inf"), (-np.inf, "-inf"), (1e200, "1e+200")])
async def test_what_is_infinite_or_beyond_scale_is_not_called_nan(was, words, language, mark, monkeypatch):
    monkeypatch.setenv("LC_ALL", language)
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.query_one(Chart).show([make_curve([1, 2, np.nan], bad=[2], was=was)], title="loss")
        await pilot.pause()
        head = screen_text(app).splitlines()[0]
        assert head.startswith(f"loss {mark}1 ")
        assert head.split()[-1] == words
        assert mark in screen_text(app).splitlines()[-2]


async def test_nan_is_called_nan():
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.query_one(Chart).show([make_curve([1, np.nan], bad=[1])], title="loss")
        await pilot.pause()
        assert screen_text(app).splitlines()[0].endswith("NaN")


async def test_without_points_it_says_so():
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.query_one(Chart).show([], title="loss", empty="nothing here yet")
        await pilot.pause()
        assert "nothing here yet" in screen_text(app)


async def test_where_no_value_is_a_number_it_says_so():
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.query_one(Chart).show([make_curve([np.nan, np.nan], bad=[0, 1])], title="loss")
        await pilot.pause()
        assert "every value is NaN or infinite" in screen_text(app)


async def test_the_same_again_paints_nothing(painted):
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        chart, curve = app.query_one(Chart), make_curve(np.linspace(5, 0, 100))
        chart.show([curve], title="loss")
        await pilot.pause()
        painted.clear()
        chart.show([curve], title="loss")
        assert painted == []


async def test_a_point_more_paints_a_few_cells(painted):
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        chart, scale = app.query_one(Chart), Scale(window=(0, 200), smoothing=0.0)
        chart.show([make_curve(np.linspace(5, 0, 200)[:100])], scale, title="loss")
        await pilot.pause()
        painted.clear()
        chart.show([make_curve(np.linspace(5, 0, 200)[:104])], scale, title="loss")
        assert "all" not in painted
        inside = [region for region in painted if region.y > 0]
        assert 0 < sum(region.area for region in inside) <= 12


@pytest.mark.parametrize("look", theme.BY_NAME)
@pytest.mark.parametrize("language", ["C", "C.UTF-8"])
async def test_every_theme_and_language_draws(look, language, monkeypatch):
    monkeypatch.setenv("LC_ALL", language)
    app = Stage(look)
    async with app.run_test(size=(60, 12)) as pilot:
        app.query_one(Chart).show([make_curve(np.linspace(5, 0, 100), bad=[3])], Scale(cursor=50), title="loss")
        await pilot.pause()
        assert language != "C" or screen_text(app).isascii()


async def test_no_colour_at_all_draws(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.query_one(Chart).show([make_curve(np.linspace(5, 0, 100))], title="loss")
        await pilot.pause()
        assert "loss" in screen_text(app)


@pytest.mark.parametrize("size", [(60, 4), (30, 3), (12, 2), (5, 1), (300, 90)])
async def test_every_size_draws(size):
    app = Stage()
    async with app.run_test(size=size) as pilot:
        app.query_one(Chart).show([make_curve(np.linspace(5, 0, 100), name="한국어")], title="손실 🚀 train/loss")
        await pilot.pause()
        assert any(0x2800 < ord(letter) < 0x2900 or letter in ".':" for letter in screen_text(app))


async def test_the_mouse_points_chooses_zooms_and_drags():
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        app.query_one(Chart).show([make_curve(np.arange(1001.0))], title="loss")
        await pilot.pause()
        await pilot.hover(Chart, offset=(59, 5))
        await pilot.mouse_down(Chart, offset=(40, 5))
        await pilot.hover(Chart, offset=(30, 5))
        await pilot.mouse_up(Chart, offset=(30, 5))
        assert app.heard[0][0] == "pointed"
        assert app.heard[0][1] > 980
        assert ("pointed", app.heard[1][1], True) in app.heard
