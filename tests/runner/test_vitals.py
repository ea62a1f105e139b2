from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlhub import monitor
from mlhub.runner.truth import Evidence
from mlhub.runner.vitals import Tree, Vitals, find_used
from tests.nvml import GIB, FakeNvml, h100
from tests.runner.conftest import Sandbox, eventually


def known(box: Sandbox) -> Evidence:
    found = Evidence.read(box.paths.attempt(1))
    assert found is not None
    return found


def gpu(index: int, *pids: int) -> monitor.Gpu:
    processes = tuple(monitor.GpuProcess(pid, 1) for pid in pids)
    return monitor.Gpu(index, "H100", monitor.GpuMemory(1, 0, False), 0, 40, 70.0, processes, uuid=f"GPU-{index}a")


CARDS = (gpu(0, 11), gpu(1, 12, 13), gpu(2))


@pytest.mark.parametrize(
    ("pids", "visible", "indices", "certain"),
    [
        ({12}, "0", [1], True),
        ({11, 13}, None, [0, 1], True),
        ({99}, "2,0", [0, 2], True),
        ({99}, "GPU-1", [1], True),
        ({99}, "", [], False),
        ({99}, "-1", [], False),
        ({99}, None, [0, 1, 2], False),
    ],
)
def test_a_run_s_gpus_are_those_it_is_on_else_those_it_may_see(
    pids: set[int], visible: str | None, indices: list[int], certain: bool
) -> None:
    found, sure = find_used(CARDS, pids, visible)
    assert ([one.index for one in found], sure) == (indices, certain)


def test_the_tree_has_the_command_its_session_and_what_is_below(box: Sandbox) -> None:
    started = box.shell("setsid sleep 60 & sleep 60 & wait")
    tree = Tree(known(box))
    pids = eventually(lambda: len(found := tree.measure().pids) == 3 and found)
    assert started.pid in pids
    assert started.supervisor_pid not in pids


def test_an_orphan_that_the_supervisor_took_in_is_of_the_run(box: Sandbox) -> None:
    box.shell("(setsid sleep 60 &) ; exec sleep 60")
    tree = Tree(known(box))
    eventually(lambda: len(tree.measure().pids) == 2)


def test_a_run_started_from_within_is_another_s(box: Sandbox) -> None:
    box.shell("MLHUB_RUN_TOKEN=other sh -c '(setsid sleep 60 &)'; exec sleep 60")
    tree = Tree(known(box))
    eventually(lambda: any(p.name == "sleep" for p in box.family()))
    assert len(tree.measure().pids) == 1


def test_the_tree_s_cpu_is_in_percent_of_a_core(box: Sandbox) -> None:
    box.shell("while :; do :; done & while :; do :; done")
    tree = Tree(known(box))
    tree.measure()
    assert eventually(lambda: (tree.measure().cpu or 0) > 30)


def test_memory_is_what_the_processes_hold(box: Sandbox) -> None:
    box.python("hold = b'x' * (64 << 20); import time; time.sleep(60)")
    tree = Tree(known(box))
    assert eventually(lambda: (tree.measure().memory or 0) > 64 << 20)


def test_a_command_that_has_gone_has_no_tree(box: Sandbox) -> None:
    box.shell("exit 0")
    box.over()
    assert Tree(known(box)).measure().pids == set()


def test_a_record_has_the_machine_the_gpu_and_the_run(
    box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = box.shell("exec sleep 60")
    memory = {"total": 80 * GIB, "used": 5 * GIB}
    fake = FakeNvml(tmp_path, h100(), h100(memory=memory, processes=[{"pid": started.pid, "memory": 4 * GIB}]))
    fake.install(monkeypatch)
    record = Vitals(known(box), [tmp_path], None).measure().record
    assert {key: record[key] for key in record if key.startswith("gpu.")} == {
        "gpu.1.util": 0, "gpu.1.memory": 5 * GIB, "gpu.1.temp": 40, "gpu.1.power": 70.5, "gpu.1.clock": 345,
        "gpu.1.memory.total": 80 * GIB, "gpu.1.power.limit": 700,
    }  # fmt: skip
    assert (record["run.gpu_memory"], record["run.processes"]) == (4 * GIB, 1)
    assert record["memory.total"] > record["memory"] > 0
    assert record["disk_free"] > 0
    assert record["cpu.count"] == os.cpu_count()


def test_totals_stand_in_the_first_record_only(box: Sandbox, tmp_path: Path) -> None:
    box.shell("sleep 60")
    vitals = Vitals(known(box), [tmp_path], None)
    vitals.measure()
    assert not {"cpu.count", "memory.total"} & set(vitals.measure().record)


def test_the_fullest_of_the_folders_counts(box: Sandbox, tmp_path: Path) -> None:
    box.shell("sleep 60")
    measured = Vitals(known(box), [tmp_path, tmp_path / "none", Path("/dev/shm")], None).measure()
    assert measured.disk_folder in (str(tmp_path), "/dev/shm")
    assert measured.disk_free == measured.record["disk_free"]
