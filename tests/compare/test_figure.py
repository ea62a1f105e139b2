"""Figures: what a reader must find in them, and what must not break them."""

from __future__ import annotations

import math
import re
import struct
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from mlhub import report
from mlhub.compare.comparison import Metric
from mlhub.compare.figure import MOST_NAMED, Line, Panel, best_point, named_lines, spread_out, to_png, to_svg
from mlhub.compare.palette import PAPER, assign, on_paper
from mlhub.compare.panels import make_panels
from mlhub.curves.follower import Follower
from mlhub.curves.whole import RunCurves, read_whole
from mlhub.errors import MlhubError
from mlhub.records import MetricWriter


def _words(svg: str) -> list[str]:
    return ["".join(one.itertext()).strip() for one in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314


def _panel(*names: str) -> Panel:
    lines = [Line(name, [0.0, 1.0], [0.1, place / 10], "#0072b2", best=place == 1) for place, name in enumerate(names)]
    return Panel("val/acc", lines, "max")


def test_curves_carry_their_names_and_the_best_a_star():
    words = _words(to_svg([_panel("calm-otter", "b")]))
    assert "val/acc ↑" in words
    assert "calm-otter  0" in words
    assert "★ b  0.1" in words


@pytest.mark.parametrize(
    "name",
    ["학습률 실험", "日本語", "$\\frac{1}{0}$", "a & <b> </svg>", "_under", "\x1b[31mred\x00", "x" * 10_000, "", "🦦"],
)
def test_any_name_can_be_drawn_without_a_warning(name: str):
    svg = to_svg([_panel(name, "b")], title=name)
    assert ET.fromstring(svg).tag.endswith("svg")  # noqa: S314 - whole, and nobody's markup
    assert "\x1b" not in svg
    assert to_png([_panel(name, "b")])[:4] == b"\x89PNG"


def test_the_same_curves_give_the_same_bytes():
    assert to_svg([_panel("a", "b")]) == to_svg([_panel("a", "b")])


@pytest.mark.parametrize(
    "ys", [[], [math.nan] * 3, [math.inf, -math.inf, math.nan], [1.0], [-1.0, 0.0], [1e300, -1e300]]
)
@pytest.mark.parametrize("log_y", [False, True])
def test_what_can_hardly_be_drawn_breaks_nothing(ys: list[float], log_y: bool):
    line = Line("a", [float(place) for place in range(len(ys))], ys)
    words = _words(to_svg([Panel("x", [line], "min")], log_y=log_y))
    assert ("no number to draw" in words) == (not any(map(math.isfinite, ys)))
    assert ("no values above 0" in words) == (log_y and ys == [-1.0, 0.0])


def test_a_single_panel_is_wider_than_high_and_several_stand_in_two_columns():
    def size(count: int) -> tuple[int, int]:
        return struct.unpack(">II", to_png([_panel("a")] * count, dots_an_inch=50)[16:24])  # type: ignore[return-value]

    assert size(1) == (420, 230)
    assert size(3) == (600, 330)


def test_of_many_curves_the_best_are_named():
    lines = [Line(f"run-{place}", [0.0, 1.0], [0.0, place / 100]) for place in range(30)]
    assert named_lines(Panel("acc", lines, "max")) == set(range(20, 30))
    assert len(named_lines(Panel("acc", lines, "min"))) == MOST_NAMED
    assert "and 20 more, grey" in _words(to_svg([Panel("acc", lines, "max")]))


def test_names_stand_apart_in_their_order():
    found = spread_out([0.5, 0.5, 0.51, 0.99, 1.0], 0.1, 0.0, 1.0)
    assert all(b - a >= 0.1 - 1e-9 for a, b in pairwise(found))
    assert 0 <= min(found) <= max(found) <= 1


def test_the_best_point_is_of_the_values_that_were_logged_not_of_the_smoothed_ones():
    line = Line("a", [0, 1, 2], [0.2, 0.3, 0.2], raw=[0.1, 0.9, 0.1])
    assert best_point(line, "max") == (1, 0.9)


def test_without_matplotlib_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MlhubError) as caught:
        to_svg([_panel("a")])
    assert "mlhub[plots]" in caught.value.hint


def test_colours_are_a_runs_own_as_long_as_they_last():
    assert assign(PAPER, [3, 11, 5]) == {3: PAPER[3], 11: PAPER[4], 5: PAPER[5]}
    assert assign(PAPER, [3])[3] == assign(PAPER, [1, 2, 3])[3]


def test_the_colours_of_a_few_runs_on_paper_are_those_farthest_from_each_other():
    colours = on_paper([905, 901, 902, 904, 903]).values()
    assert set(colours) == set(PAPER[:5])
    assert not {"#e69f00", "#d55e00"} <= set(colours)


def test_a_reports_style_has_the_colours_of_figures():
    style = (Path(report.__file__).parent / "style.css").read_text()
    light = style[: style.index("@media")]
    assert tuple(re.findall(r"--c\d: (#[0-9a-f]{6})", light)) == PAPER


@pytest.fixture(scope="module")
def curves(tmp_path_factory: pytest.TempPathFactory) -> RunCurves:
    """10,000 steps, one spike in them."""
    path = tmp_path_factory.mktemp("curves") / "metrics.jsonl"
    writer = MetricWriter(path)
    for step in range(10_000):
        writer.log({"loss": 100.0 if step == 7_777 else 1.0 + step % 2}, step=step, epoch=step // 1000)
    writer.close()
    return read_whole(path)


def test_a_thinned_curve_keeps_its_extremes(curves: RunCurves):
    (panel,) = make_panels({1: curves}, {1: "a"}, [Metric("loss", "min", {1: 1.0})])
    assert len(panel.lines[0].xs) < 3000
    assert (7777.0, 100.0) in set(zip(panel.lines[0].xs, panel.lines[0].ys, strict=True))


@pytest.mark.parametrize(("x", "last"), [("step", 9999), ("epoch", 9.999)])
def test_curves_are_drawn_over_what_was_asked_for(curves: RunCurves, x: str, last: float):
    (panel,) = make_panels({1: curves}, {1: "a"}, [Metric("loss", None, {1: 1.0})], x=x)
    assert panel.lines[0].xs[-1] == pytest.approx(last, abs=0.002)


def test_time_begins_with_the_first_record(curves: RunCurves):
    (panel,) = make_panels({1: curves}, {1: "a"}, [Metric("loss", None, {1: 1.0})], x="relative")
    assert panel.lines[0].xs[0] == 0
    assert np.all(np.diff(panel.lines[0].xs) >= 0)


def test_smoothed_curves_keep_what_was_logged_behind_them(curves: RunCurves):
    (panel,) = make_panels({1: curves}, {1: "a"}, [Metric("loss", None, {1: 1.0})], smoothing=0.6)
    line = panel.lines[0]
    assert line.raw is not None
    assert max(line.raw) == 100
    assert max(line.ys) < 50


def test_a_run_that_lacks_the_metric_is_not_in_the_panel(curves: RunCurves):
    panels = make_panels(
        {1: curves, 2: RunCurves()}, {1: "a", 2: "b"}, [Metric("loss", "min", {1: 1.0}), Metric("none", None, {})]
    )
    assert [[line.name for line in panel.lines] for panel in panels] == [["a"], []]
    assert to_svg(panels)


def test_reading_whole_gives_what_following_gives(tmp_path, curves: RunCurves):
    assert read_whole(tmp_path / "none.jsonl").metrics == {}
    assert len(curves.metrics["loss"].points) == 10_000
    assert isinstance(Follower(tmp_path / "none.jsonl").metrics, dict)
