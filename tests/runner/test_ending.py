"""Ending runs as a user asks for it, several at once, over real processes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from mlhub.errors import MlhubError
from mlhub.runner import ending
from mlhub.runner.reconcile import settle
from mlhub.runner.submit import Request, submit
from mlhub.store.store import Store
from tests.conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlhub.paths import Home

#: ends, once it was told to, when as many as `argv[2]` have been told to
TOGETHER = """
import os, signal, sys, time
folder, count = sys.argv[1], int(sys.argv[2])
def end(*_):
    open(os.path.join(folder, str(os.getpid())), "w").close()
    while len(os.listdir(folder)) < count: time.sleep(0.01)
    print("together", flush=True); sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    store = Store.open(home)
    yield store
    ending.stop_all(store, store.active(), 0.0)
    store.close()


def begin(store: Store, **more: Any) -> Any:
    return submit(store, Request(**({"command": ("sleep", "60")} | more)))


def status(store: Store, run: Any) -> str:
    return settle(store, run).status if (run := store.reload(run)).active else run.status


def test_runs_are_stopped_all_at_once(store: Store, tmp_path: Path) -> None:
    (tmp_path / "told").mkdir()
    command = (sys.executable, "-c", TOGETHER, str(tmp_path / "told"), "6")
    runs = [begin(store, command=command) for _ in range(6)]
    for run in runs:
        wait_until(lambda run=run: "ready" in store.home.run(run.id).log.read_text())
    assert ending.stop_all(store, runs, None) == [None] * 6
    assert all("together" in store.home.run(run.id).log.read_text() for run in runs)
    assert {status(store, run) for run in runs} == {"cancelled"}


def test_a_run_that_waits_is_cancelled_where_it_stands(store: Store) -> None:
    first = begin(store)
    waiting = begin(store, after=(first.id,))
    assert ending.stop_all(store, [waiting], None) == [None]
    after = store.reload(waiting)
    assert ending.told(waiting, after).startswith("cancelled: stopped by ")
    assert status(store, first) == "running"


def test_what_has_ended_is_no_trouble(store: Store) -> None:
    run = begin(store, command=("true",))
    wait_until(lambda: status(store, run) == "completed")
    run = store.reload(run)
    assert ending.stop_all(store, [run], None) == [None]
    assert ending.told(run, store.reload(run)) == "had ended already: completed"


def test_one_that_can_not_be_stopped_does_not_keep_the_others(store: Store) -> None:
    import os
    import shutil

    lost, good = begin(store), begin(store)
    shutil.rmtree(store.home.run(lost.id).root)
    runs = [settle(store, lost), good]
    try:
        trouble = ending.stop_all(store, runs, None)
    finally:
        os.kill(lost.supervisor_pid, 15)
    assert [type(one) for one in trouble] == [MlhubError, type(None)]
    assert f"kill {lost.supervisor_pid}" in trouble[0].hint
    assert status(store, good) == "cancelled"
    store.forget(lost.id)


def test_a_fault_in_a_thread_is_not_taken_for_a_stop(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = begin(store)
    with monkeypatch.context() as patch:
        patch.setattr(ending, "stop_process", lambda *_: 1 / 0)
        trouble = ending.stop_all(store, [run], None)
    assert "ZeroDivisionError" in trouble[0].message


def test_only_what_is_over_may_be_removed(store: Store) -> None:
    running = begin(store)
    waiting = begin(store, after=(running.id,))
    with pytest.raises(MlhubError, match="is running"):
        ending.check_over(store, running)
    with pytest.raises(MlhubError, match="waits in the queue"):
        ending.check_over(store, waiting)
    ending.stop_all(store, [waiting, running], 0.0)
    ending.check_over(store, settle(store, store.reload(running)))
