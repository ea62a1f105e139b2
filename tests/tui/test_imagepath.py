"""Which words are a path, and how a path is completed."""

from __future__ import annotations

import pytest

from mlhub.tui.search.imagepath import complete, image_of


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "first one.png").touch()
    (tmp_path / "cats" / "second.JPG").touch()
    (tmp_path / "cats" / "notes.txt").touch()
    (tmp_path / "cats" / ".hidden.png").touch()
    (tmp_path / "dog").touch()
    return tmp_path


@pytest.mark.parametrize("words", ["a dog", "dog", "cats", "missing.png", "cats/notes.txt", "강아지", "", "a/b"])
def test_these_words_are_a_text(pictures, words):
    assert image_of(words) is None


@pytest.mark.parametrize(
    "words",
    ["cats/first one.png", "./cats/first one.png", "~/cats/first one.png", "'cats/first one.png'",
     '"~/cats/first one.png"', "~/cats/first\\ one.png", "  ./cats/first one.png "],
)  # fmt: skip
def test_these_words_are_a_path(pictures, words):
    assert image_of(words) == pictures / "cats" / "first one.png"


def test_a_dragged_file_s_address_is_a_path(pictures):
    assert image_of(f"file://{pictures}/cats/first%20one.png") == pictures / "cats" / "first one.png"


def test_what_begins_as_a_path_is_one_though_nothing_is_there(pictures):
    assert image_of("./nothing") == pictures / "nothing"


@pytest.mark.parametrize(
    ("words", "whole"),
    [("./c", "./cats/"), ("~", "~/"), ("~/cats/f", "~/cats/first one.png"), ("./cats/", "./cats/first one.png"),
     ("./cats/s", "./cats/second.JPG"), ("./cats/.", "./cats/.hidden.png"), ("./cats/n", None), ("./dog", None),
     ("./nowhere/x", None), ("a dog", None), ("cats/f", None)],
)  # fmt: skip
def test_a_path_is_completed_by_the_first_folder_or_image(pictures, words, whole):
    assert complete(words) == whole


def test_names_that_would_write_to_the_terminal_are_not_offered(pictures):
    (pictures / "cats" / "x\x1b[2J.png").touch()
    assert complete("./cats/x") is None
