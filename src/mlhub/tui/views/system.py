"""The system view."""

from __future__ import annotations

from typing import ClassVar

from mlhub.tui.keys import bindings
from mlhub.tui.view import View


class SystemView(View):
    """To be written."""

    NAME = "system"
    TITLE = "System"
    BINDINGS: ClassVar = bindings("system")
    can_focus = True
