from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlhub.records import MetricWriter
from mlhub.runner.folder import rebuild
from mlhub.runner.identity import boot_clock
from mlhub.runner.reconcile import glance, refresh, refresh_active, settle
from mlhub.store.store import Store
from mlhub.text import now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.paths import Home
    from mlhub.store.runs import Run


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    store = Store.open(home)
    yield store
    store.close()


def ended(store: Store) -> Run:
    run_id = store.add(name="done", kind="train", created_at=now(), host="here")
    store.home.run(run_id).root.mkdir(parents=True)
    run = store.find("done")
    store.finish(run, status="completed", ended_at=now(), exit_code=0, signal=None, reason=None)
    return store.reload(run)


def test_a_row_that_was_never_launched_waits_ten_seconds(store: Store) -> None:
    store.add(name="young", kind="train", created_at=now(), host="here", claimed_boot=boot_clock())
    assert settle(store, store.find("young")).status == "queued"


def test_after_ten_seconds_it_has_failed(store: Store) -> None:
    store.add(name="old", kind="train", created_at=now(), host="here", claimed_boot=boot_clock() - 11)
    refresh_active(store)
    run = store.find("old")
    assert (run.status, run.reason) == ("failed", "never started: mlhub was ended before the launch")


def test_the_summary_is_folded_once_and_for_all_when_a_run_has_ended(store: Store) -> None:
    run = ended(store)
    writer = MetricWriter(store.home.run(run.id).metrics)
    for step in range(3):
        writer.log({"loss": 3.0 - step}, step=step)
    run = refresh(store, run)
    assert run.summary["loss"] == {"last": 1.0, "min": 1.0, "max": 3.0, "step": 2}
    assert run.summary_done


def test_folding_goes_on_from_the_byte_where_it_stopped(store: Store) -> None:
    store.add(name="live", kind="train", created_at=now(), host="here", claimed_boot=boot_clock())
    run = store.find("live")
    store.home.run(run.id).root.mkdir(parents=True)
    writer = MetricWriter(store.home.run(run.id).metrics)
    writer.log({"loss": 2.0}, step=0)
    first = refresh(store, run)
    writer.log({"loss": 1.0}, step=1)
    second = refresh(store, first)
    assert 0 < first.summary_offset < second.summary_offset
    assert second.summary["loss"]["last"] == 1.0


@pytest.mark.parametrize(
    "spec",
    [b"", b"garbage", b"[1]", b'{"name": 3, "tags": {"a": 1}, "config": [1], "created_at": null}', b"[" * 10_000],
)
def test_a_folder_with_a_broken_spec_comes_back_under_a_name_of_its_own(store: Store, spec: bytes) -> None:
    folder = store.home.run(7).root
    folder.mkdir(parents=True)
    (folder / "spec.json").write_bytes(spec)
    assert rebuild(store) == 1
    refresh_active(store)
    run = store.find("run-7")
    assert (run.id, run.status, run.config) == (7, "failed", {})


def test_rebuilding_twice_restores_nothing_twice(store: Store) -> None:
    folder = store.home.run(7).root
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps({"name": "kept", "created_at": now()}))
    assert (rebuild(store), rebuild(store)) == (1, 0)


def test_a_link_among_the_run_folders_is_not_followed(store: Store, home: Home) -> None:
    (home.root / "elsewhere").mkdir()
    home.runs.mkdir()
    (home.runs / "3").symlink_to(home.root / "elsewhere")
    assert rebuild(store) == 0


def test_two_folders_of_one_name_both_come_back(store: Store) -> None:
    for number in (1, 2):
        folder = store.home.run(number).root
        folder.mkdir(parents=True)
        (folder / "spec.json").write_text(json.dumps({"name": "twin", "created_at": now()}))
    assert rebuild(store) == 2
    assert {run.name for run in store.newest(9)} == {"twin", "twin-2"}


def test_a_list_is_not_broken_by_a_run_that_is_removed_meanwhile(store: Store) -> None:
    run = ended(store)
    store.delete(run)
    assert glance(store, run) == run


def test_a_long_file_is_not_read_anew_for_each_part_that_is_folded(store: Store) -> None:
    run = ended(store)
    line = json.dumps({"step": 1, "note": "x" * (1 << 20), "loss": 0.5}).encode() + b"\n"
    with store.home.run(run.id).metrics.open("wb") as file:
        file.writelines([line] * 80)
    before = bytes_read()
    assert refresh(store, run).summary["loss"]["step"] == 1
    assert bytes_read() - before < 3 * 80 * len(line)  # once for marks, once for records


def bytes_read() -> int:
    """By this process so far, from the cache too."""
    return int(Path("/proc/self/io").read_text().split()[1])
