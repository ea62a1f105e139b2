"""A check names what is missing, torn, twice, or on both sides; keeps what it saw; changes nothing."""

from __future__ import annotations

import random
import shutil

import msgspec
import numpy as np
import pytest
from PIL import Image

from mlhub.data import check as module
from mlhub.data.check import check, parts_of
from mlhub.data.checking import alike, pictures
from mlhub.data.items import ITEMS, About, Item, Stored, write_items
from mlhub.data.schema import schema, violations
from mlhub.errors import UsageError


def noise(path, seed, size=(45, 40)):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 255, (8, 9, 3), dtype=np.uint8)
    Image.fromarray(values).resize(size, Image.Resampling.NEAREST).save(path)
    return path


@pytest.fixture
def stored(home):
    folder = home.dataset("pets")
    folder.mkdir(parents=True)
    items = []
    for number in range(8):
        noise(folder / f"{number}.png", number)
        split = ("train", "train", "val", "test")[number % 4]
        items.append(Item(str(number), f"{number}.png", {"en": (f"pet {number}",)}, split=split))
    write_items(folder, About("pets"), tuple(items))
    return Stored.open(folder)


def found(home, stored, parts=module.PARTS, **kwargs):
    report = check(home, stored, parts, lambda *_: None, workers=1, **kwargs)
    return {finding.what: finding for finding in report.findings}, report


def test_a_sound_set_has_no_findings(home, stored):
    findings, report = found(home, stored)
    assert (findings, report.broken, report.items) == ({}, False, 8)


def test_missing_torn_empty_and_wrong_images_are_named(home, stored):
    folder = stored.folder
    (folder / "0.png").unlink()
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:60])
    (folder / "2.png").write_bytes(b"")
    (folder / "3.png").write_bytes(b"not a picture")
    findings, report = found(home, stored)
    finding = findings["images that are missing or can't be decoded"]
    assert report.broken
    assert finding.count == 4
    assert finding.examples[0] == "0: 0.png: missing"
    assert "can't be decoded" in finding.examples[1]
    assert finding.examples[2] == "2: 2.png: empty"


def test_a_changed_image_is_seen_by_its_digest(home, stored):
    items = [msgspec.structs.replace(item, digest="00" * 32) for item in stored]
    write_items(stored.folder, About("pets"), tuple(items))
    findings, _ = found(home, Stored.open(stored.folder), ["images"])
    assert "another image than when the set was made" in next(iter(findings.values())).examples[0]


def test_the_same_picture_in_two_splits_is_a_leak_and_in_one_a_duplicate(home, stored):
    shutil.copy(stored.folder / "0.png", stored.folder / "4.png")  # both train
    shutil.copy(stored.folder / "2.png", stored.folder / "3.png")  # val and test
    findings, report = found(home, stored)
    assert findings["pictures that are there more than once"].examples == ["0 (train), 4 (train)"]
    assert findings["pictures that are in more than one split"].examples == ["2 (val), 3 (test)"]
    assert report.broken


def test_a_picture_saved_again_looks_alike(home, stored):
    with Image.open(stored.folder / "0.png") as image:
        image.resize((90, 80), Image.Resampling.NEAREST).save(stored.folder / "7.png")
    findings, report = found(home, stored)
    assert findings["groups of pictures that look alike, in different splits"].examples == ["0 (train), 7 (test)"]
    assert not report.broken


def test_a_caption_of_different_things_is_counted_and_of_one_thing_is_not(home, stored):
    items = list(stored)
    items[1] = msgspec.structs.replace(items[1], captions={"en": ("pet 0", "own")})
    items[2] = msgspec.structs.replace(items[2], captions={"en": ("mine",)}, concept="c")
    items[3] = msgspec.structs.replace(items[3], captions={"en": ("mine",)}, concept="c")
    items[4] = msgspec.structs.replace(items[4], captions={}, labels=("x",))
    write_items(stored.folder, About("pets"), tuple(items))
    findings, _ = found(home, Stored.open(stored.folder), ["captions"])
    assert findings["captions that are said of different things"].examples == ["en: pet 0 (0, 1)"]
    assert findings["items without a caption"].count == 1


