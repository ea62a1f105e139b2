"""The store: rows about runs in SQLite. Only rows: processes and run folders are `mlhub.runner`'s.

Everything a user waits for is plain SQL on `sqlite3`; see `mlhub.store.texts`.
"""

from __future__ import annotations

import sqlite3
from typing import Any, NamedTuple

from mlhub.errors import DamagedError, NotFoundError, UsageError
from mlhub.store import migrate, texts
from mlhub.store.queue import QueueRows
from mlhub.store.rows import BUSY_SECONDS, connect, explained, revision, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mlhub.paths import Home
    from mlhub.store.bounds import Bound
    from mlhub.store.runs import Run


class Held(NamedTuple):
    """A run and the row it was decoded from: a reader that stays decodes only rows that have changed."""

    row: tuple[Any, ...]
    run: Run


class Store(QueueRows):
    """Rows of one home's database. Safe to open in many processes at once; not shared between threads."""

    @classmethod
    def open(cls, home: Home) -> Store:
        """Open the home's database, created and brought to this version's schema if need be.

        Raises StoreError if it can't be read or written, is damaged, or was made by a newer mlhub.
        """
        with explained(home):
            connection = connect(home)
            if revision(connection) != migrate.HEAD:
                connection.close()
                migrate.upgrade(home.database, home.migrate_lock)
                connection = connect(home)
        return cls(home, connection)

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
        adapter: str | None = None,
        project: str | None = None,
    ) -> int:
        """Add a waiting run and return its id, at least `least_id`. Raises UsageError if the name is taken.

        `claimed_boot` is when it was added: it tells a row that is being made from one whose maker was killed.
        """
        row: dict[str, Any] = {
            "id": least_id,
            "name": name,
            "kind": kind,
            "group_name": group,
            "tags": to_text(list(tags)),
            "preset": preset,
            "created_at": created_at,
            "host": host,
            "config": to_text(config or {}),
            "priority": priority,
            "after_runs": to_text(list(after)),
            "gpus_wanted": gpus_wanted,
            "slots": slots,
            "retries": retries,
            "claimed_boot": claimed_boot,
            "adapter": adapter,
            "project": project,
        }
        with explained(self.home):
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
        row |= {
            "group_name": run.group,
            "tags": to_text(run.tags),
            "gpus": to_text(run.gpus),
            "config": to_text(run.config),
        }
        row |= {"after_runs": to_text(run.after), "waiting": int(run.waiting)}
        for field in ("group", "dir", "summary", "summary_offset", "summary_done", "after", "orphans", "alerts"):
            del row[field]
        with explained(self.home):
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
            summary=to_text(summary),
            offset=offset,
            done=int(done),
            expected=run.summary_offset,
        )

    def set_imported(self, run: Run) -> bool:
        """Write how an imported run ended, its dates, config and summary as they now are; False if it is gone."""
        names = ("id", "status", "started_at", "ended_at", "exit_code", "reason", "host", "duration", "summary_offset")
        row = {name: getattr(run, name) for name in names}
        return self._change(texts.SET_IMPORTED, **row, config=to_text(run.config), summary=to_text(run.summary))

    def ended_without_process(self) -> list[int]:
        """Ids of ended runs of which no process is known, rising: those that may have been imported."""
        return [row[0] for row in self._rows(texts.ENDED_WITHOUT_PROCESS)]

    def set_config(self, run: Run, config: dict[str, Any]) -> None:
        """Keep the parameters of a run that was started without any; nothing happens if it has some."""
        self._change(texts.SET_CONFIG, id=run.id, config=to_text(config))

    def set_training(self, run: Run) -> None:
        """Of a command that turned out to be a training; nothing happens to any other."""
        self._change(texts.SET_TRAINING, id=run.id)

    def set_labels(self, run: Run, tags: list[str], note: str | None) -> None:
        self._change(texts.SET_LABELS, id=run.id, tags=to_text(tags), note=note)

    def delete(self, run: Run) -> bool:
        """Remove the row of an ended run; False if it is active. What waited for one that completed, waits no more."""
        with self.transaction():
            if run.status == "completed":
                self.waits_no_more_for(run)
            return self._change(texts.DELETE_RUN, id=run.id)

    def forget(self, run_id: int) -> None:
        """Remove a row whose run was never launched."""
        self._change(texts.FORGET_RUN, id=run_id)

    def find(self, ref: str, *, kind: str | None = None, adapter: str | None = None) -> Run:
        """The run a user named by id, name or `@last` (the newest; of `kind` and `adapter`, where only that is meant).

        Raises NotFoundError.
        """
        if ref == "@last":
            found = self._one(texts.NEWEST_RUN, kind=kind, adapter=adapter)
            if found is None:
                what = " ".join(word for word in (adapter, kind, "run") if word)
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

    def each_newest(self, bound: Bound | None = None, *, page: int = 500) -> Iterator[Run]:
        """All runs, newest first, read as they are asked for: for who may stop early, or keeps few of them.

        Without those that `bound` rules out, of runs that have ended and been read to their end. Between pages nothing
        is held open, so that others write, and so may the caller.
        """
        last, text = 1 << 62, texts.OLDER_RUNS
        named: dict[str, str | float] = {}
        if bound is not None:
            from mlhub.store.bounds import settled

            condition, named = settled(bound)
            text = texts.OLDER_MEANT.format(condition)
        while rows := self._rows(text, **named, id=last, limit=page):
            yield from map(self._run, rows)
            last = rows[-1][0]

    def newest_group(self) -> str | None:
        """The group of the newest run that has one."""
        found = self._one(texts.NEWEST_GROUP)
        return str(found[0]) if found else None

    def in_group(self, name: str) -> list[Run]:
        """Its runs, the oldest first."""
        return [self._run(row) for row in self._rows(texts.IN_GROUP, name=name)]

    def changes(self) -> tuple[int, int]:
        """A value that is another one after any write, by whomever: while it stays, what was read is current."""
        with explained(self.home):
            seen = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return int(seen), self._connection.total_changes

    def newest_held(self, held: Mapping[int, Held], limit: int | None = None) -> dict[int, Held] | None:
        """All runs (or `limit` of them), newest first; those as in `held` are not decoded again. None: all as held."""
        return self._merge(held, {}, self._rows(texts.NEWEST_RUNS, limit=limit or 1 << 62))

    def active_held(self, held: Mapping[int, Held]) -> dict[int, Held] | None:
        """As `newest_held`, looking only at what runs or waits, did so when last read, or is newer: it costs less.

        What was done to an ended run (removed, tagged) it does not see.
        """
        rows = {row[0]: row for row in self._rows(texts.ACTIVE_OR_NEWER, known=max(held, default=0))}
        for key, (_, run) in held.items():
            if run.active and key not in rows and (row := self._one(texts.GET_RUN, id=key)):
                rows[key] = row
        gone = {key for key, (_, run) in held.items() if run.active and key not in rows}
        kept = {key: one for key, one in held.items() if key not in gone}
        return self._merge(held, kept, sorted(rows.values(), reverse=True))

    def _merge(
        self, held: Mapping[int, Held], kept: Mapping[int, Held], rows: Iterable[tuple[Any, ...]]
    ) -> dict[int, Held] | None:
        """`kept` with `rows` in their places or before it; None if that is just `held`."""
        read = {}
        for row in rows:
            before = held.get(row[0])
            read[row[0]] = before if before is not None and before.row == row else Held(row, self._run(row))
        new = {key: one for key, one in read.items() if key not in kept}
        found = new | {key: read.get(key, one) for key, one in kept.items()}
        if new and kept:
            found = dict(sorted(found.items(), reverse=True))  # one that was restored has its old number
        same = len(found) == len(held) and all(one is held.get(key) for key, one in found.items())
        return None if same else found

    def newest_completed(self, kind: str) -> Run | None:
        """The newest run of `kind` that completed."""
        found = self._one(texts.NEWEST_COMPLETED, kind=kind)
        return self._run(found) if found else None

    def active(self) -> list[Run]:
        """Queued and running runs, oldest first."""
        return [self._run(row) for row in self._rows(texts.ACTIVE_RUNS)]

    def ids(self) -> set[int]:
        return {row[0] for row in self._rows(texts.ALL_IDS)}

    def last_id(self) -> int:
        """The last id that was given out; ids are never used twice."""
        row = self._one(texts.LAST_ID)
        return int(row[0]) if row else 0

    def name_taken(self, name: str) -> bool:
        return self._one(texts.GET_BY_NAME, name=name) is not None

    def check(self) -> str:
        """SQLite's own quick check of the file, and that each row can be read: `ok`, or what is wrong."""
        with explained(self.home):
            found = str(self._connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        try:
            for _ in self.each_newest():
                pass
        except DamagedError as error:
            return error.message
        return found


def next_id(home: Home) -> int:
    """The id the next run would get, found without creating or changing anything."""
    if not home.database.is_file():
        return 1
    with explained(home):
        connection = sqlite3.connect(f"{home.database.as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
        try:
            row = connection.execute(texts.LAST_ID).fetchone()
        except sqlite3.OperationalError:
            return 1
        finally:
            connection.close()
    return 1 if row is None else int(row[0]) + 1
