"""A chart as a picture of cells."""

from __future__ import annotations

import numpy as np
import pytest

from mlhub.curves.axes import Curve, Scale, read_at
from mlhub.curves.follower import Events, MetricSeries
from mlhub.curves.plot import Glyphs, Plotter, column_of, x_of
from mlhub.curves.points import make_points
from mlhub.tui.charts.legend import values_of


def events(*steps, old=False, value=np.nan):
    return Events(np.array(steps, float), np.array(steps, float) + 1000, np.full(len(steps), value),
                  np.full(len(steps), old))  # fmt: skip


def curve(values, *, run_id=1, colour="red", bad=(), old=(), step=None):
    values = np.asarray(values, float)
    steps = np.arange(len(values), dtype=float) if step is None else np.asarray(step, float)
    parts = tuple(
        make_points(np.asarray(part, float), np.asarray(part, float) + 1000, np.ones(len(part))) for part in old
    )
    return Curve(
        run_id, "a", colour, MetricSeries("loss", make_points(steps, steps + 1000, values), parts, events(*bad)), 1000.0
    )


class Inks(dict):
    def __call__(self, *key):
        return self.setdefault(key, len(self))


def draw(curves, scale=None, size=(60, 14), glyphs=None, plotter=None, inks=None):
    return (plotter or Plotter()).draw(
        curves, scale or Scale(), *size, inks if inks is not None else Inks(), glyphs or Glyphs()
    )


def text(picture):
    return "\n".join("".join(map(chr, row)) for row in picture.cells)


def is_dots(picture):
    return (picture.cells > 0x2800) & (picture.cells < 0x2900)


def test_a_falling_curve_goes_from_the_upper_left_to_the_lower_right():
    dots = is_dots(draw([curve(np.linspace(5, 0, 500))]))
    rows, columns = np.nonzero(dots)
    assert np.corrcoef(rows, columns)[0, 1] > 0.99


def test_axes_have_words():
    words = text(draw([curve(np.linspace(5, 0, 5001))]))
    assert "4 ┈" in words
    assert "2000" in words.splitlines()[-1]


def test_a_small_chart_has_curves_and_no_words_below():
    picture = draw([curve(np.linspace(5, 0, 50))], size=(20, 3))
    assert picture.left == 0
    assert is_dots(picture)[-1].any()


def test_letters_stand_where_there_is_no_braille():
    assert text(draw([curve(np.linspace(5, 0, 500))], glyphs=Glyphs(unicode=False))).isascii()


def test_where_it_was_no_number_the_lowest_row_is_marked():
    picture = draw([curve([1, 2, np.nan, 4, 5], bad=[2])])
    row = text(picture).splitlines()[-2]
    assert row.index("✖") == column_of(picture, 2.0)


def test_nan_and_infinity_have_marks_of_their_own_and_nan_wins_a_cell():
    series = curve([1, 2, np.nan, np.nan, 5])
    mixed = Events(np.array([2.0, 3, 3]), np.array([1002.0, 1003, 1003]), np.array([-np.inf, np.nan, np.inf]),
                   np.zeros(3, bool))  # fmt: skip
    picture = draw([series._replace(series=MetricSeries("loss", series.series.points, (), mixed))])
    row = text(picture).splitlines()[-2]
    assert (row.index("∞"), row.index("✖")) == (column_of(picture, 2.0), column_of(picture, 3.0))


def test_the_table_of_values_says_what_was_recorded():
    line = curve([1, 2, np.nan])
    line = line._replace(series=MetricSeries("loss", line.series.points, (), events(2.0, value=-np.inf)))
    assert values_of(line, Scale())[1:5] == ("-inf", "-inf", "1", "2")
    forgotten = curve([1, 2, np.nan])
    assert values_of(forgotten, Scale())[1] == "no number"


def test_an_event_of_a_superseded_attempt_is_marked_quietly():
    inks = Inks()
    series = curve([1, 2, 3])
    series = series._replace(series=MetricSeries("loss", series.series.points, (), events(1.0, old=True)))
    picture = draw([series], inks=inks)
    assert picture.inks[picture.cells == ord("✖")].tolist() == [inks["label",]]


