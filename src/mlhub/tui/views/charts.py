"""The charts view."""

from __future__ import annotations

from typing import ClassVar

from mlhub.tui.keys import bindings
from mlhub.tui.view import View


class ChartsView(View):
    """To be written."""

    NAME = "charts"
    TITLE = "Charts"
    BINDINGS: ClassVar = bindings("charts")
    can_focus = True
