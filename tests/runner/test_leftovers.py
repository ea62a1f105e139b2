"""What a lost run left behind: real processes that carry its token."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from mlhub.runner import identity, leftovers
from mlhub.store.store import Store
from tests.conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.paths import Home
    from mlhub.store.runs import Run
    from tests.conftest import Cli


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    store = Store.open(home)
    yield store
    store.close()


def lost(cli: Cli, store: Store) -> tuple[Run, int]:
    """A run whose command and supervisor were killed, and what it left."""
    cli.environment["MLHUB_SAMPLER"] = "0"
    run = cli.json("run", "--", "sh", "-c", "setsid sleep 1000 & echo loader $!; exec sleep 1000")
    loader = int(wait_until(lambda: cli("logs", "1").stdout.split()[1:])[0])
    for pid in (run["supervisor_pid"], run["pid"]):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: cli.json("show", "1")["status"] == "failed")
    return store.find("1"), loader


def test_they_are_found_and_ended(cli: Cli, store: Store) -> None:
    run, loader = lost(cli, store)
    assert leftovers.orphaned(store) == [(run, [loader])]
    assert leftovers.end(store, run) == ([loader], [])
    found = identity.find_process(loader)
    assert found is None or found.dead
    assert (leftovers.orphaned(store), store.find("1").orphans) == ([], [])


def test_what_cannot_be_ended_stays_with_the_run(cli: Cli, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run, loader = lost(cli, store)
    monkeypatch.setattr("mlhub.runner.family.send", lambda *_: True)  # as to a process that hangs in the kernel
    monkeypatch.setattr("mlhub.runner.family._KILL_SECONDS", 0.1)
    assert leftovers.end(store, run) == ([], [loader])
    assert store.find("1").orphans == [loader]
    monkeypatch.undo()
    assert "1 process left behind" in cli("ls", COLUMNS="200").stdout
    leftovers.end(store, run)
