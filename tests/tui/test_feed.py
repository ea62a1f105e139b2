"""The reader of rows: what it publishes, and that it outlives what happens to the store."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from mlhub.settings import Settings
from mlhub.store import rows
from mlhub.store.store import Store
from mlhub.tui.feed import Feed
from tests.conftest import wait_until


@pytest.fixture
def feed(cli):
    cli("run", "--name", "first", "--wait", "--", "true")
    settings = Settings.load({"MLHUB_HOME": str(cli.home)})
    feed = Feed(settings.to_home(), settings)
    yield feed
    feed.close()


def names(feed):
    return [run.name for run in feed.snapshot.runs]


def test_the_rows_there_are_come_at_once(feed):
    assert feed.ready.wait(30)
    assert names(feed) == ["first"]


def test_a_run_that_another_process_starts_appears_and_ends(feed, cli):
    cli("run", "--name", "second", "--", "sleep", "0.5")
    wait_until(lambda: names(feed) == ["second", "first"])
    wait_until(lambda: feed.snapshot.runs[0].status == "completed")


def test_a_run_that_died_without_a_word_is_found_dead(feed, cli):
    started = cli.json("run", "--name", "second", "--", "sleep", "60")
    wait_until(lambda: feed.snapshot.by_id.get(2) and feed.snapshot.by_id[2].status == "running")

    for pid in (started["supervisor_pid"], started["pid"]):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: feed.snapshot.by_id[2].status == "failed")


def test_a_removed_run_goes(feed, cli):
    cli("rm", "first")
    wait_until(lambda: feed.snapshot.settled and not names(feed))


def test_nothing_is_published_while_nothing_changes(feed):
    wait_until(lambda: feed.snapshot.settled and feed.snapshot.runs[0].summary_done)
    before = feed.snapshot
    feed.poke()
    wait_until(lambda: not feed._look_again.is_set())
    assert feed.snapshot is before


def test_what_waits_is_started_while_the_screen_is_open(feed, cli):
    cli("run", "--name", "held", "--", "sleep", "60")
    cli("run", "--queue", "--after", "held", "--name", "later", "--", "true")
    wait_until(lambda: feed.snapshot.waiting == (3,))
    cli("stop", "held", "--grace", "0")
    wait_until(lambda: feed.snapshot.by_id[3].status != "queued")


def test_a_database_that_is_replaced_is_opened_anew(feed, cli):
    wait_until(lambda: feed.snapshot.settled)
    cli("doctor", "--rebuild")
    cli("run", "--name", "second", "--wait", "--", "true")
    wait_until(lambda: names(feed) == ["second", "first"] and feed.snapshot.error is None)


def test_a_damaged_row_is_said_and_what_was_read_stays(feed, cli):
    wait_until(lambda: feed.snapshot.settled)
    store = Store.open(feed._home)
    store._connection.execute("UPDATE runs SET tags = '{'")
    store.close()
    feed.poke()
    wait_until(lambda: feed.snapshot.error and "damaged" in feed.snapshot.error)
    assert names(feed) == ["first"]


def test_metrics_of_ended_runs_are_all_folded_soon(cli):
    cli("run", "--name", "first", "--wait", "--", "true")
    for number in range(2, 40):
        shutil.copytree(cli.home / "runs" / "1", cli.home / "runs" / str(number))
        spec = cli.home / "runs" / str(number) / "spec.json"
        spec.write_text(spec.read_text().replace('"first"', f'"run-{number}"'))
        (cli.home / "runs" / str(number) / "metrics.jsonl").write_text('{"step":3,"time":1.0,"loss":0.5}\n')
    for file in cli.home.glob("mlhub.db*"):
        file.unlink()
    cli("doctor", "--rebuild", code=None)
    settings = Settings.load({"MLHUB_HOME": str(cli.home)})
    feed = Feed(settings.to_home(), settings)
    try:
        wait_until(lambda: len(feed.snapshot.runs) > 30 and all(run.summary_done for run in feed.snapshot.runs))
    finally:
        feed.close()


def test_a_database_that_is_removed_is_made_anew_from_the_folders(feed):
    wait_until(lambda: feed.snapshot.settled)
    for file in feed._home.root.glob("mlhub.db*"):
        file.unlink()
    wait_until(lambda: feed.snapshot.error)
    wait_until(lambda: feed.snapshot.error is None and names(feed) == ["first"])


def test_a_store_that_keeps_others_out_is_not_kept(feed):
    wait_until(lambda: feed.snapshot.settled)
    connect = rows.connect

    def alone(home):
        connection = connect(home)
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlhub.store.store.connect", alone)
        feed.close()
        other = Feed(feed._home, feed._settings)
        wait_until(lambda: other.snapshot.settled)
    store = Store.open(feed._home)
    with store.patience(10):
        store.add(name="second", kind="train", created_at="t", host="h")
    store.close()
    wait_until(lambda: names(other) == ["second", "first"])
    other.close()
