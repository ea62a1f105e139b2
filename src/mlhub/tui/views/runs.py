"""The runs view."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mlhub.tui.keys import bindings
from mlhub.tui.view import View

if TYPE_CHECKING:
    from textual.binding import Binding


class RunsView(View):
    """To be written."""

    NAME = "runs"
    TITLE = "Runs"
    BINDINGS: ClassVar[list[Binding]] = bindings("runs")
    can_focus = True
