from __future__ import annotations

import os

import pytest

from mlhub.errors import NotFoundError, UsageError
from tests.foreign.collect import SAMPLES, find_all
from tests.foreign.test_tensorboard import scalars, write


def csv_run(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.csv").write_text("a,step\n1,0\n")
    return folder


def test_what_lies_there_tells_whose_it_is(tmp_path):
    write(tmp_path / "board", scalars((0, b"a", 1.0)))
    csv_run(tmp_path / "model" / "version_0")
    os.symlink(SAMPLES, tmp_path / "link")  # not followed
    sources, told = find_all(tmp_path)
    assert sorted((source.kind, source.name) for source in sources) == [
        ("lightning", "model-version_0"),
        ("tensorboard", "board"),
    ]
    assert not told
    assert {source.kind for source in find_all(SAMPLES)[0]} == {"wandb", "mlflow"}
    assert {source.kind for source in find_all(SAMPLES, kind="mlflow")[0]} == {"mlflow"}


def test_what_lightning_logged_in_two_ways_is_one_run(tmp_path):
    write(tmp_path, scalars((0, b"a", 1.0)))
    csv_run(tmp_path)
    assert [source.kind for source in find_all(tmp_path)[0]] == ["tensorboard"]
    assert [source.kind for source in find_all(tmp_path, kind="lightning")[0]] == ["lightning"]


def test_a_file_stands_for_its_run(tmp_path):
    file = write(tmp_path, scalars((0, b"a", 1.0)))
    csv_run(tmp_path / "below")
    assert [source.path for source in find_all(file)[0]] == [tmp_path]


def test_runs_come_oldest_first(tmp_path):
    for number, time in enumerate((3e9, 1e9, 2e9)):
        folder = csv_run(tmp_path / str(number))
        os.utime(folder / "metrics.csv", (time, time))
    assert [source.name for source in find_all(tmp_path)[0]] == ["1", "2", "0"]


def test_hidden_folders_and_loops_of_links_are_passed_over(tmp_path):
    csv_run(tmp_path / ".hidden")
    csv_run(tmp_path / "a")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert [source.name for source in find_all(tmp_path)[0]] == ["a"]


def test_tables_of_others_are_no_runs(tmp_path):
    (tmp_path / "metrics.csv").write_text("name,price\nx,1\n")
    assert find_all(tmp_path) == ([], [])


def test_an_empty_event_file_is_no_run_yet(tmp_path):
    (tmp_path / "events.out.tfevents.1.box").touch()
    assert find_all(tmp_path) == ([], [])


def test_a_path_that_is_not_there_and_one_that_is_a_device(tmp_path):
    with pytest.raises(NotFoundError, match="nowhere"):
        find_all(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="neither"):
        find_all(tmp_path / "pipe")
