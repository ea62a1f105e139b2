"""A project's config: what is read, what KEY=VALUE makes of it, and that the script reads what was meant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from mlhub.adapters.plain import load_plain, set_key
from mlhub.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
# kept
country: "no"
off: no
when: 2026-01-01
quoted: '1e-3'
lr: 1e-3
base: &base {a: 1}
other: *base
sizes: [1, {b: 2}]
model.width: 8
empty:
"""


def config(tmp_path: Path, text: str = TEXT, name: str = "c.yaml") -> Path:
    file = tmp_path / name
    file.write_text(text)
    return file


def changed(tree: dict[str, Any], *overrides: str, free: bool = False) -> dict[str, Any]:
    for override in overrides:
        set_key(tree, override, free=free)
    return tree


def test_an_unchanged_config_keeps_its_text(tmp_path: Path) -> None:
    assert load_plain(config(tmp_path)).to_yaml() == TEXT


def test_a_changed_config_reads_the_same_in_the_scripts_own_yaml(tmp_path: Path) -> None:
    """PyYAML takes `no` for false and a date for a date, unless they stand in quotes."""
    file = config(tmp_path)
    before, after = yaml.safe_load(TEXT), yaml.safe_load(load_plain(file, ["base.a=2"]).to_yaml())
    assert after.pop("base") == {"a": 2}
    assert after.pop("lr") == 1e-3  # which PyYAML takes for a word as it was written
    assert after == {key: value for key, value in before.items() if key not in ("base", "lr")}


@pytest.mark.parametrize("value", ["3", "1e-3", "adam", "no"])
def test_a_section_is_not_replaced_by_one_value(value: str) -> None:
    tree = {"optimizer": {"lr": 0.1, "betas": {"one": 0.9}}}
    with pytest.raises(UsageError, match="optimizer: a section") as found:
        changed(tree, f"optimizer={value}")
    assert "optimizer.lr, optimizer.betas.one" in str(found.value.hint)
    assert tree["optimizer"]["lr"] == 0.1


@pytest.mark.parametrize(("value", "is_"), [("null", None), ("false", False), ("{lr: 1}", {"lr": 1}), ("[]", [])])
def test_a_section_is_taken_out_or_made_anew_on_purpose(value: str, is_: object) -> None:
    assert changed({"a": {"b": {"lr": 0.1}}}, f"a.b={value}") == {"a": {"b": is_}}


def test_a_value_is_a_yaml_scalar() -> None:
    tree = changed({"a": 1, "b": 1, "c": 1, "d": 1}, "a=1e-3", "b=[1, x]", "c=null", "d=no")
    assert tree == {"a": 0.001, "b": [1, "x"], "c": None, "d": "no"}


def test_a_key_is_found_through_lists_and_dots_in_names() -> None:
    tree = changed({"s": [1, {"b": 2}], "m.w": 8}, "s.1.b=3", "s.0=5", "m.w=9")
    assert tree == {"s": [5, {"b": 3}], "m.w": 9}


def test_a_new_key_is_said_to_be_one() -> None:
    assert changed({"a": {"b": 1}, "e": None}, "+a.c.d=2", "+e.f=3") == {"a": {"b": 1, "c": {"d": 2}}, "e": {"f": 3}}
    assert changed({}, "a.b=1", free=True) == {"a": {"b": 1}}


@pytest.mark.parametrize("override", ["optimzer.lr=1", "optimizer.lr.x=1", "optimizer.lrs=1", "s.7=1", "s.-1=1"])
def test_a_key_that_is_not_there_is_refused(override: str) -> None:
    with pytest.raises(UsageError, match="no such key"):
        changed({"optimizer": {"lr": 1}, "s": [1]}, override)


def test_the_nearest_key_is_named() -> None:
    with pytest.raises(UsageError, match="did you mean"):
        changed({"optimizer": {"lr": 1}}, "optimzer.lr=1")


@pytest.mark.parametrize("override", ["", "=1", "a", "a..b=1", ".=1", "a=[", "a='", "+=1"])
def test_what_is_no_override_is_refused(override: str) -> None:
    with pytest.raises(UsageError):
        changed({"a": {"b": 1}}, override)


def test_a_key_of_one_alias_leaves_the_others(tmp_path: Path) -> None:
    assert load_plain(config(tmp_path), ["base.a=2"]).tree()["other"] == {"a": 1}


def test_json_is_read_and_its_values_can_be_told_as_json_again(tmp_path: Path) -> None:
    file = config(tmp_path, '{"lr": 0.1, "name": "no"}', "c.json")
    found = load_plain(file, ["lr=0.2"])
    assert found.tree() == {"lr": 0.2, "name": "no"}
    assert yaml.safe_load(load_plain(file).to_yaml())["lr"] == 0.1


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("[1, 2]", "c.yaml", "a list"),
        ("hello", "c.yaml", "a text"),
        ("a: [", "c.yaml", "not valid YAML"),
        ("a: 1\na: 2", "c.yaml", "twice"),
        ("a: !!python/name:os.system", "c.yaml", "not valid YAML"),
        ("1: x", "c.yaml", "no name of a key"),
        ("{", "c.json", "not valid JSON"),
        ("[" * 100_000, "c.json", "not valid JSON"),
        ("a: &x [1]\n" + "\n".join(f"b{i}: [*x, *x]" for i in range(9000)), "c.yaml", "more than"),
        ("a: " + "x" * (1 << 20), "c.yaml", "no config"),
    ],
)
def test_what_is_no_config_is_said_with_its_file(tmp_path: Path, text: str, name: str, said: str) -> None:
    file = config(tmp_path, text, name)
    with pytest.raises(ConfigError, match=said) as error:
        load_plain(file)
    assert str(file) in error.value.message


def test_odd_values_can_be_stored(tmp_path: Path) -> None:
    file = config(tmp_path, "big: 123456789012345678901234567890\nset: !!set {a}\nwhen: !!timestamp 2026-01-01\n")
    assert json.loads(json.dumps(load_plain(file).tree()))["big"] == "123456789012345678901234567890"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "c.yaml")
    with pytest.raises(ConfigError, match="can't be read"):
        load_plain(tmp_path / "c.yaml")


def test_what_a_program_composes_itself_is_kept_as_far_as_it_can_be_said(tmp_path: Path) -> None:
    file = config(tmp_path, "lr: 0.1\n")
    overrides = ["model=big", "model.width=3", "++a.b=1", "~gone", "lr=[", "lr=0.5"]
    found = load_plain(file, overrides, free=True).tree()
    assert found == {"lr": 0.5, "model": "big", "model.width": "3", "a": {"b": 1}}
