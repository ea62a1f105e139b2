from __future__ import annotations

import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from mlhub.errors import NotFoundError, StoreError, UsageError
from mlhub.store import migrate
from mlhub.store.rows import Rows
from mlhub.store.store import Store, next_id
from mlhub.text import now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.paths import Home
    from mlhub.store.runs import Run


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    store = Store.open(home)
    yield store
    store.close()


def add(store: Store, name: str, kind: str = "train", **more: Any) -> Run:
    fields = {"name": name, "kind": kind, "created_at": now(), "host": "here", "tags": ("a",), "config": {"x": 1}}
    return store.find(str(store.add(**fields | more)))


def finish(store: Store, run: Run, status: str = "completed") -> bool:
    return store.finish(run, status=status, ended_at=now(), exit_code=0, signal=None, reason=None)


def test_a_run_is_read_as_it_was_added(store: Store) -> None:
    run = add(store, "calm-otter")
    assert (run.name, run.status, run.tags, run.config) == ("calm-otter", "queued", ["a"], {"x": 1})
    assert run.dir == str(store.home.run(run.id).root)


def test_a_run_is_found_by_id_name_and_last(store: Store) -> None:
    add(store, "first")
    second = add(store, "second", kind="index")
    assert store.find("1").name == "first"
    assert store.find("second") == second == store.find("@last")
    assert store.find("@last", kind="train").name == "first"


def test_the_newest_of_an_adapter_is_found_and_of_presets_from_before_there_were_adapters(store: Store) -> None:
    add(store, "old", preset="quickstart.yaml")
    add(store, "captured", kind="train")
    assert store.find("@last", kind="train", adapter="hashing").name == "old"
    add(store, "ours", adapter="hashing")
    add(store, "others", adapter="lightning", preset="lit.yaml")
    assert store.find("@last", kind="train", adapter="hashing").name == "ours"


@pytest.mark.parametrize("ref", ["7", "nobody", "", "٣", "1" * 30, "'; DROP TABLE runs; --"])
def test_an_unknown_run_is_not_found(store: Store, ref: str) -> None:
    add(store, "first")
    with pytest.raises(NotFoundError, match="no run"):
        store.find(ref)


def test_a_mistyped_name_gets_the_nearest(store: Store) -> None:
    add(store, "calm-otter")
    with pytest.raises(NotFoundError, match="did you mean calm-otter"):
        store.find("calm-oter")


def test_a_taken_name_is_wrong_usage(store: Store) -> None:
    add(store, "first")
    with pytest.raises(UsageError, match="'first' exists already"):
        add(store, "first")


def test_of_two_ends_the_first_counts(store: Store) -> None:
    run = add(store, "first")
    assert finish(store, run, "failed")
    assert not finish(store, run, "completed")
    assert store.find("first").status == "failed"


def test_an_ended_run_never_runs_again(store: Store) -> None:
    run = add(store, "first")
    finish(store, run)
    store.start(run, started_at=now(), pid=1, supervisor_pid=2)
    store.set_condition(run, "stalled")
    assert (store.find("first").status, store.find("first").condition) == ("completed", None)


def test_an_active_run_is_not_deleted(store: Store) -> None:
    run = add(store, "first")
    assert not store.delete(run)
    finish(store, run)
    assert store.delete(run)


def test_an_id_is_never_used_twice(store: Store) -> None:
    run = add(store, "first")
    finish(store, run)
    store.delete(run)
    assert next_id(store.home) == 2
    assert add(store, "second").id == 2


def test_two_readers_folding_at_once_count_a_record_once(store: Store) -> None:
    run = add(store, "first")
    store.set_summary(run, {"a": {"last": 1}}, 10, done=False)
    store.set_summary(run, {"a": {"last": 2}}, 10, done=False)  # the same bytes, folded by another reader
    assert store.find("first").summary == {"a": {"last": 1}}


def test_sixteen_processes_creating_the_store_at_once_lose_nothing(home: Home) -> None:
    script = (
        "import sys; from mlhub.settings import Settings; from mlhub.store.store import Store\n"
        "store = Store.open(Settings.load({'MLHUB_HOME': sys.argv[1]}).to_home())\n"
        "for n in range(5): store.add(name=f'{sys.argv[2]}-{n}', kind='train', created_at='now', host='here')"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(home.root), str(number)], stderr=subprocess.PIPE)
        for number in range(16)
    ]
    assert [process.communicate()[1] for process in processes] == [b""] * 16
    assert len(Store.open(home).newest(1000)) == 80


