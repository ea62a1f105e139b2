"""Brings a database to this version's schema: where Alembic is loaded (0.35 s), only when one SELECT says so.

Not the schema itself: that is `mlhub.store.tables` and `mlhub.store.migrations`.
"""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from pathlib import Path

from mlhub.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

#: the newest revision in `migrations/versions`; a test holds it to that
HEAD = "0004"


def upgrade(database: Path, lock: Path) -> None:
    """Create or upgrade the SQLite file. Of many processes one does it, the others wait.

    Each revision is one transaction: a process killed in the middle leaves the revision before it.
    """
    with _locked(lock):
        found = _revision(database)
        if found == HEAD:
            return
        if found is not None and found > HEAD:
            raise StoreError(
                f"{database}: made by a newer mlhub (schema {found}; this one knows {HEAD})",
                "Upgrade mlhub here, or set MLHUB_HOME to another folder.",
            )
        _run_alembic(database)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _revision(database: Path) -> str | None:
    """The revision the file is at, or None for a new file."""
    import sqlite3

    connection = sqlite3.connect(database, timeout=30)
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return None
    finally:
        connection.close()
    return None if row is None else str(row[0])


def _run_alembic(database: Path) -> None:
    from alembic import command
    from alembic.config import Config
    from sqlalchemy.exc import DBAPIError

    engine = _engine(database)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    except DBAPIError as error:
        raise (error.orig or error) from error  # sqlite3's own, which the store explains
    finally:
        engine.dispose()


def _engine(database: Path) -> Engine:
    """An engine whose transactions hold DDL too: sqlite3 by itself would commit before a CREATE TABLE."""
    from sqlalchemy import URL, create_engine, event

    engine = create_engine(URL.create("sqlite", database=str(database)), connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _plain(connection, _record) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - the driver's own type
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")

    @event.listens_for(engine, "begin")
    def _begin(connection) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
