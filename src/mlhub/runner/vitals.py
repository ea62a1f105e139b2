"""One measurement beside a run: the machine, the GPUs the run uses, and the run's own tree of processes.

Makes the records of `system.jsonl`. Not a process and not a clock (`mlhub.runner.sample`), and no judgement of the
numbers (`mlhub.runner.alerts`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from mlhub import monitor
from mlhub.runner import identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import psutil

    from mlhub.runner.truth import Evidence

#: a machine with more GPUs in sight than this records none of the others
_MOST_GPUS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The record of one measurement, and what is judged by.

    `gpus` are the run's where that is known, else all; `on_gpu`: the run is certainly on them. `run_cpu`: percent of
    one core. `pids`: its processes.
    """

    record: dict[str, float]
    memory: monitor.Memory
    gpus: tuple[monitor.Gpu, ...]
    on_gpu: bool
    run_cpu: float | None
    disk_free: int | None
    disk_folder: str
    pids: frozenset[int] = frozenset()


class Vitals:
    """Measures one attempt again and again; rates are over the time since the last measurement."""

    def __init__(self, known: Evidence, folders: Iterable[Path], visible: str | None) -> None:
        """`folders`: whose free space counts. `visible`: CUDA_VISIBLE_DEVICES of the run, None if it has none."""
        self._folders = list(folders)
        self._visible = visible
        self._nvml = monitor.Nvml()
        self._tree = Tree(known)
        self._first = True
        self._before = identity.boot_clock(), monitor.counters()
        self._tree.measure()

    def measure(self) -> Measured:
        """The state now. Never raises for what can't be measured: that is left out of the record."""
        first, self._first = self._first, False
        memory = monitor.memory()
        found, _ = self._nvml.gpus()
        tree = self._tree.measure()
        gpus, on_gpu = find_used(found, tree.pids, self._visible)
        spaces = [(space.free, str(folder)) for folder in self._folders if (space := monitor.disk(folder))]
        free, folder = min(spaces, default=(None, ""))
        values: dict[str, float | None] = {
            **self._rates(),
            "memory": memory.total - memory.available,
            "disk_free": free,
            "run.cpu": tree.cpu,
            "run.memory": tree.memory,
            "run.processes": len(tree.pids),
        }
        for gpu in gpus[:_MOST_GPUS]:
            values |= _gpu_values(gpu, first)
        if on_gpu:
            values["run.gpu_memory"] = sum(
                process.memory or 0 for gpu in gpus for process in gpu.processes if process.pid in tree.pids
            )
        if first:
            values |= {"cpu.count": os.cpu_count(), "memory.total": memory.total}
        record = {name: round(value, 1) for name, value in values.items() if value is not None}
        return Measured(
            record=record, memory=memory, gpus=gpus, on_gpu=on_gpu, run_cpu=tree.cpu, disk_free=free,
            disk_folder=folder, pids=frozenset(tree.pids),
        )  # fmt: skip

    def _rates(self) -> dict[str, float | None]:
        """CPU in percent of the machine, and bytes a second, since the last call."""
        now, counters = identity.boot_clock(), monitor.counters()
        (then, old), self._before = self._before, (now, counters)
        return monitor.rates(old, counters, now - then)


def _gpu_values(gpu: monitor.Gpu, first: bool) -> dict[str, float | None]:
    values: dict[str, float | None] = {
        "util": gpu.utilization,
        "memory": gpu.memory.used,
        "temp": gpu.temperature,
        "power": gpu.power,
        "clock": gpu.clock,
    }
    if first:
        values |= {"memory.total": gpu.memory.total, "power.limit": gpu.power_limit}
    return {f"gpu.{gpu.index}.{name}": value for name, value in values.items()}


def find_used(
    gpus: tuple[monitor.Gpu, ...], pids: set[int], visible: str | None
) -> tuple[tuple[monitor.Gpu, ...], bool]:
    """The GPUs a run uses, and whether that is certain; all of them where nobody says.

    Its processes on a GPU say so; else CUDA_VISIBLE_DEVICES: numbers, or (beginnings of) UUIDs.
    """
    used = tuple(gpu for gpu in gpus if any(process.pid in pids for process in gpu.processes))
    if used:
        return used, True
    if visible is None:
        return gpus, False
    wanted = [word.strip() for word in visible.split(",") if word.strip()]
    named = tuple(
        gpu
        for gpu in gpus
        if any(
            word == str(gpu.index) or (word.startswith("GPU-") and (gpu.uuid or "").startswith(word)) for word in wanted
        )
    )
    return named, bool(named)


@dataclass(frozen=True, slots=True)
class TreeState:
    """The run's processes: CPU in percent of one core since the last look, and bytes resident.

    A page that several processes share counts in each of them, as in `ps`: anything better costs the kernel a walk
    through all page tables.
    """

    pids: set[int]
    cpu: float | None
    memory: int | None


class Tree:
    """The processes of one attempt: the command, what is below it, its session, and those adopted by the supervisor."""

    def __init__(self, known: Evidence) -> None:
        self._known = known
        self._last: dict[tuple[int, int], float] | None = None
        self._looked = 0.0
        self._handles: dict[tuple[int, int], psutil.Process] = {}

    def measure(self) -> TreeState:
        """All of it, now; one pass over /proc."""
        import psutil

        members = self._find()
        now, times, memory = identity.boot_clock(), {}, 0
        for process in members:
            key = (process.pid, process.start)
            try:
                handle = self._handles.get(key) or psutil.Process(process.pid)
                with handle.oneshot():
                    used = handle.cpu_times()
                    memory += handle.memory_info().rss
            except (psutil.Error, OSError):
                continue
            self._handles[key] = handle
            times[key] = used.user + used.system
        self._handles = {key: handle for key, handle in self._handles.items() if key in times}
        last, self._last = self._last, times
        elapsed, self._looked = now - self._looked, now
        cpu = None
        if last is not None and elapsed > 0:  # a process that is new has used all its time since
            cpu = 100 * sum(max(0.0, used - last.get(key, 0.0)) for key, used in times.items()) / elapsed
        return TreeState({pid for pid, _ in times}, cpu, memory if times else None)

    def _find(self) -> list[identity.Process]:
        child = self._known.find_child()
        if child is None:
            return []
        me, supervisor = os.getsid(0), self._known.find_supervisor()
        children: dict[int, list[identity.Process]] = {}
        found: dict[int, identity.Process] = {}
        for process in identity.all_processes():
            if process.session != me:  # not the sampler and what it starts
                children.setdefault(process.parent, []).append(process)
                if process.session == child.pid:
                    found[process.pid] = process
        found[child.pid] = child
        for process in children.get(supervisor.pid, ()) if supervisor else ():
            # adopted: of this run, and not of one that was started from within it
            if identity.read_token(process.pid) in (self._known.token, None):
                found[process.pid] = process
        waiting = [*found]
        while waiting:
            for process in children.get(waiting.pop(), ()):
                if process.pid not in found:
                    found[process.pid] = process
                    waiting.append(process.pid)
        return [process for process in found.values() if not process.dead]
