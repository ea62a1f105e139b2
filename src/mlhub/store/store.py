"""The store: rows about runs in SQLite. Only rows: processes and run folders are `mlhub.runner`'s.

Everything a user waits for is plain SQL on `sqlite3`; see `mlhub.store.texts`.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from typing import Any

import msgspec

from mlhub.errors import DamagedError, MlhubError, NotFoundError, StoreError, UsageError
from mlhub.store import migrate, texts
from mlhub.store.runs import QueueState, Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.paths import Home

#: how long a statement waits for another process' write; far above any write of ours
_BUSY_SECONDS = 20


class Store:
    """Rows of one home's database. Safe to open in many processes at once; not shared between threads."""

    def __init__(self, home: Home, connection: sqlite3.Connection) -> None:
        self.home = home
        self._connection = connection

    @classmethod
    def open(cls, home: Home) -> Store:
        """Open the home's database, created and brought to this version's schema if need be.

        Raises StoreError if it can't be read or written, is damaged, or was made by a newer mlhub.
        """
        with _explained(home):
            connection = _connect(home)
            if _revision(connection) != migrate.HEAD:
                connection.close()
                migrate.upgrade(home.database, home.migrate_lock)
                connection = _connect(home)
        return cls(home, connection)

    def close(self) -> None:
        self._connection.close()

    def add(  # the caller knows all of it at once
        self,
        *,
        name: str,
        kind: str,
        created_at: str,
        host: str,
        group: str | None = None,
        tags: tuple[str, ...] = (),
        preset: str | None = None,
        config: dict[str, Any] | None = None,
        least_id: int | None = None,
        priority: int = 0,
        after: tuple[int, ...] = (),
        gpus_wanted: int = 0,
        slots: int = 0,
        retries: int = 0,
        claimed_boot: float | None = None,
    ) -> int:
        """Add a waiting run and return its id, at least `least_id`. Raises UsageError if the name is taken.

        `claimed_boot` is when it was added: it tells a row that is being made from one whose maker was killed.
        """
        row: dict[str, Any] = {
            "id": least_id,
            "name": name,
            "kind": kind,
            "group_name": group,
            "tags": _json(list(tags)),
            "preset": preset,
            "created_at": created_at,
            "host": host,
            "config": _json(config or {}),
            "priority": priority,
            "after_runs": _json(list(after)),
            "gpus_wanted": gpus_wanted,
            "slots": slots,
            "retries": retries,
            "claimed_boot": claimed_boot,
        }
        with _explained(self.home):
            try:
                cursor = self._execute(texts.ADD_RUN, row)
            except sqlite3.IntegrityError:
                if self._one(texts.GET_BY_NAME, name=name):
                    raise UsageError(f"a run named {name!r} exists already", "Choose another --name.") from None
                raise
        return int(cursor.lastrowid or 0)

    def restore(self, run: Run) -> bool:
        """Put a row back as it was read from its folder; False if its id or name is there already."""
        row = {field: getattr(run, field) for field in run.__struct_fields__}
        row |= {"group_name": run.group, "tags": _json(run.tags), "gpus": _json(run.gpus), "config": _json(run.config)}
        row |= {"after_runs": _json(run.after), "waiting": int(run.waiting)}
        for field in ("group", "dir", "summary", "summary_offset", "summary_done", "after", "orphans", "alerts"):
            del row[field]
        with _explained(self.home):
            try:
                self._execute(texts.RESTORE_RUN, row)
            except sqlite3.IntegrityError:
                return False
        return True

    def start(
        self,
        run: Run,
        *,
        started_at: str | None,
        pid: int | None,
        supervisor_pid: int | None,
        started_boot: float | None = None,
    ) -> None:
        """Queued -> running, all being well; or the pids of a run that runs already."""
        self._change(
            texts.START_RUN,
            id=run.id,
            attempt=run.attempt,
            started_at=started_at,
            pid=pid,
            supervisor_pid=supervisor_pid,
            started_boot=started_boot,
        )

    def finish(
        self,
        run: Run,
        *,
        status: str,
        ended_at: str | None,
        exit_code: int | None,
        signal: str | None,
        reason: str | None,
        duration: float | None = None,
    ) -> bool:
        """The one step to a final status; False if somebody else made it. `duration` is in the boot clock's seconds."""
        return self._change(
            texts.FINISH_RUN,
            id=run.id,
            attempt=run.attempt,
            status=status,
            ended_at=ended_at,
            exit_code=exit_code,
            signal=signal,
            reason=reason,
            duration=duration,
        )

    def set_condition(self, run: Run, condition: str | None) -> None:
        self._change(texts.SET_CONDITION, id=run.id, attempt=run.attempt, condition=condition)

    def set_summary(self, run: Run, summary: dict[str, dict[str, Any]], offset: int, *, done: bool) -> None:
        """Keep the summary of metrics.jsonl up to byte `offset`; nothing happens if another reader was faster."""
        self._change(
            texts.SET_SUMMARY,
            id=run.id,
            attempt=run.attempt,
            summary=_json(summary),
            offset=offset,
            done=int(done),
            expected=run.summary_offset,
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """The only writer from here to the end; all of it or, on an exception, nothing. Keep it short."""
        with _explained(self.home):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def claim(self, run: Run, gpus: list[int], claimed_boot: float) -> bool:
        """Waiting -> about to be launched, with these GPUs; False if somebody else was faster."""
        return self._change(
            texts.CLAIM_RUN, id=run.id, attempt=run.attempt, gpus=_json(gpus), claimed_boot=claimed_boot
        )

    def unclaim(self, run: Run) -> bool:
        """Back into the queue: its launch never came about."""
        return self._change(texts.UNCLAIM_RUN, id=run.id, attempt=run.attempt)

    def requeue(
        self,
        run: Run,
        *,
        retries: int,
        priority: int,
        gpus_wanted: int,
        slots: int,
        claimed_boot: float,
        after: tuple[int, ...] = (),
    ) -> bool:
        """An ended run waits again, as its next attempt; False if somebody else put it there."""
        return self._change(
            texts.REQUEUE_RUN,
            id=run.id,
            attempt=run.attempt,
            next=run.attempt + 1,
            retries=retries,
            priority=priority,
            gpus_wanted=gpus_wanted,
            slots=slots,
            claimed_boot=claimed_boot,
            after_runs=_json(list(after)),
        )

    def cancel_waiting(self, run: Run, *, ended_at: str, reason: str) -> bool:
        """The end of a run that has not been claimed; False if it has."""
        return self._change(texts.CANCEL_WAITING, id=run.id, attempt=run.attempt, ended_at=ended_at, reason=reason)

    def any_waiting(self) -> bool:
        """Whether there is anything for a tick to look at."""
        found = self._one(texts.ANY_WAITING)
        return bool(found and found[0])

    def spend_retries(self, run: Run) -> None:
        """No further attempt by itself."""
        self._change(texts.SPEND_RETRIES, id=run.id, attempt=run.attempt)

    def set_orphans(self, run: Run, pids: list[int]) -> None:
        """Processes that a lost run left behind; they keep its GPUs."""
        self._change(texts.SET_ORPHANS, id=run.id, attempt=run.attempt, orphans=_json(pids))

    def set_alerts(self, run: Run, alerts: list[dict[str, Any]]) -> None:
        self._change(texts.SET_ALERTS, id=run.id, alerts=_json(alerts))

    def move(self, run: Run, *, priority: int, place: float) -> bool:
        """Another place in the queue; False if it does not wait any more."""
        return self._change(texts.MOVE_RUN, id=run.id, priority=priority, place=place)

    def waiting(self, host: str) -> list[Run]:
        """Runs waiting on `host`, in the order in which they are to start."""
        return [self._run(row) for row in self._rows(texts.WAITING_RUNS, host=host)]

    def waiting_elsewhere(self, host: str) -> list[Run]:
        """Runs waiting on other hosts, which this one does not start."""
        return [self._run(row) for row in self._rows(texts.WAITING_ELSEWHERE, host=host)]

    def adopt(self, run: Run, host: str) -> bool:
        """Let a waiting run wait on `host`; False if it does not wait any more."""
        return self._change(texts.ADOPT_RUN, id=run.id, host=host)

    def orphaned(self) -> list[Run]:
        """Ended runs that left processes behind."""
        return [self._run(row) for row in self._rows(texts.ORPHANED_RUNS)]

    def to_retry(self, host: str) -> list[Run]:
        """Failed runs with retries left."""
        return [self._run(row) for row in self._rows(texts.FAILED_WITH_RETRIES, host=host)]

    def queue_state(self, host: str) -> QueueState:
        """Whether the queue of `host` starts anything."""
        found = self._one(texts.QUEUE_STATE, host=host)
        if found is None:
            return QueueState(host=host)
        name, boot, paused, reason, changed_at = found
        return QueueState(host=name, boot=boot, paused=bool(paused), reason=reason, changed_at=changed_at)

    def set_queue_state(self, state: QueueState) -> None:
        self._change(
            texts.SET_QUEUE_STATE,
            host=state.host,
            boot=state.boot,
            paused=int(state.paused),
            reason=state.reason,
            changed_at=state.changed_at,
        )

    def delete(self, run: Run) -> bool:
        """Remove the row of an ended run; False if it is active."""
        return self._change(texts.DELETE_RUN, id=run.id)

    def forget(self, run_id: int) -> None:
        """Remove a row whose run was never launched."""
        self._change(texts.FORGET_RUN, id=run_id)

    def get(self, run_id: int) -> Run | None:
        found = self._one(texts.GET_RUN, id=run_id)
        return self._run(found) if found else None

    def reload(self, run: Run) -> Run:
        """The row as it is now. Raises NotFoundError if somebody removed it meanwhile."""
        found = self.get(run.id)
        if found is None:
            raise NotFoundError(f"run {run.id} was removed meanwhile", "`mlhub ls` shows the runs there are.")
        return found

    def find(self, ref: str, *, kind: str | None = None) -> Run:
        """The run a user named by id, name or `@last` (the newest; of `kind`, where only that is meant).

        Raises NotFoundError.
        """
        if ref == "@last":
            found = self._one(texts.NEWEST_RUN, kind=kind)
            if found is None:
                what = f"{kind} run" if kind else "run"
                raise NotFoundError(f"there is no {what} yet", "Start one: mlhub run quickstart")
        else:
            found = self._one(texts.GET_RUN, id=int(ref)) if ref.isascii() and ref.isdigit() and len(ref) < 19 else None
            found = found or self._one(texts.GET_BY_NAME, name=ref)
        if found is None:
            from mlhub.text import closest, one_line

            names = [row[0] for row in self._rows(texts.NAMES)]
            raise NotFoundError(
                f"no run {one_line(ref)!r}{closest(ref, names)}", "`mlhub ls` shows the runs there are."
            )
        return self._run(found)

    def newest(self, limit: int) -> list[Run]:
        return [self._run(row) for row in self._rows(texts.NEWEST_RUNS, limit=min(limit, 1 << 62))]

    def newest_completed(self, kind: str) -> Run | None:
        """The newest run of `kind` that completed."""
        found = self._one(texts.NEWEST_COMPLETED, kind=kind)
        return self._run(found) if found else None

    def active(self) -> list[Run]:
        """Queued and running runs, oldest first."""
        return [self._run(row) for row in self._rows(texts.ACTIVE_RUNS)]

    def ids(self) -> set[int]:
        return {row[0] for row in self._rows(texts.ALL_IDS)}

    def name_taken(self, name: str) -> bool:
        return self._one(texts.GET_BY_NAME, name=name) is not None

    def check(self) -> str:
        """SQLite's own quick check of the file: `ok`, or what is wrong."""
        with _explained(self.home):
            return str(self._connection.execute("PRAGMA quick_check(1)").fetchone()[0])

    def _rows(self, text: str, **parameters: object) -> list[tuple[Any, ...]]:
        with _explained(self.home):
            return self._execute(text, parameters).fetchall()

    def _one(self, text: str, **parameters: object) -> tuple[Any, ...] | None:
        rows = self._rows(text, **parameters)
        return rows[0] if rows else None

    def _change(self, text: str, **parameters: object) -> bool:
        with _explained(self.home):
            return self._execute(text, parameters).rowcount == 1

    def _execute(self, text: str, parameters: dict[str, Any]) -> sqlite3.Cursor:
        """With `?` for what isn't Unicode, as a name typed or a reason read may hold: SQLite takes none of it."""
        words = {key: value for key, value in parameters.items() if isinstance(value, str)}
        plain = {key: word.encode(errors="replace").decode() for key, word in words.items()}
        return self._connection.execute(text, parameters | plain)

    def _run(self, row: tuple[Any, ...]) -> Run:
        tree = dict(zip(_FIELDS, row, strict=True))
        for field in _JSON_FIELDS:
            tree[field] = msgspec.json.decode(tree[field])
        tree["summary_done"], tree["waiting"] = bool(tree["summary_done"]), bool(tree["waiting"])
        return Run(dir=str(self.home.run(tree["id"]).root), **tree)


#: the fields of a Run in the order of the columns, two of which SQL would not let be called so
_FIELDS = [{"group_name": "group", "after_runs": "after"}.get(name, name) for name in texts.COLUMNS.split(", ")]
_JSON_FIELDS = ("tags", "gpus", "config", "summary", "after", "orphans", "alerts")


def next_id(home: Home) -> int:
    """The id the next run would get, found without creating or changing anything."""
    if not home.database.is_file():
        return 1
    with _explained(home):
        connection = sqlite3.connect(f"{home.database.as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
        try:
            row = connection.execute(texts.LAST_ID).fetchone()
        except sqlite3.OperationalError:
            return 1
        finally:
            connection.close()
    return 1 if row is None else int(row[0]) + 1


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _connect(home: Home) -> sqlite3.Connection:
    connection = sqlite3.connect(home.database, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except sqlite3.OperationalError as error:
        if "disk I/O" not in str(error):
            raise
        # On a full disk WAL's shared-memory file can't be made. An exclusive connection needs none, so that `ls` and
        # `rm` work where they are needed most.
        connection.close()
        connection = sqlite3.connect(home.database, timeout=_BUSY_SECONDS, isolation_level=None)
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def _revision(connection: sqlite3.Connection) -> str | None:
    """The schema's revision, None in a new file."""
    try:
        row = connection.execute(texts.REVISION).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return None
    return None if row is None else str(row[0])


@contextmanager
def _explained(home: Home) -> Iterator[None]:
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
            f"{home.database}: busy for {_BUSY_SECONDS} s", "Another program holds it; try again, or end it."
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
