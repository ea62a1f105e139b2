from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from mlhub.errors import MlhubError, StoreError
from mlhub.foreign.find import find
from mlhub.runner import staging, trash
from mlhub.runner.folder import rebuild
from mlhub.runner.importing import Importer, Wanted, importing, usable
from mlhub.runner.reconcile import elapsed, refresh, refresh_active
from mlhub.runner.resume import resume
from mlhub.runner.staging import Staging
from mlhub.runner.submit import Request, submit
from mlhub.store.store import Store
from tests.foreign.collect import SAMPLES
from tests.foreign.test_tensorboard import scalars, write


@pytest.fixture
def store(home):
    store = Store.open(home)
    yield store
    store.close()


def bring(store, path, **wanted):
    """Import all below `path`; what became of each."""
    with importing(store) as importer:
        return [importer.add(source, Wanted(**wanted)) for source in find(path, print, lambda _: None)]


def records(store, run_id):
    return [json.loads(line) for line in store.home.run(run_id).metrics.read_text().splitlines()]


def facts(run):
    """What must survive the loss of the database."""
    names = ("id", "name", "kind", "status", "group", "tags", "note", "created_at", "started_at", "ended_at", "reason")
    return {name: getattr(run, name) for name in (*names, "exit_code", "host", "config", "summary", "duration")}


def test_an_imported_run_has_its_own_dates_status_and_records(store, tmp_path):
    write(tmp_path / "exp", scalars((0, b"loss", 2.0), (60, b"loss", 1.0), (60, b"acc", float("nan"))))
    [outcome] = bring(store, tmp_path, group="old", tags=("mine",))
    run = store.get(outcome.run_id)
    assert (outcome.action, run.name, run.status, run.condition, run.reason) == (
        "imported", "exp", "completed", None, "imported",
    )  # fmt: skip
    assert (run.group, run.tags, run.kind) == ("old", ["mine"], "train")
    assert run.started_at == "2023-11-14T22:13:20.000Z"
    assert elapsed(run) == 60
    assert run.summary["loss"] == {"last": 1.0, "min": 1.0, "max": 2.0, "step": 60}
    assert run.summary["acc"]["last"] == "NaN"
    assert records(store, run.id)[1] == {"step": 60, "time": 1.7e9 + 60, "loss": 1.0, "acc": "NaN"}
    assert refresh(store, run).summary == run.summary


def test_a_second_import_doubles_nothing(store):
    first = bring(store, SAMPLES)
    before = [facts(run) for run in store.newest(100)]
    assert {outcome.action for outcome in first} == {"imported"}
    assert {outcome.action for outcome in bring(store, SAMPLES)} == {"unchanged"}
    assert [facts(run) for run in store.newest(100)] == before


def test_what_a_live_run_has_added_is_added(store, tmp_path):
    file = write(tmp_path / "exp", scalars((0, b"loss", 2.0)))
    [first] = bring(store, tmp_path)
    with open(file, "ab") as out:
        out.write(scalars((1, b"loss", 1.0)))
    [second] = bring(store, tmp_path)
    assert (second.action, second.run_id) == ("updated", first.run_id)
    assert [record["step"] for record in records(store, first.run_id)] == [0, 1]
    run = store.get(first.run_id)
    assert run.summary["loss"]["last"] == 1.0
    assert elapsed(run) == 1
    assert [outcome.action for outcome in bring(store, tmp_path)] == ["unchanged"]


def test_a_users_own_labels_outlast_an_update(store, tmp_path):
    from mlhub.runner.labels import change_note, change_tags

    file = write(tmp_path / "exp", scalars((0, b"loss", 2.0)))
    [first] = bring(store, tmp_path)
    change_note(store, change_tags(store, store.get(first.run_id), ["good"]), "mine")
    with open(file, "ab") as out:
        out.write(scalars((1, b"loss", 1.0)))
    bring(store, tmp_path)
    run = store.get(first.run_id)
    assert (run.tags, run.note) == (["good"], "mine")


def test_a_source_that_became_smaller_takes_nothing_away(store, tmp_path):
    file = write(tmp_path / "exp", scalars((0, b"loss", 2.0), (1, b"loss", 1.0)))
    [first] = bring(store, tmp_path)
    write(tmp_path / "exp", scalars((0, b"loss", 2.0)))
    [second] = bring(store, tmp_path)
    assert second.action == "unchanged"
    assert "smaller" in second.told[0]
    assert len(records(store, first.run_id)) == 2
    assert file.exists()


