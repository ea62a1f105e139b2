"""The line a query is typed into, which completes paths and knows the queries of before."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from textual.suggester import Suggester

from mlhub.text import one_line
from mlhub.tui.widgets.line import Line

if TYPE_CHECKING:
    from collections.abc import Callable

#: queries that are kept
_KEPT = 50
#: a longer one is no query
_LONGEST = 2000


class QueryLine(Line):
    """One line. `history`: what was asked before, the newest last; changed in place."""

    DEFAULT_CSS = """
    QueryLine, QueryLine:focus { background: $panel; color: $foreground; background-tint: $panel 0%; }
    QueryLine { padding: 0 1 !important; }
    """

    def __init__(self, history: list[str]) -> None:
        history[:] = [kept for query in history if (kept := one_line(query))][-_KEPT:]
        super().__init__(
            placeholder="text, or the path of an image",
            suggester=Completion(history),
            max_length=_LONGEST,
            select_on_focus=False,
        )
        self._history = history
        self._at = len(history)
        self._draft = ""

    def keep(self, query: str) -> None:
        """Note a query that was asked."""
        with suppress(ValueError):
            self._history.remove(query)
        self._history.append(query)
        del self._history[:-_KEPT]
        self._at = len(self._history)

    def older(self, by: int) -> None:
        """The query asked before (1) or after (-1) the one shown; after the last, what was being typed."""
        if self._at == len(self._history):
            self._draft = self.value
        at = max(0, min(len(self._history), self._at - by))
        if at != self._at:
            self._at = at
            self.value = self._history[at] if at < len(self._history) else self._draft
            self.cursor_position = len(self.value)

    def complete(self) -> bool:
        """Take the completion shown; whether there was one."""
        if len(self._suggestion) <= len(self.value):
            return False
        self.value = self._suggestion
        self.cursor_position = len(self.value)
        return True


class Completion(Suggester):
    """Of a path, by the files that are there; of a text, by what was asked before."""

    def __init__(self, history: list[str]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._history = history

    async def get_suggestion(self, value: str) -> str | None:
        """Called by Textual with each change."""
        from mlhub.tui.search.imagepath import complete, looks_like_path

        if looks_like_path(value):
            return await _aside(lambda: complete(value))
        return next((old for old in reversed(self._history) if old.startswith(value) and old != value), None)


async def _aside(work: Callable[[], str | None]) -> str | None:
    """Do it in a thread that nobody waits for at the end: a folder far away may never answer."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[str | None] = loop.create_future()

    def finish(found: str | None) -> None:
        if not done.done():
            done.set_result(found)

    def run() -> None:
        found = work()
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(finish, found)

    threading.Thread(target=run, name="completion", daemon=True).start()
    return await done
