"""What the machine is and does now: one frozen snapshot of memory, disk and GPUs. It never raises.

Each NVML field is asked for on its own: on GB10 (DGX Spark) memory isn't supported, and one refusal must not cost the
rest. Not a sampler over time, and not whose run a process is.
"""

from __future__ import annotations

import shutil
from typing import Any

import msgspec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: a card that claims about the machine's own memory shares it; a discrete one in a small machine may have more
_UNIFIED_SHARE = (0.9, 1.02)


class GpuMemory(msgspec.Struct, frozen=True):
    """Bytes. `unified`: shared with the processor, `total` and `used` then are the machine's."""

    total: int | None
    used: int | None
    unified: bool


class GpuProcess(msgspec.Struct, frozen=True):
    """A process on a GPU; memory in bytes, where the driver tells."""

    pid: int
    memory: int | None


class Gpu(msgspec.Struct, frozen=True):
    """One accelerator; None stands for what the driver doesn't tell. °C, W, percent."""

    index: int
    name: str
    memory: GpuMemory
    utilization: int | None
    temperature: int | None
    power: float | None
    processes: tuple[GpuProcess, ...]


class Memory(msgspec.Struct, frozen=True):
    """The machine's memory in bytes."""

    total: int
    available: int


class Disk(msgspec.Struct, frozen=True):
    """A folder's file system in bytes."""

    total: int
    free: int


def memory() -> Memory:
    """The machine's memory, from /proc/meminfo."""
    table: dict[str, int] = {}
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                key, _, rest = line.partition(":")
                table[key] = int(rest.split()[0]) * 1024
    except (OSError, ValueError):
        pass
    return Memory(table.get("MemTotal", 0), table.get("MemAvailable", 0))


def disk(folder: Path) -> Disk | None:
    """The file system `folder` lies on."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return Disk(usage.total, usage.free)


def gpus() -> tuple[tuple[Gpu, ...], str | None]:
    """The NVIDIA GPUs, and why there are none, if there are none."""
    try:
        import pynvml
    except ImportError:
        return (), "nvidia-ml-py is not installed"
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return (), f"no NVIDIA driver: {error}"
    try:
        count = _ask(pynvml.nvmlDeviceGetCount) or 0
        return tuple(gpu for index in range(count) if (gpu := _gpu(pynvml, index)) is not None), None
    finally:
        _ask(pynvml.nvmlShutdown)


def _gpu(nvml: Any, index: int) -> Gpu | None:  # noqa: ANN401 - a module
    handle = _ask(nvml.nvmlDeviceGetHandleByIndex, index)
    if handle is None:
        return None
    processes = tuple(
        GpuProcess(pid=process.pid, memory=getattr(process, "usedGpuMemory", None))
        for process in _ask(nvml.nvmlDeviceGetComputeRunningProcesses, handle) or ()
    )
    rates = _ask(nvml.nvmlDeviceGetUtilizationRates, handle)
    power = _ask(nvml.nvmlDeviceGetPowerUsage, handle)
    name = _ask(nvml.nvmlDeviceGetName, handle)
    return Gpu(
        index=index,
        name=name.decode() if isinstance(name, bytes) else name or "unknown GPU",
        memory=_gpu_memory(_ask(nvml.nvmlDeviceGetMemoryInfo, handle), processes),
        utilization=None if rates is None else rates.gpu,
        temperature=_ask(nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU),
        power=None if power is None else power / 1000,
        processes=processes,
    )


def _gpu_memory(info: Any, processes: tuple[GpuProcess, ...]) -> GpuMemory:  # noqa: ANN401 - a ctypes structure
    """The card's memory; where it is the machine's own, used is what the processes on the GPU hold."""
    machine = memory()
    low, high = (share * machine.total for share in _UNIFIED_SHARE)
    if info is not None and not low <= info.total <= high:
        return GpuMemory(total=info.total, used=info.used, unified=False)
    return GpuMemory(total=machine.total, used=sum(process.memory or 0 for process in processes), unified=True)


def _ask(function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - NVML's own types
    """The answer, or None where the driver refuses, has vanished, or knows no such function."""
    try:
        return function(*arguments)
    except Exception:  # telemetry never raises: NVMLError, and ctypes' own on an old library
        return None
