"""A checkpoint holds weights and what they mean; anything else is refused in one line, and nothing is unpickled."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from mlhub.errors import MlhubError, NotFoundError
from mlhub.hashing import checkpoint
from mlhub.hashing.model import Output


@pytest.fixture
def copy(world, tmp_path):
    """A run's folder of its own, to break."""
    shutil.copytree(world.checkpoint.parent, tmp_path / "run" / "checkpoints")
    return tmp_path / "run" / "checkpoints" / "best.safetensors"


def test_run_folder_checkpoints_folder_file_and_sidecar_name_the_same(copy):
    places = (copy.parents[1], copy.parent, copy, copy.with_suffix(".json"))
    assert len({checkpoint.load(place).digest for place in places}) == 1


def test_last_is_taken_where_there_is_no_best(copy):
    for suffix in (".safetensors", ".json"):
        copy.with_suffix(suffix).rename(copy.with_name(f"last{suffix}"))
    assert checkpoint.load(copy.parent).path.name == "last.safetensors"


def test_what_was_saved_is_what_is_loaded(world, tmp_path):
    encoder = checkpoint.load(world.checkpoint)
    again = tmp_path / "again.safetensors"
    checkpoint.save(again, encoder.model, encoder.sidecar)
    one, two = encoder.texts(["red", "파랑"]), checkpoint.load(again).texts(["red", "파랑"])
    assert np.array_equal(one.logits, two.logits)
    assert np.array_equal(one.vectors, two.vectors)


def test_the_sidecar_says_what_the_weights_say(copy):
    about = json.loads(copy.with_suffix(".json").read_text())
    encoder = checkpoint.load(copy)
    assert (about["sha256"], about["data"], about["run"]) == (encoder.digest, encoder.sidecar.data, "1")


def test_files_and_decoded_images_are_encoded_alike(world):
    encoder = checkpoint.load(world.checkpoint)
    path = world.picture("red-disc")
    assert np.array_equal(encoder.images([path]).logits, encoder.images([Image.open(path)]).logits)


def test_encoded_is_float32_with_vectors_of_length_one(world):
    found = checkpoint.load(world.checkpoint).texts(["red", "green", "blue"])
    assert (found.logits.dtype, found.vectors.dtype) == (np.float32, np.float32)
    assert found.logits.shape == (3, 128)
    assert np.allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-5)


def test_many_are_encoded_as_one_by_one(world):
    encoder = checkpoint.load(world.checkpoint)
    texts = ["red", "green", "blue"] * 100
    assert np.array_equal(encoder.texts(texts).logits > 0, np.tile(encoder.texts(texts[:3]).logits > 0, (100, 1)))


def test_weights_images_and_texts_go_to_the_device_and_results_come_back(world, monkeypatch):
    loaded = checkpoint.load(world.checkpoint)
    encoder = checkpoint.Encoder(loaded.model, loaded.sidecar, loaded.path, "meta")
    assert {tensor.device.type for tensor in encoder.model.state_dict().values()} == {"meta"}
    seen = []

    def answer(*inputs):
        seen.extend(part.device.type for part in inputs)
        return Output(torch.ones(1, 128), torch.ones(1, 4))

    monkeypatch.setattr(encoder.model, "images", answer)
    monkeypatch.setattr(encoder.model, "texts", lambda tokens: answer(*tokens))
    monkeypatch.setattr(encoder.model.backbone, "keys", loaded_keys(world))
    encoder.images([world.picture("red-disc")])
    assert encoder.texts(["red"]).logits.shape == (1, 128)
    assert set(seen) == {"meta"}


def loaded_keys(world):
    """On the CPU: meta tensors hold nothing to look words up in."""
    return checkpoint.load(world.checkpoint).model.backbone.keys


def test_a_model_that_learned_tells_its_colours_apart(world):
    encoder = checkpoint.load(world.checkpoint)
    seen = encoder.images([world.picture(f"{name}-square") for name in ("red", "green", "blue")])
    scores = encoder.texts(["red", "green", "blue"]).vectors @ seen.vectors.T
    assert scores.argmax(axis=1).tolist() == [0, 1, 2]


def test_no_checkpoint_names_the_command(tmp_path):
    with pytest.raises(NotFoundError, match="no checkpoint here"):
        checkpoint.load(tmp_path)
    with pytest.raises(NotFoundError, match="no such checkpoint"):
        checkpoint.load(tmp_path / "gone.safetensors")


