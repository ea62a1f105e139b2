"""Event files and CSV logs that a run writes: which are taken for its own, and that they are read live, once each."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mlhub.records import current_records
from mlhub.runner import follow_files
from mlhub.runner.follow import Follower, catch_up
from tests.runner.conftest import Sandbox, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

PYTHON = sys.executable
#: writes scalars to FOLDER by the library's own writer, which it never holds open; one more at each file `more-N`
WRITER = """
import os, sys, time
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

root, folders = sys.argv[1], sys.argv[2:]
writers = [EventFileWriter(folder) for folder in folders]
step = 0
while not os.path.exists(f"{root}/go"):
    if step == 0 or os.path.exists(f"{root}/more-{step}"):
        for writer in writers:
            summary = Summary(value=[Summary.Value(tag="loss", simple_value=step / 2)])
            writer.add_event(Event(step=step, wall_time=1.7e9 + step, summary=summary))
            writer.flush()
        step += 1
    time.sleep(0.02)
"""


class Written:
    """A run in a working folder of its own, and what its metrics are."""

    def __init__(self, box: Sandbox) -> None:
        self.box = box
        self.cwd = box.root / "work"
        self.cwd.mkdir()
        self.environment = {**os.environ, "MLHUB_SAMPLE_SECONDS": "0.2"}

    def write(self, *folders: str, sampler: bool = True) -> Any:
        environment = self.environment | ({} if sampler else {"MLHUB_SAMPLER": "0"})
        return self.box.launch(PYTHON, "-c", WRITER, str(self.box.root), *folders, cwd=self.cwd, env=environment)

    def wait(self) -> Any:
        return self.box.launch(
            "sh", "-c", self.box.wait_open("true"), cwd=self.cwd, env={**self.environment, "MLHUB_SAMPLER": "0"}
        )

    def found(self) -> list[dict[str, object]]:
        return list(current_records(self.box.paths.metrics))

    def names(self) -> set[str]:
        return {name for entry in self.found() for name in entry} - {"step", "epoch", "time"}

    def look(self, *pids: int) -> None:
        follower = Follower(self.box.paths, 1)
        follower.find_files(pids)
        follower.look()


@pytest.fixture
def run(box: Sandbox) -> Iterator[Written]:
    yield Written(box)
    box.go()


def events(folder: Path, name: str, tag: str = "loss") -> Path:
    """An event file with one scalar, called `name`."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / name, "wb") as file:
        value = Summary.Value(tag=tag, simple_value=0.5)
        RecordWriter(file).write(Event(step=1, wall_time=1.7e9, summary=Summary(value=[value])).SerializeToString())
    return folder / name


def test_what_its_summary_writer_writes_below_its_folder_is_read_live(run: Written) -> None:
    run.write("runs/exp")
    eventually(lambda: run.found() == [{"step": 0, "time": 1.7e9, "loss": 0.0}])
    (run.box.root / "more-1").touch()
    eventually(lambda: [entry["step"] for entry in run.found()] == [0, 1])
    run.box.go()
    run.box.over()
    assert catch_up(run.box.paths, 1, wait=True)
    assert [entry["loss"] for entry in run.found()] == [0.0, 0.5]


def test_two_writers_of_a_run_are_told_apart_by_their_folders(run: Written) -> None:
    run.write("logs/train", "logs/validation")
    eventually(lambda: run.names() == {"loss", "validation/loss"})


def test_a_file_of_another_process_or_from_before_is_not_its_own(run: Written) -> None:
    old = events(run.cwd / "runs", "events.out.tfevents.1500000000.host.4242.0")
    os.utime(old, (1.5e9, 1.5e9))
    started = run.wait()
    began = int(run.box.paths.attempt(1).launch.stat().st_mtime)
    events(run.cwd / "runs", f"events.out.tfevents.{began}.host.99999999.0")
    run.look(started.pid)
    assert run.found() == []
    events(run.cwd / "runs" / "deep" / "er", f"events.out.tfevents.{began}.host.{started.pid}.0", "mine")
    run.look(started.pid)
    assert run.names() == {"mine"}


