"""NVML as nvidia-ml-py has it, of GPUs that a JSON file describes: what tests put before the real one on PYTHONPATH.

The file is named by FAKE_NVML and read anew at each question, so that several processes see it and a test can change
it while they run (write it under another name and rename). No file, or `"driver": false`: no driver, mid-way too.

    {"driver": true, "gpus": [{"name": "NVIDIA H100", "uuid": "GPU-0", "memory": {"total": 8e10, "used": 0},
      "utilization": 93, "temperature": 61, "power": 345.6, "power_limit": 700, "clock": 1980,
      "processes": [{"pid": 7, "memory": 4e9}], "lost": false, "refuse": {"power": 4}}]}

A field left out answers NOT_SUPPORTED, as memory does on GB10 (`"integrated": true` does that to memory); `refuse`
gives a field another NVML error; a `lost` GPU has no handle. Power in watts; a process's memory may be null.
"""
# ruff: noqa: N801, N802, N818 - nvidia-ml-py's names

from __future__ import annotations

import json
import os
from types import SimpleNamespace
from typing import Any, Self

NVML_TEMPERATURE_GPU = 0
NVML_CLOCK_SM = 1
NVML_ERROR_UNINITIALIZED = 1
NVML_ERROR_INVALID_ARGUMENT = 2
NVML_ERROR_NOT_SUPPORTED = 3
NVML_ERROR_NO_PERMISSION = 4
NVML_ERROR_DRIVER_NOT_LOADED = 9
NVML_ERROR_GPU_IS_LOST = 15
NVML_ERROR_UNKNOWN = 999

_WORDS = {1: "Uninitialized", 2: "Invalid Argument", 3: "Not Supported", 4: "Insufficient Permissions",
          9: "Driver Not Loaded", 15: "GPU is lost", 999: "Unknown Error"}  # fmt: skip
_initialized = 0


class NVMLError(Exception):
    def __new__(cls, value: int) -> Self:
        return super().__new__(_CLASSES.get(value, cls) if cls is NVMLError else cls, value)

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.value = value

    def __str__(self) -> str:
        return _WORDS.get(self.value, f"NVML Error with code {self.value}")


class NVMLError_NotSupported(NVMLError):
    pass


class NVMLError_DriverNotLoaded(NVMLError):
    pass


class NVMLError_Uninitialized(NVMLError):
    pass


class NVMLError_GpuIsLost(NVMLError):
    pass


_CLASSES = {1: NVMLError_Uninitialized, 3: NVMLError_NotSupported, 9: NVMLError_DriverNotLoaded,
            15: NVMLError_GpuIsLost}  # fmt: skip


def _state() -> dict[str, Any]:
    try:
        with open(os.environ.get("FAKE_NVML", ""), encoding="utf-8") as file:
            state: dict[str, Any] = json.load(file)
    except FileNotFoundError:
        return {"driver": False}
    return state


def _driver() -> dict[str, Any]:
    """The state of a driver that is there and was asked to begin."""
    if not _initialized:
        raise NVMLError(NVML_ERROR_UNINITIALIZED)
    state = _state()
    if not state.get("driver", True):
        raise NVMLError(NVML_ERROR_UNKNOWN)  # what a driver that was unloaded answers to those it had
    return state


def _field(handle: int, name: str) -> Any:
    gpus = _driver().get("gpus", [])
    if handle >= len(gpus) or gpus[handle].get("lost"):
        raise NVMLError(NVML_ERROR_GPU_IS_LOST)
    gpu = gpus[handle]
    if name in gpu.get("refuse", {}):
        raise NVMLError(gpu["refuse"][name])
    if gpu.get(name) is None or (name == "memory" and gpu.get("integrated")):
        raise NVMLError(NVML_ERROR_NOT_SUPPORTED)
    return gpu[name]


def nvmlInit() -> None:
    global _initialized  # noqa: PLW0603 - as the library counts
    if not _state().get("driver", True):
        raise NVMLError(NVML_ERROR_DRIVER_NOT_LOADED)
    _initialized += 1


def nvmlShutdown() -> None:
    global _initialized  # noqa: PLW0603
    if not _initialized:
        raise NVMLError(NVML_ERROR_UNINITIALIZED)
    _initialized -= 1


def nvmlDeviceGetCount() -> int:
    return len(_driver().get("gpus", []))


def nvmlDeviceGetHandleByIndex(index: int) -> int:
    gpus = _driver().get("gpus", [])
    if index >= len(gpus):
        raise NVMLError(NVML_ERROR_INVALID_ARGUMENT)
    if gpus[index].get("lost"):
        raise NVMLError(NVML_ERROR_GPU_IS_LOST)
    return index


def nvmlDeviceGetName(handle: int) -> str:
    return str(_field(handle, "name"))


def nvmlDeviceGetUUID(handle: int) -> str:
    return str(_field(handle, "uuid"))


def nvmlDeviceGetMemoryInfo(handle: int) -> SimpleNamespace:
    memory = _field(handle, "memory")
    total, used = int(memory["total"]), int(memory["used"])
    return SimpleNamespace(total=total, used=used, free=total - used)


def nvmlDeviceGetUtilizationRates(handle: int) -> SimpleNamespace:
    return SimpleNamespace(gpu=int(_field(handle, "utilization")), memory=0)


def nvmlDeviceGetTemperature(handle: int, sensor: int) -> int:
    assert sensor == NVML_TEMPERATURE_GPU
    return int(_field(handle, "temperature"))


def nvmlDeviceGetPowerUsage(handle: int) -> int:
    return round(1000 * _field(handle, "power"))


def nvmlDeviceGetEnforcedPowerLimit(handle: int) -> int:
    return round(1000 * _field(handle, "power_limit"))


def nvmlDeviceGetClockInfo(handle: int, kind: int) -> int:
    assert kind == NVML_CLOCK_SM
    return int(_field(handle, "clock"))


def nvmlDeviceGetComputeRunningProcesses(handle: int) -> list[SimpleNamespace]:
    return [
        SimpleNamespace(pid=int(one["pid"]), usedGpuMemory=None if one.get("memory") is None else int(one["memory"]))
        for one in _field(handle, "processes")
    ]
