"""Weights are looked for in Hugging Face's cache folder, as its own library lays it out."""

import pytest

from mlhub.config import ModelConfig
from mlhub.data.weights import cached, require
from mlhub.errors import NotFoundError

NAME = "ViT-SO400M-14-SigLIP2-378"
MODEL = ModelConfig(backbone=NAME, pretrained="webli")


@pytest.fixture
def snapshot(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / f"models--timm--{NAME}" / "snapshots" / "0123abcd"
    folder.mkdir(parents=True)
    return folder


def test_missing_weights_name_the_command(snapshot):
    with pytest.raises(NotFoundError) as caught:
        require(MODEL)
    assert caught.value.hint == f"Type: hf download timm/{NAME}"


def test_weights_in_the_cache_are_found(snapshot):
    (snapshot / "open_clip_model.safetensors").write_bytes(b"x")
    assert cached(NAME, "webli") == snapshot / "open_clip_model.safetensors"
    require(MODEL)


def test_a_download_cut_short_is_missing(snapshot):
    (snapshot / "open_clip_model.safetensors").symlink_to("../../blobs/gone")
    assert cached(NAME, "webli") is None


def test_hf_home_is_heeded(tmp_path, monkeypatch):
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    folder = tmp_path / "hub" / f"models--timm--{NAME}" / "snapshots" / "1"
    folder.mkdir(parents=True)
    (folder / "open_clip_model.safetensors").write_bytes(b"x")
    assert cached(NAME, "webli") is not None


def test_a_file_is_its_own_weights(tmp_path):
    file = tmp_path / "w.safetensors"
    file.write_bytes(b"x")
    require(ModelConfig(backbone="ViT-B-32", pretrained=str(file)))


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(NotFoundError, match="no such file"):
        require(ModelConfig(backbone="ViT-B-32", pretrained="/nowhere/w.safetensors"))


def test_tiny_needs_none(snapshot):
    require(ModelConfig(backbone="tiny"))
