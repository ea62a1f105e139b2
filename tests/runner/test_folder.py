"""Rows made anew from folders: what spec.json and queue.json say, however odd."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mlhub.runner import folder
from mlhub.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlhub.paths import Home


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    store = Store.open(home)
    yield store
    store.close()


def make(root: Path, spec: object = None, queue: object = None, attempts: int = 1) -> Path:
    for number in range(1, attempts + 1):
        (root / "attempts" / str(number)).mkdir(parents=True)
        (root / "attempts" / str(number) / "launch.json").write_text("{}")
    (root / "spec.json").write_text(json.dumps(spec))
    (root / "queue.json").write_text(json.dumps(queue))
    return root


FACTS = {"attempt": 2, "priority": -5, "place": 1.5, "after": [3, 4], "gpus_wanted": 2, "gpus": [0, 1], "slots": 4,
         "retries": 1, "waiting": True}  # fmt: skip


def test_the_queues_facts_come_back(tmp_path: Path) -> None:
    run = folder.row_of(make(tmp_path, {"name": "otter"}, FACTS), 7)
    assert {key: getattr(run, key) for key in FACTS} == FACTS


def test_a_run_that_was_launched_waits_no_more(tmp_path: Path) -> None:
    run = folder.row_of(make(tmp_path, {}, FACTS, attempts=2), 7)
    assert (run.waiting, run.attempt) == (False, 2)


def test_an_attempt_far_ahead_of_its_folders_is_the_next_one(tmp_path: Path) -> None:
    assert folder.row_of(make(tmp_path, {}, {"attempt": 10**9, "waiting": True}), 7).attempt == 2


ODD = ("x", None, -1, 1 << 80, 1e300, True, [[]], {"a": 1}, [1, "2", None, -3, True, 1 << 80])


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_facts_that_are_none_are_left_out(store: Store, value: object) -> None:
    spec = dict.fromkeys(("name", "kind", "group", "tags", "preset", "created_at", "host", "config"), value)
    make(store.home.run(7).root, spec, dict.fromkeys(FACTS, value))
    assert folder.rebuild(store) == 1
    run = store.get(7)
    assert all(type(number) is int and number >= 0 for number in (*run.after, *run.gpus, run.retries, run.gpus_wanted))


def test_runs_of_one_name_all_come_back(store: Store) -> None:
    for number, name in ((1, "a-3"), (2, "a"), (3, "a"), (4, "a-4"), (5, "a-4")):
        make(store.home.run(number).root, {"name": name})
    assert folder.rebuild(store) == 5
    assert [store.get(number).name for number in (1, 2, 4, 5)] == ["a-3", "a", "a-4", "a-4-5"]


def test_names_that_start_others_are_kept_apart(store: Store) -> None:
    (store.home.runs / "007").mkdir(parents=True)
    make(store.home.run(7).root, {"name": "seven"})
    assert folder.rebuild(store) == 1
