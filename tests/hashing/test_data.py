"""Batches: concepts, two of their pictures, a caption in every language; the same seed gives the same batches."""

import threading

import msgspec
import pytest
import torch

from mlhub.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from mlhub.data.items import Dataset
from mlhub.errors import MlhubError
from mlhub.hashing import backbones, data
from tests.hashing.conftest import make_dataset

CONFIG = RunConfig(model=ModelConfig(hidden_dim=16), data=DataConfig(dataset="shapes", image_size=24))


@pytest.fixture
def shapes(tmp_path):
    return make_dataset(tmp_path)


def batches(dataset, *, seed=1, size=4, **training):
    concepts = data.gather(dataset, ("en", "ko"))
    backbone = backbones.build(CONFIG.model, 24, texts=concepts.documents())
    items = dataset.select("train")
    pictures = data.decode(dataset, items, backbone, 2)
    config = msgspec.structs.replace(CONFIG, training=TrainingConfig(seed=seed, **training))
    return data.Batches(config, size, backbone, concepts, items, pictures)


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one[2:], other[2:], strict=True)) and torch.equal(one[0], other[0])


def test_a_batch_has_two_images_and_a_caption_in_each_language_of_every_concept(shapes):
    batch = next(iter(batches(shapes)))
    assert len(batch.images) == len(batch.image_concepts) == 8
    assert len(batch.text_concepts) == 8
    assert set(batch.image_concepts.tolist()) == set(batch.text_concepts.tolist())


def test_an_epoch_shows_every_concept_once(shapes):
    seen = [concept for batch in batches(shapes) for concept in batch.text_concepts.unique().tolist()]
    assert sorted(seen) == list(range(8))


def test_the_same_seed_gives_the_same_batches(shapes):
    for one, other in zip(batches(shapes), batches(shapes), strict=True):
        assert equal(one, other)


def test_another_seed_and_another_epoch_give_others(shapes):
    source = batches(shapes)
    first = next(iter(source))
    assert not equal(first, next(iter(source)))
    assert not equal(first, next(iter(batches(shapes, seed=2))))


@pytest.mark.parametrize("epoch", [0, 2])
@pytest.mark.parametrize("place", [1, 2, 3])
def test_taken_up_amid_an_epoch_it_gives_what_was_left_and_the_epochs_after(shapes, epoch, place):
    source, again = batches(shapes, size=2), batches(shapes, size=2)
    for _ in range(epoch):
        list(source)
    whole = []
    for batch in source:
        whole.append(batch)
        if len(whole) == place:
            where = source.generators(place)
    again.go_to(epoch, place, where)
    for one, other in zip([*whole[place:], *source], [*again, *again], strict=True):
        assert equal(one, other)


def test_before_a_batch_and_after_the_one_before_is_the_same_place(shapes):
    source = batches(shapes, size=2)
    reader = iter(source)
    next(reader)
    after = source.generators(1)
    next(reader)
    before = source.generators(1)
    assert after[0] == before[0]
    assert torch.equal(after[1], before[1])


def test_held_out_images_are_not_drawn_from(shapes):
    held = {item.concept for item in shapes.select("test")}
    assert all(len(rows) == (1 if name in held else 2) for name, rows in named(batches(shapes)).items())


def named(source):
    return {source.concepts.names[row]: rows for row, rows in source.rows.items()}


def test_the_thread_ends_when_the_reader_stops_early(shapes):
    source = iter(batches(shapes, size=1))
    next(source)
    source.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "batches"]


def test_what_fails_in_the_thread_is_raised_in_the_reader(shapes, monkeypatch):
    source = batches(shapes)
    monkeypatch.setattr(source, "prepare", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        next(iter(source))


def test_a_broken_image_names_item_and_file(shapes):
    (shapes.folder / "images" / "grey-disc.png").write_bytes(b"not a png")
    with pytest.raises(MlhubError, match=r"grey-disc: .*grey-disc\.png: not a readable image"):
        batches(shapes)


def test_a_missing_image_names_item_and_file(shapes):
    (shapes.folder / "images" / "grey-disc.png").unlink()
    with pytest.raises(MlhubError, match=r"grey-disc: .*grey-disc\.png: no such image"):
        batches(shapes)


def test_an_item_without_a_caption_in_the_languages_is_named(shapes):
    with pytest.raises(MlhubError, match="red-disc: no caption in de"):
        data.gather(shapes, ("de",))


def test_a_set_without_training_items_says_so(shapes):
    empty = Dataset(shapes.name, shapes.folder, shapes.select("test"), shapes.fingerprint)
    with pytest.raises(MlhubError, match="no items"):
        batches(empty)


def test_a_missing_image_is_named_with_its_item_and_the_command_that_mends_the_set(shapes):
    shapes.image_path(shapes.items[0]).unlink()
    with pytest.raises(MlhubError, match=r"red-disc: .*no such image") as caught:
        data.decode(shapes, shapes.items, backbones.build(CONFIG.model, 24, texts=["x"]), 1)
    assert caught.value.hint == "Type: mlhub data prepare shapes"


def test_labels_are_rows_of_zero_and_one(shapes):
    concepts = data.gather(shapes, ("en",))
    assert concepts.labels.sum(1).tolist() == [1.0] * 8
    assert concepts.labels.shape == (8, 3)


def rephrased(dataset):
    """Every held-out item under captions of its own; the black disc is held out with its whole concept."""
    items = []
    for item in dataset.items:
        secret = {"captions": {"en": (f"secret {item.id}",)}, "labels": ("hidden",), "split": "val"}
        held = item.split != "train" or item.concept == "black"
        items.append(msgspec.structs.replace(item, **secret) if held else item)
    return Dataset(dataset.name, dataset.folder, tuple(items), dataset.fingerprint)


def test_captions_and_labels_of_held_out_items_never_reach_training(shapes):
    concepts = data.gather(rephrased(shapes), ("en", "ko"))
    assert "secret" not in " ".join(concepts.documents())
    assert concepts.labels[: concepts.trained].sum(1).tolist() == [1.0] * 7


def test_a_concept_that_is_held_out_entirely_comes_last_with_a_title_alone(shapes):
    concepts = data.gather(rephrased(shapes), ("en", "ko"))
    assert (concepts.trained, concepts.names[-1]) == (7, "black")
    assert concepts.captions[-1] == {}
    assert concepts.titles[-1] == {"en": "secret black-disc"}


def test_accumulated_epochs_are_whole_steps(shapes):
    source = batches(shapes, size=1, accumulate_grad_batches=3)
    assert (len(source), source.steps, len(list(source))) == (6, 2, 6)
    assert batches(shapes, size=4, accumulate_grad_batches=3).accumulate == 2
