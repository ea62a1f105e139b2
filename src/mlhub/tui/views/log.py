"""The log view."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mlhub.tui.keys import bindings
from mlhub.tui.view import View

if TYPE_CHECKING:
    from textual.binding import Binding


class LogView(View):
    """To be written."""

    NAME = "log"
    TITLE = "Log"
    BINDINGS: ClassVar[list[Binding]] = bindings("log")
    can_focus = True
