"""The queue view."""

from __future__ import annotations

from typing import ClassVar

from mlhub.tui.keys import bindings
from mlhub.tui.view import View


class QueueView(View):
    """To be written."""

    NAME = "queue"
    TITLE = "Queue"
    BINDINGS: ClassVar = bindings("queue")
    can_focus = True
