"""The system view."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mlhub.tui.keys import bindings
from mlhub.tui.view import View

if TYPE_CHECKING:
    from textual.binding import Binding


class SystemView(View):
    """To be written."""

    NAME = "system"
    TITLE = "System"
    BINDINGS: ClassVar[list[Binding]] = bindings("system")
    can_focus = True
