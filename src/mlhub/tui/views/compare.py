"""The compare view."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mlhub.tui.keys import bindings
from mlhub.tui.view import View

if TYPE_CHECKING:
    from textual.binding import Binding


class CompareView(View):
    """To be written."""

    NAME = "compare"
    TITLE = "Compare"
    BINDINGS: ClassVar[list[Binding]] = bindings("compare")
    can_focus = True
