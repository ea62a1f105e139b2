"""Gauges: a label, a value, a bar and a curve in one or more rows of cells; those of the machine as a whole.

Pure: from a `Scene` to lines of exactly the width asked for. Those of a GPU are `system.cards`', the whole view
`mlhub.tui.system.sheet`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from rich.style import Style

from mlhub.text import fit, pad, size, width
from mlhub.tui.system import meter
from mlhub.tui.system.meters import FULL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlhub.tui.system.machine import Reading
    from mlhub.tui.theme import Look

Line = list[tuple[str, Style]]

_GB = 10**9
#: columns of a gauge's label and value, and of its bar at most
_LABEL, _VALUE, _LONGEST = 9, 16, 24
#: a network or disk that does less than this a second does nothing
_QUIET = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One to be shown: whose it is (a run's name and id, or the machine's, without an id)."""

    severity: str
    text: str
    at: str
    who: str = ""
    run: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that is drawn. `curves` gives each quantity's values, so many of them. `chosen`: a position among the cards.

    `focus`: the run that the user looks at. `head` stands on top where the view is alone.
    """

    reading: Reading
    curves: Callable[[int], Mapping[str, Sequence[float]]]
    look: Look
    unicode: bool = True
    alerts: tuple[Alert, ...] = ()
    chosen: int = 0
    focus: int | None = None
    head: str = ""

    def glyph(self, pair: tuple[str, str]) -> str:
        return pair[0] if self.unicode else pair[1]

    def fill(self, line: Line, columns: int) -> Line:
        return fill(line, columns, self.look.plain)

    def blank(self, columns: int) -> Line:
        return [(" " * columns, self.look.plain)]

    def run_style(self, run_id: int) -> Style:
        """A run's own colour; the one that the user looks at stands out."""
        return Style(color=self.look.run_colour(run_id), bgcolor=self.look.back, bold=run_id == self.focus or None)


class Gauge(NamedTuple):
    """`share` of its bar, 0..1; `names` of the quantities that are summed up in its curve, from `low` to `high`.

    A `high` of 0: a round number above all of the curve. One without names has one row only. `cells`: in place of bar
    and curve, one cell each for percents.
    """

    label: str
    value: str
    share: float | None
    names: tuple[str, ...]
    high: float
    colour: str = "accent"
    low: float = 0.0
    cells: tuple[float, ...] = ()


def fill(line: Line, columns: int, plain: Style) -> Line:
    """`line` cut or filled to exactly `columns`, without empty parts."""
    found: Line = []
    left = columns
    for text, style in line:
        wide = width(text)
        if wide > left:
            text = pad(fit(text, left), left)  # noqa: PLW2901 - the last part that shows
            wide = left
        if text:
            found.append((text, style))
        left -= wide
    return [*found, (" " * left, plain)] if left > 0 else found


def host_gauges(scene: Scene, *, full: bool) -> list[Gauge]:
    """The machine's own; not all of them where rows are short."""
    reading, memory = scene.reading, scene.reading.memory
    cpu = "–" if reading.cpu is None else f"{reading.cpu:.0f} %"
    gauges = [Gauge("CPU", cpu, None if reading.cpu is None else reading.cpu / 100, ("cpu",), 100)]
    if full and reading.cores:
        gauges.append(Gauge("cores", str(len(reading.cores)), None, (), 0, cells=reading.cores))
    if not any(card.gpu.memory.unified for card in reading.cards):  # else it stands beside the GPU's share of it
        gauges.append(memory_gauge(reading, "memory"))
    swap = memory.swap_total - memory.swap_free
    if full and swap > memory.swap_total / 100:
        words = f"{gb(swap)}/{gb(memory.swap_total)} GB"
        gauges.append(Gauge("swap", words, swap / memory.swap_total, (), 0, "warn"))
    gauges.append(_disk(reading, with_curve=not full))
    if full:
        gauges.append(_flow(scene, "disk io", "disk_read", "disk_write"))
    gauges.append(_flow(scene, "network", "net_rx", "net_tx"))
    return gauges


def memory_gauge(reading: Reading, label: str) -> Gauge:
    """The machine's memory."""
    total, used = reading.memory.total, reading.memory_used
    share = used / total if total else None
    colour = "warn" if share is not None and 100 * share >= FULL else "info"
    return Gauge(label, f"{gb(used)}/{gb(total)} GB" if total else "–", share, ("memory",), total, colour)


