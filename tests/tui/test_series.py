"""The reader of series: runs that are wanted are read in a thread and followed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

from mlhub.runner import archive
from mlhub.store.runs import Run
from mlhub.tui.charts.series import SeriesBook
from tests.conftest import wait_until


@pytest.fixture
def book(home):
    book = SeriesBook(home)
    yield book
    book.close()
    assert book.error is None


def make_run(home, run_id=1, status="running", lines=()):
    folder = home.run(run_id).root
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    return Run(
        id=run_id, name=f"run-{run_id}", kind="command", status=status, created_at="2026-01-01T00:00:00Z", host="here"
    )


def points(book, run_id=1, name="loss"):
    known = book.series(run_id)
    return known.metrics[name].points.value.tolist() if known and name in known.metrics else []


def test_the_module_costs_no_numpy():
    code = "import sys, mlhub.tui.charts.series; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_run_that_is_wanted_is_read_and_followed(home, book):
    run = make_run(home, lines=[{"step": 0, "loss": 1}])
    assert book.series(1) is None
    book.want([run])
    wait_until(lambda: points(book) == [1])
    version = book.version
    with home.run(1).metrics.open("a") as file:
        file.write('{"step":1,"loss":2}\n')
    wait_until(lambda: points(book) == [1, 2])
    assert book.version > version


def test_nothing_new_leaves_the_version_as_it_was(home, book):
    run = make_run(home, lines=[{"step": 0, "loss": 1}])
    book.want([run])
    wait_until(lambda: points(book))
    version, known = book.version, book.series(1)
    looked = book._books[1].looked
    wait_until(lambda: book._books[1].looked > looked)
    assert (book.version, book.series(1)) == (version, known)


def test_each_asker_has_wishes_of_its_own(home, book):
    runs = [make_run(home, run_id, lines=[{"step": 0, "loss": run_id}]) for run_id in (1, 2)]
    book.want(runs[:1], "charts")
    book.want(runs[1:], "runs")
    wait_until(lambda: points(book, 1) == [1] and points(book, 2) == [2])


def test_runs_that_nobody_wants_any_more_are_forgotten(home, book, monkeypatch):
    monkeypatch.setattr("mlhub.tui.charts.series._KEPT", 0.0)
    runs = [make_run(home, run_id, lines=[{"step": 0, "loss": 1}]) for run_id in (1, 2)]
    book.want(runs)
    wait_until(lambda: points(book, 2))
    book.want(runs[:1])
    wait_until(lambda: book.series(2) is None)
    assert points(book, 1)


def test_system_metrics_are_read_where_they_are_wanted(home, book):
    run = make_run(home, lines=[{"step": 0, "loss": 1}])
    home.run(1).system.write_text('{"time":5.5,"cpu":40.0}\n')
    book.want([run], system=True)
    wait_until(lambda: (known := book.series(1)) and known.system)
    assert book.series(1).system["cpu"].points.time.tolist() == [5.5]


def test_a_run_without_metrics_is_known_to_have_none(home, book):
    run = make_run(home)
    home.run(1).metrics.unlink()
    book.want([run])
    assert wait_until(lambda: book.series(1)).metrics == {}


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="needs pyarrow")
def test_compact_metrics_are_read_too(home, book):
    run = make_run(home, status="completed", lines=[{"step": step, "loss": step} for step in range(50)])
    archive.compact(home.run(1).metrics)
    book.want([run])
    wait_until(lambda: points(book) == list(range(50)))


def test_compact_metrics_that_are_damaged_are_said_to_be(home, book):
    run = make_run(home, status="completed")
    home.run(1).metrics.unlink()
    archive.packed(home.run(1).metrics).write_bytes(b"no parquet")
    book.want([run])
    assert (
        "can't be read" in wait_until(lambda: (known := book.series(1)) and known.error) or archive.available() is False
    )


def test_rows_that_are_seen_have_sketches_of_their_metric(home, book):
    runs = [make_run(home, run_id, lines=[{"step": step, "loss": run_id} for step in range(3)]) for run_id in (1, 2)]
    book.want_sketches(runs, {1: "loss", 2: "loss"})
    wait_until(lambda: book.sketch(1) and book.sketch(2))
    assert book.sketch(2).points == (2, 2, 2)