def test_a_pickle_is_refused_unopened(tmp_path, copy):
    evil = tmp_path / "evil.safetensors"
    torch.save({"a": torch.zeros(2)}, evil)
    shutil.copy(copy.with_suffix(".json"), evil.with_suffix(".json"))
    with pytest.raises(MlhubError, match=r"evil\.safetensors is not a checkpoint of mlhub"):
        checkpoint.load(evil)


def test_weights_alone_are_enough(copy):
    digest = checkpoint.load(copy).digest
    copy.with_suffix(".json").unlink()
    assert checkpoint.load(copy).digest == digest


def test_a_death_between_the_two_files_loses_nothing(copy, world):
    encoder = checkpoint.load(copy)
    sidecar = copy.with_suffix(".json").read_text()
    with torch.no_grad():
        next(iter(encoder.model.parameters())).add_(1)
    checkpoint.save(copy, encoder.model, encoder.sidecar)
    copy.with_suffix(".json").write_text(sidecar)  # the one from before
    assert checkpoint.load(copy).digest != checkpoint.load(world.checkpoint).digest


def rewrite(path, about):
    """The same weights under another description."""
    save_file(load_file(path), path, {"mlhub": json.dumps(about)} if about is not None else {"format": "pt"})


@pytest.mark.parametrize("about", [None, [], {}, {"format": 1}, {"format": "x", "config": 3}])
def test_weights_of_others_are_refused(copy, about):
    rewrite(copy, about)
    with pytest.raises(MlhubError, match="is not a checkpoint of mlhub"):
        checkpoint.load(copy)


def test_a_format_of_the_future_is_refused(copy):
    rewrite(copy, json.loads(copy.with_suffix(".json").read_text()) | {"format": 99})
    with pytest.raises(MlhubError, match="format 99 is newer"):
        checkpoint.load(copy)


def test_a_key_that_another_version_knew_is_passed_over(copy):
    about = json.loads(copy.with_suffix(".json").read_text())
    about["config"]["training"]["forgotten"] = 3
    about["config"]["dropped"] = {}
    rewrite(copy, about)
    assert checkpoint.load(copy).config.data.dataset == "shapes"


def test_a_flipped_bit_is_noticed(copy):
    data = bytearray(copy.read_bytes())
    data[-100] ^= 1
    copy.write_bytes(data)
    with pytest.raises(MlhubError, match="its weights were changed"):
        checkpoint.load(copy)


def test_a_truncated_file_is_noticed(copy):
    copy.write_bytes(copy.read_bytes()[:-50])
    with pytest.raises(MlhubError, match="is not a checkpoint of mlhub"):
        checkpoint.load(copy)


def test_weights_of_another_model_are_refused(copy):
    about = json.loads(copy.with_suffix(".json").read_text())
    about["config"]["model"]["hidden_dim"] = 32
    rewrite(copy, about)
    with pytest.raises(MlhubError, match="is not a checkpoint of mlhub"):
        checkpoint.load(copy)


def test_a_failed_write_leaves_the_old_one(copy, monkeypatch):
    encoder, before = checkpoint.load(copy), copy.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(MlhubError, match="can't be written: No space left"):
        checkpoint.save(copy, encoder.model, encoder.sidecar)
    assert copy.read_bytes() == before
    assert sorted(path.name for path in copy.parent.iterdir()) == ["best.json", "best.safetensors"]


def test_loading_needs_no_lightning(world):
    code = "import sys, pathlib; from mlhub.hashing import checkpoint; "
    code += f"checkpoint.load(pathlib.Path({str(world.checkpoint)!r})); "
    code += "print([name for name in ('lightning', 'open_clip', 'torchvision') if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_a_checkpoint_is_described_without_reading_its_weights(copy):
    whole = checkpoint.load(copy).sidecar
    copy.write_bytes(copy.read_bytes()[:-50])
    assert checkpoint.describe(copy) == whole


@pytest.mark.parametrize("data", [b"", b"x", b"\xff" * 8, b"\x02" + bytes(7) + b"[]", b"\x05" + bytes(7) + b"{nope"])
def test_what_is_no_checkpoint_is_not_described(tmp_path, data):
    (tmp_path / "x.safetensors").write_bytes(data)
    with pytest.raises(MlhubError, match="is not a checkpoint of mlhub"):
        checkpoint.describe(tmp_path / "x.safetensors")
