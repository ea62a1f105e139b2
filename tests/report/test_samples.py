"""Which queries are put to an index, and what becomes of an index that can't answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mlhub.paths import Home
from mlhub.report import samples
from tests.compare.conftest import make_run

if TYPE_CHECKING:
    from pathlib import Path

INFO = {"model": {"run": "1", "step": 5}, "data": {"name": "d", "fingerprint": "f"}, "languages": ["en", "ko"]}


def make_index(folder: Path, rows: list[object], info: object = INFO) -> samples.Index:
    folder.mkdir(parents=True)
    (folder / "index.json").write_text(json.dumps(info))
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return samples.Index(make_run(1), make_run(2, kind="index"), folder, INFO)


def item(number: int, split: str) -> dict[str, object]:
    return {"id": str(number), "captions": {"en": [f"thing {number}"], "ko": [f"것 {number}"]}, "split": split}


def test_queries_are_captions_of_held_out_items_in_turns_of_language(tmp_path: Path) -> None:
    rows = [item(number, "test" if number % 3 == 0 else "train") for number in range(300)]
    found = samples.pick_queries(make_index(tmp_path / "i", rows))
    assert len(found) == samples.QUERIES
    assert [query.split()[0] for query in found] == ["thing", "것", "thing", "것", "thing"]
    assert all(int(query.split()[1]) % 3 == 0 for query in found)
    assert found == samples.pick_queries(make_index(tmp_path / "same", rows))


@pytest.mark.parametrize("rows", [[], [item(1, "train")] * 50, [3, None, {"split": "test"}, {"captions": []}] * 20])
def test_an_index_without_held_out_captions_is_asked_nothing(tmp_path: Path, rows: list[object]) -> None:
    assert samples.pick_queries(make_index(tmp_path / "i", rows)) == []


def test_the_newest_index_of_a_run_is_its_own(tmp_path: Path) -> None:
    home = Home(tmp_path, tmp_path / "data")
    for number, made_of in ((4, "1"), (3, "1"), (5, "2"), (6, None)):
        make_index(home.run(number).index, [], INFO | {"model": {"run": made_of}})
    (home.run(6).index / "index.json").write_text("[torn")
    made = [make_run(number, kind="index") for number in (6, 5, 4, 3)]
    trained = [make_run(1), make_run(9, metrics={"val/map_64": 0.5})]
    found, without = samples.find_indexes(home, trained, made)
    assert [(one.run.id, one.made.id) for one in found] == [(1, 4)]
    assert [run.id for run in without] == [9]


def test_an_index_that_can_not_be_asked_says_why(tmp_path: Path) -> None:
    found, problem = samples.ask(tmp_path / "nowhere", ["a dog"])
    assert found == {}
    assert "no index here" in problem
