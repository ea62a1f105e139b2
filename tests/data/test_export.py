"""What is written for others is whole or not there, and comes back the same."""

from __future__ import annotations

import csv
import os
import tarfile

import pytest

from mlhub.data import registry
from mlhub.data.export import export, form_of
from mlhub.data.items import About, Item, Stored, write_items
from mlhub.data.prepare import find, make
from mlhub.errors import MlhubError, UsageError
from tests.data.conftest import draw

HOSTILE = '=1+1,"quoted"; <b>x</b>'


@pytest.fixture
def stored(home):
    folder = home.dataset("pets")
    folder.mkdir(parents=True)
    items = []
    for number in range(5):
        draw(folder / "img" / f"{number}.png", number)
        items.append(
            Item(f"id {number}", f"img/{number}.png", {"en": (f"pet {number}", HOSTILE), "ko": ("개",)},
                 labels=("a;b", "c") if number else (), concept=f"c{number}", style="s",
                 split=("train", "val")[number % 2], category="k")
        )  # fmt: skip
    items.append(Item("bare", "img/0.png", {}, labels=("only",)))
    write_items(folder, About("pets"), tuple(items))
    return Stored.open(folder)


def silent(*_):
    pass


@pytest.mark.parametrize("name", ["pets.jsonl", "pets.csv", "pets.tsv", "pets.parquet"])
def test_added_again_it_has_the_same_fingerprint(home, stored, tmp_path, name):
    target = tmp_path / name
    assert export(stored, target, form_of(target, ""), silent) == 6
    registry.add(home, "again", [target], images=stored.folder)
    assert make("again", home).facts().fingerprint == find("pets", home).fingerprint


@pytest.mark.parametrize("form", ["webdataset", "parquet"])
def test_with_its_pictures_it_needs_no_other_folder(home, stored, tmp_path, form):
    target = tmp_path / ("shards" if form == "webdataset" else "x.parquet")
    export(stored, target, form, silent, embed=form == "parquet", shard=2)
    registry.add(home, "again", [target])
    again = {item.id: item for item in make("again", home)}
    for item in stored:
        mine = again[item.id]
        assert (mine.captions, mine.labels, mine.split, mine.concept) == (
            item.captions,
            item.labels,
            item.split,
            item.concept,
        )
        assert (home.dataset("again") / mine.image).read_bytes() == stored.image_path(item).read_bytes()


def test_shards_are_by_split_of_so_many_and_the_same_bytes_each_time(stored, tmp_path):
    export(stored, tmp_path / "a", "webdataset", silent, shard=2)
    export(stored, tmp_path / "b", "webdataset", silent, shard=2)
    assert sorted(os.listdir(tmp_path / "a")) == ["a-train-000000.tar", "a-train-000001.tar", "a-val-000000.tar"]
    assert (tmp_path / "a" / "a-val-000000.tar").read_bytes() == (tmp_path / "b" / "b-val-000000.tar").read_bytes()
    with tarfile.open(tmp_path / "a" / "a-train-000001.tar") as tar:
        assert tar.getnames() == [
            "train-000000002.png",
            "train-000000002.json",
            "train-000000003.png",
            "train-000000003.json",
        ]


def test_one_split_alone(stored, tmp_path):
    assert export(stored, tmp_path / "x.csv", "csv", silent, split="val") == 2
    with (tmp_path / "x.csv").open() as file:
        assert {row["split"] for row in csv.DictReader(file)} == {"val"}
    with pytest.raises(MlhubError, match="has no items in test"):
        export(stored, tmp_path / "y.csv", "csv", silent, split="test")
    assert sorted(os.listdir(tmp_path)) == ["home", "x.csv"]


@pytest.mark.parametrize("name", ["x.jsonl", "shards"])
def test_what_is_there_is_replaced_only_if_forced(stored, tmp_path, name):
    target = tmp_path / name
    export(stored, target, form_of(target, ""), silent)
    with pytest.raises(UsageError, match="is there already"):
        export(stored, target, form_of(target, ""), silent)
    assert export(stored, target, form_of(target, ""), silent, split="val", force=True) == 2
    assert sorted(os.listdir(tmp_path)) == sorted(["home", name])


