"""The home and the store, opened once a command."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from mlhub.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.paths import Home
    from mlhub.settings import Settings
    from mlhub.store.runs import Run
    from mlhub.store.store import Store


@dataclass(frozen=True, slots=True)
class Hub:
    """What a command works on."""

    home: Home
    store: Store
    settings: Settings

    def look(self, run: Run) -> Run:
        """`run` as it is now, for somebody who waits for its end: its turn may come, or its next attempt."""
        from mlhub.runner.reconcile import settle

        run = settle(self.store, run) if run.active else self.store.reload(run)
        if run.waiting or run.to_be_retried:
            self.tick()
            run = self.store.reload(run)
        return run

    def refresh(self) -> dict[int, Run]:
        """Bring all active rows up to date and start what waits and may start; what was found of each active run."""
        from mlhub.runner.reconcile import refresh_active

        found = refresh_active(self.store)
        if self.store.any_waiting():
            self.tick(refreshed=True)
        return found

    def tick(self, *, refreshed: bool = False) -> None:
        """Start what waits and may start."""
        from mlhub.runner.queue import tick
        from mlhub.text import one_line

        try:
            with self.store.patience(5.0):
                tick(self.store, max_runs=self.settings.max_runs, refreshed=refreshed)
        except StoreError as error:  # a full disk must not keep anybody from reading
            print(f"warning: the queue stands still: {one_line(error.message)}", file=sys.stderr)  # noqa: T201


def open_home(settings: Settings | None = None) -> Home:
    """The home, made 0700 if it is not there. Raises StoreError if it can't be used; warns if others may read it."""
    from mlhub.settings import Settings

    settings = settings or Settings.load()
    if settings.database_url:
        raise StoreError(
            "MLHUB_DATABASE_URL is set, and this version keeps its store in SQLite only",
            "Unset it (or take database_url out of config.toml); the store then is mlhub.db in the home.",
        )
    home = settings.to_home()
    try:
        home.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = home.root.stat().st_mode & 0o777
    except OSError as error:
        raise StoreError(
            f"home {home.root}: {error.strerror or error}", "Make it writable or set MLHUB_HOME to another folder."
        ) from error
    if mode & 0o077:
        print(  # noqa: T201
            f"warning: {home.root} is open to other users ({mode:04o}); close it: chmod 700 {home.root}",
            file=sys.stderr,
        )
    return home


def open_hub() -> Hub:
    """Home and store, both created on first use."""
    from mlhub.settings import Settings
    from mlhub.store.store import Store

    settings = Settings.load()
    home = open_home(settings)
    lost = not home.database.exists() and home.runs.is_dir()
    store = Store.open(home)
    if lost:  # the run folders are the truth
        from mlhub.runner.folder import rebuild

        if count := rebuild(store):
            print(f"the database was gone: {count} runs restored from their folders", file=sys.stderr)  # noqa: T201
    return Hub(home, store, settings)
