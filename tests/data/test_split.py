"""Splits: one image never on both sides, the same deal for the same seed, the old split or the new one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import defaultdict

import msgspec
import numpy as np
import pytest

from mlhub.data import split as module
from mlhub.data.items import About, Item, Stored, write_items
from mlhub.data.prepare import find
from mlhub.data.split import apply, by_field, by_file, by_ratio, ratio_of, together
from mlhub.errors import MlhubError, UsageError
from tests.data.conftest import draw

ITEMS = tuple(
    Item(f"i{n}", f"{n % 150}.png", {"en": (f"x{n}",)}, labels=(f"l{n % 5}",), concept=f"c{n // 3}", style="abc"[n % 3],
         digest=f"{n % 120:064x}" if n % 2 else "")
    for n in range(200)
)  # fmt: skip


@pytest.fixture
def stored(home):
    folder = home.dataset("pets")
    folder.mkdir(parents=True)
    for number in range(150):
        draw(folder / f"{number}.png", number % 3)
    write_items(folder, About("pets"), ITEMS)
    return Stored.open(folder)


def sides(items, key):
    seen = defaultdict(set)
    for item in items:
        seen[key(item)].add(item.split)
    return max(map(len, seen.values()))


def ratio(home, text="80/10/10", seed=0, by="image"):
    apply(home, "pets", lambda stored: by_ratio(stored, ratio_of(text), seed, by))
    return find("pets", home).items


@pytest.mark.parametrize("by", module.BY)
def test_an_image_is_never_on_both_sides_whatever_else_is_kept_together(home, stored, by):
    items = ratio(home, "50/50", by=by) if by in ("image", "concept") else ratio(home, "99/1", by="image")
    assert sides(items, lambda item: item.image) == 1
    assert sides([item for item in items if item.digest], lambda item: item.digest) == 1
    if by == "concept":
        assert sides(items, lambda item: item.concept) == 1


def test_two_concepts_of_one_digest_go_together(home):
    folder = home.dataset("pets")
    folder.mkdir(parents=True)
    items = [
        Item(f"{n}", f"{n}.png", {"en": ("x",)}, concept=f"c{n}", digest="ab" * 32 if n < 2 else "") for n in range(40)
    ]
    write_items(folder, About("pets"), tuple(items))
    for seed in range(8):
        dealt = by_ratio(Stored.open(folder), ratio_of("50/50"), seed, "concept")
        assert dealt[0] == dealt[1]


def test_shares_are_kept_within_a_group(home, stored):
    items = ratio(home)
    counts = [sum(item.split == split for item in items) for split in ("train", "val", "test")]
    assert all(abs(count - wanted) <= 6 for count, wanted in zip(counts, (160, 20, 20), strict=True)), counts


def test_the_deal_depends_on_seed_and_ids_not_on_order(home, stored):
    first = {item.id: item.split for item in ratio(home, seed=4)}
    assert {item.id: item.split for item in ratio(home, seed=5)} != first
    write_items(stored.folder, About("pets"), ITEMS[::-1])
    assert {item.id: item.split for item in ratio(home, seed=4)} == first


def test_nothing_but_the_split_changes_and_the_counts_beside_are_those(home, stored):
    items = ratio(home)
    assert tuple(msgspec.structs.replace(item, split="train") for item in items) == ITEMS
    facts = Stored.open(stored.folder).about.facts
    assert facts.fingerprint == find("pets", home).fingerprint
    assert sum(facts.splits.values()) == 200


def test_by_what_a_field_says(home, stored):
    apply(home, "pets", lambda found: by_field(found, "style", {"b": "test", "c": "val"}))
    assert {(item.style, item.split) for item in find("pets", home).items} == {
        ("a", "train"),
        ("b", "test"),
        ("c", "val"),
    }


def test_a_value_that_nobody_has_is_refused_with_the_nearest(home, stored):
    with pytest.raises(UsageError, match="did you mean l1"):
        apply(home, "pets", lambda found: by_field(found, "label", {"l1x": "test"}))


def test_by_a_file_of_ids_and_one_of_pairs(home, stored, tmp_path):
    (tmp_path / "ids").write_text("i50\ni52\n")
    apply(home, "pets", lambda found: by_file(found, tmp_path / "ids", "test"))
    assert [item.id for item in find("pets", home).select("test")] == ["i50", "i52"]
    (tmp_path / "pairs.csv").write_text("id,split\ni50,val\n")
    apply(home, "pets", lambda found: by_file(found, tmp_path / "pairs.csv", None))
    assert [item.split for item in find("pets", home).items[50:53:2]] == ["val", "test"]


def test_a_file_that_tears_an_image_apart_is_refused_with_both_items(home, stored, tmp_path):
    (tmp_path / "ids").write_text("i4\n")
    with pytest.raises(MlhubError, match="i154 would be in train and i4 in test"):
        apply(home, "pets", lambda found: by_file(found, tmp_path / "ids", "test"))
    assert find("pets", home).items == ITEMS


def test_an_id_of_two_splits_is_refused(home, stored, tmp_path):
    (tmp_path / "pairs").write_text("i50\ttest\ni50\tval\n")
    with pytest.raises(MlhubError, match="i50 is there twice, as test and val"):
        apply(home, "pets", lambda found: by_file(found, tmp_path / "pairs", None))


def test_large_groups_are_tested_on_as_often_as_small_ones(home):
    folder = home.dataset("pets")
    folder.mkdir(parents=True)
    large = [Item(f"b{n}", f"b{n}.png", {"en": ("x",)}, concept=f"c{n // 10}") for n in range(500)]
    write_items(folder, About("pets"), (*large, *(Item(f"s{n}", f"s{n}.png", {"en": ("x",)}) for n in range(500))))
    deals = [by_ratio(Stored.open(folder), ratio_of("50/50"), seed, "concept")[:500] for seed in range(20)]
    assert 0.45 < np.mean([dealt == 2 for dealt in deals]) < 0.55


def test_a_path_spelled_otherwise_is_the_same_image(home):
    folder = home.dataset("pets")
    folder.mkdir(parents=True)
    names = ("x.png", "./x.png", *(f"{n}.png" for n in range(8)))
    write_items(folder, About("pets"), tuple(Item(name, name, {"en": ("x",)}) for name in names))
    deals = [by_ratio(Stored.open(folder), ratio_of("50/50"), seed, "image") for seed in range(20)]
    assert all(dealt[0] == dealt[1] for dealt in deals)


@pytest.mark.parametrize(
    ("text", "said"), [("nobody\ttest\n", "such as nobody"), ("i3 dev\n", ":1: not an id and a split")]
)
def test_a_file_that_says_what_can_not_be_is_refused(home, stored, tmp_path, text, said):
    (tmp_path / "pairs").write_text(text)
    with pytest.raises(MlhubError, match=said):
        apply(home, "pets", lambda found: by_file(found, tmp_path / "pairs", None))
    assert find("pets", home).items == ITEMS


@pytest.mark.parametrize("text", ["", "80", "a/b", "0/0", "-1/2", "1/2/3/4", "nan/1", "inf/1"])
def test_shares_that_are_none_are_refused(text):
    with pytest.raises(UsageError):
        ratio_of(text)


def test_emoji_keeps_its_split_and_no_set_is_left_without_training(home, stored):
    with pytest.raises(MlhubError, match="keeps its split"):
        apply(home, "emoji", lambda found: by_ratio(found, ratio_of("50/50"), 0, "image"))
    with pytest.raises(MlhubError, match="no item would be left"):
        ratio(home, "0/100")


def test_a_dry_run_changes_nothing(home, stored):
    before, after = apply(home, "pets", lambda found: by_ratio(found, ratio_of("50/50"), 0, "image"), dry=True)
    assert (before, sum(after.values())) == ({"train": 200}, 200)
    assert find("pets", home).items == ITEMS


def test_groups_are_joined_through_any_column_and_through_others():
    columns = [np.array([1, 1, 2, 3, 4]), np.array([5, 6, 6, 7, 8]), np.array([0, 1, 2, 3, 9])]
    assert together(columns).tolist() == [0, 0, 0, 1, 2]


KILLED = """
import os, sys, pathlib
from mlhub.data import split
from mlhub.paths import Home
home = Home(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[1]) / "data")
real = pathlib.Path.replace if sys.argv[2] == "before" else split.write_about
def die(*a, **k):
    os.kill(os.getpid(), 9)
if sys.argv[2] == "before":
    pathlib.Path.replace = die
else:
    split.write_about = die
split.apply(home, "pets", lambda s: split.by_ratio(s, split.ratio_of("50/50"), 0, "image"))
"""


@pytest.mark.parametrize(("moment", "splits"), [("before", {"train"}), ("after", {"train", "test"})])
def test_killed_it_leaves_the_old_split_or_the_new_one(home, stored, moment, splits):
    done = subprocess.run([sys.executable, "-c", KILLED, str(home.root), moment], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert {item.split for item in find("pets", home).items} == splits
    assert Stored.open(stored.folder).facts().fingerprint == find("pets", home).fingerprint
    ratio(home)
    assert not [name for name in os.listdir(stored.folder) if name.endswith(".new")]
