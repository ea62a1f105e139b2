"""The trash: a run goes there whole and comes back the same, whatever dies in between."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlhub.errors import MlhubError, NotFoundError
from mlhub.paths import Home
from mlhub.runner import folder, trash
from mlhub.store.store import Store
from mlhub.text import now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.store.runs import Run


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    store = Store.open(home)
    yield store
    store.close()


def make_run(store: Store, name: str = "otter") -> Run:
    """An ended run with a folder."""
    run = store.reload(
        store.get(store.add(name=name, kind="train", created_at=now(), host="here", tags=("a", "b"), group="g"))
    )
    store.finish(run, status="failed", ended_at=now(), exit_code=3, signal=None, reason="exit code 3")
    paths = store.home.run(run.id)
    paths.root.mkdir(parents=True)
    paths.metrics.write_text('{"step":1,"loss":0.5}\n')
    return store.reload(run)


def test_a_moved_run_has_no_row_and_its_folder_is_in_the_trash(store: Store) -> None:
    run = make_run(store)
    entry = trash.move(store, run)
    assert (store.get(run.id), entry.path.name) == (None, "1-otter")
    assert (entry.path / "metrics.jsonl").read_text() == '{"step":1,"loss":0.5}\n'
    assert not os.path.lexists(store.home.run(run.id).root)


def test_a_restored_run_has_the_row_it_had(store: Store) -> None:
    run = make_run(store)
    back, left = trash.restore(store, trash.move(store, run))
    assert (back, left) == (run, [])
    assert os.listdir(store.home.run(run.id).root) == ["metrics.jsonl"]


def test_a_run_whose_name_was_given_anew_comes_back_under_its_id(store: Store) -> None:
    entry = trash.move(store, make_run(store))
    make_run(store)
    assert trash.restore(store, entry)[0].name == "otter-1"


@pytest.mark.parametrize("row", ["", "[]", '{"row":{"name":5}}', '{"row":{"name":"x","kind":"y","status":"running"}}'])
def test_a_run_whose_kept_row_is_garbled_comes_back_as_its_folder_tells(store: Store, row: str) -> None:
    entry = trash.move(store, make_run(store))
    (entry.path / "row.json").write_text(row)
    (entry.path / "spec.json").write_text('{"name":"as-told","created_at":"2026-01-01T00:00:00Z"}')
    back, _ = trash.restore(store, entry)
    assert (back.name, back.status) == ("as-told", "failed")


def test_a_name_that_is_no_file_name_is_made_one(store: Store) -> None:
    entry = trash.move(store, make_run(store, "../강아지/" + "x" * 300))
    assert entry.path.parent == store.home.root / "trash"
    assert trash.find(store.home, "1").name.startswith("../강아지/")


def test_a_run_is_found_by_id_by_name_and_not_by_another(store: Store) -> None:
    trash.move(store, make_run(store))
    assert trash.find(store.home, "otter").id == trash.find(store.home, "1").id == 1
    with pytest.raises(NotFoundError):
        trash.find(store.home, "beaver")


def test_an_id_in_the_trash_is_taken(store: Store) -> None:
    trash.move(store, make_run(store))
    assert trash.taken(store.home, 1)
    assert not trash.taken(store.home, 2)
    assert trash.last_id(store.home) == 1


def test_a_run_in_the_trash_is_not_brought_back_by_a_rebuild(store: Store) -> None:
    trash.move(store, make_run(store))
    assert folder.rebuild(store) == 0


def test_a_purged_run_leaves_nothing(store: Store) -> None:
    run = make_run(store)
    assert trash.purge_run(store, run) > 0
    assert (store.get(run.id), os.listdir(store.home.runs)) == (None, [])


def test_a_run_in_the_trash_can_be_purged(store: Store) -> None:
    entry = trash.move(store, make_run(store))
    assert trash.purge(entry) > 0
    assert trash.entries(store.home) == []


def test_a_folder_that_is_a_link_is_not_followed(store: Store, tmp_path: Path) -> None:
    run = make_run(store)
    root = store.home.run(run.id).root
    root.rename(tmp_path / "elsewhere")
    root.symlink_to(tmp_path / "elsewhere")
    trash.purge_run(store, run)
    assert (tmp_path / "elsewhere" / "metrics.jsonl").exists()


def elsewhere(store: Store, tmp_path: Path) -> Store:
    """The same store, with checkpoints and logs in folders of their own."""
    home = Home(store.home.root, store.home.data, tmp_path / "checkpoints", tmp_path / "logs")
    return Store(home, store._connection)


def with_links(store: Store) -> Run:
    run = make_run(store)
    paths = store.home.run(run.id)
    for link, target in ((paths.checkpoints, "checkpoints"), (paths.log, "logs")):
        root = getattr(store.home, target) / str(run.id)
        root.mkdir(parents=True)
        (root / "output.log").write_text("x")
        link.symlink_to(root if target == "checkpoints" else root / "output.log")
    return run


def test_folders_elsewhere_go_and_come_back_with_their_run(store: Store, tmp_path: Path) -> None:
    store = elsewhere(store, tmp_path)
    run = with_links(store)
    entry = trash.move(store, run)
    assert [os.listdir(tmp_path / name) for name in ("checkpoints", "logs")] == [[".trash"], [".trash"]]
    assert len(entry.linked) == 2
    trash.restore(store, entry)
    assert store.home.run(run.id).log.read_text() == "x"


def test_folders_elsewhere_are_purged_with_their_run(store: Store, tmp_path: Path) -> None:
    store = elsewhere(store, tmp_path)
    trash.purge(trash.move(store, with_links(store)))
    assert not [path for path in (tmp_path / "checkpoints").rglob("*") if path.is_file()]


def test_two_homes_that_share_a_folder_keep_their_trash_apart(store: Store, tmp_path: Path) -> None:
    store = elsewhere(store, tmp_path)
    other = Home(tmp_path / "second", store.home.data, tmp_path / "checkpoints")
    assert trash.linked_trash(store.home, tmp_path) != trash.linked_trash(other, tmp_path)


def test_a_link_that_leads_to_another_runs_folder_takes_nothing(store: Store, tmp_path: Path) -> None:
    store = elsewhere(store, tmp_path)
    with_links(store)
    evil = make_run(store, "evil")
    store.home.run(evil.id).checkpoints.symlink_to(tmp_path / "checkpoints" / "1")
    trash.move(store, evil)
    assert (tmp_path / "checkpoints" / "1" / "output.log").exists()


@pytest.mark.parametrize("remove", [trash.move, trash.purge_run])
def test_a_run_that_was_started_again_meanwhile_stays(store: Store, remove) -> None:
    run = make_run(store)
    store.requeue(run, retries=0, claimed_boot=0.0, priority=0, gpus_wanted=0, after=[], slots=0)
    with pytest.raises(MlhubError, match="started again"):
        remove(store, run)
    assert store.home.run(run.id).metrics.exists()


KILL_AT = """
import os, sys
from mlhub.runner import trash
from mlhub.settings import Settings
from mlhub.store.store import Store
what, run_id, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
store = Store.open(Settings.load().to_home())
run = store.get(run_id)
entry = None if run else trash.find(store.home, str(run_id))
calls = 0
def watch(event, arguments):
    global calls
    if event in ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "open", "delete"):
        calls += 1
        if calls == last:
            os.kill(os.getpid(), 9)
