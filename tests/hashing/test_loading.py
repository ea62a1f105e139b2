"""Pictures held and pictures decoded as they are wanted are the same pictures, in the same batches."""

from __future__ import annotations

import msgspec
import pytest
import torch

from mlhub.config import DataConfig, TrainingConfig
from mlhub.errors import MlhubError
from mlhub.hashing import backbones, data, loading
from tests.hashing.conftest import make_dataset
from tests.hashing.test_data import CONFIG, equal


@pytest.fixture
def shapes(tmp_path):
    return make_dataset(tmp_path)


def parts_of(dataset):
    concepts = data.gather(dataset, ("en", "ko"))
    return concepts, backbones.build(CONFIG.model, 24, texts=concepts.documents()), dataset.select("train")


def batches(dataset, workers=0, size=3):
    """Held in memory, or, with workers, decoded by so many."""
    concepts, backbone, items = parts_of(dataset)
    pictures = loading.Lazy(dataset, items, backbone, workers) if workers else data.decode(dataset, items, backbone, 2)
    config = msgspec.structs.replace(CONFIG, training=TrainingConfig(seed=5))
    return data.Batches(config, size, backbone, concepts, items, pictures)


@pytest.mark.parametrize("workers", [1, 4])
def test_the_same_batches_to_the_bit_whatever_is_held_and_whoever_decodes(shapes, workers):
    held, lazy = batches(shapes), batches(shapes, workers)
    for _ in range(3):
        for one, other in zip(held, lazy, strict=True):
            assert equal(one, other)


def test_taken_up_amid_an_epoch_it_gives_what_was_left(shapes):
    source, again = batches(shapes, 2, 2), batches(shapes, 2, 2)
    whole = []
    for batch in source:
        whole.append(batch)
        if len(whole) == 2:
            where = source.generators(2)
    again.go_to(0, 2, where)
    for one, other in zip(whole[2:], again, strict=True):
        assert equal(one, other)


def test_all_of_them_in_parts_and_a_sample_are_the_same_however_they_are_held(shapes):
    _, backbone, items = parts_of(shapes)
    held, lazy = data.decode(shapes, items, backbone, 2), loading.Lazy(shapes, items, backbone, 2)
    assert torch.equal(torch.cat(list(loading.parts(lazy, 3))), held)
    assert torch.equal(torch.cat(list(loading.parts(held, 3))), held)
    assert torch.equal(loading.sample(lazy), loading.sample(held))


def test_a_sample_of_many_is_spread_evenly(shapes, monkeypatch):
    monkeypatch.setattr(loading, "_FITTED", 4)
    _, backbone, items = parts_of(shapes)
    held, lazy = data.decode(shapes, items, backbone, 2), loading.Lazy(shapes, items, backbone, 2)
    assert torch.equal(loading.sample(held), held[torch.tensor([place * len(items) // 4 for place in range(4)])])
    assert torch.equal(loading.sample(lazy), loading.sample(held))


def test_a_missing_image_is_told_before_the_first_batch_and_a_broken_one_when_it_is_met(shapes):
    (shapes.folder / "images" / "grey-disc.png").write_bytes(b"not a png")
    source = batches(shapes, 2)
    with pytest.raises(MlhubError, match=r"grey-disc: .*grey-disc\.png: not a readable image"):
        list(source)
    (shapes.folder / "images" / "grey-disc.png").unlink()
    with pytest.raises(MlhubError, match=r"grey-disc: .*grey-disc\.png: no such image"):
        batches(shapes, 2)


@pytest.mark.parametrize(("free", "lazy"), [(10**9, False), (1000, True)])
def test_auto_asks_the_memory_that_is_free(shapes, monkeypatch, free, lazy):
    _, backbone, items = parts_of(shapes)
    monkeypatch.setattr(loading, "available_memory", lambda: free)
    found, why = loading.is_lazy(DataConfig(), shapes, items, backbone)
    assert found is lazy
    assert ("as they are wanted" in why) is lazy


@pytest.mark.parametrize(("word", "lazy"), [("once", False), ("always", True)])
def test_what_the_preset_says_is_done(shapes, word, lazy):
    _, backbone, items = parts_of(shapes)
    assert loading.is_lazy(DataConfig(decode=word), shapes, items, backbone)[0] is lazy


def test_a_control_groups_limit_is_heeded(tmp_path, monkeypatch):
    (tmp_path / "max").write_text("5000\n")
    (tmp_path / "current").write_text("3000\n")
    monkeypatch.setattr(loading, "_GROUPS", ((str(tmp_path / "max"), str(tmp_path / "current")),))
    assert loading.available_memory() == 2000
    (tmp_path / "max").write_text("max\n")
    assert loading.available_memory() > 2000
