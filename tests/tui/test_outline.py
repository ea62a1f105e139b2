"""Everything at one moment, as facts, tables and JSON."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from mlhub.monitor import Disk, Gpu, GpuMemory, GpuProcess, Memory
from mlhub.settings import Settings
from mlhub.store.runs import Run
from mlhub.tui.system.machine import Card, Reading
from mlhub.tui.words.outline import Outline, Readers, gpu_words

LOG = "import mlhub\nfor step in range(5): mlhub.log({'val/map_64': step / 10, 'train/loss': 1.0}, step=step)"
CARD = Gpu(0, "NVIDIA H100", GpuMemory(80_000_000_000, 71_000_000_000, False), 93, 74, 310.5, (GpuProcess(1, None),))


@pytest.fixture
def outline_of(cli):
    """The outline of the test's home, read by the real threads."""
    opened = []

    def read(focus=None):
        settings = Settings.load({"MLHUB_HOME": str(cli.home)})
        readers = Readers(settings.to_home(), settings, focus)
        opened.append(readers)
        readers.wait()
        return Outline.of(readers)

    yield read
    for readers in opened:
        readers.close()


def rows_of(outline, title):
    return [row for table in outline.tables() if table.title == title for row in table.rows]


def test_a_home_without_runs_says_how_to_start_one(cli, outline_of):
    cli("ls")
    outline = outline_of()
    assert ("runs", "none yet; start one: mlhub run quickstart") in outline.facts()
    assert outline.tables() == []


def test_what_runs_waits_and_has_ended_stands_in_its_table(cli, outline_of):
    cli("run", "--name", "done", "--wait", "--", sys.executable, "-c", LOG)
    cli("run", "--name", "bad", "--wait", "--", "false", code=1)
    cli("run", "--name", "live", "--", "sleep", "60")
    cli("run", "--name", "second", "--after", "live", "--", "true")
    cli("run", "--name", "first", "--after", "live", "--", "true")
    cli("queue", "move", "first")
    outline = outline_of()
    assert [row[1] for row in rows_of(outline, "running")] == ["live"]
    assert [row[1] for row in rows_of(outline, "waiting")] == ["first", "second"]
    assert [row[2] for row in rows_of(outline, "ended")] == ["bad", "done"]
    assert rows_of(outline, "ended")[1][3:5] == ["4", "val/map_64 0.4"]
    assert rows_of(outline, "ended")[0][-1] == "exit code 1"
    assert dict(outline.facts())["runs"] == "1 running, 2 queued, 1 failed, 1 completed"


def test_one_run_has_its_metrics_too(cli, outline_of):
    cli("run", "--name", "done", "--wait", "--", sys.executable, "-c", LOG)
    cli("run", "--name", "other", "--wait", "--", "true")
    outline = outline_of(1)
    assert [row[2] for row in rows_of(outline, "ended")] == ["done"]
    assert [row[0] for row in rows_of(outline, "metrics")] == ["train/loss", "val/map_64"]


def test_the_document_has_runs_queue_machine_and_alerts(cli, outline_of):
    cli("run", "--name", "live", "--", sys.executable, "-c", LOG + "\nimport time; time.sleep(60)")
    cli("run", "--after", "live", "--", "true")
    cli("queue", "pause", "noon")
    document = outline_of().document()
    assert [run["id"] for run in document["runs"]] == [2, 1]
    assert document["queue"] == {"paused": True, "reason": "noon", "limit": None, "active": [1], "waiting": [2]}
    assert document["machine"]["memory"]["total"] > 0
    assert document["counts"] == {"running": 1, "queued": 1}
    assert document["runs"][1]["progress"]["metric"] == "val/map_64"


def test_the_step_is_the_newest_of_any_attempt_as_in_every_list():
    run = Run(id=1, name="a", kind="train", status="completed", created_at="2026-01-01", host="h",
              summary={"loss": {"last": 1, "step": 5, "top": 9}})  # fmt: skip
    state = Readers.state(SimpleNamespace(series=None, focus=None), run)
    assert state.progress.step == 9


def test_alerts_are_told_with_whose_they_are(cli, outline_of):
    cli("run", "--name", "live", "--", "sleep", "60")
    outline = outline_of()
    alert = {"name": "nan", "severity": "fail", "text": "loss is \x1b[31mNaN", "at": "2026-01-01T00:00:00.000Z"}
    state = outline.states[0]
    ill = state._replace(
        run=state.run.__class__(**{f: getattr(state.run, f) for f in state.run.__struct_fields__} | {"alerts": [alert]})
    )
    outline = replace(outline, states=(ill,))
    assert any(words.startswith("run 1 live: loss is NaN (") for name, words in outline.facts() if name == "alert")
    assert outline.document()["alerts"] == [{"run": 1} | alert]


def test_a_gpu_is_a_line_and_in_json_as_mlhub_gpu_has_it(cli, outline_of):
    card = Card(CARD, "NVIDIA H100", (), (3, 4))
    assert gpu_words(card) == "NVIDIA H100: 93 %, 71.0 GB of 80.0 GB, 74 °C, 310 W, runs 3, 4"
    reading = Reading(at=1.0, cards=(card,), memory=Memory(10, 4), disk=Disk(10, 5), cpu=40.0)
    cli("ls")
    outline = replace(outline_of(), reading=reading, cpu=40.0)
    assert ("GPU 0", gpu_words(card)) in outline.facts()
    assert outline.document()["gpus"][0]["claimed"] == [3, 4]
    assert outline.document()["gpus"][0]["memory"] == {
        "total": 80_000_000_000,
        "used": 71_000_000_000,
        "unified": False,
    }


def test_a_gpu_that_tells_nothing_has_no_figures():
    bare = Gpu(1, "GB10", GpuMemory(None, None, True), None, None, None, ())
    assert gpu_words(Card(bare, "GB10")) == "GB10: no figures"
