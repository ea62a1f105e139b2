"""The log view."""

from __future__ import annotations

from typing import ClassVar

from mlhub.tui.keys import bindings
from mlhub.tui.view import View


class LogView(View):
    """To be written."""

    NAME = "log"
    TITLE = "Log"
    BINDINGS: ClassVar = bindings("log")
    can_focus = True
