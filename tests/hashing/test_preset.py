"""What can be said of a preset before torch: metric names, keys that a backbone passes over."""

import subprocess
import sys

import pytest

from mlhub.config import CheckpointConfig, DataConfig, ModelConfig, RunConfig, TrainingConfig, find_preset, load_config
from mlhub.errors import ConfigError
from mlhub.hashing import preset


def test_names_are_of_both_directions_and_each_at_every_length():
    names = preset.validation_names(RunConfig(model=ModelConfig(bit_list=(16, 32))))
    assert {"val/map_16", "val/map_float", "val/i2t/r10_32", "val/t2i/map_float"} < set(names)
    assert len(names) == len(set(names)) == 3 * (1 + 2 * 4)


@pytest.mark.parametrize("monitor", ["val/map_64", "train/loss", "val/nothing", ""])
def test_a_monitor_that_nothing_measures_is_refused_with_what_is(monitor):
    config = RunConfig(model=ModelConfig(bit_list=(16, 32)), checkpoint=CheckpointConfig(monitor=monitor))
    with pytest.raises(ConfigError, match=r"checkpoint\.monitor: validation measures no") as caught:
        preset.check_monitor(config)
    assert "val/" in caught.value.hint


@pytest.mark.parametrize("name", ["quickstart", "dgx_spark"])
def test_the_presets_monitor_something(name):
    preset.check_monitor(load_config(find_preset(name)))


def test_tiny_reads_every_key_that_names_it():
    assert preset.unused(RunConfig(model=ModelConfig(hidden_dim=3), data=DataConfig(image_size=24))) == []


def test_open_clip_brings_its_own_width_and_size():
    model = ModelConfig(backbone="ViT-B-32", hidden_dim=3, freeze_backbone=True)
    config = RunConfig(model=model, training=TrainingConfig(backbone_lr=1e-5))
    assert preset.unused(config) == ["model.hidden_dim", "training.backbone_lr"]


def test_it_needs_no_torch():
    code = "import sys, mlhub.hashing.preset; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