def test_the_schema_is_at_the_newest_migration(store: Store) -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "src/mlhub/store/migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


def test_the_migrations_make_what_the_tables_say(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import create_engine

    from mlhub.store.tables import metadata

    engine = create_engine(f"sqlite:///{store.home.database}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_a_store_of_the_version_before_keeps_its_rows(home: Home) -> None:
    store = Store.open(home)
    run = add(store, "calm-otter")
    store.close()
    connection = sqlite3.connect(home.database, isolation_level=None)
    for column in ("adapter", "project"):
        connection.execute(f"ALTER TABLE runs DROP COLUMN {column}")
    connection.execute("UPDATE alembic_version SET version_num = '0003'")
    connection.close()
    assert Store.open(home).find("calm-otter") == run


def test_the_store_is_in_wal_mode(store: Store) -> None:
    assert sqlite3.connect(store.home.database).execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_half_made_database_is_finished(home: Home) -> None:
    sqlite3.connect(home.database).close()
    home.database.touch()
    assert Store.open(home).newest(1) == []


def test_a_newer_schema_is_refused(home: Home) -> None:
    Store.open(home).close()
    connection = sqlite3.connect(home.database, isolation_level=None)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StoreError, match="made by a newer mlhub"):
        Store.open(home)


def test_a_damaged_database_names_the_way_out(home: Home) -> None:
    home.database.write_bytes(b"not a database, not at all" * 100)
    with pytest.raises(StoreError, match="damaged") as caught:
        Store.open(home)
    assert "doctor --rebuild" in caught.value.hint


def test_a_lost_write_lock_is_waited_for(store: Store) -> None:
    import threading

    other = sqlite3.connect(store.home.database, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.3, lambda: other.execute("COMMIT")).start()
    assert add(store, "patient").id == 1


def test_the_next_id_of_a_home_without_a_store_is_one_and_nothing_is_made(home: Home) -> None:
    assert next_id(home) == 1
    assert list(home.root.iterdir()) == []


def test_a_held_row_is_decoded_again_only_when_it_has_changed(store):
    first, second = (store.add(name=name, kind="train", created_at="t", host="h") for name in ("a", "b"))
    held = store.newest_held({})
    assert list(held) == [second, first]
    assert store.newest_held(held) is None
    store.set_condition(store.get(first), "starting")
    again = store.newest_held(held)
    assert again[second] is held[second]
    assert again[first].run.condition == "starting"


def test_active_rows_are_read_with_what_is_newer_and_what_has_ended_since(store):
    ids = [store.add(name=name, kind="train", created_at="t", host="h") for name in ("a", "b", "c")]
    held = store.newest_held({})
    for run_id in ids[:2]:
        finish(store, store.get(run_id), "completed")
    newer = store.add(name="d", kind="train", created_at="t", host="h")
    found = store.active_held(held)
    assert list(found) == [newer, *reversed(ids)]
    assert [found[run_id].run.status for run_id in ids] == ["completed", "completed", "queued"]
    assert store.active_held(found) is None


def test_a_row_that_went_while_it_was_active_is_no_longer_held(store):
    run_id = store.add(name="a", kind="train", created_at="t", host="h")
    held = store.newest_held({})
    store.forget(run_id)
    assert store.active_held(held) == {}


def test_a_write_by_anybody_changes_what_changes_says(store, home):
    before = store.changes()
    assert store.changes() == before
    other = Store.open(home)
    other.add(name="a", kind="train", created_at="t", host="h")
    other.close()
    between = store.changes()
    store.add(name="b", kind="train", created_at="t", host="h")
    assert len({before, between, store.changes()}) == 3


def test_a_store_that_keeps_others_out_says_so(store, home):
    assert not store.alone
    store._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    assert Rows(home, store._connection).alone


@pytest.mark.parametrize("page", [1, 2, 5, 100])
def test_page_by_page_each_run_comes_once_and_the_reader_may_write(store: Store, page: int) -> None:
    runs = [add(store, f"run-{number}") for number in range(5)]
    found = []
    for run in store.each_newest(page=page):
        found.append(run)
        finish(store, run)
    assert found == runs[::-1]
    assert [run.status for run in store.each_newest(page=page)] == ["completed"] * 5
