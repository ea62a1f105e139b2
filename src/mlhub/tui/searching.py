"""The resident search process as the screen knows it: asked by lines of JSON, answered by lines of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlhub.paths import Home


class SearchClient:
    """No process before the first query; `close` ends it."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def close(self) -> None:
        pass
