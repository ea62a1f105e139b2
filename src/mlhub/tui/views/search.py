"""The search view."""

from __future__ import annotations

from typing import ClassVar

from mlhub.tui.keys import bindings
from mlhub.tui.view import View


class SearchView(View):
    """To be written."""

    NAME = "search"
    TITLE = "Search"
    BINDINGS: ClassVar = bindings("search")
    can_focus = True
