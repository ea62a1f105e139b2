"""Runs of other trackers become runs of ours, read-only: which are new, which have grown, and how each is put in place.

A run is built aside (`runner.staging`) and put in its place by one rename, within the transaction that adds its row: a
death at any line leaves a whole run or none. What an earlier import brought is found by `imported` in spec.json, in the
trash too. What lies at other trackers' is read by `mlhub.foreign`.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from mlhub.errors import MlhubError, StoreError
from mlhub.files import write_json
from mlhub.foreign.find import copy
from mlhub.paths import RunPaths
from mlhub.runner import trash
from mlhub.runner.archive import packed
from mlhub.runner.captured import log_folders
from mlhub.runner.folder import numbered, read_spec, row_of
from mlhub.runner.imported import Origin, origin
from mlhub.runner.labels import LONGEST_NOTE, clean_note
from mlhub.runner.reconcile import settle
from mlhub.runner.staging import PREFIX, Staging, remove_rests, shown_command
from mlhub.runner.submit import uninterrupted
from mlhub.store.runs import Run
from mlhub.text import now, one_line, stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.foreign.source import Facts, Source
    from mlhub.store.store import Store

#: tags of a run, and characters of a name
_MOST_TAGS, _LONGEST = 100, 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a user wants of all runs of an import; `again`: also those in the trash, and those captured here."""

    group: str | None = None
    tags: tuple[str, ...] = ()
    name: str | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a source.

    `imported`, `updated`, `unchanged`, `removed` (its run is in the trash), `captured` (a run of ours recorded it) or
    `failed`.
    """

    source: Source
    action: str
    run_id: int | None = None
    name: str | None = None
    told: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Known:
    run_id: int
    origin: Origin
    removed: bool = False


@contextmanager
def importing(store: Store, *, dry_run: bool = False) -> Iterator[Importer]:
    """The one import into this home, while the block lasts; another one waits. Ends what a killed one had begun.

    `dry_run`: only to ask it what it would do. Raises StoreError.
    """
    if dry_run:
        yield Importer(store)
        return
    store.home.runs.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(store.home.root / "import.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        remove_rests(store.home.runs)
        _adopt(store)
        yield Importer(store)
    finally:
        os.close(descriptor)


def _adopt(store: Store) -> None:
    """Rows for imported folders that have none: of an import that was killed between the two."""
    known = store.ids()
    for run_id in numbered(store.home.runs):
        paths = store.home.run(run_id)
        if run_id not in known and not paths.root.is_symlink() and origin(paths) is not None:
            run = row_of(paths.root, run_id)
            if store.restore(run) or store.restore(msgspec.structs.replace(run, name=f"{run.name}-{run_id}")):
                settle(store, run)  # how it ended stands in its folder


class Importer:
    """Imports one source after another into a home that is its own meanwhile."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known = _find_known(store)
        self._last = trash.last_id(store.home)
        #: name -> the next number to try behind it
        self._numbers: dict[str, int] = {}

    def expect(self, source: Source, wanted: Wanted) -> Outcome:
        """What `add` would do, from a glance."""
        known = self._known.get((source.kind, source.id))
        if known is None or (known.removed and wanted.again):
            return self._expect_new(source, wanted)
        run = self._store.get(known.run_id)
        name = run.name if run else None
        if known.removed:
            return Outcome(source, "removed", known.run_id, name)
        then = known.origin
        if (source.fingerprint, source.size) == (then.fingerprint, then.size):
            return Outcome(source, "unchanged", known.run_id, name)
        if source.size < then.size:
            less = f"it is smaller than it was ({source.size} bytes of metrics, once {then.size}): left as it was"
            return Outcome(source, "unchanged", known.run_id, name, [less])
        if source.size == then.size and os.fspath(source.path) != then.path and os.path.lexists(then.path):
            return Outcome(source, "unchanged", known.run_id, name, [f"a copy of {one_line(then.path)}"])
        return Outcome(source, "updated", known.run_id, name)

    @cached_property
    def _captured(self) -> dict[str, int]:
        """The folders in which the loggers of our own runs wrote, and whose they are; read only for what is new."""
        store = self._store
        return {folder: run_id for run_id in sorted(store.ids()) for folder in log_folders(store.home.run(run_id))}

    def _expect_new(self, source: Source, wanted: Wanted) -> Outcome:
        path = source.path.parent if source.path.suffix == ".wandb" else source.path  # a file in its run's folder
        ways = (os.path.abspath(path), os.path.realpath(path))
        ours = next((self._captured[way] for way in ways if way in self._captured), None)
        run = self._store.get(ours) if ours is not None and not wanted.again else None
        return Outcome(source, "captured", run.id, run.name) if run else Outcome(source, "imported")

    def add(self, source: Source, wanted: Wanted) -> Outcome:
        """Import a source, or what is new in it. Raises StoreError if the home can't take it."""
        expected = self.expect(source, wanted)
        if expected.action not in ("imported", "updated"):
            return expected
        with Staging(self._store.home.runs / f"{PREFIX}{os.getpid()}") as staging:
            try:
                facts = copy(source, staging)
            except StoreError:
                raise
            except (MlhubError, OSError) as error:
                text = error.message if isinstance(error, MlhubError) else f"{error.filename}: {error.strerror}"
                return Outcome(source, "failed", told=[*staging.told, one_line(text)])
            staging.close()
            run = _row(source, facts, wanted, staging)
            with uninterrupted():
                if expected.action == "updated":
                    run = self._replace(expected.run_id or 0, run, source, facts, staging)
                else:
                    run = self._publish(run, source, facts, staging)
        self._known[source.kind, source.id] = _Known(run.id, _origin(source))
        return Outcome(source, expected.action, run.id, run.name, staging.told)

    def _publish(self, run: Run, source: Source, facts: Facts, staging: Staging) -> Run:
        """The run's row and its folder, both or none."""
        store = self._store
        with store.transaction():
            run_id = max(self._last, store.last_id()) + 1
            while trash.taken(store.home, run_id):
                run_id += 1
            run = msgspec.structs.replace(run, id=run_id, name=self._name(run.name))
            _write_end(staging, staging.paths, run)
            staging.write(staging.paths.spec, _spec(run, source, facts))
            if run.note:
                staging.write(staging.paths.labels, {"version": 1, "tags": run.tags, "note": run.note})
            if not store.restore(run) or not store.set_imported(run):
                raise StoreError(f"run {run_id} came into being meanwhile", "Import again.")
            try:
                staging.paths.root.rename(store.home.run(run_id).root)
            except OSError as error:
                raise StoreError(
                    f"{store.home.runs}: {error.strerror}", "Make it writable, then import again."
                ) from error
        self._last = run_id
        return run

    def _replace(self, run_id: int, found: Run, source: Source, facts: Facts, staging: Staging) -> Run:
        """Put the files of a source that has grown in place of the old ones; spec.json, which says so, last."""
        store = self._store
        old = store.reload(msgspec.structs.replace(found, id=run_id))
        run = msgspec.structs.replace(
            found, id=run_id, name=old.name, group=old.group, tags=old.tags, note=old.note, created_at=old.created_at
        )
        paths = store.home.run(run_id)
        _write_end(staging, staging.paths, run)
        try:
            for name in (
                "config.yaml",
                "system.jsonl",
                "output.log",
                "metrics.jsonl",
                "exit.json",
                "attempts/1/exit.json",
            ):
                if (staging.paths.root / name).exists():
                    os.replace(staging.paths.root / name, paths.root / name)
            for name in (packed(paths.metrics).name, packed(paths.system).name, "summary.json"):
                (paths.root / name).unlink(missing_ok=True)  # of metrics that were compacted
            store.set_imported(run)
            started_with = read_spec(paths).get("tags")
            write_json(paths.spec, _spec(run, source, facts) | {"tags": started_with})
        except OSError as error:
            raise StoreError(f"{paths.root}: {error.strerror}", "Make room, then import again.") from error
        return run

    def _name(self, wanted: str) -> str:
        """A name like `wanted` that no run has."""
        base = usable(wanted)
        number = self._numbers.get(base, 1)
        name = base
        while number > 1 or self._store.name_taken(name):
            number = max(2, number)
            name = f"{base[: _LONGEST - len(str(number)) - 1]}-{number}"
            if not self._store.name_taken(name):
                break
            number += 1
        self._numbers[base] = number
        return name


