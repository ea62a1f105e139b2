"""A data set on disk is read whole, checked line by line, and never leaves its folder."""

import dataclasses
import hashlib

import msgspec
import pytest

from mlhub.data.items import ABOUT, ITEMS, About, Dataset, Item, fingerprint, write_items
from mlhub.errors import MlhubError, NotFoundError

DOG = Item("dog", "images/dog.png", {"en": ("a dog",)}, ("animal",), concept="dog")
CAT = Item("cat", "images/cat.png", {"en": ("a cat",)}, ("animal",), concept="cat", split="test")


@pytest.fixture
def folder(tmp_path):
    write_items(tmp_path, About("pets"), (DOG, CAT))
    return tmp_path


def line(folder, item):
    with (folder / ITEMS).open("ab") as file:
        file.write(msgspec.json.encode(item) + b"\n")


def test_what_was_written_is_read(folder):
    dataset = Dataset.open(folder)
    assert (dataset.name, dataset.items) == ("pets", (DOG, CAT))


def test_select_keeps_one_split(folder):
    assert Dataset.open(folder).select("test") == (CAT,)


def test_image_path_is_absolute_and_inside(folder):
    dataset = Dataset.open(folder)
    assert dataset.image_path(DOG) == folder / "images" / "dog.png"


@pytest.mark.parametrize("place", ["images", "images/dog.png"])
def test_a_link_out_of_the_folder_is_refused_naming_the_item(folder, tmp_path_factory, place):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "dog.png").write_bytes(b"x")
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / place).symlink_to(outside if place == "images" else outside / "dog.png")
    with pytest.raises(MlhubError, match=r"dog: image images/dog\.png leads out of"):
        Dataset.open(folder).image_path(DOG)


def test_the_folder_as_a_whole_may_be_a_link(folder, tmp_path_factory):
    link = tmp_path_factory.mktemp("home") / "pets"
    link.symlink_to(folder)
    assert Dataset.open(link).image_path(DOG) == link / "images" / "dog.png"


def image(folder, data):
    (folder / "images").mkdir()
    (folder / "images" / "dog.png").write_bytes(data)


def test_an_image_with_its_own_digest_is_whole(folder):
    image(folder, b"x")
    Dataset.open(folder).check_image(msgspec.structs.replace(DOG, digest=hashlib.sha256(b"x").hexdigest()))


@pytest.mark.parametrize(("data", "digest"), [(b"", ""), (b"x", "00" * 32)])
def test_an_empty_or_changed_image_is_named_with_its_item(folder, data, digest):
    image(folder, data)
    with pytest.raises(MlhubError, match=r"dog: .*dog\.png: the image is damaged"):
        Dataset.open(folder).check_image(msgspec.structs.replace(DOG, digest=digest))


def test_a_missing_image_is_named_with_its_item(folder):
    with pytest.raises(MlhubError, match=r"cat: .*cat\.png: no such image"):
        Dataset.open(folder).check_image(CAT)


def test_the_key_is_the_concept_or_else_the_id():
    assert (DOG.key, msgspec.structs.replace(DOG, id="dog-1", concept="").key) == ("dog", "dog-1")


@pytest.mark.parametrize("name", ["/etc/passwd", "../dog.png", "images/../../dog.png", "", "a\\b.png", "a\0.png"])
def test_an_image_outside_the_folder_is_refused_with_file_and_line(folder, name):
    line(folder, msgspec.structs.replace(DOG, id="x", image=name))
    with pytest.raises(MlhubError, match=r"items\.jsonl:3: x: image"):
        Dataset.open(folder)


@pytest.mark.parametrize("captions", [{}, {"en": ()}, {"en": ("",)}, {"en": ("a dog", "  ")}])
def test_an_empty_caption_is_refused_naming_the_item(folder, captions):
    line(folder, msgspec.structs.replace(DOG, id="mute", captions=captions, labels=()))
    with pytest.raises(MlhubError, match=r"items\.jsonl:3: mute: (no|an empty) caption"):
        Dataset.open(folder)


def test_an_id_twice_names_both_lines(folder):
    line(folder, DOG)
    with pytest.raises(MlhubError, match=r"items\.jsonl:3: dog: the same id as line 1"):
        Dataset.open(folder)


@pytest.mark.parametrize("text", [b"{\n", b"[]\n", b'{"id":"x"}\n', b"\xff\n"])
def test_a_line_that_is_no_item_is_named(folder, text):
    with (folder / ITEMS).open("ab") as file:
        file.write(text)
    with pytest.raises(MlhubError, match=r"items\.jsonl:3: not an item"):
        Dataset.open(folder)


def test_no_data_set_is_not_found(tmp_path):
    with pytest.raises(NotFoundError, match="no data set here"):
        Dataset.open(tmp_path / "nothing")


def test_an_empty_data_set_is_refused(tmp_path):
    write_items(tmp_path, About("none"), ())
    with pytest.raises(MlhubError, match="holds no items"):
        Dataset.open(tmp_path)


def test_a_broken_description_is_named(folder):
    (folder / ABOUT).write_text("{")
    with pytest.raises(MlhubError, match=r"dataset\.json: can't be read"):
        Dataset.open(folder)


def test_the_fingerprint_does_not_mind_the_order():
    assert fingerprint((DOG, CAT)) == fingerprint((CAT, DOG))


@pytest.mark.parametrize("change", [{"digest": "00"}, {"split": "val"}, {"captions": {"en": ("the dog",)}}])
def test_the_fingerprint_minds_the_content(change):
    assert fingerprint((DOG, CAT)) != fingerprint((msgspec.structs.replace(DOG, **change), CAT))


def test_a_data_set_is_frozen(folder):
    with pytest.raises(dataclasses.FrozenInstanceError):
        Dataset.open(folder).name = "other"
