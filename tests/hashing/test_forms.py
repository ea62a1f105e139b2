"""Every form of data sets is trained on for a step: pictures decoded, captions read, a gradient for both towers.

A sample has three pictures, too few to begin a model of; so it is mixed into a set of shapes.
"""

from __future__ import annotations

import msgspec
import pytest
import torch

from mlhub.config import LossConfig
from mlhub.data import registry
from mlhub.data.items import About, Dataset, Item, write_items
from mlhub.data.prepare import find, make
from mlhub.hashing import backbones, data, loading
from mlhub.hashing.losses import Losses, Sides
from mlhub.hashing.mixing import mix, shares
from mlhub.hashing.model import HashingModel
from tests.data.formats.samples import SAMPLES
from tests.hashing.conftest import make_dataset
from tests.hashing.test_data import CONFIG


def trainable(home) -> Dataset:
    """The prepared sample, all of it for training; what has labels alone is called by them."""
    stored = find("set", home)
    items: list[Item] = []
    for item in stored.items:
        captions = item.captions or {"en": item.labels}
        items.append(msgspec.structs.replace(item, split="train", captions=captions))
    write_items(stored.folder, About("set", root=str(stored.images or "")), tuple(items))
    return Dataset.open(stored.folder)


@pytest.mark.parametrize("kind", sorted(SAMPLES))
def test_a_step_on_every_form(home, tmp_path, kind):
    (tmp_path / "src").mkdir()
    paths, root = SAMPLES[kind](tmp_path / "src")
    registry.add(home, "set", paths, images=root)
    make("set", home)
    dataset = mix(make_dataset(tmp_path / "shapes"), [trainable(home)], {"shapes": 1, "set": 20})
    concepts = data.gather(dataset, ("en", "ko"))
    backbone = backbones.build(CONFIG.model, 24, texts=concepts.documents())
    items = dataset.select("train")
    pictures = loading.Lazy(dataset, items, backbone, 2)
    backbone.fit(loading.sample(pictures), concepts.documents())
    batches = data.Batches(CONFIG, 6, backbone, concepts, items, pictures, shares(dataset, concepts.index))
    batch = next(iter(batches))
    assert any(concepts.names[row].startswith("set/") for row in batch.image_concepts.tolist())

    model = HashingModel(backbone, 0.0)
    losses = Losses(LossConfig(), CONFIG.model.bit_list, concepts.trained)
    sides = Sides(model.images(batch.images), model.texts(batch.tokens), *batch[2:])
    loss = torch.stack(list(losses(sides).values())).sum()
    loss.backward()
    assert loss.isfinite()
    moved = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert moved
    assert all(gradient.isfinite().all() for gradient in moved)
    assert any(gradient.abs().sum() > 0 for gradient in moved)
