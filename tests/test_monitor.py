"""The readings, driven with recorded answers of cards this machine does not have, through NVML's own functions."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pynvml
import pytest

from mlhub import monitor
from tests.nvml import GIB, FakeNvml, h100

#: beyond any the kernel gives
_NO_PID = 1 << 23


def card(monkeypatch: pytest.MonkeyPatch, **answers: object) -> None:
    """NVML answers as given; what is not given it refuses, as a GB10 does its memory."""

    def answer(name: str) -> object:
        def call(*_: object) -> object:
            if name not in answers:
                raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
            return answers[name]

        return call

    for name in ("DeviceGetMemoryInfo", "DeviceGetUtilizationRates", "DeviceGetTemperature", "DeviceGetPowerUsage",
                 "DeviceGetName", "DeviceGetComputeRunningProcesses"):  # fmt: skip
        monkeypatch.setattr(pynvml, f"nvml{name}", answer(name))
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlShutdown", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 1)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda _: object())
    monkeypatch.setattr(monitor, "memory", lambda: monitor.Memory(total=120 * GIB, available=100 * GIB))


def test_without_a_driver_there_are_none_and_it_is_said_why() -> None:
    found, why = monitor.gpus()
    assert found == ()
    assert why is not None
    assert "NVIDIA" in why


def test_a_discrete_card_tells_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    card(
        monkeypatch,
        DeviceGetName="NVIDIA H100",
        DeviceGetMemoryInfo=SimpleNamespace(total=80 * GIB, used=5 * GIB),
        DeviceGetUtilizationRates=SimpleNamespace(gpu=93),
        DeviceGetTemperature=61,
        DeviceGetPowerUsage=345_600,
        DeviceGetComputeRunningProcesses=[SimpleNamespace(pid=_NO_PID, usedGpuMemory=4 * GIB)],
    )
    gpu = monitor.gpus()[0][0]
    assert gpu.memory == monitor.GpuMemory(total=80 * GIB, used=5 * GIB, unified=False)
    assert (gpu.utilization, gpu.temperature, gpu.power) == (93, 61, 345.6)
    assert gpu.processes == (monitor.GpuProcess(pid=_NO_PID, memory=4 * GIB),)


def test_where_memory_is_not_supported_the_rest_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    card(
        monkeypatch,
        DeviceGetName="NVIDIA GB10",
        DeviceGetTemperature=50,
        DeviceGetComputeRunningProcesses=[SimpleNamespace(pid=7, usedGpuMemory=3 * GIB)],
    )
    gpu = monitor.gpus()[0][0]
    assert gpu.memory == monitor.GpuMemory(total=120 * GIB, used=3 * GIB, unified=True)
    assert (gpu.temperature, gpu.power, gpu.utilization) == (50, None, None)


def test_a_card_that_claims_the_machine_s_memory_shares_it(monkeypatch: pytest.MonkeyPatch) -> None:
    card(monkeypatch, DeviceGetMemoryInfo=SimpleNamespace(total=119 * GIB, used=50 * GIB))
    assert monitor.gpus()[0][0].memory.unified


def test_a_card_with_more_memory_than_its_machine_is_discrete(monkeypatch: pytest.MonkeyPatch) -> None:
    card(monkeypatch, DeviceGetMemoryInfo=SimpleNamespace(total=140 * GIB, used=0))
    assert not monitor.gpus()[0][0].memory.unified


def test_memory_and_disk_are_read(tmp_path: Path) -> None:
    found = monitor.memory()
    assert found.total > found.available > 0
    space = monitor.disk(tmp_path)
    assert space is not None
    assert space.total >= space.free > 0


def test_a_folder_that_is_not_there_has_no_disk(tmp_path: Path) -> None:
    assert monitor.disk(tmp_path / "none") is None


@pytest.fixture
def nvml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    fake = FakeNvml(tmp_path, h100())
    fake.install(monkeypatch)
    return fake


def one(session: monitor.Nvml) -> monitor.Gpu:
    found, _ = session.gpus()
    assert len(found) == 1
    return found[0]


def test_a_card_that_tells_them_has_uuid_clock_and_power_limit(nvml: FakeNvml) -> None:
    gpu = one(monitor.Nvml())
    assert (gpu.uuid, gpu.clock, gpu.power_limit) == ("GPU-0", 345, 700)


@pytest.mark.parametrize("field", ["utilization", "temperature", "power", "clock", "uuid", "power_limit"])
def test_a_refused_field_costs_no_other(nvml: FakeNvml, field: str) -> None:
    whole = one(monitor.Nvml())
    nvml.set(h100(refuse={field: 999}))
    lacking = one(monitor.Nvml())
    assert [name for name in whole.__struct_fields__ if getattr(lacking, name) != getattr(whole, name)] == [field]
    assert getattr(lacking, field) is None


def test_a_card_whose_memory_fails_has_not_become_a_shared_one(nvml: FakeNvml) -> None:
    nvml.set(h100(refuse={"memory": 999}))
    assert one(monitor.Nvml()).memory == monitor.GpuMemory(total=None, used=None, unified=False)


def test_an_integrated_gpu_shares_the_machine_s_memory(nvml: FakeNvml) -> None:
    nvml.set(h100(integrated=True, processes=[{"pid": _NO_PID, "memory": 3 * GIB}]))
    assert one(monitor.Nvml()).memory == monitor.GpuMemory(total=monitor.memory().total, used=3 * GIB, unified=True)


def test_one_of_several_cards_is_discrete_whatever_it_claims(nvml: FakeNvml) -> None:
    machine = monitor.memory().total
    nvml.set(*[h100(memory={"total": machine, "used": 0})] * 2)
    assert [gpu.memory.unified for gpu in monitor.gpus()[0]] == [False, False]


def test_a_lost_card_leaves_the_others_their_numbers(nvml: FakeNvml) -> None:
    nvml.set(h100(lost=True), h100(temperature=50))
    assert [(gpu.index, gpu.temperature) for gpu in monitor.gpus()[0]] == [(1, 50)]


def test_a_driver_that_vanishes_is_survived_and_found_again(nvml: FakeNvml) -> None:
    session = monitor.Nvml()
    assert one(session).temperature == 40
    nvml.set(driver=False)
    assert session.gpus() == ((), "no NVIDIA driver: Driver Not Loaded")
    nvml.set(h100(temperature=41))
    assert one(session).temperature == 41


def test_a_process_on_a_gpu_has_owner_and_name(nvml: FakeNvml) -> None:
    nvml.set(h100(processes=[{"pid": os.getpid(), "memory": None}]))
    (process,) = one(monitor.Nvml()).processes
    assert process.memory is None
    assert process.name == Path("/proc/self/comm").read_text().strip()
    assert process.user


def test_counters_grow() -> None:
    first = monitor.counters()
    sum(range(1_000_000))
    second = monitor.counters()
    assert first.cpu_all is not None
    assert second.cpu_all is not None
    assert second.cpu_all >= first.cpu_all > 0
