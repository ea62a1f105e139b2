"""What `mlhub doctor --fix` and `--rebuild` put right; nothing that needs a decision. What is wrong: `runner.health`.

Each step says what it did, or what it is about to do where that can't be undone.
"""

from __future__ import annotations

import os

from mlhub.errors import MlhubError
from mlhub.runner import house, leftovers
from mlhub.runner.folder import rebuild, set_aside
from mlhub.runner.reconcile import refresh_active
from mlhub.store.store import Store
from mlhub.text import one_line, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from mlhub.paths import Home


def mend(home: Home, tell: Callable[[str], None]) -> list[str]:
    """Put right what is safe to; what was done, in words. `tell` hears of processes before they are ended."""
    done = []
    found = home.root.stat()
    if found.st_mode & 0o777 != 0o700 and found.st_uid == os.getuid():
        home.root.chmod(0o700)
        done.append(f"chmod 700 {home.root}")
    try:
        sound = _is_sound(home)
    except MlhubError as error:  # busy, newer, out of reach: nothing to be made anew
        return [*done, f"nothing more: {error.message}"]
    if not sound:
        done.append(make_anew(home))
    store = Store.open(home)
    try:
        refresh_active(store)
        return [*done, *_remove_left_over(store), *_end_orphans(store, tell)]
    finally:
        store.close()


def _is_sound(home: Home) -> bool:
    from mlhub.errors import DamagedError

    try:
        store = Store.open(home)
        found = store.check()
        store.close()
    except DamagedError:
        return False
    return found == "ok"


def make_anew(home: Home) -> str:
    """Set a database that can't be used aside, then put a row back for each run folder that has none; in words."""
    aside = set_aside(home)
    store = Store.open(home)
    count = rebuild(store)
    refresh_active(store)
    store.close()
    kept = f"; the old file is {aside.name}" if aside else ""
    return f"{count} runs restored from their folders{kept}"


def _remove_left_over(store: Store) -> list[str]:
    items = house.plan(store, house.Ages(0, 0, 0), ("temporary",)).items
    freed = sum(house.free(store, item) for item in items)
    return [f"removed {sum(len(item.paths) for item in items)} half-written files, {size(freed)}"] if items else []


def _end_orphans(store: Store, tell: Callable[[str], None]) -> list[str]:
    """End processes of runs that have ended: TERM, some seconds, KILL."""
    done = []
    for run, pids in leftovers.orphaned(store):
        name = f"run {run.id} ({one_line(run.name)})"
        tell(f"ending what {name} left behind: {', '.join(map(str, pids))}")
        ended, left = leftovers.end(store, run)
        words = f"; can't be ended: {', '.join(map(str, left))}" if left else ""
        done.append(f"ended processes of {name}: {', '.join(map(str, ended)) or 'gone by themselves'}{words}")
    refresh_active(store)
    return done
