"""`mlhub data` over sets of the user's own: what is counted, what is checked, and nothing raw on the terminal."""

from __future__ import annotations

import json

import pytest

from mlhub.data.items import ABOUT, About, Item, write_items
from tests.conftest import Cli

DOG = Item("dog", "dog.png", {"en": ("a dog",)})
CAT = Item("cat", "cat.png", {"en": ("a cat",)})


@pytest.fixture
def pets(cli: Cli):
    folder = cli.home / "data" / "pets"
    folder.mkdir(parents=True)
    write_items(folder, About("pets"), (DOG, CAT))
    for name in ("dog", "cat"):
        (folder / f"{name}.png").write_bytes(b"x")
    return folder


def test_items_without_a_concept_are_one_each(cli: Cli, pets) -> None:
    assert cli.json("data", "show", "pets")["concepts"] == 2


def test_prepare_names_a_missing_image_of_a_set_it_cannot_make(cli: Cli, pets) -> None:
    (pets / "cat.png").unlink()
    said = cli("data", "prepare", "pets", code=1).stderr
    assert f"cat: {pets / 'cat.png'}: no such image" in said


def test_prepare_says_that_a_set_is_whole(cli: Cli, pets) -> None:
    assert cli("data", "prepare", "pets").stdout == f"data set pets: 2 items in {pets}\n"


@pytest.mark.parametrize("command", ["ls", "show", "prepare"])
def test_no_escape_sequence_of_a_name_reaches_the_terminal(cli: Cli, pets, command: str) -> None:
    name = "p\x1b]0;gone\x07\x1b[31mets"
    (pets / ABOUT).write_text(json.dumps({"name": name}))
    pets.rename(pets.with_name(name))
    for words in (["data", command, name], ["data", command, "pets"]):
        said = cli(*(words if command != "ls" else words[:2]), code=None)
        assert "\x1b" not in said.stdout + said.stderr
