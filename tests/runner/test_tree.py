"""Folder trees: measured and removed, whatever is in them, and nothing outside them."""

from __future__ import annotations

import os
from pathlib import Path

from mlhub.runner import tree


def deep(top: Path, levels: int) -> None:
    """Folders in folders, farther down than a path can name."""
    here = os.getcwd()
    top.mkdir()
    os.chdir(top)
    try:
        for _ in range(levels):
            os.mkdir("d" * 40)
            os.chdir("d" * 40)
    finally:
        os.chdir(here)


def test_size_is_that_of_the_blocks_on_disk(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(100_000))
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10**9)
    assert 100_000 <= tree.size(tmp_path) < 200_000


def test_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(100_000))
    before = tree.size(tmp_path)
    os.link(tmp_path / "a", tmp_path / "b")
    assert tree.size(tmp_path) == before


def test_a_link_counts_and_goes_without_what_it_names(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_bytes(bytes(100_000))
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(outside)
    assert tree.size(inside) < 100_000
    tree.erase(inside)
    assert (inside.exists(), (outside / "kept").exists()) == (False, True)


def test_a_link_in_the_folders_own_place_is_only_unlinked(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    tree.erase(tmp_path / "link")
    assert os.listdir(tmp_path) == ["kept"]


def test_a_tree_deeper_than_the_stack_and_the_longest_path_is_removed(tmp_path: Path) -> None:
    deep(tmp_path / "top", 2000)
    tree.size(tmp_path / "top")
    tree.erase(tmp_path / "top")
    assert os.listdir(tmp_path) == []


def test_pipes_and_odd_names_are_removed(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    os.mkfifo(top / "pipe")
    (top / os.fsdecode(b"\xff\n\x1b[2J")).mkdir()
    tree.erase(top)
    assert os.listdir(tmp_path) == []


def test_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    tree.erase(tmp_path / "nothing")
    assert tree.size(tmp_path / "nothing") == 0
