"""What is written of a training, and where: the run's metrics.jsonl, capture.json and checkpoints.jsonl.

One process of an attempt writes: the first that asks, by a lock it holds as long as it lives; a fork of it does not.
Functions may raise: who calls them from a training guards them. Not the place where anything is measured.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import importlib.machinery
import importlib.util
import json
import math
import os
import sys
import time
import traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: the folder of the hub's package, whose light modules are loaded from there
HUB = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
#: a record's own keys: a metric of such a name gets another one
PLACE = ("step", "epoch", "time", "attempt")
#: folders of logs that are told of, at the most
_MOST_LOGS = 10_000
#: bytes at the end of metrics.jsonl in which names are looked for that the script has logged by itself
_TAIL = 1 << 16


#: records from before it are an earlier attempt's, or another program's of the same run
_STARTED = time.time()


class _State:
    """Of this process."""

    owner = 0  # pid that holds the lock; a fork has another
    former = 0  # pid that held it; a fork may train at the same time, and is not to be first
    lock = -1
    writer: Any = None
    watched = None  # the script's own writer

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}  # capture.json
        self.noted: set[str] = set()  # what failed once
        self.own: set[str] = set()  # names of metrics that were written here
        self.others: set[str] = set()  # names of metrics that the script logs by itself


_state = _State()


def run_dir() -> str:
    """The folder of the run; raises KeyError outside one."""
    return os.environ["MLHUB_RUN_DIR"]


def attempt() -> int:
    """The number of this start of the run."""
    number = os.environ.get("MLHUB_ATTEMPT", "1")
    return int(number) if number.isdigit() else 1


def attempt_dir() -> str:
    """The folder of this start of the run."""
    return os.path.join(run_dir(), "attempts", str(attempt()))


def owns() -> bool:
    """Whether this process is the one that writes."""
    if _state.owner == os.getpid():
        return True
    if _state.owner or _state.former not in (0, os.getpid()):  # a fork of one that does or did
        return False
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(os.path.join(attempt_dir(), "capture.lock"), flags, 0o600)
    except OSError as error:
        note("capture", error)
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            os.close(fd)
            return False  # another process of this run writes; a file system without locks lets us
    _state.owner, _state.lock = os.getpid(), fd
    _remember_logs()
    return True


def _remember_logs() -> None:
    """The folders of logs that an earlier attempt, or another process that wrote before, told of: to be told on."""
    told = _read_told().get("logs")
    found = [folder for folder in told if isinstance(folder, str)] if isinstance(told, list) else []
    if found:
        _state.known["logs"] = list(dict.fromkeys([*found, *_state.known.get("logs", ())]))


def _read_told() -> dict[str, Any]:
    """capture.json as it is; empty if there is none that can be read."""
    try:
        with open(os.path.join(run_dir(), "capture.json"), "rb") as file:
            tree = json.loads(file.read(1 << 24))
    except (OSError, ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}


def release() -> None:
    """Let another process of this run write from now on: one that the script starts when its own training is over."""
    if _state.owner != os.getpid():
        return
    if _state.writer is not None:
        _state.writer.close()
    os.close(_state.lock)
    _state.owner, _state.former, _state.writer, _state.lock = 0, os.getpid(), None, -1


def log(values: dict[str, Any], step: int, epoch: int | None = None) -> None:
    """Append a record of metrics: name -> number. What the script logs by itself is left out."""
    if not owns():
        return
    _look_at_script()
    kept = {}
    for name, value in values.items():
        if name not in _state.others:
            kept["metric/" + name if name in PLACE or not name else name] = value
    if kept:
        _state.own.update(kept)
        _open().log(kept, step=step, epoch=epoch)


def resume(step: int) -> None:
    """Continue from `step` in this attempt: what an earlier one recorded beyond it is superseded."""
    if owns() and attempt() > 1:
        _open().resume(step)


def _open() -> Any:
    if _state.writer is None:
        writer = load_light("writer")
        _state.writer = writer.MetricWriter(os.path.join(run_dir(), "metrics.jsonl"))
    return _state.writer


def load_light(name: str) -> Any:
    """A module of the hub's that needs the standard library only, by its place: there may be no mlhub to import."""
    full = "mlhub_capture._hub_" + name
    if full not in sys.modules:
        loader = importlib.machinery.SourceFileLoader(full, os.path.join(HUB, name + ".py"))
        module = importlib.util.module_from_spec(importlib.machinery.ModuleSpec(full, loader))
        sys.modules[full] = module
        loader.exec_module(module)
    return sys.modules[full]


