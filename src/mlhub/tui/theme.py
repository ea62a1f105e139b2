"""Themes: the colours of widgets (Textual's CSS) and of what we draw ourselves, from one table.

`ssh` uses the terminal's own sixteen colours, whose codes are short; `okabe` keeps to Okabe and Ito's palette, which
people with any form of colour blindness can tell apart (https://jfly.uni-koeln.de/color/).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

from rich.style import Style

from mlhub.compare.palette import assign
from mlhub.text import unicode_works as unicode_works  # noqa: PLC0414 - the screen asks for it here

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.theme import Theme

#: a state as a glyph and as the letter for terminals without it; the word always stands beside it or is one key away
GLYPHS = {
    "running": ("●", "*"), "queued": ("○", "."), "completed": ("✔", "+"), "failed": ("✖", "x"), "cancelled": ("■", "-"),
}  # fmt: skip
ALERT = ("▲", "!")
MARK = ("◆", "#")


@cache
def _style(colour: str, back: str, bold: bool, reverse: bool) -> Style:
    """A style made once: some hundred times a picture it is asked for."""
    return Style(color=colour, bgcolor=back, bold=bold or None, reverse=reverse or None)


#: what Textual's own style sheet wants from a theme of sixteen colours, and doesn't make itself
_ANSI = {
    "ansi-background": "ansi_black", "ansi-foreground": "ansi_white", "border-blurred": "ansi_black",
    "input-cursor-background": "ansi_default", "input-cursor-foreground": "ansi_default",
    "input-cursor-text-style": "reverse", "input-selection-background": "ansi_blue",
    "input-selection-foreground": "ansi_bright_white",
}  # fmt: skip


@dataclass(frozen=True)
class Look:
    """A theme. Colours are Rich's words; `runs` are those of overlaid curves, far apart from each other."""

    name: str
    title: str
    text: str
    dim: str
    faint: str
    back: str
    panel: str
    accent: str
    good: str
    bad: str
    warn: str
    info: str
    cursor: str
    cursor_text: str
    runs: tuple[str, ...]
    dark: bool = True
    ansi: bool = False

    def style(self, name: str, *, bold: bool = False, reverse: bool = False, on: str | None = None) -> Style:
        """Of one of the colours above, on the background, or on colour `on`."""
        return _style(getattr(self, name), getattr(self, on or "back"), bold, reverse)

    @cached_property
    def plain(self) -> Style:
        return self.style("text")

    @cached_property
    def quiet(self) -> Style:
        return self.style("dim")

    @cached_property
    def cursor_style(self) -> Style:
        return Style(color=self.cursor_text, bgcolor=self.cursor)

    @cached_property
    def status(self) -> dict[str, Style]:
        """Of each status."""
        colours = {"running": "good", "queued": "dim", "completed": "info", "failed": "bad", "cancelled": "warn"}
        return {word: self.style(colour) for word, colour in colours.items()}

    @cached_property
    def severity(self) -> dict[str, Style]:
        """Of alerts."""
        return {"warn": self.style("warn", bold=True), "fail": self.style("bad", bold=True)}

    def run_colour(self, run_id: int) -> str:
        """The colour of a run, the same in every view and on every day; of runs side by side see `colours_of`."""
        return self.runs[run_id % len(self.runs)]

    def run_style(self, run_id: int) -> Style:
        return Style(color=self.run_colour(run_id), bgcolor=self.back)

    def to_theme(self) -> Theme:
        """Textual's theme of the same colours."""
        from textual.theme import Theme

        def named(colour: str) -> str:
            return f"ansi_{colour}" if self.ansi else colour

        return Theme(
            name=self.name, primary=named(self.accent), secondary=named(self.info), warning=named(self.warn),
            error=named(self.bad), success=named(self.good), accent=named(self.accent), foreground=named(self.text),
            background=named(self.back), surface=named(self.back), panel=named(self.panel), boost=named(self.panel),
            dark=self.dark, ansi=self.ansi, variables=dict(_ANSI if self.ansi else ()),
        )  # fmt: skip


LOOKS: tuple[Look, ...] = (
    Look(
        "night", "dark", text="#d7dae0", dim="#98a0ae", faint="#454b57", back="#14161b", panel="#1f232b",
        accent="#61afef", good="#7ec87e", bad="#f0707a", warn="#e5b567", info="#6cc7d2", cursor="#2f4a6b",
        cursor_text="#ffffff",
        runs=("#61afef", "#e5b567", "#7ec87e", "#f0707a", "#c58af0", "#6cc7d2", "#f39c6b", "#d7dae0", "#b5cc5a",
              "#ee8bc4"),
    ),
    Look(
        "day", "light", text="#24292f", dim="#5c656e", faint="#c4cad1", back="#fbfbfa", panel="#ecedee",
        accent="#0b62c4", good="#146c2e", bad="#c0262d", warn="#8a5a00", info="#0a7480", cursor="#cfe3fb",
        cursor_text="#0b1b2b", dark=False,
        runs=("#0b62c4", "#b35900", "#1a7f37", "#c0262d", "#7b3fc4", "#0a7480", "#8a5a00", "#444c56", "#5c7a00",
              "#b0307a"),
    ),
    Look(
        "okabe", "colour-blind safe", text="#e6e6e6", dim="#9a9a9a", faint="#4a4a4a", back="#111111", panel="#191919",
        accent="#56b4e9", good="#56b4e9", bad="#d55e00", warn="#f0e442", info="#cfcfcf", cursor="#004b73",
        cursor_text="#ffffff",
        runs=("#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7", "#d55e00", "#0072b2", "#ffffff"),
    ),
    Look(
        "ssh", "the terminal's sixteen colours, few bytes", text="default", dim="bright_black", faint="bright_black",
        back="default", panel="default", accent="blue", good="green", bad="red", warn="yellow", info="cyan",
        cursor="blue", cursor_text="bright_white", ansi=True,
        runs=("blue", "yellow", "green", "red", "magenta", "cyan", "bright_white", "bright_blue", "bright_yellow",
              "bright_magenta"),
    ),
)  # fmt: skip


def colours_of(look: Look, run_ids: Iterable[int]) -> dict[int, str]:
    """Colours of runs that are seen together, as `mlhub.compare.palette` gives them out."""
    return assign(look.runs, run_ids)


BY_NAME = {look.name: look for look in LOOKS}


def glyph(pair: tuple[str, str]) -> str:
    """The glyph, or its letter where the terminal has none."""
    return pair[0] if unicode_works() else pair[1]


def state_glyph(status: str) -> str:
    return glyph(GLYPHS.get(status, ("?", "?")))
