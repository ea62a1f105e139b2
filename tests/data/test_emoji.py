"""The emoji set: two drawings a concept, names in many languages, splits that are honest and never move."""

import io
from collections import Counter, defaultdict

import pytest
from PIL import Image

from mlhub.data.emoji import STYLES, _split, _words
from mlhub.data.prepare import prepare
from mlhub.paths import Home


@pytest.fixture(scope="module")
def emoji(tmp_path_factory):
    root = tmp_path_factory.mktemp("home")
    return prepare("emoji", Home(root, root / "data"))


def named(emoji, name):
    return [item for item in emoji.items if name in item.captions["en"]]


def test_every_concept_is_drawn_in_both_styles(emoji):
    styles = defaultdict(set)
    for item in emoji.items:
        styles[item.concept].add(item.style)
    assert len(styles) == 1428
    assert all(found == set(STYLES) for found in styles.values())


def test_every_image_is_72_pixels_and_not_empty(emoji):
    for item in emoji.items[::97]:
        image = Image.open(io.BytesIO(emoji.image_path(item).read_bytes()))
        assert image.size == (72, 72)
        assert image.convert("RGBA").getchannel("A").getbbox() is not None


def test_names_are_in_english_and_korean_with_aliases(emoji):
    item = named(emoji, "dog face")[0]
    assert item.captions["en"][:2] == ("dog face", "dog")
    assert item.captions["ko"] == ("강아지 얼굴",)


def test_the_label_is_the_subcategory(emoji):
    assert {item.labels for item in named(emoji, "red apple")} == {("food-fruit",)}


def test_the_category_is_the_wider_class(emoji):
    assert {item.category for item in named(emoji, "red apple")} == {"Food & Drink"}
    assert len({item.category for item in emoji.items}) == 8


def test_each_concept_keeps_a_drawing_to_learn_from(emoji):
    learned = {item.concept for item in emoji.items if item.split == "train"}
    assert learned == {item.concept for item in emoji.items}


def test_a_fifth_of_the_concepts_has_a_drawing_held_out(emoji):
    count = Counter(item.split for item in emoji.items)
    assert 0.18 < count["test"] / 1428 < 0.22
    assert 0.08 < count["val"] / 1428 < 0.12


def test_selection_and_test_share_no_concept(emoji):
    of = {split: {item.concept for item in emoji.select(split)} for split in ("val", "test")}
    assert not of["val"] & of["test"]


def test_both_styles_are_held_out(emoji):
    styles = Counter(item.style for item in emoji.select("test"))
    assert min(styles.values()) > 100


def test_the_split_of_a_concept_never_moves():
    assert [_split("1f436", style) for style in STYLES] == ["train", "train"]
    assert [_split("1f3d9-fe0f", style) for style in STYLES] == ["val", "train"]


def test_no_flags_no_skin_tones_no_gendered_twins(emoji):
    names = {item.captions["en"][0] for item in emoji.items}
    assert not {name for name in names if "skin tone" in name or name in ("France", "woman teacher", "man teacher")}
    assert "teacher" in names


def test_licenses_lie_beside_the_images(emoji):
    text = (emoji.folder / "LICENSES").read_text()
    assert "CC-BY 4.0" in text
    assert "CC BY-SA 4.0" in text


def test_the_fingerprint_is_the_same_on_every_machine(emoji, tmp_path):
    assert prepare("emoji", Home(tmp_path, tmp_path / "data")).fingerprint == emoji.fingerprint


def test_a_shortcode_becomes_words():
    assert _words(":dog_face:") == "dog face"
