from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from mlhub.config import RunConfig, auto_batch, check_config, find_preset, load_config
from mlhub.errors import ConfigError, NotFoundError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def preset(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_preset_that_ships_is_valid() -> None:
    folder = find_preset("quickstart").parent
    names = {path.stem for path in folder.glob("*.yaml")}
    assert {"quickstart", "dgx_spark"} <= names
    assert all(isinstance(load_config(folder / f"{name}.yaml"), RunConfig) for name in names)


def test_a_resolved_configuration_reads_back_the_same(tmp_path: Path) -> None:
    config = load_config(preset(tmp_path, "data: {languages: [en, no]}\ntraining: {learning_rate: 1e-3}"))
    assert load_config(preset(tmp_path, config.to_yaml())) == config
    assert config.data.languages == ("en", "no")
    assert config.training.learning_rate == 0.001


def test_an_empty_preset_has_every_default(tmp_path: Path) -> None:
    assert load_config(preset(tmp_path, "")) == RunConfig()


def test_an_unknown_key_names_its_path_and_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"training\.batchsize: unknown key; did you mean training\.batch_size\?"):
        load_config(preset(tmp_path, "training: {batchsize: 3}"))


def test_an_unknown_section_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"trainning: unknown key; did you mean training\?"):
        load_config(preset(tmp_path, "trainning: {}"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training: {max_epochs: many}", "training.max_epochs: expected int, got 'many'"),
        ("model: {bit_list: [8, b]}", r"model.bit_list\[1\]: expected int, got 'b'"),
        ("training: {max_epochs: 0}", "training.max_epochs: expected int >= 1, got 0"),
        ("model: {bit_list: [8, 9]}", "model.bit_list: expected rising multiples of 8"),
        ("model: {bit_list: [16, 8]}", "model.bit_list: expected rising multiples of 8"),
        ("training: {seed: -1}", "training.seed: expected int >= 0, got -1"),
        ("training: {precision: bf16-true}", "training.precision: invalid enum value"),
        ("training: {batch_size: 1}", "training.batch_size: expected int >= 2"),
        ("data: {image_size: 8}", "data.image_size: expected int >= 24"),
        ("data: {languages: [en, en]}", "data.languages: expected each language once"),
        ("data: {languages: []}", "data.languages: expected each language once"),
        ("model: {pretrained: webli}", "model.pretrained: tiny learns from scratch"),
        ("model: {freeze_backbone: true}", "model.freeze_backbone: tiny learns from scratch"),
        ("loss: {contrastive: 0}", "loss.contrastive: nothing tells items apart"),
        ("model: 3", "model: expected keys and values, got 3"),
        ("- a", "the preset: expected keys and values"),
        ("training: {seed: 1, seed: 2}", r"mine.yaml:1:.*key 'seed' twice"),
        ("training: [", r"mine.yaml:1:\d+: not valid YAML"),
        ("a: !!python/object/apply:os.system [ls]", "not valid YAML: could not determine a constructor"),
    ],
)
def test_a_wrong_preset_says_where_and_what(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(preset(tmp_path, text))


def test_an_override_replaces_one_key(tmp_path: Path) -> None:
    path = preset(tmp_path, "training: {seed: 1, max_epochs: 2}")
    config = load_config(path, ["training.seed=7", "model.bit_list=[8, 64]", "training.learning_rate=1e-4"])
    assert (config.training.seed, config.training.max_epochs) == (7, 2)
    assert config.model.bit_list == (8, 64)
    assert config.training.learning_rate == 0.0001


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.batchsize=3", r"training.batchsize: unknown key; did you mean training.batch_size\?"),
        ("model.batch_size=3", r"model.batch_size: unknown key; did you mean training.batch_size\?"),
        ("seed=3", r"seed: expected SECTION.KEY; did you mean training.seed\?"),
        ("training.seed", "expected KEY=VALUE"),
        ("training.seed=x", "training.seed: expected int, got 'x'"),
    ],
)
def test_a_wrong_override_is_wrong_usage(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_config(preset(tmp_path, ""), [override])


def test_a_variable_in_a_path_comes_from_the_environment(tmp_path: Path) -> None:
    path = preset(tmp_path, "data: {dataset: '${SETS}/coco'}")
    assert load_config(path, environment={"SETS": "/data"}).data.dataset == "/data/coco"
    with pytest.raises(ConfigError, match=r"data.dataset: \$\{SETS\} is not set"):
        load_config(path, environment={})


def test_an_override_spares_a_variable_that_is_not_set(tmp_path: Path) -> None:
    path = preset(tmp_path, "data: {dataset: '${SETS}/coco'}")
    assert load_config(path, ["data.dataset=emoji"], environment={}).data.dataset == "emoji"


def test_an_error_of_the_preset_stays_one_beside_an_override(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mine.yaml: training.max_epochs") as caught:
        load_config(preset(tmp_path, "training: {max_epochs: many}"), ["training.seed=2"])
    assert caught.value.exit_code == 1


def test_a_preset_is_found_by_path_and_by_bare_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_preset("quickstart").name == "quickstart.yaml"
    assert find_preset("configs/quickstart.yaml") == find_preset("quickstart")
    assert find_preset(str(preset(tmp_path, ""))) == tmp_path / "mine.yaml"


def test_a_preset_in_the_users_configs_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "configs").mkdir()
    mine = tmp_path / "configs" / "quickstart.yaml"
    mine.touch()
    monkeypatch.chdir(tmp_path)
    assert find_preset("quickstart") == mine


def test_a_missing_preset_names_those_there_are() -> None:
    with pytest.raises(NotFoundError, match=r"nowhere\.yaml: no such file") as caught:
        find_preset("nowhere.yaml")
    assert "quickstart" in caught.value.hint


def test_a_checked_tree_survives_a_round_trip() -> None:
    assert check_config(msgspec.to_builtins(RunConfig())) == RunConfig()


@pytest.mark.parametrize(
    ("memory", "batch"), [([], 64), ([None], 64), ([80_000_000_000], 256), ([80_000_000_000, 16_000_000_000], 64)]
)
def test_the_automatic_batch_follows_the_smallest_card(memory: list[int | None], batch: int) -> None:
    assert auto_batch(memory).batch_size == batch


BOMB = "model:\n  bit_list:\n  - &a0 [8, 8]\n" + "".join(f"  - &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "more than 10000 values"),
        ("training: &a\n  seed: *a", "more than 10000 values"),
        ("training: {[1]: 2}", "a key must be a word"),
        ("training: {seed: " + "9" * 5000 + "}", "not valid YAML"),
        ("training: {seed: " + "[" * 5000 + "}", "not valid YAML"),
        ("training: {seed: !!int x}", "not valid YAML"),
        ("training: {seed: !!timestamp x}", "not valid YAML"),
        (r'model: {backbone: "\ud800"}', "not Unicode text"),
        ("training: {learning_rate: .inf}", "training.learning_rate: expected float <="),
        ("loss: {temperature: 1e999}", "loss.temperature: expected float <="),
    ],
)
def test_a_hostile_preset_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "preset.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(tmp_path / "preset.yaml")