def _look_at_script() -> None:
    """Learn which names the script gives to `mlhub.log`: those are its own to record."""
    writer = getattr(sys.modules.get("mlhub"), "_writer", None)
    if writer is None or writer is _state.watched:
        return
    _state.watched = writer
    original = writer.log

    def log(values: dict[str, Any], **place: Any) -> Any:
        _state.others.update(values)
        return original(values, **place)

    writer.log = log
    with open(os.path.join(run_dir(), "metrics.jsonl"), "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
        for line in file.read().split(b"\n")[-1000:]:
            with contextlib.suppress(ValueError, TypeError, KeyError):  # the first of them may be half a line
                found = json.loads(line)
                if found["time"] >= _STARTED:
                    _state.others.update(name for name in found if name not in _state.own)


def tell(**facts: Any) -> None:
    """Put facts into capture.json, beside those it has."""
    if owns():
        clean = load_light("redact").redact_tree(facts)
        _state.known = {**_told_before(), **_state.known, "version": 1, "attempt": attempt(), **clean}
        write("capture.json", _state.known)


def _told_before() -> dict[str, Any]:
    """What another process of this attempt has told: a spawned rank, a training before this one."""
    if _state.known.get("version"):
        return {}
    tree = _read_told()
    return tree if tree.get("attempt") == attempt() else {}


def tell_logs(folders: list[str]) -> None:
    """Add folders in which loggers write to those of all fits, processes and attempts of the run, each once.

    Links are resolved here, where the folders are there: who looks them up later may not reach that disk.
    """
    if owns():
        known = _state.known.get("logs", [])
        found = dict.fromkeys([*known, *map(os.path.abspath, folders), *map(os.path.realpath, folders)])
        if len(found) > len(known) and len(known) < _MOST_LOGS:
            tell(logs=list(found)[:_MOST_LOGS])


def tell_exception(error: BaseException, step: int, epoch: int) -> None:
    """Put into capture.json what ended a training."""
    tell(exception={
        "error": describe_error(error), "message": str(error)[:4000], "traceback": last_frames(error, 20),
        "step": step, "epoch": epoch, "time": time.time(),
    })  # fmt: skip


def tell_packages(find: Callable[[], dict[str, str]]) -> None:
    """Put what `find` finds into capture.json, once. As it is: a package may be called as secrets are."""
    if owns() and "packages" not in _state.known:
        _state.known["packages"] = find()


def tell_checkpoint(line: dict[str, Any]) -> None:
    """Append a line to checkpoints.jsonl."""
    if not owns():
        return
    data = json.dumps(line, separators=(",", ":"), default=str).encode() + b"\n"
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(os.path.join(run_dir(), "checkpoints.jsonl"), flags, 0o600)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def leave_pid(name: str) -> None:
    """Append this process's pid to a file of the attempt's folder, whichever process is the one that writes."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(os.path.join(attempt_dir(), name), flags, 0o600)
    try:
        os.write(fd, b"%d\n" % os.getpid())
    finally:
        os.close(fd)


def read_checkpoints() -> list[dict[str, Any]]:
    """The lines of checkpoints.jsonl, the oldest first; those that are none are passed over."""
    found: list[dict[str, Any]] = []
    try:
        with open(os.path.join(run_dir(), "checkpoints.jsonl"), "rb") as file:
            lines = file.read(1 << 24).split(b"\n")
    except OSError:
        return found
    for line in lines:
        try:
            tree = json.loads(line)
        except ValueError:
            continue
        if isinstance(tree, dict) and isinstance(tree.get("path"), str):
            found.append(tree)
    return found


def write(name: str, tree: dict[str, Any]) -> None:
    """A file of the run's folder, whole or not at all."""
    path = os.path.join(run_dir(), name)
    temporary = os.path.join(run_dir(), f".{name}.{os.getpid()}")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with open(fd, "w", encoding="utf-8", errors="replace") as file:
            json.dump(tree, file, indent=1, ensure_ascii=True, default=str)
            file.write("\n")
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def note(where: str, error: BaseException) -> None:
    """Say once, on stderr and in capture.json, that a part of the capture failed. Never raises."""
    if where in _state.noted:
        return
    _state.noted.add(where)
    text = f"{where}: {describe_error(error)}"
    try:
        sys.stderr.write(f"mlhub: the capture missed something, the training goes on ({text})\n")
        if _state.owner == os.getpid():
            tell(errors=[*_state.known.get("errors", []), {"where": where, "error": text, "at": last_frames(error)}])
    except Exception:  # a full disk, a closed stderr
        return


def describe_error(error: BaseException) -> str:
    """An exception as the last line of its traceback says it, on one line."""
    kind = type(error)
    name = (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else kind.__module__ + "." + kind.__qualname__
    )
    lines = str(error).strip().splitlines()
    if kind.__name__ == "ProcessRaisedException" and len(lines) > 1:  # of torch's spawn: another process's traceback
        return f"rank {getattr(error, 'error_index', '?')}: {lines[-1][:500]}"
    return f"{name}: {lines[0][:500]}" if lines else name


def last_frames(error: BaseException, limit: int = 8) -> str:
    """The tail of its traceback, as text."""
    return "".join(traceback.format_tb(error.__traceback__)[-limit:])[-4000:]


def number(value: Any) -> float | None:
    """The number that a tensor, an array or a number stands for; None for anything else."""
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None


def word(value: float | None) -> float | str | None:
    """A number as JSON has it: the three it lacks are the strings of the contract."""
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
