"""A file is replaced whole or stays as it was, and nothing is left beside it."""

import json
import os
import resource

import pytest

from mlhub.files import read_regular, replace_bytes, write_json


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_a_file_is_replaced(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    replace_bytes(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert names(tmp_path) == ["a"]


def test_a_reader_of_the_old_file_keeps_it_whole(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with (tmp_path / "a").open("rb") as reader:
        replace_bytes(tmp_path / "a", b"new")
        assert reader.read() == b"old"


def test_what_cannot_be_renamed_leaves_nothing(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match="directory"):
        replace_bytes(tmp_path / "a", b"new")
    assert names(tmp_path) == ["a"]


def test_a_write_cut_short_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            replace_bytes(tmp_path / "a", b"new" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_json_keeps_letters_and_ends_its_last_line(tmp_path):
    write_json(tmp_path / "a.json", {"name": "강아지"})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "강아지" in text
    assert text.endswith("}\n")


def test_what_json_cannot_say_is_said_by_default_or_leaves_the_old(tmp_path):
    write_json(tmp_path / "a.json", {"kind": int}, default=str)
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"kind": int})
    assert json.loads((tmp_path / "a.json").read_text()) == {"kind": "<class 'int'>"}


def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        read_regular(tmp_path / "pipe")
