"""The compare view."""

from __future__ import annotations

from typing import ClassVar

from mlhub.tui.keys import bindings
from mlhub.tui.view import View


class CompareView(View):
    """To be written."""

    NAME = "compare"
    TITLE = "Compare"
    BINDINGS: ClassVar = bindings("compare")
    can_focus = True
