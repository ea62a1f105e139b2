"""Rows as such: the connection, SQLite's errors in words, a row as a Run, a transaction. Which rows: `store.store`."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from typing import Any

import msgspec

from mlhub.errors import DamagedError, MlhubError, NotFoundError, StoreError
from mlhub.store import texts
from mlhub.store.runs import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.paths import Home

#: how long a statement waits for another process' write; far above any write of ours
BUSY_SECONDS = 20


class Rows:
    """A connection to one home's database. Not shared between threads."""

    def __init__(self, home: Home, connection: sqlite3.Connection) -> None:
        self.home = home
        self._connection = connection
        self._inode = _inode(home)
        #: whether nobody else can use the database until this is closed: who stays must open it anew for each look
        self.alone = connection.execute("PRAGMA locking_mode").fetchone()[0] == "exclusive"

    def check_current(self) -> None:
        """Raises StoreError if the file was replaced since it was opened: what is read here is of the past."""
        if self._inode != _inode(self.home):
            raise StoreError(f"{self.home.database}: replaced by another while this command ran", "Start it again.")

    @contextmanager
    def patience(self, seconds: float) -> Iterator[None]:
        """Wait no longer than this for other writers: for what would be nice to write, while somebody wants to read."""
        before = self._connection.execute("PRAGMA busy_timeout").fetchone()[0]  # one may stand within another
        self._connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
        try:
            yield
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {before}")

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """The only writer from here to the end; all of it or, on an exception, nothing. Keep it short."""
        with explained(self.home):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def get(self, run_id: int) -> Run | None:
        found = self._one(texts.GET_RUN, id=run_id)
        return self._run(found) if found else None

    def reload(self, run: Run) -> Run:
        """The row as it is now. Raises NotFoundError if somebody removed it meanwhile."""
        found = self.get(run.id)
        if found is None:
            raise NotFoundError(f"run {run.id} was removed meanwhile", "`mlhub ls` shows the runs there are.")
        return found

    def _rows(self, text: str, **parameters: object) -> list[tuple[Any, ...]]:
        with explained(self.home):
            return self._execute(text, parameters).fetchall()

    def _one(self, text: str, **parameters: object) -> tuple[Any, ...] | None:
        rows = self._rows(text, **parameters)
        return rows[0] if rows else None

    def _change(self, text: str, **parameters: object) -> bool:
        with explained(self.home):
            return self._execute(text, parameters).rowcount == 1

    def _execute(self, text: str, parameters: dict[str, Any]) -> sqlite3.Cursor:
        """With `?` for what isn't Unicode, as a name typed or a reason read may hold: SQLite takes none of it."""
        words = {key: value for key, value in parameters.items() if isinstance(value, str)}
        plain = {key: word.encode(errors="replace").decode() for key, word in words.items()}
        return self._connection.execute(text, parameters | plain)

    def _run(self, row: tuple[Any, ...]) -> Run:
        tree = dict(zip(_FIELDS, row, strict=True))
        for field, shape in _JSON_FIELDS.items():
            tree[field] = _decoded(self.home, row, field, tree[field], shape)
        tree["summary_done"], tree["waiting"] = bool(tree["summary_done"]), bool(tree["waiting"])
        return Run(dir=str(self.home.run(tree["id"]).root), **tree)


#: the fields of a Run in the order of the columns, two of which SQL would not let be called so
_FIELDS = [{"group_name": "group", "after_runs": "after"}.get(name, name) for name in texts.COLUMNS.split(", ")]
_JSON_FIELDS: dict[str, type] = {
    "tags": list, "gpus": list, "config": dict, "summary": dict, "after": list, "orphans": list, "alerts": list,
}  # fmt: skip


_EMPTY: dict[str, type] = {"[]": list, "{}": dict}


def _decoded(home: Home, row: tuple[Any, ...], field: str, text: Any, shape: type) -> Any:  # noqa: ANN401 - JSON
    if text in _EMPTY and isinstance(row[1], str):  # as most are: a list of all runs takes half the time
        value = _EMPTY[text]()
        if type(value) is shape:
            return value
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, TypeError, UnicodeError):
        value = None
    if not isinstance(value, shape) or not isinstance(row[1], str):
        raise DamagedError(
            f"{home.database}: {field} of run {row[0]} is damaged",
            "mlhub doctor --rebuild makes it anew from the run folders.",
        )
    return value


def _inode(home: Home) -> int | None:
    try:
        return os.stat(home.database).st_ino
    except OSError:
        return None


def to_text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def connect(home: Home) -> sqlite3.Connection:
    if home.database.exists() and os.statvfs(home.root).f_flag & os.ST_RDONLY:
        return _connect_read_only(home)
    connection = sqlite3.connect(home.database, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except sqlite3.OperationalError as error:
        if "disk I/O" not in str(error):
            raise
        # On a full disk WAL's shared-memory file can't be made. An exclusive connection needs none, so that `ls` and
        # `rm` work where they are needed most.
        connection.close()
        connection = sqlite3.connect(home.database, timeout=BUSY_SECONDS, isolation_level=None)
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")  # nobody else gets in until it is closed
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def _connect_read_only(home: Home) -> sqlite3.Connection:
    """To a database on a disk that was mounted read-only: SQLite can't make its shared memory there.

    If no write-ahead log was left behind, the file is all there is, and nobody changes it.
    """
    log = home.database.with_name(home.database.name + "-wal")
    alone = "" if log.exists() and log.stat().st_size else "&immutable=1"
    return sqlite3.connect(f"{home.database.as_uri()}?mode=ro{alone}", uri=True, isolation_level=None)


def revision(connection: sqlite3.Connection) -> str | None:
    """The schema's revision, None in a new file."""
    try:
        row = connection.execute(texts.REVISION).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return None
    return None if row is None else str(row[0])


@contextmanager
def explained(home: Home) -> Iterator[None]:
    """Turn SQLite's errors into one line that says what happened and one that says what to do."""
    try:
        yield
    except MlhubError:
        raise
    except sqlite3.DatabaseError as error:
        raise _explain(home, error) from error
    except OSError as error:
        raise StoreError(
            f"{home.root}: {error.strerror or error}", "Make the home writable or set MLHUB_HOME."
        ) from error


def _is_full(home: Home) -> bool:
    free = os.statvfs(home.root)
    return free.f_bavail * free.f_frsize < 1 << 20


def _explain(home: Home, error: sqlite3.DatabaseError) -> StoreError:
    text = str(error)
    if "locked" in text or "busy" in text:
        return StoreError(
            f"{home.database}: busy for {BUSY_SECONDS} s", "Another program holds it; try again, or end it."
        )
    if "full" in text or ("disk I/O" in text and _is_full(home)):
        return StoreError(
            f"{home.database}: the disk is full",
            "Free some space (mlhub rm RUN removes a run and its checkpoints), then try again.",
        )
    if any(sign in text for sign in ("malformed", "not a database", "no such table", "no such col", "already exists")):
        return DamagedError(
            f"{home.database}: damaged ({text})", "mlhub doctor --rebuild makes it anew from the run folders."
        )
    if not os.access(home.root, os.W_OK) or "readonly" in text or "unable to open" in text:
        return StoreError(
            f"{home.root}: can't be written ({text})", "Make it writable or set MLHUB_HOME to another folder."
        )
    return StoreError(f"{home.database}: {text}", "`mlhub doctor` looks at the store.")