@pytest.mark.parametrize("form", ["webdataset", "parquet"])
def test_a_missing_image_is_named_and_the_target_stays_as_it_was(stored, tmp_path, form):
    target = tmp_path / "x"
    target.write_bytes(b"before")
    (stored.folder / "img" / "3.png").unlink()
    with pytest.raises(MlhubError, match=r"id 3: .*3\.png"):
        export(stored, target, form, silent, embed=form == "parquet", force=True)
    assert target.read_bytes() == b"before"
    assert sorted(os.listdir(tmp_path)) == ["home", "x"]


def test_what_a_killed_export_left_is_swept_by_the_next(stored, tmp_path):
    (tmp_path / ".shards.part").mkdir()
    (tmp_path / ".shards.part" / "torn.tar").write_bytes(b"x")
    export(stored, tmp_path / "shards", "webdataset", silent)
    assert sorted(os.listdir(tmp_path)) == ["home", "shards"]


@pytest.mark.parametrize("form", ["webdataset", "jsonl"])
def test_a_folder_with_other_files_is_never_replaced(stored, tmp_path, form):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "wedding.jpg").write_bytes(b"x")
    with pytest.raises(MlhubError, match=r"wedding\.jpg: not replaced"):
        export(stored, tmp_path / "photos", form, silent, force=True)
    assert os.listdir(tmp_path / "photos") == ["wedding.jpg"]


@pytest.mark.parametrize("name", [".", "items.jsonl"])
def test_the_set_is_never_exported_over_itself(stored, name):
    before = (stored.folder / "items.jsonl").read_bytes()
    with pytest.raises(MlhubError, match="the set itself"):
        export(stored, stored.folder / name, "jsonl", silent, split="val", force=True)
    assert (stored.folder / "items.jsonl").read_bytes() == before


def test_killed_between_its_renames_the_folder_before_comes_back(stored, tmp_path):
    export(stored, tmp_path / "shards", "webdataset", silent)
    (tmp_path / "shards").rename(tmp_path / ".shards.part-old")
    (stored.folder / "img" / "3.png").unlink()
    with pytest.raises(MlhubError, match="id 3"):
        export(stored, tmp_path / "shards", "webdataset", silent, force=True)
    assert sorted(os.listdir(tmp_path)) == ["home", "shards"]
    assert len(os.listdir(tmp_path / "shards")) == 2


def test_a_pipe_in_the_place_of_an_image_is_not_waited_for(stored, tmp_path):
    (stored.folder / "img" / "3.png").unlink()
    os.mkfifo(stored.folder / "img" / "3.png")
    with pytest.raises(MlhubError, match="not a regular file"):
        export(stored, tmp_path / "shards", "webdataset", silent)


def test_an_odd_suffix_is_not_a_members(home, tmp_path):
    folder = home.dataset("odd")
    folder.mkdir(parents=True)
    items = tuple(Item(name[:1], name, {"en": ("x",)}) for name in ("a.json", "b." + "q" * 150))
    for item in items:
        (folder / item.image).write_bytes(b"x")
    write_items(folder, About("odd"), items)
    export(Stored.open(folder), tmp_path / "t", "webdataset", silent)
    with tarfile.open(tmp_path / "t" / "t-train-000000.tar") as tar:
        assert [name for name in tar.getnames() if not name.endswith(".json")] == [
            "train-000000000.img",
            "train-000000001.img",
        ]


def test_a_folder_that_is_not_there_is_said(stored, tmp_path):
    with pytest.raises(MlhubError, match="No such file"):
        export(stored, tmp_path / "no" / "x.csv", "csv", silent)


def test_pictures_go_into_parquet_and_tars_alone(stored, tmp_path):
    with pytest.raises(UsageError, match="holds no pictures"):
        export(stored, tmp_path / "x.csv", "csv", silent, embed=True)


@pytest.mark.parametrize("words", [("x.xyz", ""), ("x.csv", "excel")])
def test_a_form_that_can_not_be_told_is_asked_for(tmp_path, words):
    with pytest.raises(UsageError):
        form_of(tmp_path / words[0], words[1])