def test_a_copy_of_a_source_is_the_same_run(store, tmp_path):
    write(tmp_path / "exp", scalars((0, b"loss", 2.0)))
    bring(store, tmp_path)
    shutil.copytree(tmp_path / "exp", tmp_path / "backup")
    assert {outcome.action for outcome in bring(store, tmp_path)} == {"unchanged"}
    shutil.rmtree(tmp_path / "exp")  # moved: it may go on at the new place
    with open(next((tmp_path / "backup").iterdir()), "ab") as out:
        out.write(scalars((1, b"loss", 1.0)))
    [outcome] = bring(store, tmp_path)
    assert outcome.action == "updated"


def heard(function, asked):
    """`function`, of a path, which is put into `asked`."""

    def call(path, *more, **options):
        asked.append(str(path))
        return function(path, *more, **options)

    return call


def test_where_our_own_runs_wrote_is_not_looked_at(store, tmp_path, monkeypatch):
    run = submit(store, Request(("true",)))
    write(tmp_path / "exp", scalars((0, b"loss", 2.0)))
    (tmp_path / "link").symlink_to(tmp_path / "exp")
    gone = "/net/gone/checkpoints/a.ckpt"
    told = [gone, str(tmp_path / "exp" / "checkpoints" / "b.ckpt"), "s3://bucket/c.ckpt", 7]
    paths = store.home.run(run.id)
    paths.saved.write_text("".join(json.dumps({"path": path}) + "\n" for path in told))
    paths.capture.write_text(json.dumps({"logs": ["/net/gone/version_0", "relative", None]}))
    asked = []
    for name in ("stat", "lstat", "readlink", "open"):
        monkeypatch.setattr(os, name, heard(getattr(os, name), asked))
    assert [outcome.action for outcome in bring(store, tmp_path / "exp")] == ["captured"]
    assert [outcome.action for outcome in bring(store, tmp_path / "link")] == ["captured"]
    assert str(paths.saved) in asked
    assert not [path for path in asked if path.startswith("/net")]
    assert [outcome.action for outcome in bring(store, tmp_path / "exp", again=True)] == ["imported"]
    asked.clear()
    assert [outcome.action for outcome in bring(store, tmp_path / "exp")] == ["unchanged"]
    assert str(paths.saved) not in asked  # nor read, where nothing is new


def test_a_removed_run_comes_back_only_when_asked_for(store, tmp_path):
    write(tmp_path / "exp", scalars((0, b"loss", 2.0)))
    [first] = bring(store, tmp_path)
    trash.move(store, store.get(first.run_id))
    [second] = bring(store, tmp_path)
    assert (second.action, second.run_id) == ("removed", first.run_id)
    assert store.newest(10) == []
    [third] = bring(store, tmp_path, again=True)
    assert (third.action, third.run_id) == ("imported", first.run_id + 1)
    assert [outcome.action for outcome in bring(store, tmp_path)] == ["unchanged"]


def test_a_lost_database_is_made_anew_with_imported_runs(store, home):
    bring(store, SAMPLES)
    before = [facts(run) for run in store.newest(100)]
    store.close()
    home.database.unlink()
    anew = Store.open(home)
    assert rebuild(anew) == len(before)
    refresh_active(anew)
    assert [facts(refresh(anew, run)) for run in anew.newest(100)] == before
    assert {outcome.action for outcome in bring(anew, SAMPLES)} == {"unchanged"}
    anew.close()


@pytest.mark.parametrize("moment", ["before the rename", "after the rename", "in the records"])
def test_a_kill_leaves_whole_runs_or_none(store, home, tmp_path, monkeypatch, moment):
    for name in "ab":
        write(tmp_path / name, scalars((0, b"loss", 2.0)), name=f"events.out.tfevents.1.box.{name}")
    child = os.fork()
    if child == 0:
        die_at(moment)
        other = Store.open(home)
        bring(other, tmp_path)
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    whole = [run for run in store.newest(10) if refresh(store, run).summary]
    assert len(whole) == len(store.newest(10))
    outcomes = bring(store, tmp_path)
    assert sorted(refresh(store, run).name for run in store.newest(10)) == ["a", "b"]
    assert {outcome.action for outcome in outcomes} <= {"imported", "unchanged"}
    assert sorted(path.name for path in home.runs.iterdir()) == [str(run.id) for run in reversed(store.newest(10))]


def die_at(moment):
    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    rename = Path.rename
    if moment == "in the records":
        Staging.close = die
    else:
        Path.rename = lambda path, target: (moment == "after the rename" and rename(path, target), die())


def waits_for_lock(pid):
    """Return when a process waits for a lock, as the kernel's table of locks says."""
    until = time.monotonic() + 60
    while not any("->" in line and f" {pid} " in line for line in Path("/proc/locks").read_text().splitlines()):
        assert time.monotonic() < until, f"process {pid} does not wait for the lock"
        time.sleep(0.01)


