"""The resident search process as the screen knows it: a query is left here, its answer is found here later.

A thread of its own starts the process at the first wish, asks one query at a time, and ends it with the screen. A
query that was not answered yet is replaced by the next. The process may die or hang: the next query starts another.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mlhub.text import one_line
from mlhub.tui.search.indexes import Shelf
from mlhub.tui.search.thumbnails import Thumbnails

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlhub.paths import Home
    from mlhub.tui.search.resident import Resident

#: results asked for
_RESULTS = 60
#: seconds it may take to load its model, and to answer, before it counts as hung
_START_LIMIT, _ANSWER_LIMIT = 180.0, 30.0
#: deaths in a row without an answer, after which it is given time before it is started again, in seconds
_DEATHS, _REST = 3, 30.0


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for, in which index. `words`: a text, or the path of an image; which, is found out here."""

    words: str
    index: Path
    to: Literal["image", "text"] = "image"
    bits: int | None = None
    k: int = _RESULTS


@dataclass(frozen=True, slots=True)
class Hit:
    """One result; its words are clean, `image` is the path as it is."""

    rank: int
    id: str
    image: Path
    caption: str
    captions: tuple[str, ...]
    labels: tuple[str, ...]
    distance: int
    score: float


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a query, or why there is none: `error`, and `hint` for what to do."""

    query: Query
    hits: tuple[Hit, ...] = ()
    modality: str = "text"
    bits: int = 0
    count: int = 0
    took_ms: float = 0.0
    warnings: tuple[str, ...] = ()
    error: str = ""
    hint: str = ""


class SearchClient:
    """No process before the first wish; `close` ends it. `version` rises with each change of the other attributes."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.version = 0
        #: the answer to the last query that has one
        self.answer: Reply | None = None
        #: how the process is, in words; empty: there is none yet
        self.state = ""
        #: which indexes there are, and the pictures of results: both read in threads of their own
        self.shelf = Shelf(home)
        self.pictures = Thumbnails()
        self._wish: Query | None = None
        self._warm: Path | None = None
        self._lock = threading.Lock()
        self._ended = False
        self._wake_out, self._wake_in = os.pipe()
        os.set_blocking(self._wake_out, False)
        os.set_blocking(self._wake_in, False)
        self._thread: threading.Thread | None = None
        self._child: Resident | None = None
        self._ready = False
        self._sent: Query | None = None
        self._number = 0
        self._since = 0.0
        self._doing = ""
        self._deaths = 0

    @property
    def pending(self) -> Query | None:
        """The query that waits for its answer."""
        return self._wish

    @property
    def pid(self) -> int | None:
        """The process, if there is one."""
        child = self._child
        return child.pid if child else None

    def ask(self, query: Query) -> None:
        """Answer this; one that was asked before and has no answer is dropped."""
        with self._lock:
            self._wish = query
        self.version += 1
        self._wake()

    def warm(self, index: Path) -> None:
        """Start the process: somebody is typing."""
        if self._child is None and self._wish is None:
            self._warm = index
            self._wake()

    def close(self) -> None:
        self._ended = True
        self.shelf.close()
        self.pictures.close()
        if self._thread is not None:
            self._wake()
            self._thread.join(timeout=2.0)

    def command(self, index: Path) -> Sequence[str]:
        """The process' argument list."""
        from mlhub.adapters import HASHING

        return HASHING.command("search", "--serve", "--index", str(index))

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="search", daemon=True)
            self._thread.start()
        with suppress(BlockingIOError):  # full: it wakes up anyway
            os.write(self._wake_in, b"!")

    # the thread

    def _work(self) -> None:
        while not self._ended:
            try:
                self._turn()
            except Exception as error:  # house rule 5: a reader's outermost step; the screen says what it was
                self._fail(f"{type(error).__name__}: {error}")
        if self._child is not None:
            self._child.end()

    def _turn(self) -> None:
        """Start or ask if somebody wants it, then listen for a while."""
        wish = self._wish
        if self._child is None:
            index = wish.index if wish else self._warm
            if index is None or not self._start(index):
                with suppress(BlockingIOError):
                    _await(self._wake_out)
                return
        assert self._child is not None  # noqa: S101 - for the type checker
        if self._ready and wish is not None and self._sent is None:
            self._send(self._child, wish)
        busy = not self._ready or self._sent is not None
        said = self._child.listen(self._wake_out, 0.25 if busy else None)
        with suppress(BlockingIOError):
            os.read(self._wake_out, 4096)
        if said is None:
            self._fail(f"died: {self._child.last_words()}")
            return
        for tree in said:
            self._take(tree)
        self._look_at_clock()

    def _start(self, index: Path) -> bool:
        """A new process, unless it can't be or must not be yet; who waits is then told."""
        from mlhub.adapters import HASHING
        from mlhub.tui.search.resident import Resident

        self._warm = None
        if HASHING.missing():
            self._refuse("not installed", f"pip install 'mlhub[{HASHING.extra}]'")
            return False
        rest = _REST - (time.monotonic() - self._since)
        if self._deaths >= _DEATHS and rest > 0:
            self._refuse(f"it died {self._deaths} times in a row ({self._doing})", f"Again in {rest:.0f} s.")
            return False
        self._since, self._doing, self._ready, self._sent = time.monotonic(), "starting", False, None
        try:
            self._child = Resident(self.command(index))
        except OSError as error:
            self._since = time.monotonic()
            self._refuse(f"it can't be started: {error.strerror}", "See mlhub doctor.")
            return False
        self._say("starting")
        return True

    def _send(self, child: Resident, wish: Query) -> None:
        from mlhub.tui.search.imagepath import image_of

        self._sent, self._since = wish, time.monotonic()
        self._number += 1
        image = image_of(wish.words)
        what = {"text": wish.words} if image is None else {"image": str(image)}
        how = {"to": wish.to, "k": wish.k, "bits": wish.bits, "index": str(wish.index)}
        child.send({"id": self._number} | what | how)

    def _take(self, tree: dict[str, Any]) -> None:
        """Something it said."""
        event = tree.get("event")
        if event == "loading":
            self._doing = f"loading the {one_line(str(tree.get('what')))}"
        elif event == "ready":
            self._ready = True
            self._say("ready")
        elif self._sent is not None and tree.get("id") == self._number:
            reply = _reply(self._sent, tree)
            sent, self._sent, self._deaths = self._sent, None, 0
            self._publish(reply, sent)

    def _look_at_clock(self) -> None:
        """Say how long it has taken; end one that takes too long."""
        passed = time.monotonic() - self._since
        if not self._ready:
            if passed > _START_LIMIT:
                self._fail(f"not ready after {_START_LIMIT:.0f} s: ended")
            else:
                self._say(f"{self._doing} {passed:.0f} s")
        elif self._sent is not None and passed > _ANSWER_LIMIT:
            self._fail(f"hung: no answer in {_ANSWER_LIMIT:.0f} s, ended")

    def _fail(self, why: str) -> None:
        """There is no process any more; the query that waited for it has its answer."""
        if self._child is not None:
            self._child.end()
        self._child, self._ready = None, False
        self._deaths += 1
        self._since, self._doing = time.monotonic(), one_line(why)
        waiting, self._sent, self._warm = self._sent or self._wish, None, None
        if waiting is not None:
            reply = Reply(waiting, error=f"the search process {one_line(why)}", hint="Enter asks again.")
            self._publish(reply, waiting)
        self._say(f"{one_line(why)} (restarts with the next query)")

    def _refuse(self, why: str, hint: str) -> None:
        wish = self._wish
        if wish is not None:
            self._publish(Reply(wish, error=f"search: {why}", hint=hint), wish)
        self._say(f"{why}: {hint}")

    def _publish(self, reply: Reply, query: Query) -> None:
        """The answer, unless something else is wanted by now."""
        with self._lock:
            if self._wish is not query:
                return
            self._wish = None
            self.answer = reply
        self.version += 1

    def _say(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self.version += 1


def _await(wake: int) -> None:
    import select

    select.select([wake], [], [])
    os.read(wake, 4096)


def _reply(query: Query, tree: dict[str, Any]) -> Reply:
    """What the process answered, its words cleaned; captions come out of files."""
    try:
        if error := tree.get("error"):
            return Reply(query, error=one_line(str(error["message"])), hint=one_line(str(error["hint"])))
        found = tree["answer"]
        return Reply(
            query,
            tuple(_hit(hit) for hit in found["results"]),
            str(found["modality"]),
            int(found["bits"]),
            int(found["index"]["count"]),
            float(found["took_ms"]),
            tuple(one_line(str(warning)) for warning in found["warnings"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Reply(query, error=f"not an answer: {one_line(repr(error))}", hint="Is it another version of mlhub?")


def _hit(tree: dict[str, Any]) -> Hit:
    return Hit(
        int(tree["rank"]),
        one_line(str(tree["id"])),
        Path(str(tree["image"])),
        one_line(str(tree["caption"])),
        tuple(one_line(str(text)) for text in tree["captions"]),
        tuple(one_line(str(text)) for text in tree["labels"]),
        int(tree["distance"]),
        float(tree["score"]),
    )