def _find_known(store: Store) -> dict[tuple[str, str], _Known]:
    """What was imported before, by kind and id; what lies in the trash only where nothing else is there."""
    found: dict[tuple[str, str], _Known] = {}
    for entry in trash.entries(store.home):
        if (source := origin(RunPaths(entry.path))) is not None:
            found[source.kind, source.id] = _Known(entry.id, source, removed=True)
    for run_id in store.ended_without_process():
        if (source := origin(store.home.run(run_id))) is not None:
            found[source.kind, source.id] = _Known(run_id, source)
    return found


def usable(text: str) -> str:
    """What a run, group or tag can be called: as `runner.names` has it, with other signs for what can't be."""
    text = one_line(text).replace("/", "-").replace(",", ";")
    text = "".join(letter for letter in text if letter.isprintable()).lstrip("-@ ")[:_LONGEST].strip()
    return f"run-{text}" if not text or text.isdigit() else text


def _row(source: Source, facts: Facts, wanted: Wanted, staging: Staging) -> Run:
    """The run as the source tells it, still without a number and with a name that may be taken."""
    started = stamp(facts.started) if facts.started else None
    ended = stamp(facts.ended) if facts.ended else None
    tags = [usable(tag) for tag in facts.tags if one_line(tag)][:_MOST_TAGS]
    group = wanted.group or (usable(facts.group) if facts.group and one_line(facts.group) else None)
    return Run(
        id=0,
        name=usable(wanted.name or facts.name or source.name),
        kind="train",
        status=facts.status,
        group=group,
        tags=list(dict.fromkeys((*tags, *wanted.tags))),
        note=clean_note(facts.note[:LONGEST_NOTE]) if facts.note else None,
        created_at=started or now(),
        started_at=started,
        ended_at=ended or started or now(),
        exit_code=facts.exit_code,
        reason=one_line(facts.reason)[:240] if facts.reason else None,
        host=one_line(facts.host or "")[:64] or "unknown",
        config=staging.write_config(facts),
        summary=staging.summary,
        summary_offset=staging.size,
        summary_done=True,
        duration=max(0.0, facts.ended - facts.started) if facts.started and facts.ended else None,
    )


def _origin(source: Source) -> Origin:
    path = os.fspath(source.path).encode(errors="replace").decode()
    return Origin(source.kind, path, source.id, source.fingerprint, source.size)


def _spec(run: Run, source: Source, facts: Facts) -> dict[str, Any]:
    """`spec.json`: as our own runs', as far as the source tells."""
    about = {
        name: getattr(run, name) for name in ("id", "name", "kind", "group", "tags", "created_at", "host", "config")
    }
    return about | {
        "preset": None,
        "command": shown_command(facts),
        "cwd": facts.cwd,
        "git": facts.git or None,
        "python": facts.python,
        "imported": _origin(source).to_json() | {"at": now()},
    }


def _write_end(staging: Staging, paths: RunPaths, run: Run) -> None:
    """How it ended, as our own runs have it: by this a lost database is made anew."""
    tree = {
        "version": 1, "attempt": 1, "status": run.status, "reason": run.reason, "exit_code": run.exit_code,
        "signal": None, "started_at": run.started_at, "ended_at": run.ended_at, "duration": run.duration,
        "host": run.host, "written_by": "import",
    }  # fmt: skip
    for path in (paths.exit, paths.attempt(1).exit):
        staging.write(path, tree)