def _disk(reading: Reading, *, with_curve: bool) -> Gauge:
    """Free space where the home lies, in the colour of its alert. The bar is what is used, the curve what is moved."""
    disk = reading.disk
    raised = next((alert["severity"] for alert in reading.alerts if alert["name"] == "disk"), "")
    colour = {"warn": "warn", "fail": "bad"}.get(raised, "info")
    words = "–" if disk is None else f"{size(disk.free)} free"
    share = 1 - disk.free / disk.total if disk is not None and disk.total else None
    return Gauge("disk", words, share, ("disk_read", "disk_write") if with_curve else (), 0, colour)


def _flow(scene: Scene, label: str, inward: str, outward: str) -> Gauge:
    into, out = (scene.reading.rates.get(name) for name in (inward, outward))
    if into is None or out is None:
        return Gauge(label, "–", None, (inward, outward), 0, "good")
    big = max(into, out) >= 1e10
    words = f"{scene.glyph(('↓', '<'))}{_rate(into, big)} {scene.glyph(('↑', '>'))}{_rate(out, big)} {'MG'[big]}B/s"
    return Gauge(label, words, None, (inward, outward), 0, "good")


def _rate(value: float, big: bool) -> str:
    """Bytes a second in MB or GB; a trickle is nothing."""
    value /= 1e9 if big else 1e6
    return "0" if value < 0.05 else f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def gauge_lines(scene: Scene, gauge: Gauge, columns: int, high: int) -> list[Line]:
    """A gauge, its curve `high` rows high."""
    look = scene.look
    style = look.style(gauge.colour)
    value = look.style(gauge.colour if gauge.colour in ("warn", "bad") else "text", bold=gauge.colour == "bad")
    line: Line = [(f"  {gauge.label:<{_LABEL - 1}}", look.quiet), (pad(fit(gauge.value, _VALUE - 1), _VALUE), value)]
    left = columns - _LABEL - _VALUE - 2
    if gauge.cells:
        line.append((_cells(scene, gauge.cells, max(1, left)), style))
        return [scene.fill(line, columns)]
    long = max(0, min(left // 3, _LONGEST)) if left >= 18 else 0
    line += [(" " * long, look.plain)] if gauge.share is None else bar(scene, gauge.share, long, gauge.colour)
    line.append((" ", look.plain))
    rest = left - long - 1
    if rest < 6 or not gauge.names:
        return [scene.fill(line, columns)]
    first, *more = curve(scene, gauge.names, rest, gauge.low, gauge.high, high)
    lines = [[*line, (first, style)], *([(" " * (columns - rest - 1), look.plain), (row, style)] for row in more)]
    return [scene.fill(line, columns) for line in lines]


def bar(scene: Scene, share: float | None, columns: int, colour: str) -> Line:
    filled, rest = meter.bar(share, columns, unicode=scene.unicode)
    return [(filled, scene.look.style(colour)), (rest, scene.look.style("faint"))]


def curve(scene: Scene, names: Sequence[str], columns: int, low: float, high: float, rows: int) -> list[str]:
    """The sum of the quantities over time in `rows` rows."""
    curves = scene.curves(meter.samples(columns, rows, unicode=scene.unicode))
    found = [curves[name] for name in names if name in curves]
    if not found:
        return [" " * columns] * rows
    values = found[0] if len(found) == 1 else [sum(both) for both in zip(*found, strict=True)]
    high = high or meter.ceiling(values, _QUIET if len(names) > 1 else 1)
    return meter.curve(values, low, high, rows, unicode=scene.unicode)


def _cells(scene: Scene, percents: tuple[float, ...], columns: int) -> str:
    """A cell for each, or for each few where there are more than columns: the busiest of them."""
    few = -(-len(percents) // columns)
    highest = [max(percents[at : at + few]) for at in range(0, len(percents), few)]
    return meter.curve(highest, 0, 100, 1, unicode=scene.unicode)[0]


def taken(line: Line) -> int:
    """Columns of a line."""
    return sum(width(text) for text, _ in line)


def gb(count: int | None) -> str:
    """Bytes in GB: powers of 1,000, as `mlhub.text.size` and `mlhub top --once` have them."""
    if count is None:
        return "–"
    value = count / _GB
    return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def grid(scene: Scene, blocks: list[list[Line]], beside: int, columns: int) -> list[Line]:
    """Blocks beside and below each other, those of a row as high as the highest of them."""
    lines: list[Line] = []
    for first in range(0, len(blocks), beside):
        row = blocks[first : first + beside]
        wide = columns // beside
        lines += [
            scene.fill([part for line in parts for part in line], columns)
            for parts in zip_longest(*row, fillvalue=scene.blank(wide))
        ]
    return lines
