"""Any model of open_clip stands behind the same interface as tiny; a very small one is trained here, offline."""

import json

import msgspec
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from mlhub.config import CheckpointConfig, DataConfig, LossConfig, ModelConfig, RunConfig, TrainingConfig
from mlhub.errors import MlhubError
from mlhub.hashing import backbones, checkpoint, train
from mlhub.hashing.cached import VIEWS, Cached
from mlhub.paths import RunPaths
from tests.hashing.conftest import make_dataset

TINY_CLIP = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


@pytest.fixture(scope="module", autouse=True)
def tiny_clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "mlhub-test-clip.json"
    path.write_text(json.dumps(TINY_CLIP))
    open_clip.add_model_config(path)


def build(*, frozen=False):
    return backbones.build(ModelConfig(backbone="mlhub-test-clip", freeze_backbone=frozen), 32, texts=["a"])


def config(**model):
    return RunConfig(
        model=ModelConfig(backbone="mlhub-test-clip", hidden_dim=32, **model),
        data=DataConfig(dataset="shapes", image_size=32),
        training=TrainingConfig(batch_size=4, max_epochs=2, warmup_steps=1),
        loss=LossConfig(contrastive=1.0, quantization=0.1),
        checkpoint=CheckpointConfig(monitor="val/map_16"),
    )


@pytest.fixture
def home(tmp_path, monkeypatch):
    make_dataset(tmp_path / "data" / "shapes")
    lines = (tmp_path / "data" / "shapes" / "items.jsonl").read_text().replace('"test"', '"val"')
    (tmp_path / "data" / "shapes" / "items.jsonl").write_text(lines)
    monkeypatch.setenv("MLHUB_HOME", str(tmp_path))
    return tmp_path


def test_images_and_texts_have_the_width_the_backbone_says():
    backbone = build()
    pictures = torch.randint(0, 255, (3, 3, 32, 32), dtype=torch.uint8)
    assert backbone.images(backbone.batch(pictures, None)).shape == (3, backbone.image_dim)
    assert backbone.texts(backbone.tokens(["a dog", "강아지"])).shape == (2, backbone.text_dim)


def test_a_picture_is_resized_as_open_clip_says_and_laid_on_white():
    from PIL import Image

    pixels = build().picture(Image.new("RGBA", (50, 90)))
    assert pixels.shape == (3, 32, 32)
    assert pixels.min() == 255


def test_a_batch_is_normalised_as_open_clip_says():
    backbone = build()
    white = torch.full((1, 3, 32, 32), 255, dtype=torch.uint8)
    mean, std = torch.tensor(open_clip.OPENAI_DATASET_MEAN), torch.tensor(open_clip.OPENAI_DATASET_STD)
    assert torch.allclose(backbone.batch(white, None)[0, :, 0, 0], (1 - mean) / std)


def test_augmentation_keeps_the_shape():
    backbone = build()
    pictures = torch.randint(0, 255, (3, 3, 32, 32), dtype=torch.uint8)
    assert backbone.batch(pictures, torch.Generator().manual_seed(1)).shape == (3, 3, 32, 32)


def test_a_frozen_backbone_has_no_gradient():
    assert not any(parameter.requires_grad for parameter in build(frozen=True).parameters())


def test_it_trains_a_few_steps_and_its_checkpoint_encodes(home):
    paths = RunPaths(home / "runs" / "1")
    train.train(config(), paths)
    encoder = checkpoint.load(paths.root)
    assert encoder.texts(["a red disc"]).logits.shape == (1, 128)
    assert encoder.images([home / "data" / "shapes" / "images" / "red-disc.png"]).vectors.shape[0] == 1


@pytest.fixture
def weights(tmp_path):
    """Weights to freeze, as a file."""
    torch.manual_seed(7)
    save_file(build().clip.state_dict(), tmp_path / "clip.safetensors")
    return str(tmp_path / "clip.safetensors")


def test_training_moves_the_backbone(home):
    trained = train_and_load(home, config())
    assert not torch.equal(trained.clip.visual.proj, build_seeded().clip.visual.proj)


def test_a_frozen_backbone_is_left_out_of_the_checkpoint_and_as_it_was(home, weights):
    trained = train_and_load(home, config(freeze_backbone=True, pretrained=weights))
    assert torch.equal(trained.clip.visual.proj, build_seeded().clip.visual.proj)
    size = (home / "runs" / "1" / "checkpoints" / "best.safetensors").stat().st_size
    assert size < 4 * sum(parameter.numel() for parameter in trained.clip.parameters())


def test_a_frozen_backbone_encodes_each_image_and_text_once(home, weights, monkeypatch):
    seen = []
    original = backbones.OpenClip.images
    monkeypatch.setattr(
        backbones.OpenClip, "images", lambda self, batch: (seen.append(len(batch)), original(self, batch))[1]
    )
    train.train(config(freeze_backbone=True, pretrained=weights), RunPaths(home / "runs" / "1"))
    trained, held = 10, 6
    assert sum(seen) == VIEWS * trained + held


def test_what_is_random_is_not_frozen(home):
    with pytest.raises(MlhubError, match="no pretrained weights to keep"):
        train.train(config(freeze_backbone=True), RunPaths(home / "runs" / "1"))


def test_a_backbone_that_learns_from_the_data_can_not_be_frozen():
    tiny = backbones.build(ModelConfig(hidden_dim=16), 24, texts=["a dog"])
    with pytest.raises(MlhubError, match="tiny learns from the data set"):
        Cached(tiny)


def test_names_are_encoded_in_batches(home, monkeypatch):
    seen = []
    original = backbones.OpenClip.texts

    def texts(self, tokens):
        seen.extend([] if torch.is_grad_enabled() else [len(tokens[0])])
        return original(self, tokens)

    monkeypatch.setattr(backbones.OpenClip, "texts", texts)
    monkeypatch.setattr(train, "_TEXTS", 3)
    train.train(msgspec.structs.replace(config(), loss=LossConfig(anchor=1.0)), RunPaths(home / "runs" / "1"))
    assert set(seen) == {3, 2}


def test_keys_that_it_does_not_read_are_named(home, capsys):
    train.train(config(), RunPaths(home / "runs" / "1"))
    first = capsys.readouterr().out.splitlines()[:2]
    assert first == [f"{key} is not used by mlhub-test-clip" for key in ("model.hidden_dim", "data.image_size")]


def build_seeded():
    torch.manual_seed(7)
    return build()


def train_and_load(home, run_config):
    paths = RunPaths(home / "runs" / "1")
    train.train(run_config, paths)
    return checkpoint.load(paths.root).model.backbone
