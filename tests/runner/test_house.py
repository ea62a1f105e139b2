"""What gc frees and, more, what it never touches."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from mlhub.errors import MlhubError
from mlhub.paths import Home
from mlhub.runner import archive, house, leftovers, record, segments, trash
from mlhub.store.store import Store
from mlhub.text import now, stamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlhub.store.runs import Run

ALL = house.Ages(0, 0, 0, 0)
YOUNG = house.Ages(7, 7, 30)


@pytest.fixture
def store(home) -> Iterator[Store]:
    store = Store.open(home)
    yield store
    store.close()


def make_run(store: Store, status: str = "completed", kind: str = "train", days: float = 0, **more: object) -> Run:
    """A run that ended so many days ago, with the files a training leaves."""
    name = f"run-{len(store.ids())}"
    run = store.get(store.add(name=name, kind=kind, adapter="hashing", created_at=now(), host="here", **more))
    if status != "running":
        ended = stamp(time.time() - 86400 * days)
        store.finish(run, status=status, ended_at=ended, exit_code=0, signal=None, reason=None)
    paths = store.home.run(run.id)
    paths.checkpoints.mkdir(parents=True)
    for name in ("best", "last", "step-10", "step-20"):
        for suffix in ("safetensors", "json"):
            (paths.checkpoints / f"{name}.{suffix}").write_bytes(bytes(50_000))
    (paths.checkpoints / "state.pt").write_bytes(bytes(50_000))
    paths.metrics.write_text("".join(f'{{"step":{n},"time":5.0,"loss":{n / 7}}}\n' for n in range(2000)))
    return store.reload(run)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def free_all(store: Store, *kinds: str, ages: house.Ages = ALL) -> int:
    return sum(house.free(store, item) for item in house.plan(store, ages, kinds).items)


def test_a_plan_changes_nothing(store: Store) -> None:
    run = make_run(store)
    before = names(store.home.run(run.id).checkpoints)
    assert {item.kind for item in house.plan(store, ALL).items} == {"checkpoints", "states", "metrics"}
    assert names(store.home.run(run.id).checkpoints) == before


def test_runners_up_go_and_best_and_last_stay(store: Store) -> None:
    folder = store.home.run(make_run(store).id).checkpoints
    assert free_all(store, "checkpoints") >= 200_000
    assert names(folder) == ["best.json", "best.safetensors", "last.json", "last.safetensors", "state.pt"]


def test_runners_up_stay_where_nothing_better_is_kept(store: Store) -> None:
    folder = store.home.run(make_run(store).id).checkpoints
    for name in ("best", "last"):
        (folder / f"{name}.safetensors").unlink()
    assert free_all(store, "checkpoints") == 0


def test_a_runner_up_that_an_index_is_of_stays(store: Store) -> None:
    folder = store.home.run(make_run(store).id).checkpoints
    make_run(store, kind="index", config={"checkpoint": str(folder / "step-10.safetensors")})
    free_all(store, "checkpoints")
    assert [name for name in names(folder) if name.startswith("step")] == ["step-10.json", "step-10.safetensors"]


def test_files_of_that_name_in_a_users_own_program_stay(store: Store) -> None:
    make_run(store, kind="command")
    assert house.plan(store, ALL, ("checkpoints",)).items == []


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_the_state_of_a_run_that_may_be_resumed_stays(store: Store, status: str) -> None:
    make_run(store, status)
    assert house.plan(store, ALL, ("states",)).items == []


def test_the_state_of_a_completed_run_goes(store: Store) -> None:
    folder = store.home.run(make_run(store).id).checkpoints
    assert free_all(store, "states") >= 50_000
    assert "state.pt" not in names(folder)


def test_nothing_of_an_active_run_is_touched(store: Store) -> None:
    make_run(store, "running")
    assert house.plan(store, ALL).items == []


def test_nothing_of_a_run_is_touched_whose_processes_live_on(store: Store) -> None:
    run = make_run(store, "failed")
    attempt = store.home.run(run.id).attempt(1)
    attempt.root.mkdir(parents=True)
    record.write_json(str(attempt.launch), {"token": "token-of-an-orphan"})
    environment = {"MLHUB_RUN_TOKEN": "token-of-an-orphan"}
    with subprocess.Popen([sys.executable, "-c", "input()"], env=environment, stdin=subprocess.PIPE) as orphan:
        assert leftovers.living(store.home, run.id) == [orphan.pid]
        assert house.plan(store, ALL).items == []
        orphan.kill()


def test_a_run_that_was_started_again_since_the_plan_is_left_alone(store: Store) -> None:
    run = make_run(store)
    items = house.plan(store, ALL).items
    store._change("UPDATE runs SET status = 'queued' WHERE id = :id", id=run.id)
    before = names(store.home.run(run.id).checkpoints)
    assert [house.free(store, item) for item in items] == [0, 0, 0]
    assert names(store.home.run(run.id).checkpoints) == before


def test_a_folder_that_is_a_link_is_not_followed(store: Store, tmp_path: Path) -> None:
    paths = store.home.run(make_run(store).id)
    paths.root.rename(tmp_path / "elsewhere")
    paths.root.symlink_to(tmp_path / "elsewhere")
    assert house.plan(store, ALL).items == []


def test_checkpoints_that_are_a_link_out_of_the_home_are_not_followed(store: Store, tmp_path: Path) -> None:
    paths = store.home.run(make_run(store).id)
    paths.checkpoints.rename(tmp_path / "elsewhere")
    paths.checkpoints.symlink_to(tmp_path / "elsewhere")
    assert house.plan(store, ALL, ("checkpoints", "states", "temporary")).items == []


def test_checkpoints_in_their_own_place_elsewhere_are_freed_there(store: Store, tmp_path: Path) -> None:
    run = make_run(store)
    paths = store.home.run(run.id)
    (tmp_path / "elsewhere").mkdir()
    paths.checkpoints.rename(tmp_path / "elsewhere" / str(run.id))
    paths.checkpoints.symlink_to(tmp_path / "elsewhere" / str(run.id))
    store = Store(Home(store.home.root, store.home.data, tmp_path / "elsewhere"), store._connection)
    assert free_all(store, "checkpoints", "states") >= 250_000
    assert len(names(tmp_path / "elsewhere" / "1")) == 4


def test_the_trash_goes_by_age(store: Store) -> None:
    trash.move(store, make_run(store))
    assert house.plan(store, YOUNG, ("trash",)).items == []
    assert free_all(store, "trash") > 400_000
    assert trash.entries(store.home) == []


def test_the_rest_of_a_removal_that_was_cut_short_goes(store: Store) -> None:
    (store.home.runs / ".removed-5").mkdir(parents=True)
    free_all(store, "trash", ages=YOUNG)
    assert names(store.home.runs) == []


def left_over(path: Path, seconds: float = 7200) -> Path:
    path.write_text("half")
    os.utime(path, (time.time() - seconds,) * 2)
    return path


def test_files_of_dead_writers_go(store: Store) -> None:
    paths = store.home.run(make_run(store).id)
    for name in (".spec.json.4194305", "process.json.4194305.tmp"):
        left_over(paths.root / name)
    left_over(store.home.root / ".config.toml.4194305")
    free_all(store, "temporary")
    assert not [name for name in names(paths.root) + names(store.home.root) if "4194305" in name]


@pytest.mark.parametrize(
    ("name", "seconds"),
    [(".spec.json.{living}", 7200), (".spec.json.4194305", 60), ("notes.tmp", 7200), (".hidden", 7200)],
)
def test_files_of_living_writers_young_files_and_the_users_own_stay(store: Store, name: str, seconds: float) -> None:
    left_over(store.home.run(make_run(store).id).root / name.format(living=os.getpid()), seconds)
    assert house.plan(store, ALL, ("temporary",)).items == []


def test_metrics_of_old_runs_are_packed_and_say_the_same(store: Store) -> None:
    paths = store.home.run(make_run(store, days=31).id).metrics
    before = list(archive.records(paths))
    assert free_all(store, "metrics", ages=YOUNG) > 30_000
    assert (paths.exists(), list(archive.records(paths))) == (False, before)


def test_metrics_of_young_runs_stay(store: Store) -> None:
    make_run(store, days=29)
    assert house.plan(store, YOUNG, ("metrics",)).items == []


def test_logs_of_old_runs_are_compressed_and_say_the_same(store: Store) -> None:
    paths = store.home.run(make_run(store, days=8).id)
    paths.log.write_bytes(b"a line of a log\n" * 100_000)
    assert free_all(store, "logs", ages=YOUNG) > 1_500_000
    assert segments.LogReader(paths).read(0, 32)[0] == b"a line of a log\n" * 2
    assert house.plan(store, YOUNG, ("logs",)).items == []


def test_a_log_that_is_a_link_to_somewhere_is_left_alone(store: Store, tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(bytes(100_000))
    store.home.run(make_run(store, days=8).id).log.symlink_to(tmp_path / "theirs")
    assert house.plan(store, YOUNG, ("logs",)).items == []


def test_without_pyarrow_metrics_stay_and_the_extra_is_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(store, days=31)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    found = house.plan(store, YOUNG, ("metrics",))
    assert found.items == []
    assert "mlhub[archive]" in found.notes[0]


def test_a_damaged_database_is_kept_for_a_while(store: Store) -> None:
    (store.home.root / "mlhub.db.damaged-1").write_bytes(bytes(9000))
    assert house.plan(store, YOUNG, ("databases",)).items == []
    assert free_all(store, "databases") >= 9000


def test_what_is_freed_is_what_the_disk_then_has_more(store: Store) -> None:
    make_run(store)
    folder = store.home.run(1).checkpoints
    before = sum(entry.stat().st_blocks for entry in os.scandir(folder)) * 512
    freed = free_all(store, "checkpoints", "states")
    assert freed == before - sum(entry.stat().st_blocks for entry in os.scandir(folder)) * 512


def test_a_kind_there_is_not_is_refused() -> None:
    with pytest.raises(MlhubError, match="no such thing: datasets"):
        house.check_kinds("trash,datasets")


def test_ages_come_from_the_settings_or_from_the_command_line() -> None:
    from mlhub.settings import Settings

    settings = Settings(trash_days=1, compress_log_days=2, compact_days=3)
    assert msgspec.to_builtins(house.Ages.of(settings)) == {"trash": 1, "logs": 2, "metrics": 3, "databases": 30.0}
    assert house.Ages.of(settings, 5, 0) == house.Ages(0, 5, 5, 5)
