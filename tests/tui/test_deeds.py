"""What actions do, as functions of a store: what they say of it, and what is typed as tags."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mlhub.errors import MlhubError, UsageError
from mlhub.runner.ending import stop_all
from mlhub.runner.submit import Request, submit
from mlhub.store.runs import Run
from mlhub.store.store import Store
from mlhub.tui.acting import deeds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.paths import Home


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    store = Store.open(home)
    yield store
    stop_all(store, store.active(), 0.0)
    store.close()


@pytest.mark.parametrize(
    ("typed", "add", "remove"),
    [
        ("paper fast -old", ["paper", "fast"], ["old"]),
        ("+paper, -old", ["paper"], ["old"]),
        ('"two words" -"old one"', ["two words"], ["old one"]),
        ("강아지", ["강아지"], []),
        ("  ", [], []),
    ],
)
def test_tags_as_they_are_typed(typed: str, add: list[str], remove: list[str]) -> None:
    assert deeds.tag_words(typed) == (add, remove)


@pytest.mark.parametrize("typed", ['"open', "a/b", "@last", "+", "x" * 101])
def test_what_can_not_be_a_tag_is_said(typed: str) -> None:
    with pytest.raises(UsageError):
        deeds.tag_words(typed)


def test_the_time_that_runs_are_given_is_named(store: Store) -> None:
    runs = [submit(store, Request(("sleep", "60"), grace=grace)) for grace in (5.0, 90.0)]
    assert deeds.grace_words(store.home, runs).endswith("after 5.0s to 1m 30s.")
    assert deeds.grace_words(store.home, runs[:1]).endswith("after 5.0s.")


def test_only_waiting_runs_have_no_grace(store: Store) -> None:
    first = submit(store, Request(("sleep", "60")))
    waiting = submit(store, Request(("true",), after=(first.id,)))
    assert deeds.grace_words(store.home, [waiting]) == ""


def test_a_run_moves_by_one_place_and_stops_at_the_ends(store: Store) -> None:
    first = submit(store, Request(("sleep", "60")))
    runs = [submit(store, Request(("true",), queue=True, after=(first.id,), priority=n)) for n in (9, 5, 1)]
    moves = [(2, -1), (2, -1), (2, -1), (0, 1), (0, 1), (1, None)]
    orders = []
    for index, by in moves:
        deeds.move(store, runs[index], by)
        orders.append([run.id - 2 for run in store.waiting(first.host)])
    assert orders == [[0, 2, 1], [2, 0, 1], [2, 0, 1], [2, 1, 0], [2, 1, 0], [1, 2, 0]]


def test_what_does_not_wait_has_no_place(store: Store) -> None:
    run = submit(store, Request(("sleep", "60")))
    with pytest.raises(MlhubError, match="does not wait any more: running"):
        deeds.move(store, run, -1)


def test_errors_stand_beside_what_was_done() -> None:
    said = deeds.Said("stopped 2 runs", (MlhubError("one\x1b[2J\nline", "A hint."),))
    assert (said.colour, said.lines) == ("bad", ["stopped 2 runs", "one line. A hint."])


def _run(run_id: int, kind: str) -> Run:
    adapter = "hashing" if kind == "train" else None
    return Run(id=run_id, name=f"run-{run_id}", kind=kind, status="failed", created_at="", host="h", adapter=adapter)


def test_a_training_without_a_state_is_said_to_begin_anew(home: Home) -> None:
    for run_id, file in ((1, "state.pt"), (2, "best.safetensors")):
        home.run(run_id).checkpoints.mkdir(parents=True)
        (home.run(run_id).checkpoints / file).touch()
    for run_id, line in ((5, {"path": str(home.run(1).checkpoints / "state.pt")}), (6, {"path": "/nowhere/last.ckpt"})):
        home.run(run_id).root.mkdir()
        home.run(run_id).capture.touch()
        home.run(run_id).saved.write_text(json.dumps(line) + "\n")
    trainings, command = [_run(1, "train"), _run(2, "train"), _run(3, "train")], _run(4, "command")
    captured = [_run(5, "command"), _run(6, "command")]
    assert deeds.where_they_begin(home, captured) == [
        "Begins anew, as it has no checkpoint: run-6.", "Each other training goes on from its last checkpoint."
    ]  # fmt: skip
    anew = "Begins anew, as it has no checkpoint: run-2, run-3."
    assert deeds.where_they_begin(home, trainings[:1]) == ["It goes on from its last checkpoint."]
    assert deeds.where_they_begin(home, trainings[1:]) == [anew]
    assert deeds.where_they_begin(home, [*trainings, command]) == [
        anew,
        "Each other training goes on from its last checkpoint.",
        "A command goes on from its checkpoint if it has one; else it begins anew.",
    ]
