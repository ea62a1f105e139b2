"""The search view."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mlhub.tui.keys import bindings
from mlhub.tui.view import View

if TYPE_CHECKING:
    from textual.binding import Binding


class SearchView(View):
    """To be written."""

    NAME = "search"
    TITLE = "Search"
    BINDINGS: ClassVar[list[Binding]] = bindings("search")
    can_focus = True