def test_a_file_that_one_of_its_processes_holds_open_is_its_own(run: Written, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    script = f"exec 3>>{elsewhere}/events.out.tfevents.1700000000.host; {run.box.wait_open('true')}"
    elsewhere.mkdir()
    started = run.box.launch("sh", "-c", script, cwd=run.cwd, env={**run.environment, "MLHUB_SAMPLER": "0"})
    path = eventually(lambda: next(elsewhere.iterdir(), None))
    path.write_bytes(events(tmp_path / "other", "events.out.tfevents.1.x").read_bytes())
    run.look(started.pid)
    assert run.names() == {"loss"}


def test_files_in_the_run_s_own_folder_are_its_own_whoever_wrote_them(run: Written) -> None:
    run.wait()
    events(run.box.paths.root / "tb", "events.out.tfevents.1700000000.elsewhere.1.0")
    events(run.box.paths.root / "checkpoints" / "tb", "events.out.tfevents.1700000000.elsewhere.1.0", "other")
    run.look()
    assert run.names() == {"loss"}


CSV = "epoch,loss,step\n0,0.5,9\n1,nan,19\n"


def test_lightning_s_csv_log_is_read_though_it_is_written_anew_with_more_columns(run: Written) -> None:
    started = run.wait()
    folder = run.cwd / "lightning_logs" / "version_0"
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text(CSV)
    run.look(started.pid)
    (folder / "metrics.csv").write_text("epoch,loss,step,val\n0,0.5,9,\n1,nan,19,\n1,,19,0.25\n")
    run.look(started.pid)
    found = [{key: value for key, value in entry.items() if key != "time"} for entry in run.found()]
    assert found == [
        {"step": 9, "epoch": 0, "loss": 0.5}, {"step": 19, "epoch": 1, "loss": "NaN"},
        {"step": 19, "epoch": 1, "val": 0.25},
    ]  # fmt: skip


def test_of_two_runs_in_one_folder_no_csv_log_is_taken_for_either_s(run: Written, tmp_path: Path) -> None:
    other = Sandbox(tmp_path / "other")
    try:
        started = run.wait()
        other.launch("sh", "-c", other.wait_open("true"), cwd=run.cwd)
        folder = run.cwd / "lightning_logs" / "version_0"
        folder.mkdir(parents=True)
        (folder / "metrics.csv").write_text(CSV)
        run.look(started.pid)
        assert run.found() == []
    finally:
        other.clear()


def test_of_two_kinds_the_first_found_is_read(run: Written) -> None:
    run.wait()
    (run.box.paths.root / "metrics.csv").write_text(CSV)
    run.look()
    events(run.box.paths.root / "tb", "events.out.tfevents.1700000000.host.1.0", "other")
    run.look()
    assert run.names() == {"loss"}
    assert len(run.found()) == 2


def test_what_the_capture_records_is_not_read_again(run: Written) -> None:
    run.wait()
    (run.box.paths.root / "capture.json").write_text(json.dumps({"metrics": True}))
    events(run.box.paths.root / "tb", "events.out.tfevents.1700000000.host.1.0")
    run.look()
    assert run.found() == []


def test_a_damaged_file_is_read_to_the_damage_and_left(run: Written) -> None:
    run.wait()
    path = events(run.box.paths.root / "tb", "events.out.tfevents.1700000000.host.1.0")
    with open(path, "ab") as file:
        file.write(b"\xff" * 100)
    for _ in range(3):
        run.look()
    assert len(run.found()) == 1


def test_a_folder_of_data_is_not_read_at_all(run: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    data = run.cwd / "images"
    data.mkdir()
    (data / "1.png").touch()
    os.utime(data, (1.5e9, 1.5e9))
    if data.stat().st_nlink != 2:
        pytest.skip("a file system that does not count folders")
    run.wait()
    read: list[str] = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: (read.append(str(folder)), scan(folder))[1])
    follow_files.find(run.box.paths, run.box.paths.attempt(1).launch, str(run.cwd), set())
    assert str(run.cwd) in read
    assert str(data) not in read


def test_a_pipe_or_a_link_called_like_an_event_file_is_not_opened(run: Written) -> None:
    run.wait()
    os.mkfifo(run.box.paths.root / "events.out.tfevents.1700000000.pipe.1.0")
    (run.box.paths.root / "events.out.tfevents.1700000000.link.1.0").symlink_to("/etc/passwd")
    run.look()
    assert run.found() == []
