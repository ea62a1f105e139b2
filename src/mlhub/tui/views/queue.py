"""The queue view."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mlhub.tui.keys import bindings
from mlhub.tui.view import View

if TYPE_CHECKING:
    from textual.binding import Binding


class QueueView(View):
    """To be written."""

    NAME = "queue"
    TITLE = "Queue"
    BINDINGS: ClassVar[list[Binding]] = bindings("queue")
    can_focus = True
