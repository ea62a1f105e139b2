"""The system view as lines, for the room there is: GPUs, then the machine, then alerts. Pure: no widget, no thread.

A GPU is a card where there is room, else one line, with the card of the chosen one below. What rows are left make more
alerts, more gauges and processes, and higher curves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from mlhub.text import fit, local_time
from mlhub.tui import theme
from mlhub.tui.system.cards import card_gauges, card_line, card_lines
from mlhub.tui.system.gauges import Alert, gauge_lines, grid, host_gauges

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlhub.tui.system.gauges import Gauge, Line, Scene

#: columns from which on gauges and cards stand beside each other
_TWO = 70
#: rows of a curve at most, of alerts, and of a card's processes
_HIGHEST, _MOST_ALERTS, _MOST_PROCESSES = 4, 6, 8
#: what several runs say of the one machine
_SHARED = ("disk", "memory", "gpu-hot")


class Spot(NamedTuple):
    """Which card stands in a row, up to a column."""

    right: int
    card: int


@dataclass
class Drawn:
    """Lines of exactly the width; `spots`: the cards that stand in a row, from left to right."""

    lines: list[Line] = field(default_factory=list)
    spots: dict[int, list[Spot]] = field(default_factory=dict)


@dataclass
class Plan:
    """How the rows are shared out: which cards are lines and which are cards, and how high all of it is."""

    lines: list[int] = field(default_factory=list)
    cards: list[int] = field(default_factory=list)
    beside: int = 1
    card_rows: int = 1
    processes: int = 1
    host: list[Gauge] = field(default_factory=list)
    host_beside: int = 1
    host_rows: int = 1
    alerts: int = 0
    gaps: int = 0

    @property
    def deep(self) -> int:
        """Cards below each other."""
        return _rows(self.cards, self.beside)


def draw(scene: Scene, columns: int, rows: int) -> Drawn:
    """The view in so many columns and rows."""
    plan, drawn = share_out(scene, columns, rows), Drawn()
    gap = [scene.blank(columns)] * plan.gaps
    if scene.head:
        drawn.lines.append(scene.fill([(f" {scene.head}", scene.look.quiet)], columns))
    _draw_gpus(scene, plan, columns, drawn)
    drawn.lines += gap
    wide = columns // plan.host_beside
    blocks = [gauge_lines(scene, gauge, wide, plan.host_rows) for gauge in plan.host]
    drawn.lines += grid(scene, blocks, plan.host_beside, columns)
    if plan.alerts:
        drawn.lines += gap + alert_lines(scene, columns, plan.alerts)
    drawn.lines = drawn.lines[:rows]
    return drawn


def _draw_gpus(scene: Scene, plan: Plan, columns: int, drawn: Drawn) -> None:
    reading, look = scene.reading, scene.look
    if not reading.cards:
        words, colour = ("the GPUs are gone", "bad") if reading.lost else ("no GPU", "text")
        line = [(f" {words}: ", look.style(colour)), (reading.no_gpu, look.quiet)]
        drawn.lines.append(scene.fill(line, columns))
    for index in plan.lines:
        drawn.spots[len(drawn.lines)] = [Spot(columns, index)]
        drawn.lines.append(card_line(scene, index, columns))
    wide = columns // plan.beside
    blocks = [card_lines(scene, index, wide, plan.card_rows, plan.processes) for index in plan.cards]
    high = max(map(len, blocks), default=0)
    for place, index in enumerate(plan.cards):
        first = len(drawn.lines) + place // plan.beside * high
        for row in range(first, first + high):
            drawn.spots.setdefault(row, []).append(Spot(wide * (place % plan.beside + 1), index))
    drawn.lines += grid(scene, blocks, plan.beside, columns)
    for name in reading.lost if reading.cards else ():
        drawn.lines.append(scene.fill([(f" {name} no longer answers", look.style("bad", bold=True))], columns))


def share_out(scene: Scene, columns: int, rows: int) -> Plan:
    """The plan for so much room: first what must be there."""
    cards = scene.reading.cards
    plan = Plan(host=host_gauges(scene, full=False), alerts=min(1, len(scene.alerts)))
    plan.host_beside = 2 if columns >= 2 * _TWO else 1
    room = rows - bool(scene.head) - _rows(plan.host, plan.host_beside) - plan.alerts
    room -= len(scene.reading.lost) if cards else 1
    high = max((len(card_gauges(scene, card)) for card in cards), default=0) + 2  # head and a process
    plan.beside = max(1, min(len(cards), columns // _TWO))
    if _rows(cards, plan.beside) * high <= room:
        plan.cards = [*range(len(cards))]
        room -= plan.deep * high
    elif len(cards) + high <= room:
        plan.lines, plan.cards, plan.beside = [*range(len(cards))], [scene.chosen], 1
        room -= len(cards) + high
    else:
        most = max(1, room)
        first = max(0, min(scene.chosen - most // 2, len(cards) - most))
        plan.lines = [*range(len(cards))][first : first + most]
        room -= len(plan.lines)
    _spend(scene, plan, room, high - 2)
    return plan


def _spend(scene: Scene, plan: Plan, room: int, gauges: int) -> None:
    """What is left: more alerts, gauges, processes, some air, and higher curves. A card has so many `gauges`."""
    more = max(0, min(room, min(_MOST_ALERTS, len(scene.alerts)) - plan.alerts))
    plan.alerts, room = plan.alerts + more, room - more
    full = host_gauges(scene, full=True)
    cost = _rows(full, plan.host_beside) - _rows(plan.host, plan.host_beside)
    if room >= cost:
        plan.host, room = full, room - cost
    most = max((len(scene.reading.cards[index].processes) for index in plan.cards), default=0)
    while plan.processes < min(most, _MOST_PROCESSES) and room >= plan.deep:
        plan.processes, room = plan.processes + 1, room - plan.deep
    if room >= 2:
        plan.gaps, room = 1, room - 1 - bool(plan.alerts)
    pairs = range(0, len(plan.host), plan.host_beside)
    curves = sum(any(gauge.names for gauge in plan.host[at : at + plan.host_beside]) for at in pairs)
    grown = True
    while grown:
        grown = False
        if plan.cards and plan.card_rows < _HIGHEST and room >= plan.deep * gauges:
            plan.card_rows, room, grown = plan.card_rows + 1, room - plan.deep * gauges, True
        if plan.host_rows < _HIGHEST and room >= curves:
            plan.host_rows, room, grown = plan.host_rows + 1, room - curves, True


def _rows(found: Sequence[object], beside: int) -> int:
    return -(-len(found) // beside)


def alert_lines(scene: Scene, columns: int, most: int) -> list[Line]:
    """The first ones, each with its time and whose it is, and how many more there are."""
    look = scene.look
    lines: list[Line] = []
    told = scene.alerts[:most]
    for alert in told:
        style = look.severity.get(alert.severity, look.plain)
        who = scene.run_style(alert.run) if alert.run is not None else look.plain
        more = len(scene.alerts) - most if alert is told[-1] else 0
        line = [
            (f" {scene.glyph(theme.ALERT)} ", style),
            (f"{local_time(alert.at)} ", look.quiet),
            (f"and {more} more  " if more > 0 else "", look.plain),
            (f"{fit(alert.who, 24)}  ", who),
            (alert.text, style),
        ]
        lines.append(scene.fill(line, columns))
    return lines


def merge(
    machine: Sequence[Mapping[str, str]], runs: Sequence[tuple[int, str, Sequence[Mapping[str, str]]]]
) -> tuple[Alert, ...]:
    """Alerts of the machine and of runs (id, name, alerts), the worse and then the newer first.

    What several say of the one machine is told once, with the time of the first.
    """
    found: dict[object, Alert] = {}
    for run_id, who, raised in ((None, "", machine), *runs):
        for entry in raised:
            name, text, at = entry["name"], entry["text"], entry["at"]
            alert = Alert(severity=entry["severity"], text=text, at=at, who=who, run=run_id)
            what: object = (name, run_id)
            if name in _SHARED:
                alert = Alert(severity=entry["severity"], text=text, at=at, who="machine")
                what = text.partition(" at ")[0] if name == "gpu-hot" else name
            before = found.get(what)
            if before is None or at < before.at:
                found[what] = alert
    return tuple(sorted(found.values(), key=lambda alert: (alert.severity == "fail", alert.at), reverse=True))
