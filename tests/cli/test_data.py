"""`mlhub data` over sets of the user's own: what is counted, what is checked, and nothing raw on the terminal."""

from __future__ import annotations

import json

import pytest

from mlhub.data.items import ABOUT, About, Item, write_items
from tests.conftest import Cli
from tests.data.conftest import draw

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


@pytest.fixture
def source(tmp_path):
    for number in range(6):
        draw(tmp_path / "src" / "photos" / f"{number}.png", number)
    path = tmp_path / "src" / "birds.jsonl"
    path.write_text("".join(f'{{"image": "photos/{n}.png", "caption": "bird {n}"}}\n' for n in range(6)))
    return path


def test_a_set_is_registered_prepared_by_a_run_listed_and_removed(cli: Cli, source) -> None:
    assert "registered birds: jsonl" in cli("data", "add", "birds", source).stdout
    assert {"name": "birds", "status": "raw"}.items() <= row(cli, "birds").items()
    said = cli("data", "prepare", "birds").stdout
    assert "data set birds: 6 items, captions en 6" in said
    run = cli.json("ls")[0]
    assert (run["kind"], run["status"], run["config"]["dataset"]) == ("prepare", "completed", "birds")
    assert {"status": "ready", "items": 6, "captions": {"en": 6}}.items() <= row(cli, "birds").items()
    assert "ready" in cli("data", "ls").stdout
    cli("data", "rm", "birds")
    assert row(cli, "birds") is None
    assert source.exists()


def row(cli: Cli, name: str):
    return next((found for found in cli.json("data", "ls") if found["name"] == name), None)


def test_a_prepared_set_is_left_alone_and_makes_no_second_run(cli: Cli, source) -> None:
    cli("data", "add", "birds", source)
    cli("data", "prepare", "birds")
    assert "6 items" in cli("data", "prepare", "birds").stdout
    assert len(cli.json("ls")) == 1


def test_a_bad_line_fails_the_run_with_file_line_and_remedy(cli: Cli, source) -> None:
    source.write_text(source.read_text() + "{broken\n")
    cli("data", "add", "birds", source)
    done = cli("data", "prepare", "birds", code=1)
    assert f"{source}:7:" in done.stdout
    assert "--skip-bad" in done.stdout
    assert "6 items" in cli("data", "prepare", "birds", "--skip-bad").stdout


def test_detached_it_returns_and_the_set_comes(cli: Cli, source) -> None:
    cli("data", "add", "birds", source)
    made = cli.json("data", "prepare", "birds", "--detach")
    assert cli("wait", str(made["run"]["id"])).returncode == 0
    assert row(cli, "birds")["status"] == "ready"


def test_json_of_prepare_is_the_set_and_its_run(cli: Cli, source) -> None:
    cli("data", "add", "birds", source)
    made = cli.json("data", "prepare", "birds")
    assert (made["items"], made["run"]["status"]) == (6, "completed")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["birds", "nothing.jsonl"], "no such file or folder"),
        (["birds", "SOURCE", "-o", "language"], "not OPTION=VALUE"),
        (["birds", "SOURCE", "-o", "colour=red"], "no such option"),
        (["birds", "SOURCE", "--kind", "excel"], "no such form"),
        (["birds", "SOURCE", "--images", "/nowhere"], "no such folder"),
        (["emoji", "SOURCE"], "built in"),
        (["a/b", "SOURCE"], "can't be the name"),
    ],
)
def test_what_can_not_be_registered_is_refused_in_words(cli: Cli, source, words, said) -> None:
    done = cli("data", "add", *(str(source) if word == "SOURCE" else word for word in words), code=None)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert row(cli, "birds") is None


def test_removing_what_was_put_there_by_hand_asks(cli: Cli, pets) -> None:
    assert "only copy" in cli("data", "rm", "pets", code=2).stderr
    cli("data", "rm", "pets", "--yes")
    assert not pets.exists()


def test_a_training_that_lacks_its_set_is_told_how_to_get_it(cli: Cli) -> None:
    assert "mlhub data show coco" in cli("run", "quickstart", "data.dataset=coco", code=1).stderr
    assert "mlhub data add unknown PATH" in cli("run", "quickstart", "data.dataset=unknown", code=1).stderr


def test_a_registered_set_is_to_be_prepared_before_a_training(cli: Cli, source) -> None:
    cli("data", "add", "birds", source)
    assert "mlhub data prepare birds" in cli("run", "quickstart", "data.dataset=birds", code=1).stderr
