"""The reader of rows: a thread that keeps the latest `Snapshot` of all runs, and starts what waits and may start.

Rows come from the store alone; that they are true is `mlhub.runner.reconcile`'s work, called here as by `mlhub ls`.
Without a change it costs one question to SQLite a second. It touches no run.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from mlhub.errors import MlhubError
from mlhub.text import one_line
from mlhub.tui.model import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlhub.paths import Home
    from mlhub.settings import Settings
    from mlhub.store.runs import Run
    from mlhub.store.store import Held, Store

#: seconds between two looks at what runs or waits, and between two at all rows
_LOOK, _QUIET_LOOK = 1.0, 5.0
#: seconds between two ticks of the queue; each supervisor that ends ticks too
_TICK = 5.0
#: rows that are on the screen before all the others are read
_FIRST = 200
#: seconds for summaries at one look: a home full of runs must not keep what is running waiting
_FOLDING = 0.2
#: how long a look waits for somebody else's write
_PATIENCE = 1.0


class Feed:
    """Starts reading when made; `snapshot` is the latest there is."""

    def __init__(self, home: Home, settings: Settings) -> None:
        self._home, self._settings = home, settings
        self.snapshot = Snapshot()
        self.ready = threading.Event()
        self._held: dict[int, Held] = {}
        #: `Store.changes` when active rows, and when all rows, were last read
        self._seen: tuple[int, int] | None = None
        self._seen_all: tuple[int, int] | None = None
        self._look_again = threading.Event()
        self._ended = threading.Event()
        self._unfolded = False  # whether there are ended runs whose metrics were not all folded
        self._ticked = self._looked = -math.inf
        #: runs to which something is being done from this screen, and the word for it; replaced whole, as it is read
        self.doing: dict[int, str] = {}
        self._shown_doing = self.doing
        self._thread = threading.Thread(target=self._work, name="rows", daemon=True)
        self._thread.start()

    def poke(self) -> None:
        """Look now: somebody has just changed something."""
        self._looked = -math.inf
        self._look_again.set()

    def mark(self, doing: dict[int, str]) -> None:
        """Let the rows of these runs say as their condition what is being done to them."""
        self.doing = self.doing | doing
        self.poke()

    def unmark(self, run_ids: Iterable[int]) -> None:
        """That is over."""
        over = set(run_ids)
        self.doing = {run_id: word for run_id, word in self.doing.items() if run_id not in over}
        self.poke()

    def close(self) -> None:
        self._ended.set()
        self._look_again.set()
        self._thread.join(timeout=2.0)

    def _open(self) -> Store:
        """The store; made anew from the run folders if the database is gone, as any command does."""
        from mlhub.store.store import Store

        lost = not self._home.database.exists() and self._home.runs.is_dir()
        store = Store.open(self._home)
        if lost:
            from mlhub.runner.folder import rebuild

            rebuild(store)
        return store

    def _work(self) -> None:
        store: Store | None = None
        while not self._ended.is_set():
            self._look_again.clear()
            try:
                if store is None:
                    store = self._open()
                    self._read_all(store, _FIRST, settled=False)
                    self._read_all(store, settled=False)
                    self.ready.set()
                store.check_current()
                self._look(store)
                if store.alone:
                    store.close()
                    store, self._seen, self._seen_all = None, None, None
            except MlhubError as error:
                self._fail(one_line(error.message))
                if store is not None:
                    store.close()
                store = None
            except Exception as error:  # house rule 5: a reader's outermost step; the screen says what it was
                self._fail(f"rows can't be read: {one_line(repr(error))}")
            self.ready.set()
            self._look_again.wait(_LOOK)
        if store is not None:
            store.close()

    def _look(self, store: Store) -> None:
        """Bring active rows up to date, start what may start, and read what has changed."""
        now = time.monotonic()
        whole = now - self._looked >= _QUIET_LOOK
        if whole:
            self._looked = now  # before reading: a poke from now on is for the next look
        if self._shown_doing is not self.doing:
            self._publish(store, self.snapshot.settled)
        if whole or self._unfolded or any(held.run.active for held in self._held.values()):
            with store.patience(_PATIENCE):
                self._settle(store, now)
        if whole:
            self._read_all(store)
        else:
            self._read_active(store)

    def _settle(self, store: Store, now: float) -> None:
        from mlhub.runner.queue import tick
        from mlhub.runner.reconcile import glance, refresh_active

        refresh_active(store)
        if now - self._ticked >= _TICK and store.any_waiting():
            self._ticked = now
            tick(store, max_runs=self._settings.max_runs, refreshed=True)
        self._read_active(store)
        active: list[Run] = []
        ended: list[Run] = []
        for run in (held.run for held in self._held.values() if not held.run.summary_done):
            (active if run.active else ended).append(run)
        for run in active:
            glance(store, run)
        end = time.monotonic() + _FOLDING
        self._unfolded = False
        for run in ended:
            if self._ended.is_set() or time.monotonic() > end:
                self._unfolded = True  # the rest at the next look
                return
            if not (folded := glance(store, run)).summary_done:
                glance(store, folded)

    def _read_all(self, store: Store, limit: int | None = None, *, settled: bool = True) -> None:
        seen = store.changes()
        if seen != self._seen_all or not self.snapshot.settled or self.snapshot.error:
            self._take(store, store.newest_held(self._held, limit), settled)
            self._seen = self._seen_all = seen if limit is None else None

    def _read_active(self, store: Store) -> None:
        seen = store.changes()
        if seen != self._seen:
            self._take(store, store.active_held(self._held), self.snapshot.settled)
            self._seen = seen

    def _take(self, store: Store, held: dict[int, Held] | None, settled: bool) -> None:
        """Publish what was read, unless all of it is published."""
        before = self.snapshot
        if held is not None or before.settled != settled or before.error or not before.version:
            self._held = self._held if held is None else held
            self._publish(store, settled)

    def _publish(self, store: Store, settled: bool) -> None:
        queue, waiting = self.snapshot.queue, self.snapshot.waiting
        with suppress(MlhubError):
            host = socket.gethostname()
            waiting = tuple(run.id for run in store.waiting(host))
            queue = store.queue_state(host)
        doing = self._shown_doing = self.doing
        runs = tuple(_shown(held.run, doing) for held in self._held.values())
        by_id = {run.id: run for run in runs}
        active = any(run.active for run in runs)
        self.snapshot = Snapshot(self.snapshot.version + 1, runs, by_id, waiting, queue, None, active, settled)

    def _fail(self, error: str) -> None:
        """Keep what was read, and say why it may be of the past."""
        if error != self.snapshot.error:
            self.snapshot = replace(self.snapshot, version=self.snapshot.version + 1, error=error)


def _shown(run: Run, doing: Mapping[int, str]) -> Run:
    """`run`, its condition being what is done to it from this screen; a stop is over when the run is."""
    word = doing.get(run.id)
    if not word or (word == "stopping" and not run.active):
        return run
    return msgspec.structs.replace(run, condition=word)
