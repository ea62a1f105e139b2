"""The charts view."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mlhub.tui.keys import bindings
from mlhub.tui.view import View

if TYPE_CHECKING:
    from textual.binding import Binding


class ChartsView(View):
    """To be written."""

    NAME = "charts"
    TITLE = "Charts"
    BINDINGS: ClassVar[list[Binding]] = bindings("charts")
    can_focus = True
