"""The runs view."""

from __future__ import annotations

from typing import ClassVar

from mlhub.tui.keys import bindings
from mlhub.tui.view import View


class RunsView(View):
    """To be written."""

    NAME = "runs"
    TITLE = "Runs"
    BINDINGS: ClassVar = bindings("runs")
    can_focus = True
