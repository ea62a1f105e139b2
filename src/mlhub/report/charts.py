"""A chart as inline SVG: whole and readable without a script. The page's script draws it anew when it is asked to."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from mlhub.compare.render import metric_text
from mlhub.curves.axes import axis_ticks, short, ticks
from mlhub.report.html import Html, el, line_class
from mlhub.text import fit_middle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlhub.report.contents import Chart, Line

#: of the drawing, and of its margins, in its own units; `script.js` has the same
WIDTH, HEIGHT = 540, 280
LEFT, RIGHT, TOP, BOTTOM = 54, 14, 12, 30
#: letters of a metric's name above its chart; the table of all has it whole
_NAME = 120


class Axes(NamedTuple):
    """The part of the plane that is drawn."""

    x0: float
    x1: float
    y0: float
    y1: float

    def x(self, value: float) -> float:
        return LEFT + (value - self.x0) / (self.x1 - self.x0) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (value - self.y0) / (self.y1 - self.y0) * (HEIGHT - TOP - BOTTOM)


def draw(chart: Chart, index: int) -> Html:
    """The figure of one metric: its name, what was best, the drawing."""
    arrow = {"max": " ↑", "min": " ↓"}.get(str(chart.direction), "")
    best = next((line for line in chart.lines if line.best is not None), None)
    about = (
        f"best {metric_text(best.best[1])} at step {step_words(best.best[0])}: {best.name}"
        if best and best.best
        else ""
    )
    caption = el(
        "figcaption",
        el("b", fit_middle(chart.metric, _NAME) + arrow, title=chart.metric),
        " ",
        el("span", about, class_="quiet"),
    )
    label = f"{chart.metric} of {len(chart.lines)} run{'s' * (len(chart.lines) > 1)} by step. {about}"
    axes = _axes(chart)
    body: list[Html] = []
    if axes is None:
        middle = {"x": WIDTH / 2, "y": HEIGHT / 2, "text_anchor": "middle"}
        body.append(el("text", "no number to draw: every value is NaN or infinite", **middle))
    else:
        body += _grid(axes)
        body += [curve for line in chart.lines for curve in _curve(line, axes)]
        if best is not None and best.best is not None and len(chart.lines) > 1:
            body.append(_star(axes.x(best.best[0]), axes.y(best.best[1]), best.mark))
    svg = el("svg", *body, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=label, data_chart=index)
    return el("figure", caption, svg, class_="chart")


def step_words(step: float) -> str:
    """A step in full: `1,999`."""
    return f"{step:,.0f}" if step == round(step) else f"{step:g}"


def _axes(chart: Chart) -> Axes | None:
    xs = [step for line in chart.lines for step in line.steps]
    xs += [step for line in chart.lines for step, _ in line.bad]
    ys = [value for line in chart.lines for value in line.values if value is not None]
    if not xs or not ys:
        return None
    x0, x1 = min(xs), max(xs)
    if x0 == x1:
        x0, x1 = x0 - 0.5, x1 + 0.5
    low, high = min(ys), max(ys)
    room = (high - low) * 0.05 if high > low else abs(low) * 0.1 or 1.0
    y0, y1 = low - room, high + room
    axes = Axes(x0, x1, 0.0 if y0 < 0 <= low else y0, y1)
    return axes if math.isfinite(axes.y1 - axes.y0) and math.isfinite(axes.x1 - axes.x0) else None


def _grid(axes: Axes) -> list[Html]:
    found = []
    values = ticks(axes.y0, axes.y1, 5)
    for value in values:
        y = round(axes.y(value), 1)
        found.append(el("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
        found.append(el("text", short(value, values), x=LEFT - 7, y=y + 4, text_anchor="end"))
    for place, words in axis_ticks("step", axes.x0, axes.x1, 6):
        x = round(axes.x(place), 1)
        found.append(el("text", words, x=x, y=HEIGHT - BOTTOM + 17, text_anchor="middle"))
    foot = HEIGHT - BOTTOM
    found.append(el("line", x1=LEFT, x2=WIDTH - RIGHT, y1=foot, y2=foot, class_="axis"))
    return [*found, el("text", "step", x=WIDTH - RIGHT, y=HEIGHT - 3, text_anchor="end", class_="unit")]


def _curve(line: Line, axes: Axes) -> list[Html]:
    words, up = [], True
    count = 0
    for step, value in zip(line.steps, line.values, strict=True):
        if value is None:
            up = True
            continue
        words.append(f"{'M' if up else 'L'}{axes.x(step):.1f} {axes.y(value):.1f}")
        up, count = False, count + 1
    found = [el("path", d="".join(words), class_=line_class(line.mark), data_run=line.run)] if count > 1 else []
    if count == 1:
        step, value = next((s, v) for s, v in zip(line.steps, line.values, strict=True) if v is not None)
        found.append(el("circle", cx=round(axes.x(step), 1), cy=round(axes.y(value), 1), r=3.5,
                        class_=f"dot c{line.mark % 8}", data_run=line.run))  # fmt: skip
    for step, word in line.bad:
        title = el("title", f"{line.name}: {word} at step {step_words(step)}")
        found.append(el("text", "×", title, x=round(axes.x(step), 1), y=HEIGHT - BOTTOM - 2, text_anchor="middle",
                        class_=f"bad c{line.mark % 8}", data_run=line.run))  # fmt: skip
    return found


def _star(x: float, y: float, mark: int) -> Html:
    return el("text", "★", x=round(x, 1), y=round(y + 5, 1), text_anchor="middle", class_=f"star c{mark % 8}")


def data_of(charts: Sequence[Chart]) -> str:
    """What the page's script draws of: JSON in which nothing can end a script element."""
    tree = {
        "charts": [
            {
                "metric": chart.metric,
                "way": chart.direction,
                "lines": [_line_data(line) for line in chart.lines],
            }
            for chart in charts
        ]
    }
    text = json.dumps(tree, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _line_data(line: Line) -> dict[str, Any]:
    return {
        "run": line.run,
        "mark": line.mark,
        "name": line.name,
        "x": [_digits(step) for step in line.steps],
        "t": [_digits(seconds) for seconds in line.seconds],
        "y": [_digits(value) for value in line.values],
        "best": line.best is not None,
        "bad": [[_digits(step), word] for step, word in line.bad],
    }


def _digits(value: float | None) -> float | int | None:
    """Six digits are more than a screen has dots."""
    if value is None:
        return None
    short_one = float(f"{value:.9g}" if value == int(value) else f"{value:.6g}")
    return int(short_one) if short_one == int(short_one) and abs(short_one) < 1 << 53 else short_one
