"""Tags and notes: what a folder's file may hold, however odd, and that a change is all or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlhub.errors import StoreError
from mlhub.runner import labels
from mlhub.store.store import Store

if TYPE_CHECKING:
    from mlhub.paths import Home


@pytest.mark.parametrize("value", ["x", None, 7, {"a": 1}, [1, None, ["x"]]], ids=repr)
def test_labels_that_are_none_are_left_out(value: object) -> None:
    assert labels.told({"tags": value, "note": 7}, ["old"]) == ([], None)


def test_without_a_file_the_tags_are_those_it_was_started_with() -> None:
    assert labels.told({}, ["old"]) == (["old"], None)


def test_tags_that_were_all_taken_away_do_not_come_back() -> None:
    assert labels.told({"tags": []}, ["old"]) == ([], None)


def test_what_a_folder_says_is_cleaned() -> None:
    assert labels.told({"tags": ["a\x1b[2Jb", "\u202e"], "note": "x\x1b]0;t\x07y\r\nz"}, []) == (["ab"], "xy\nz")


def test_a_note_that_can_not_be_written_leaves_the_row_as_it_was(home: Home) -> None:
    store = Store.open(home)
    run = store.find(str(store.add(name="one", kind="command", created_at="now", host="here", tags=("old",))))
    store.home.run(run.id).labels.mkdir(parents=True)  # a folder in the file's place
    with pytest.raises(StoreError, match="nothing was changed"):
        labels.change_note(store, run, "text")
    assert store.reload(run) == run
    store.close()
