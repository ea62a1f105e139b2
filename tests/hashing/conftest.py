"""A home with a small data set of coloured shapes and a model that really learned it, in about a second."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from mlhub.config import DataConfig, ModelConfig, RunConfig
from mlhub.data.items import About, Dataset, Item, write_items
from mlhub.hashing import backbones, checkpoint
from mlhub.hashing.model import HashingModel
from mlhub.hashing.pictures import open_image

COLOURS = {
    "red": ("빨강", (220, 30, 30), "warm"),
    "orange": ("주황", (250, 150, 20), "warm"),
    "yellow": ("노랑", (245, 235, 60), "warm"),
    "green": ("초록", (30, 160, 50), "cold"),
    "blue": ("파랑", (30, 60, 220), "cold"),
    "violet": ("보라", (140, 40, 190), "cold"),
    "black": ("검정", (15, 15, 15), "grey"),
    "grey": ("회색", (128, 128, 128), "grey"),
}


@dataclass(frozen=True)
class World:
    """MLHUB_HOME, its data set `shapes`, and the checkpoint trained on it."""

    home: Path
    dataset: Dataset
    checkpoint: Path

    def picture(self, item_id: str) -> Path:
        return next(self.dataset.image_path(item) for item in self.dataset.items if item.id == item_id)


def draw(path, colour, shape):
    image = Image.new("RGBA", (48, 48), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    getattr(pen, "ellipse" if shape == "disc" else "rectangle")((6, 6, 42, 42), fill=(*colour, 255))
    image.save(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make_dataset(folder):
    (folder / "images").mkdir(parents=True)
    items = []
    for place, (name, (korean, colour, label)) in enumerate(COLOURS.items()):
        for shape in ("disc", "square"):
            image = f"images/{name}-{shape}.png"
            digest = draw(folder / image, colour, shape)
            captions = {"en": (name, f"something {name}"), "ko": (korean,)}
            split = "test" if shape == ("disc", "square")[place % 2] and place < 6 else "train"
            items.append(
                Item(
                    f"{name}-{shape}", image, captions, (label,), concept=name, style=shape, split=split, digest=digest
                )
            )
    write_items(folder, About("shapes"), tuple(items))
    return Dataset.open(folder)


def train(dataset, config):
    """Sixty steps of a plain contrastive loss over vectors and logits: enough for eight colours."""
    torch.manual_seed(0)
    texts = [caption for item in dataset.items for captions in item.captions.values() for caption in captions]
    backbone = backbones.build(config.model, config.data.image_size, texts=texts)
    pictures = torch.stack([backbone.picture(open_image(dataset.image_path(item))) for item in dataset.items])
    backbone.fit(pictures, [" ".join(sum(item.captions.values(), ())) for item in dataset.items])
    batch = backbone.batch(pictures, None)
    model = HashingModel(backbone, 0.0)
    names = list(COLOURS)
    concept = torch.tensor([names.index(item.concept) for item in dataset.items])
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for step in range(60):
        captions = [texts[step % 3 :: 3][row] for row in range(len(dataset.items))]
        seen, read = model.images(batch), model.texts(backbone.tokens(captions))
        same = (concept[:, None] == concept).float()
        target = same / same.sum(dim=1, keepdim=True)
        scores = (seen.vectors @ read.vectors.T / 0.1, torch.tanh(seen.logits) @ torch.tanh(read.logits).T / 16)
        loss = sum(torch.nn.functional.cross_entropy(way, target) for score in scores for way in (score, score.T))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """Shared and read-only; a test that changes files copies them first."""
    home = tmp_path_factory.mktemp("home")
    dataset = make_dataset(home / "data" / "shapes")
    config = RunConfig(model=ModelConfig(hidden_dim=64), data=DataConfig(dataset="shapes"))
    path = home / "runs" / "1" / "checkpoints" / "best.safetensors"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    model = train(dataset, config)
    torch.set_num_threads(threads)
    checkpoint.save(
        path,
        model,
        checkpoint.Sidecar(1, config, "shapes", dataset.fingerprint, step=60, epoch=1, run="1"),
    )
    return World(home, dataset, path)
