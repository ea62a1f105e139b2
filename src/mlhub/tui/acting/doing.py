"""How an action of the screen is carried out: one question at a time, work in a thread, what came of it in a line.

Nothing here touches a row, a file or a process on the main thread. Quitting waits for work that is under way, a start
or a removal, but not for what is `lasting`, as a stop. Which actions there are is `mlhub.tui.acting.actions`'s.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from textual import work

from mlhub.errors import MlhubError
from mlhub.text import one_line, width

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from textual.app import App
    from textual.screen import ModalScreen

    from mlhub.store.runs import Run
    from mlhub.store.store import Store
    from mlhub.tui.acting.deeds import Said
    from mlhub.tui.app import Top

    _App = App[None]
else:
    _App = object

_T = TypeVar("_T")


def asking(action: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Any]:
    """An action that asks something. Of two presses of its key, or of two such keys, one counts."""

    @wraps(action)
    async def once(self: Doing, *arguments: Any) -> None:  # noqa: ANN401 - the action's own
        if self.asks:
            return
        self.asks = True
        try:
            await action(self, *arguments)
        finally:
            self.asks = False

    return work(once)


class Doing(_App):
    """A part of the app."""

    #: whether a question stands on the screen, or is being made
    asks = False

    @property
    def top(self) -> Top:
        """The app, by its own type."""
        return cast("Top", self)

    async def answer(self, dialog: ModalScreen[str | None]) -> str | None:
        """What a dialog gives."""
        return await self.push_screen_wait(dialog)

    @work
    async def carry_out(
        self, runs: Sequence[Run], word: str, job: Callable[[Store], Said], *, lasting: bool = False
    ) -> None:
        """Do something to runs in a thread, and say what came of it; their rows say `word` meanwhile.

        `lasting`: the screen may be left before its end, which somebody else will bring about.
        """
        feed = self.top.model.feed
        ids = [run.id for run in runs]
        feed.mark(dict.fromkeys(ids, word))
        if word:
            self.top.say(f"{word} {count_words(runs)}")
        try:
            said = await self.on_store(job, lasting=lasting)
        except MlhubError as error:
            self.complain([error])
        else:
            self.tell(said)
        finally:
            feed.unmark(ids)

    def tell(self, said: Said) -> None:
        lines = said.lines
        line = "; ".join(lines)
        self.top.say(line, said.colour)
        if said.errors and width(line) + 2 > self.size.width and len(self.screen_stack) == 1:
            from mlhub.tui.acting.dialogs import Notice

            self.push_screen(Notice("Not everything went well", lines))

    def complain(self, errors: Sequence[MlhubError]) -> None:
        from mlhub.tui.acting.deeds import Said

        self.tell(Said("", tuple(errors)))

    async def on_store(self, job: Callable[[Store], _T], *, lasting: bool = False) -> _T:
        """`job` with a store of its own, in a thread. Raises MlhubError."""
        if lasting:
            return await in_daemon(lambda: self.open_store(job))
        return await asyncio.to_thread(self.open_store, job)

    def open_store(self, job: Callable[[Store], _T]) -> _T:
        from mlhub.store.store import Store

        model = self.top.model
        try:
            store = Store.open(model.home)
            try:
                return job(store)
            finally:
                store.close()
        except MlhubError:
            raise
        except Exception as error:  # house rule 5: the outermost step of a thread; the screen must outlive it
            from mlhub.tui.app import write_report

            report = write_report(model, error)
            where = f"The report is in {report}" if report else "Try again."
            raise MlhubError(f"it failed: {type(error).__name__}: {error}", where) from error


def count_words(runs: Sequence[Run]) -> str:
    """One run by its name, several by how many they are."""
    return one_line(runs[0].name) if len(runs) == 1 else f"{len(runs)} runs"


async def in_daemon(work: Callable[[], _T]) -> _T:
    """`asyncio.to_thread` for what the end of the program need not wait for."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def settle(give: Callable[[Any], None], value: object) -> None:
        if not future.done():
            give(value)

    def run() -> None:
        try:
            give: tuple[Callable[[Any], None], object] = (future.set_result, work())
        except BaseException as error:  # house rule 5: a thread's outermost step; handed on whole to who waits
            give = (future.set_exception, error)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, *give)

    threading.Thread(target=run, name="deed", daemon=True).start()
    return await future
