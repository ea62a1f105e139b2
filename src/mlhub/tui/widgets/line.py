"""A line to type into that takes nothing a terminal would obey. What it is for is its view's."""

from __future__ import annotations

from typing import Any

from textual.widgets import Input

from mlhub.text import clean


class Line(Input):
    """An `Input` whose text is clean, typed or pasted, and whose cursor doesn't blink."""

    def __init__(self, value: str | None = None, **more: Any) -> None:  # noqa: ANN401 - what an Input takes
        super().__init__(value, compact=True, **more)
        self.cursor_blink = False  # each blink is bytes over the line

    def validate_value(self, value: str) -> str:
        """What is typed or pasted, without what a terminal would obey; the space at its end stays."""
        return value if value.isascii() and value.isprintable() else " ".join(clean(value).splitlines())
