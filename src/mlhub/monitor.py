"""What the machine is and does now: memory, disk, counters of CPU, network and disks, and the GPUs. It never raises.

Each NVML field is asked for on its own: on GB10 (DGX Spark) memory isn't supported, and one refusal must not cost the
rest. Not a sampler over time, and not whose run a process is.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

import msgspec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

#: bytes on a card that nobody uses
_DRIVERS_OWN = 2 << 30
#: a card that claims about the machine's own memory shares it; a discrete one in a small machine may have more
_UNIFIED_SHARE = (0.9, 1.02)


class GpuMemory(msgspec.Struct, frozen=True):
    """Bytes. `unified`: shared with the processor, `total` and `used` then are the machine's."""

    total: int | None
    used: int | None
    unified: bool


class GpuProcess(msgspec.Struct, frozen=True):
    """A process on a GPU; memory in bytes, where the driver tells. `user` and `name` as /proc has them."""

    pid: int
    memory: int | None
    user: str | None = None
    name: str | None = None


class Gpu(msgspec.Struct, frozen=True):
    """One accelerator; None stands for what the driver doesn't tell. Percent, °C, W; `clock`: of the SMs, in MHz."""

    index: int
    name: str
    memory: GpuMemory
    utilization: int | None
    temperature: int | None
    power: float | None
    processes: tuple[GpuProcess, ...]
    uuid: str | None = None
    power_limit: float | None = None
    clock: int | None = None
    #: whether the driver told who is on it; in a container, or refused, it tells of nobody
    processes_known: bool = True

    @property
    def free(self) -> bool:
        """Whether nobody seems to use it: no process, no more memory in use than a driver takes, no work."""
        used, total = self.memory.used or 0, self.memory.total or 0
        hidden = not self.memory.unified and used > max(_DRIVERS_OWN, total // 10)
        working = not self.processes_known and (self.utilization or 0) > 0
        return not (self.processes or hidden or working)


class Memory(msgspec.Struct, frozen=True):
    """The machine's memory in bytes."""

    total: int
    available: int
    swap_total: int = 0
    swap_free: int = 0


class Disk(msgspec.Struct, frozen=True):
    """A folder's file system in bytes."""

    total: int
    free: int


class Counters(msgspec.Struct, frozen=True):
    """What has grown since boot: seconds of all cores, busy and in all; bytes of networks (not loopback), of disks.

    Two of them make rates. None stands for what the system doesn't tell.
    """

    cpu_busy: float | None = None
    cpu_all: float | None = None
    net_received: int | None = None
    net_sent: int | None = None
    disk_read: int | None = None
    disk_written: int | None = None


def counters() -> Counters:
    """The machine's counters, now."""
    import psutil  # 10 ms, and only a sampler wants it

    cpu = _ask(psutil.cpu_times)
    # guest time is counted in user time too
    total = None if cpu is None else sum(cpu) - getattr(cpu, "guest", 0.0) - getattr(cpu, "guest_nice", 0.0)
    cards = [card for name, card in (_ask(psutil.net_io_counters, True) or {}).items() if name != "lo"]
    disks = _ask(psutil.disk_io_counters)
    return Counters(
        cpu_busy=None if total is None else total - cpu.idle - getattr(cpu, "iowait", 0.0),
        cpu_all=total,
        net_received=sum(card.bytes_recv for card in cards) if cards else None,
        net_sent=sum(card.bytes_sent for card in cards) if cards else None,
        disk_read=disks.read_bytes if disks else None,
        disk_written=disks.write_bytes if disks else None,
    )


def rates(old: Counters, new: Counters, seconds: float) -> dict[str, float | None]:
    """What has grown in `seconds`: `cpu` in percent of the machine, the others in bytes a second.

    Empty if no time has passed. None also for a counter that went back: a network card was taken out, say.
    """
    if seconds <= 0:
        return {}
    busy, whole = _grown(old.cpu_busy, new.cpu_busy), _grown(old.cpu_all, new.cpu_all)
    grown = {
        "net_rx": _grown(old.net_received, new.net_received),
        "net_tx": _grown(old.net_sent, new.net_sent),
        "disk_read": _grown(old.disk_read, new.disk_read),
        "disk_write": _grown(old.disk_written, new.disk_written),
    }
    cpu = min(100.0, 100 * busy / whole) if busy is not None and whole else None
    return {"cpu": cpu} | {name: None if more is None else more / seconds for name, more in grown.items()}


def _grown(old: float | None, new: float | None) -> float | None:
    return None if old is None or new is None or new < old else new - old


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
    names = ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")
    return Memory(*(table.get(name, 0) for name in names))


def disk(folder: Path) -> Disk | None:
    """The file system `folder` lies on."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return Disk(usage.total, usage.free)


def gpus() -> tuple[tuple[Gpu, ...], str | None]:
    """The NVIDIA GPUs, and why there are none, if there are none."""
    session = Nvml()
    try:
        return session.gpus()
    finally:
        session.close()


class Nvml:
    """The driver, asked again and again: beginning costs tens of milliseconds, so it is done once.

    After a driver has vanished (it is being updated, say) it is asked to begin anew at each reading.
    """

    def __init__(self) -> None:
        self._nvml: Any = None

    def gpus(self) -> tuple[tuple[Gpu, ...], str | None]:
        """As `mlhub.monitor.gpus`."""
        try:
            import pynvml
        except Exception as error:  # one that does not fit this Python fails in its own ways
            return (), f"nvidia-ml-py can't be used: {error}"
        count = None if self._nvml is None else _ask(pynvml.nvmlDeviceGetCount)
        if count is None:
            self.close()
            try:
                pynvml.nvmlInit()
                self._nvml = pynvml
                count = pynvml.nvmlDeviceGetCount()
            except Exception as error:  # NVMLError, and ctypes' own on an old library
                return (), f"no NVIDIA driver: {error}"
        return tuple(gpu for index in range(count) if (gpu := _gpu(pynvml, index, count)) is not None), None

    def close(self) -> None:
        """Give the driver back; the next reading begins anew."""
        if self._nvml is not None:
            _ask(self._nvml.nvmlShutdown)
            self._nvml = None


def _gpu(nvml: Any, index: int, count: int) -> Gpu | None:  # noqa: ANN401 - a module
    handle = _ask(nvml.nvmlDeviceGetHandleByIndex, index)
    if handle is None:
        return None
    found = _ask(nvml.nvmlDeviceGetComputeRunningProcesses, handle)
    processes = None if found is None else tuple(_process(process) for process in found)
    rates = _ask(nvml.nvmlDeviceGetUtilizationRates, handle)
    power, limit = (
        _ask(getattr(nvml, name, None), handle)
        for name in ("nvmlDeviceGetPowerUsage", "nvmlDeviceGetEnforcedPowerLimit")
    )
    return Gpu(
        index=index,
        name=_text(_ask(nvml.nvmlDeviceGetName, handle)) or "unknown GPU",
        memory=_gpu_memory(nvml, handle, processes, alone=count == 1),
        utilization=None if rates is None else rates.gpu,
        temperature=_ask(nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU),
        power=None if power is None else power / 1000,
        processes=processes or (),
        processes_known=processes is not None,
        uuid=_text(_ask(nvml.nvmlDeviceGetUUID, handle)),
        power_limit=None if limit is None else limit / 1000,
        clock=_ask(nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_SM),
    )


def _text(value: str | bytes | None) -> str | None:
    """Text as old and new versions of the library give it."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _process(process: Any) -> GpuProcess:  # noqa: ANN401 - a ctypes structure
    """With the owner and name that /proc has for the pid; None for one that can't be seen from here."""
    import pwd

    user = name = None
    try:
        uid = os.stat(f"/proc/{process.pid}").st_uid
        with open(f"/proc/{process.pid}/comm", encoding="utf-8", errors="replace") as file:
            name = file.readline().rstrip("\n")
        user = str(uid)
        user = pwd.getpwuid(uid).pw_name
    except (OSError, KeyError):
        pass
    return GpuProcess(pid=process.pid, memory=getattr(process, "usedGpuMemory", None), user=user, name=name)


def _gpu_memory(nvml: Any, handle: Any, processes: tuple[GpuProcess, ...] | None, *, alone: bool) -> GpuMemory:  # noqa: ANN401
    """The card's memory; where it is the machine's own, used is what the processes on the GPU hold.

    It is if the driver supports no such question, or if the only card claims what the machine has.
    """
    try:
        info = nvml.nvmlDeviceGetMemoryInfo(handle)
    except Exception as error:  # as in _ask
        if getattr(error, "value", None) != nvml.NVML_ERROR_NOT_SUPPORTED:
            return GpuMemory(total=None, used=None, unified=False)  # a card that is lost has not become another kind
        info = None
    machine = memory()
    low, high = (share * machine.total for share in _UNIFIED_SHARE)
    if info is not None and not (alone and low <= info.total <= high):
        return GpuMemory(total=info.total, used=info.used, unified=False)
    held = None if processes is None else sum(process.memory or 0 for process in processes)
    return GpuMemory(total=machine.total, used=held, unified=True)


def _ask(function: Any, *arguments: object) -> Any:  # noqa: ANN401 - NVML's own types
    """The answer, or None where the driver refuses, has vanished, or knows no such function."""
    try:
        return function(*arguments)
    except Exception:  # telemetry never raises: NVMLError, and ctypes' own on an old library
        return None