def test_superseded_points_are_dimmed():
    inks = Inks()
    picture = draw([curve(np.full(50, 3.0), step=np.arange(50), old=[np.arange(50, 100)])], inks=inks)
    right = picture.inks[:-1, picture.cells.shape[1] // 2 + 8 :][
        is_dots(picture)[:-1, picture.cells.shape[1] // 2 + 8 :]
    ]
    assert set(right.tolist()) == {inks["dim", "red"]}


def test_values_that_have_no_logarithm_are_said_to_be_left_out():
    assert draw([curve([-1, 0, 1, 10, 100])], Scale(log=True)).notes == ("≤0 left out",)
    assert draw([curve([-1, -2])], Scale(log=True)).notes == ("no values above 0",)
    assert draw([curve([1, 10])], Scale(log=True)).notes == ()


def test_a_logarithmic_axis_makes_an_exponential_straight():
    rows, columns = np.nonzero(is_dots(draw([curve(np.exp(-np.arange(500) / 50))], Scale(log=True, smoothing=0.0))))
    assert abs(np.corrcoef(rows, columns)[0, 1]) > 0.99


def test_a_noisy_curve_is_seen_to_its_end_on_a_logarithmic_axis():
    noise = np.random.default_rng(0).normal(size=20_000) / 20
    picture = draw(
        [curve(np.exp(-np.arange(20_000) / 4_000) + 0.4 + noise)], Scale(log=True), glyphs=Glyphs(colour=False)
    )
    assert is_dots(picture)[:, -5:].any(axis=0).all()


def test_zeros_do_not_stretch_a_logarithmic_axis():
    values = np.zeros(5_000)
    values[::500] = 100
    assert draw([curve(values)], Scale(log=True)).y[0] > 1


def test_smoothing_keeps_the_raw_values_dimmed_behind_the_line():
    inks = Inks()
    noisy = curve(np.random.default_rng(0).normal(size=5000))
    draw([noisy], inks=inks)
    assert {("run", "red"), ("dim", "red")} <= inks.keys()
    raw = Inks()
    draw([noisy], Scale(smoothing=0.0), inks=raw)
    assert ("dim", "red") not in raw


def test_where_lines_cross_the_cell_has_the_colour_of_the_last():
    inks = Inks()
    flat = [curve(np.ones(100), run_id=1), curve(np.ones(100), run_id=2, colour="blue")]
    picture = draw(flat, inks=inks)
    assert set(picture.inks[is_dots(picture)].tolist()) == {inks["run", "blue"]}


def test_the_y_axis_stays_while_a_curve_grows_within_it():
    plotter = Plotter()
    one = draw([curve([0, 10, 5])], plotter=plotter)
    other = draw([curve([0, 10, 5, 7])], plotter=plotter)
    assert one.y == other.y
    assert draw([curve([0, 10, 5, 70])], plotter=plotter).y != one.y


def test_a_spike_does_not_flatten_a_smoothed_curve():
    values = np.ones(10_000) + np.random.default_rng(0).normal(size=10_000) / 100
    values[5_000] = 1e3
    assert draw([curve(values)]).y[1] < 100
    assert draw([curve(values)], Scale(smoothing=0.0)).y[1] >= 1e3


@pytest.mark.parametrize(
    "values", [[5], [5, 5], [0, 0], [1e150, -1e150], [1e-300, 2e-300], [], [np.nan], [-1e-150, 1e150]]
)
@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("size", [(60, 14), (4, 1), (24, 6), (3, 3)])
def test_no_values_and_no_size_are_too_odd(values, log, size):
    picture = draw([curve(values)], Scale(log=log), size)
    assert picture.cells.shape == (size[1], size[0])


def test_the_cursor_stands_behind_the_curve():
    plotter, line = Plotter(), [curve(np.linspace(5, 0, 500))]
    bare, marked = draw(line, plotter=plotter), draw(line, Scale(cursor=100), plotter=plotter)
    column = column_of(marked, 100)
    assert "│" in {chr(cell) for cell in marked.cells[:, column]}
    assert np.array_equal(np.delete(bare.cells, column, axis=1), np.delete(marked.cells, column, axis=1))
    assert np.array_equal(is_dots(bare), is_dots(marked))


def test_columns_and_places_belong_together():
    picture = draw([curve(np.arange(1000.0))])
    for column in range(picture.left, 60):
        assert column_of(picture, x_of(picture, column)) == column


def test_the_cursor_reads_the_nearest_point():
    line = curve([5, 6, 7], step=[0, 10, 20])
    assert read_at(line, Scale(cursor=12)).value == 6
    assert read_at(line, Scale(cursor=16)).value == 7
    assert read_at(line, Scale(cursor=500)) is None
    assert read_at(line, Scale()).value == 7
    assert read_at(line, Scale(axis="time", cursor=9.0)).value == 6


@pytest.mark.parametrize("glyphs", [Glyphs(unicode=False), Glyphs(colour=False)])
def test_raw_values_are_left_out_where_they_could_not_be_told_from_the_line(glyphs):
    inks = Inks()
    draw([curve(np.random.default_rng(0).normal(size=5000))], glyphs=glyphs, inks=inks)
    assert ("dim", "red") not in inks


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize(
    "values",
    [[10.0 ** -(8 * i) for i in range(41)], [5e-324 * i for i in range(1, 50)], [1e149, -1e149], [5e-324, 1e149]],
)
def test_values_of_any_size_are_drawn(values, log):
    picture = draw([curve(values)], Scale(log=log))
    assert picture.y is not None
    assert is_dots(picture).any()