def test_two_imports_at_once_are_one_after_the_other(store, home, tmp_path):
    write(tmp_path / "exp", scalars((0, b"loss", 2.0)))
    reads, writes = os.pipe()
    child = os.fork()  # before the lock is taken: a copy of its descriptor would hold it, too
    if child == 0:
        os.read(reads, 1)
        bring(Store.open(home), tmp_path)
        os._exit(0)
    with importing(store) as importer:
        os.write(writes, b"!")
        waits_for_lock(child)
        [source] = find(tmp_path, print, lambda _: None)
        assert importer.add(source, Wanted()).action == "imported"
    assert os.waitpid(child, 0)[1] == 0
    assert len(store.newest(10)) == 1


def test_a_full_disk_is_said_and_leaves_nothing(store, tmp_path, monkeypatch):
    write(tmp_path / "exp", scalars((0, b"loss", 2.0)))
    (store.home.runs).mkdir()

    def full(self, path, data):
        with staging._writing(self.paths.root), open("/dev/full", "wb", buffering=0) as file:
            file.write(data)

    monkeypatch.setattr(Staging, "_write", full)
    with pytest.raises(StoreError, match="No space left"):
        bring(store, tmp_path)
    assert store.newest(10) == []
    assert list(store.home.runs.iterdir()) == []


def test_what_can_not_be_read_costs_only_itself(store, tmp_path):
    write(tmp_path / "a", scalars((0, b"loss", 2.0)), name="events.out.tfevents.1.box.a")
    write(tmp_path / "b", scalars((0, b"loss", 2.0)), name="events.out.tfevents.1.box.b")
    sources = find(tmp_path, print, lambda _: None)
    shutil.rmtree(tmp_path / "a")
    with importing(store) as importer:
        outcomes = [importer.add(source, Wanted()) for source in sources]
    assert [outcome.action for outcome in outcomes] == ["failed", "imported"]


def test_names_are_made_usable_and_unique(store, tmp_path):
    for folder in ("x/exp", "y/exp", "z/exp"):
        (tmp_path / folder).mkdir(parents=True)
        write(tmp_path / folder, scalars((0, b"loss", 2.0)), name=f"events.out.tfevents.1.box.{folder[0]}")
    assert [outcome.name for outcome in bring(store, tmp_path)] == ["exp", "exp-2", "exp-3"]
    assert usable("a/b,c\x1b[31m\n@") == "a-b;c @"
    assert usable("-@x") == "x"
    assert usable("../..") == "..-.."
    assert usable("12") == "run-12"
    assert usable("\x00") == "run-"
    assert len(usable("x" * 10_000)) == 100


def test_hostile_names_and_configs_are_bounded_data(store, tmp_path):
    folder = tmp_path / "exp"
    folder.mkdir()
    (folder / "metrics.csv").write_bytes(b'"a\x1b[31m\x00",' + b"x" * 10_000 + b",step\n1,2,0\n3,4,-5\n")
    (folder / "hparams.yaml").write_text(
        'escape: "\\e[31mred\\0"\nlong: ' + "x" * 20_000 + "\napi_key: hunter2hunter2\nnan: .nan\nbig: " + "9" * 400
    )
    [outcome] = bring(store, tmp_path)
    run = store.get(outcome.run_id)
    assert len(run.config["long"]) == 10_000
    assert run.config["api_key"] == "***"
    assert run.config["nan"] == "NaN"
    assert [record["step"] for record in records(store, run.id)] == [0, -5]
    assert run.summary["a\x1b[31m\x00"]["top"] == 0
    json.loads(store.home.run(run.id).spec.read_text())


def test_many_metrics_of_one_run_are_all_there(store, tmp_path):
    write(tmp_path / "exp", scalars(*((0, b"m%d" % number, float(number)) for number in range(20_000))))
    [outcome] = bring(store, tmp_path)
    assert len(store.get(outcome.run_id).summary) == 20_000


def test_an_imported_run_is_not_started_again(store, tmp_path):
    write(tmp_path / "exp", scalars((0, b"loss", 2.0)))
    [outcome] = bring(store, tmp_path)
    with pytest.raises(MlhubError, match="was imported from"):
        resume(store, store.get(outcome.run_id))


def test_only_asking_changes_nothing(store, home, tmp_path):
    write(tmp_path / "exp", scalars((0, b"loss", 2.0)))
    with importing(store, dry_run=True) as importer:
        assert isinstance(importer, Importer)
        outcomes = [importer.expect(source, Wanted()) for source in find(tmp_path, print, lambda _: None)]
    assert [outcome.action for outcome in outcomes] == ["imported"]
    assert store.newest(10) == []
    assert not home.runs.exists()
