"""Each form is recognised, prepared, and says what its makers meant."""

from __future__ import annotations

import pytest

from mlhub.data import registry
from mlhub.data.formats import KINDS
from mlhub.data.prepare import check_images, find, make
from tests.data.formats import samples
from tests.data.formats.samples import SAMPLES


def prepared(home, folder, sample, **options):
    folder.mkdir()
    paths, root = sample(folder)
    source = registry.add(home, "set", paths, images=root, options=options)
    make("set", home)
    return source, {item.id: item for item in find("set", home).items}


def test_there_is_a_sample_of_every_form():
    assert set(SAMPLES) == set(KINDS)


@pytest.mark.parametrize("kind", sorted(SAMPLES))
def test_every_form_is_recognised_and_its_images_are_found(home, tmp_path, kind):
    source, items = prepared(home, tmp_path / "src", SAMPLES[kind])
    assert source.kind == kind
    assert len(items) >= 2
    assert all(any(item.captions.values()) or item.labels for item in items.values())
    check_images(find("set", home))


def first(items):
    return items[min(items)]


def test_jsonl_takes_suffixed_languages_and_no_other_codes(home, tmp_path):
    _, items = prepared(home, tmp_path / "src", samples.jsonl)
    assert items["img/1"].captions == {"en": ("thing 1",), "ko": ("물건 1",)}


def test_rows_of_a_table_with_semicolons_bom_and_crlf_are_put_together(home, tmp_path):
    _, items = prepared(home, tmp_path / "src", samples.csv)
    assert items["2"].captions == {"en": ("thing 2, number 0", "thing 2, number 1"), "ko": ("물건 2",)}


def test_pictures_in_parquet_are_written_beside_the_items_with_their_digest(home, tmp_path):
    _, items = prepared(home, tmp_path / "src", samples.parquet)
    assert items["0"].image == "images/0.png"
    assert len(items["0"].digest) == 64
    assert items["0"].captions["en"] == ("thing 0", "x")


def test_coco_joins_captions_and_instances_of_an_image(home, tmp_path):
    _, items = prepared(home, tmp_path / "src", samples.coco)
    item = items["val2014/COCO_val2014_000000000001"]
    assert (item.captions, item.labels, item.split) == ({"en": ("thing 1", "thing 4")}, ("dog",), "val")


def test_karpathys_restval_is_train(home, tmp_path):
    _, items = prepared(home, tmp_path / "src", samples.karpathy)
    assert [items[f"val2014/{n}"].split for n in range(3)] == ["train", "val", "test"]
    assert len(items["val2014/0"].captions["en"]) == 5


def test_five_tokens_of_flickr_are_one_item(home, tmp_path):
    _, items = prepared(home, tmp_path / "src", samples.flickr30k)
    assert len(items) == 3
    assert len(items["flickr30k-images/1001"].captions["en"]) == 5


@pytest.mark.parametrize(("which", "labels"), [("potential", ("dog",)), ("relevant", ())])
def test_mirflickrs_tags_are_the_caption_and_annotations_the_labels(home, tmp_path, which, labels):
    _, items = prepared(home, tmp_path / "src", samples.mirflickr, annotations=which)
    assert (items["im1"].captions["en"], items["im1"].labels) == (("thing number1",), labels)


def test_nuswides_files_are_read_side_by_side(home, tmp_path):
    _, items = prepared(home, tmp_path / "src", samples.nuswide)
    item = items["0002_21244942"]
    assert (item.labels, item.captions["en"], item.split) == (("dog", "sky"), ("thing n2",), "test")
    assert item.image == "actor/0002_21244942.jpg"


def test_conceptual_captions_are_called_by_their_row(home, tmp_path):
    _, items = prepared(home, tmp_path / "src", samples.cc3m)
    assert items["000000001"].captions["en"] == ("thing 1",)


def test_korean_and_english_of_ai_hub(home, tmp_path):
    _, items = prepared(home, tmp_path / "src", samples.aihub)
    assert items["train2014/2"].captions == {"ko": ("물건 2",), "en": ("thing 2",)}


def test_tars_decide_where_img2dataset_left_parquet_beside_them(home, tmp_path):
    source, items = prepared(home, tmp_path / "src", samples.webdataset)
    assert (source.kind, sorted(items)) == ("webdataset", [f"{n:09}" for n in range(4)])
    assert items["000000003"].captions == {"en": ("thing 3",)}


def test_folders_of_hugging_face_give_the_split(home, tmp_path):
    _, items = prepared(home, tmp_path / "src", samples.huggingface)
    assert (items["test/1"].split, items["train/1"].split) == ("test", "train")


def test_what_save_to_disk_left_is_read(home, tmp_path):
    source, items = prepared(home, tmp_path / "src", samples.saved)
    assert source.kind == "huggingface"
    assert {(item.split, *item.captions["en"], *item.labels) for item in items.values()} == {
        ("train", "a train thing", "3"),
        ("val", "a validation thing", "3"),
    }


def test_a_number_before_the_suffix_is_a_picture_of_its_own_and_a_language_is_one(home, tmp_path):
    _, items = prepared(home, tmp_path / "src", samples.images)
    assert items["dogs/dog.2"].captions == {"en": ("thing 2", "another 2")}
    assert items["dogs/dog"].captions == {"ko": ("개",)}
    assert items["dogs/dog"].labels == ("dogs",)