delete = store.delete
store.delete = lambda run: (watch("delete", ()), delete(run))[1]
sys.addaudithook(watch)
{"move": lambda: trash.move(store, run), "purge": lambda: trash.purge_run(store, run),
 "restore": lambda: trash.restore(store, entry)}[what]()
"""


def die_at(home: Home, what: str, run: Run, step: int) -> bool:
    """Do `what` and be killed at the `step`-th change of a file; False once there are not that many."""
    environment = {**os.environ, "MLHUB_HOME": str(home.root)}
    done = subprocess.run([sys.executable, "-c", KILL_AT, what, str(run.id), str(step)], env=environment, check=False)
    assert done.returncode in (0, -9)
    return done.returncode == -9


def test_a_move_that_dies_at_any_step_is_finished_by_another(store: Store) -> None:
    for step in range(1, 100):
        run = make_run(store, f"otter-{step}")
        died = die_at(store.home, "move", run, step)
        if store.get(run.id) is not None:
            trash.move(store, run)
        back, _ = trash.restore(store, trash.find(store.home, str(run.id)))
        assert (back, store.home.run(run.id).metrics.exists()) == (run, True)
        if not died:
            break
    assert step > 4


def test_a_restoration_that_dies_at_any_step_is_finished_by_another(store: Store) -> None:
    for step in range(1, 100):
        run = make_run(store, f"otter-{step}")
        trash.move(store, run)
        died = die_at(store.home, "restore", run, step)
        if trash.taken(store.home, run.id) and not store.home.run(run.id).root.exists():
            trash.restore(store, trash.find(store.home, str(run.id)))
        assert (store.get(run.id), store.home.run(run.id).metrics.exists()) == (run, True)
        if not died:
            break
    assert step > 3


def test_a_purge_that_dies_at_any_step_is_finished_by_another(store: Store) -> None:
    for step in range(1, 100):
        run = make_run(store, f"otter-{step}")
        died = die_at(store.home, "purge", run, step)
        if store.get(run.id) is not None:
            trash.purge_run(store, run)
        assert (store.get(run.id), os.listdir(store.home.runs)) == (None, [])
        if not died:
            break
    assert step > 3
