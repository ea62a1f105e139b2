"""Adapters: those built in, those of the home, and what a wrong one is told."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlhub.adapters import HASHING, Program, load
from mlhub.adapters.builtin import BUILT_IN, COMMAND, HUGGINGFACE, HYDRA, LIGHTNING
from mlhub.adapters.template import MANY, ONE, RUN_DIR, Blanks, Declared, fill, place, unknown_blank, words_of
from mlhub.errors import ConfigError, NotFoundError

if TYPE_CHECKING:
    from mlhub.paths import Home
    from tests.conftest import Cli

OWN = """\
about: my own trainer
programs:
  train:
    - {command: ["{python}", -m, trainer, "{config}", "{arguments}"], config: json}
    - ["{python}", -m, trainer, "{arguments}"]
metrics:
  - {name: "score*", better: max, group: quality}
shows: [score]
grace: 5
"""


def own(home: Home, text: str, name: str = "mine") -> Path:
    home.adapters.mkdir(exist_ok=True)
    file = home.adapters / f"{name}.yaml"
    file.write_text(text)
    return file


def test_a_word_is_filled_and_never_split() -> None:
    blanks = Blanks(python="/a b/python", script="x; rm -rf /", arguments=("$(id)", "a b"), run_dir="/r")
    words = fill(("{python}", "{script}", "--out={run_dir}/o", "{arguments}"), blanks)
    assert words == ("/a b/python", "x; rm -rf /", "--out=/r/o", "$(id)", "a b")


def test_a_value_that_looks_like_a_blank_is_not_filled_again() -> None:
    assert fill(("{script}",), Blanks(script="{python}", python="no")) == ("{python}",)


def test_a_users_word_never_stands_for_the_runs_folder(tmp_path: Path) -> None:
    words = fill(("{arguments}", "{run_dir}"), Blanks(arguments=("{run_dir}",)))
    assert place(words, tmp_path) == ("{run_dir}", str(tmp_path))


def test_braces_that_name_no_blank_stay() -> None:
    assert fill(('{"a": 1}', "{}", "{unknown}"), Blanks()) == ('{"a": 1}', "{}", "{unknown}")


@pytest.mark.parametrize("adapter", BUILT_IN.values(), ids=BUILT_IN)
def test_every_blank_of_a_built_in_adapter_is_known(adapter: load.Adapter) -> None:
    for programs in adapter.programs.values():
        assert [unknown_blank(program.command) for program in programs] == [None] * len(programs)


def test_all_blanks_that_are_documented_are_filled() -> None:
    assert {*ONE, *MANY} <= set(re.findall(r"\w+", Program.__doc__ or ""))


@pytest.mark.parametrize(
    ("adapter", "uses", "found"),
    [
        (LIGHTNING, {"LightningCLI"}, ("fit", "--config", f"{RUN_DIR}/config.yaml")),
        (LIGHTNING, {"Trainer", "--config"}, ("--config", f"{RUN_DIR}/config.yaml")),
        (HUGGINGFACE, {"HfArgumentParser"}, ("--lr", "0.1")),
        (HUGGINGFACE, {"HfArgumentParser", "parse_json_file"}, (f"{RUN_DIR}/config.yaml",)),
        (HYDRA, {"hydra"}, ("--config-path", "/p/conf", "--config-name", "a", "lr=0.1")),
        (COMMAND, {"add_argument"}, ("--lr", "0.1")),
        (COMMAND, set(), ()),
    ],
)
def test_the_program_is_chosen_by_what_the_script_uses(
    adapter: load.Adapter, uses: set[str], found: tuple[str, ...]
) -> None:
    program = adapter.program(uses, with_config=True)
    assert program is not None
    blanks = Blanks(
        python="py", script="s.py", config=f"{RUN_DIR}/config.yaml", config_file="/p/conf/a.yaml",
        settings=words_of({"lr": 0.1}, "options"), overrides=["lr=0.1"],
    )  # fmt: skip
    assert fill(program.command, blanks) == ("py", "s.py", *found)


def test_options_are_spelled_as_the_script_declares_them() -> None:
    declared = Declared(
        frozenset({"--batch-size", "--amp", "--fast", "--no-fast"}), frozenset({"--amp", "--fast", "--no-fast"})
    )
    tree = {"batch_size": 4, "amp": True, "fast": False, "none": None, "sizes": [1, 2], "at": "-x", "a": {"b": True}}
    assert words_of(tree, "options", declared) == [
        "--batch-size", "4", "--amp", "--no-fast", "--sizes", "1", "2", "--at=-x", "--a.b", "True",
    ]  # fmt: skip


def test_dotted_options_are_one_word_each() -> None:
    tree = {"trainer": {"fast": True, "devices": [0, 1]}, "name": "a b"}
    assert words_of(tree, "dotted") == ["--trainer.fast=true", "--trainer.devices=[0, 1]", "--name=a b"]


def test_an_adapter_in_the_home_is_read(home: Home) -> None:
    own(home, OWN)
    adapter = load.find("mine", home)
    assert adapter.shown(["loss", "score"]) == "score"
    rule = adapter.rule("score/2")
    assert rule is not None
    assert (rule.better, rule.group, adapter.grace) == ("max", "quality", 5.0)
    assert [program.config for program in adapter.programs["train"]] == ["json", "none"]


def test_a_file_never_takes_the_place_of_a_built_in_adapter(home: Home) -> None:
    own(home, OWN, "hashing")
    assert load.find("hashing", home) is HASHING


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("programs: {train: [{command: ['{nothing}']}]}", "{nothing}"),
        ("programs: {train: [{command: ['x {arguments}']}]}", "x {arguments}"),
        ("programs: {train: [{command: []}]}", "command: empty"),
        ("programs: {}", "programs.train: missing"),
        ("programs: {train: [{command: [a], config: toml}]}", "programs[...][0].config"),
        ("programs: {train: [{command: a b}]}", "programs[...][0].command"),
        ("programs: {train: ['{python}']}\nmetrics: [{name: a, better: up}]", "metrics[0].better"),
        ("programs: {train: ['{python}']}\ncolour: red", "colour"),
        ("programs: {train: ['{python}']}\ngrace: .nan", "grace"),
        ("!!python/object/apply:os.system [id]", "not valid YAML"),
        ("[a, b]", "expected `object`"),
        ("a: &a [*a]", "more than"),
        ("'", "not valid YAML"),
    ],
)
def test_a_wrong_adapter_is_told_by_file_and_key(home: Home, text: str, said: str) -> None:
    file = own(home, text)
    with pytest.raises(ConfigError) as error:
        load.find("mine", home)
    assert str(file) in error.value.message
    assert said in error.value.message


@pytest.mark.parametrize("name", ["nothing", "../mine", "", ".", "a\0b", "x" * 300])
def test_a_name_that_is_none_is_not_looked_for_outside(home: Home, name: str) -> None:
    own(home, OWN)
    with pytest.raises(NotFoundError):
        load.find(name, home)


def test_a_list_shows_all_and_names_the_broken_one(cli: Cli) -> None:
    adapters = cli.home / "adapters"
    adapters.mkdir(parents=True)
    (adapters / "mine.yaml").write_text(OWN)
    (adapters / "bad.yaml").write_text("programs: 3")
    rows = {row["name"]: row for row in cli.json("project", "adapters")}
    assert set(BUILT_IN) <= rows.keys()
    assert rows["mine"]["about"] == "my own trainer"
    assert "bad.yaml" in rows["bad"]["error"]


def test_an_installed_package_may_offer_an_adapter(tmp_path: Path, home: Home) -> None:
    (tmp_path / "offered.py").write_text(
        "ADAPTER = {'programs': {'train': ['{python}', '{arguments}']}, 'shows': ['x']}\n"
    )
    info = tmp_path / "offered-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[mlhub.adapters]\noffered = offered:ADAPTER\nbroken = offered:MISSING\n")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from mlhub.adapters import load; from mlhub.settings import Settings; from mlhub.errors import ConfigError\n"
        "home = Settings.load().to_home()\n"
        "print(load.find('offered', home).shows, 'offered' in load.known(home))\n"
        "try: load.find('broken', home)\n"
        "except ConfigError as error: print(error.message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], env={"MLHUB_HOME": str(home.root)}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    first, second = done.stdout.splitlines()
    assert first == "('x',) True"
    assert second.startswith("adapter broken: offered:MISSING can't be loaded")


def test_the_adapter_in_the_documentation_is_one(home: Home) -> None:
    text = Path(__file__).parents[2].joinpath("docs", "projects.md").read_text()
    found = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert found is not None
    own(home, found[1])
    adapter = load.find("mine", home)
    assert adapter.program({"ourtrainer"}, with_config=True) is adapter.programs["train"][0]
    assert adapter.program({"ourtrainer"}, with_config=False) is adapter.programs["train"][1]