def test_what_was_seen_is_kept_and_looked_at_again_when_the_file_changed(home, stored, monkeypatch):
    found(home, stored)
    asked = []

    class Pool(pictures.ProcessPoolExecutor):
        def submit(self, function, tasks):
            asked.extend(task[0] for task in tasks)
            return super().submit(function, tasks)

    monkeypatch.setattr(pictures, "ProcessPoolExecutor", Pool)
    noise(stored.folder / "5.png", 99, (54, 40))
    found(home, stored)
    assert asked == [str(stored.folder / "5.png")]


def test_a_torn_file_of_what_was_seen_costs_only_time(home, stored):
    found(home, stored)
    (home.data / ".pets.check").write_bytes(b"SQLite format 3\0 torn")
    assert found(home, stored)[0] == {}


def test_odd_pictures_are_sound_ones(home, tmp_path):
    folder = home.dataset("odd")
    folder.mkdir(parents=True)
    for name, mode in (("a.png", "P"), ("b.jpg", "CMYK"), ("c.png", "I;16"), ("d.png", "1"), ("e.png", "LA")):
        Image.new(mode, (1, 1)).save(folder / name)
    Image.new("L", (30_000, 4)).save(folder / "f.png")
    names = sorted(path.name for path in folder.iterdir())
    write_items(folder, About("odd"), tuple(Item(name, name, {"en": (name,)}) for name in names))
    assert not found(home, Stored.open(folder), ["images"])[1].broken


def test_near_hashes_are_found_as_by_comparing_all_with_all():
    draw_bits = random.Random(3)
    values = [draw_bits.getrandbits(64) for _ in range(300)]
    values += [value ^ (1 << draw_bits.randrange(64)) ^ (1 << draw_bits.randrange(64)) for value in values[:60]]
    hashes = np.array(values, np.uint64).view(np.int64)
    for radius in (0, 1, 2, 3):
        groups = alike.groups(hashes, radius)
        near = {(i, j) for i in range(360) for j in range(i) if (values[i] ^ values[j]).bit_count() <= radius}
        assert {(i, j) for group in groups for i in group for j in group if j < i} >= near
        for group in groups:
            assert all(any((values[i] ^ values[j]).bit_count() <= radius for j in group if j != i) for i in group)


def test_no_hashes_make_no_groups():
    assert alike.groups(np.zeros(0, np.int64), 2) == []


@pytest.mark.parametrize(
    ("only", "skip", "parts"),
    [
        ("", "", module.PARTS),
        ("leaks,images", "", ("images", "leaks")),
        ("", "captions,leaks", ("images", "duplicates")),
    ],
)
def test_parts_are_chosen_by_name(only, skip, parts):
    assert tuple(parts_of(only, skip)) == parts


def test_a_part_that_is_none_is_refused():
    with pytest.raises(UsageError, match="no part of a check"):
        parts_of("pictures", "")


# --- the schema ---


def test_the_schema_takes_what_we_write(home, stored):
    assert list(violations(stored.folder / ITEMS)) == []
    assert set(schema()["properties"]) == set(Item.__struct_fields__)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": "x", "image": "../x.png", "captions": {}}', ":1: image:"),
        ('{"id": "x", "image": "/x.png", "captions": {}}', ":1: image:"),
        ('{"id": "", "image": "x.png", "captions": {}}', ":1: id:"),
        ('{"id": "x", "image": "x.png", "captions": {"en": "text"}}', ":1: captions.en:"),
        ('{"id": "x", "image": "x.png", "captions": {"en": [" "]}}', ":1: captions.en.0:"),
        ('{"id": "x", "image": "x.png", "captions": {}, "split": "dev"}', ":1: split:"),
        ('{"image": "x.png"}', ":1: the line:"),
        ("{torn", ":1: not JSON"),
    ],
)
def test_the_schema_refuses_with_line_and_key(tmp_path, line, said):
    (tmp_path / ITEMS).write_text(line + "\n")
    assert said in next(iter(violations(tmp_path / ITEMS)))


def test_a_check_changes_nothing_in_the_set(home, stored):
    before = {path.name: path.read_bytes() for path in stored.folder.iterdir()}
    found(home, stored)
    assert {path.name: path.read_bytes() for path in stored.folder.iterdir()} == before
