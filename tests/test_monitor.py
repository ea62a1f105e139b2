"""The readings, driven with recorded answers of cards this machine does not have, through NVML's own functions."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pynvml
import pytest

from mlhub import monitor

GIB = 1 << 30


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
        DeviceGetComputeRunningProcesses=[SimpleNamespace(pid=7, usedGpuMemory=4 * GIB)],
    )
    gpu = monitor.gpus()[0][0]
    assert gpu.memory == monitor.GpuMemory(total=80 * GIB, used=5 * GIB, unified=False)
    assert (gpu.utilization, gpu.temperature, gpu.power) == (93, 61, 345.6)
    assert gpu.processes == (monitor.GpuProcess(pid=7, memory=4 * GIB),)


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
