"""A GPU on the screen: in one line, or as a card of gauges with the processes on it and whose run they are. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlhub.tui import theme
from mlhub.tui.system.gauges import Gauge, bar, curve, gauge_lines, gb, memory_gauge, taken
from mlhub.tui.system.meters import heat_colour

if TYPE_CHECKING:
    from rich.style import Style

    from mlhub.runner.owners import Owned
    from mlhub.tui.system.gauges import Line, Scene
    from mlhub.tui.system.machine import Card

_GB = 10**9
#: of temperatures, where bar and curve begin and end
_COOL, _BOILING = 20, 100
_SOMEBODY = "somebody"


def card_line(scene: Scene, index: int, columns: int) -> Line:
    """A GPU in one line: a bar of its work, numbers, a curve, and who is on it."""
    card, look = scene.reading.cards[index], scene.look
    gpu = card.gpu
    line: Line = [_name(scene, index, f"{gpu.index:<3}")]
    long = 6 if columns < 64 else 10 if columns < 100 else 16
    line += bar(scene, None if gpu.utilization is None else gpu.utilization / 100, long, "accent")
    line.append((f"{_whole(gpu.utilization):>4}% ", look.plain))
    if gpu.memory.total:
        words = f"{(gpu.memory.used or 0) / _GB:.0f}/{gpu.memory.total / _GB:.0f}G"
        line.append((f"{words:>8} ", look.plain))
    line.append((f"{_whole(gpu.temperature):>3}C ", look.style(heat_colour(gpu.temperature))))
    if columns >= 72 and gpu.power is not None:
        line.append((f"{gpu.power:>4.0f}W ", look.quiet))
    long = min((columns - taken(line)) // 2, 40)
    line.append((curve(scene, (f"gpu.{gpu.index}.util",), long, 0, 100, 1)[0], look.style("accent")))
    line.append((" ", look.plain))
    return scene.fill(line + _users(scene, card), columns)


def _name(scene: Scene, index: int, words: str) -> tuple[str, Style]:
    """The beginning of a card, which says whether it is the chosen one of several."""
    chosen = index == scene.chosen and len(scene.reading.cards) > 1
    mark = scene.glyph(("▸", ">")) if chosen else " "
    return mark + words, scene.look.style("accent" if chosen else "text", bold=True)


def _users(scene: Scene, card: Card) -> Line:
    """Whose it is, in short: runs in their colours, other people."""
    quiet = scene.look.quiet
    runs = {owned.run: owned.name or "" for owned in card.processes if owned.run is not None}
    line: Line = [(f"{name} ", scene.run_style(run_id)) for run_id, name in runs.items()]
    line += [(f"claimed by {run_id} ", quiet) for run_id in card.claimed if run_id not in runs]
    others = dict.fromkeys(owned.user or _SOMEBODY for owned in card.processes if owned.run is None)
    return line + [(f"{user} ", quiet) for user in others]


def card_lines(scene: Scene, index: int, columns: int, high: int, processes: int) -> list[Line]:
    """A GPU as a card: its head, its gauges with curves `high` rows high, and so many of its processes."""
    card, look = scene.reading.cards[index], scene.look
    head: Line = [_name(scene, index, f"GPU {card.gpu.index}  "), (card.name, look.style("text", bold=True))]
    on_it = {owned.run for owned in card.processes}
    head += [(f"  claimed by run {run_id}", look.quiet) for run_id in card.claimed if run_id not in on_it]
    lines = [scene.fill(head, columns)]
    for gauge in card_gauges(scene, card):
        lines += gauge_lines(scene, gauge, columns, high)
    lines += _process_lines(scene, card, columns, processes)
    return lines


def card_gauges(scene: Scene, card: Card) -> list[Gauge]:
    """Of a card, the machine's memory among them where they share it."""
    gpu, name = card.gpu, f"gpu.{card.gpu.index}."
    busy, heat, power, limit = gpu.utilization, gpu.temperature, gpu.power, gpu.power_limit
    watts = "–" if power is None else f"{power:.0f}/{limit:.0f} W" if limit else f"{power:.0f} W"
    degrees = "–" if heat is None else f"{heat} {scene.glyph(('°C', 'C'))}"
    warmth = None if heat is None else (heat - _COOL) / (_BOILING - _COOL)
    colour = heat_colour(heat)
    shared = [memory_gauge(scene.reading, "machine")] if gpu.memory.unified else []
    return [
        Gauge("busy", _with(busy, "%"), None if busy is None else busy / 100, (f"{name}util",), 100),
        _memory(card, f"{name}memory"),
        *shared,
        Gauge("temp", degrees, warmth, (f"{name}temp",), _BOILING, "good" if colour == "text" else colour, _COOL),
        Gauge("power", watts, power / limit if power is not None and limit else None, (f"{name}power",), limit or 0),
        Gauge("clock", _with(gpu.clock, "MHz"), None, (f"{name}clock",), 0),
    ]


def _memory(card: Card, name: str) -> Gauge:
    """The card's own; where it shares the machine's, what its processes hold of that."""
    memory = card.gpu.memory
    words = f"{gb(memory.used)}/{gb(memory.total)} GB" if memory.total else "–"
    share = memory.used / memory.total if memory.used is not None and memory.total else None
    return Gauge("on GPU" if memory.unified else "memory", words, share, (name,), memory.total or 0, "info")


def _process_lines(scene: Scene, card: Card, columns: int, most: int) -> list[Line]:
    """The greatest first, and how many more there are."""
    found = sorted(card.processes, key=lambda owned: owned.memory or 0, reverse=True)
    told = found[:most]
    lines = [_process_line(scene, owned, columns, len(found) - most if owned is told[-1] else 0) for owned in told]
    if not found:
        words = "nobody is on it" if card.gpu.processes_known else "the driver does not tell who is on it"
        lines.append(scene.fill([(f"  {words}", scene.look.quiet)], columns))
    return lines + [scene.blank(columns)] * (most - len(lines))


def _process_line(scene: Scene, owned: Owned, columns: int, more: int) -> Line:
    """How much it holds, whose it is, its pid and its command."""
    look = scene.look
    held = "–" if owned.memory is None else f"{owned.memory / _GB:.1f} GB"
    line: Line = [(f"  {held:>9}  ", look.plain)]
    if owned.run is not None:
        line.append((f"{scene.glyph(theme.GLYPHS['running'])} {owned.name} ({owned.run})", scene.run_style(owned.run)))
    else:
        line.append((owned.user or _SOMEBODY, look.plain))
    line.append((f"  and {more} more" if more > 0 else "", look.style("text", bold=True)))
    return scene.fill([*line, (f"  {owned.pid} {owned.command or ''}", look.quiet)], columns)


def _whole(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def _with(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value:.0f} {unit}"
