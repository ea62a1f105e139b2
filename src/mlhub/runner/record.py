"""The files a supervisor leaves: how each is written so that no death tears it, and read so that no garbage hurts.

Standard library only, and paths are text: the supervisor uses it, and `mlhub.paths` would cost it 6 ms and 2 MB.
Nothing here knows what a record means.
"""

from __future__ import annotations

import binascii
import contextlib
import json
import os
import stat
import time
from typing import Any, NamedTuple

#: names in the folder of an attempt: the same as `mlhub.paths.AttemptPaths`, which a test compares
LOCK, SLOT, EXIT, PROCESS, LAUNCH, STOP = "lock", "exit.slot", "exit.json", "process.json", "launch.json", "stop.json"
#: what may be started again, environment included
ORDER = "order.json"
#: which came first: the command's begin (a second name of launch.json), or that its launch was given up (empty)
DECISION, BEGUN, GIVEN_UP = "decision", "begun", "given up"
#: launch.json holds an argument list, which the kernel lets be 2 MB, and JSON may take six bytes for one
LAUNCH_LIMIT = 16 << 20
#: in the folder of the run: the trainer's own word on how it ended, as `mlhub.paths.RunPaths`
OUTCOME = "outcome.json"
#: the whole exit record, checksum and padding included, reserved on disk before the start
SLOT_SIZE = 4096
#: no file of ours is larger; a larger one is not read
JSON_LIMIT = 1 << 20

_MAGIC = b"mlhub-exit-1"

Tree = dict[str, Any]


class StopRequest(NamedTuple):
    """Who asked for the end of an attempt. On a full disk the file is empty and these are unknown.

    `why` is given where no user wished it but a fault was seen, as a loss that is NaN: the run has failed then.
    """

    who: str
    grace: float | None
    at: str
    why: str = ""


def timestamp(seconds: float | None = None) -> str:
    """Now, or seconds since 1970, as times are stored: UTC, ISO 8601, milliseconds, `Z`."""
    now = time.time() if seconds is None else seconds
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"


def write_json(path: str, tree: Tree, *, durable: bool = True, exclusive: bool = False) -> None:
    """Write under a temporary name, fsync, rename, fsync the folder. Raises OSError, leaving nothing behind.

    `exclusive` raises FileExistsError if the file is there already, even when two writers come at once.
    """
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            file.write(json.dumps(tree, separators=(",", ":")).encode() + b"\n")
            file.flush()
            if durable:
                os.fsync(descriptor)
        if exclusive:
            os.link(temporary, path)
            os.unlink(temporary)
        else:
            os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    if durable:
        _sync_folder(os.path.dirname(path))


def _sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_bytes(path: str, limit: int = JSON_LIMIT) -> bytes | None:
    """A regular file's bytes; None if it is missing, unreadable, a link, not a file, or longer than `limit`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (OSError, ValueError):
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > limit:
            return None
        data = os.read(descriptor, limit + 1)  # at once: our files are local or small
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None if len(data) > limit else data


def read_json(path: str, limit: int = JSON_LIMIT) -> Tree | None:
    """A JSON object; None for everything else, however garbled, deep or large."""
    return parse(read_bytes(path, limit))


def read_launch(folder: str) -> Tree | None:
    """`launch.json` of an attempt."""
    return read_json(os.path.join(folder, LAUNCH), LAUNCH_LIMIT)


def decide(folder: str, word: str) -> str:
    """Say BEGUN or GIVEN_UP of an attempt, and learn which of the two was said first: that one holds. Raises OSError.

    A supervisor may be late by minutes, on a disk that hangs, and a reader gives it up after seconds: neither must be
    wrong about it afterwards.
    """
    path = os.path.join(folder, DECISION)
    try:
        if word == BEGUN:
            os.link(os.path.join(folder, LAUNCH), path)  # neither takes a block, and both are atomic
        else:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    except FileExistsError:
        return GIVEN_UP if was_given_up(folder) else BEGUN
    return word


def was_given_up(folder: str) -> bool:
    """Whether a reader gave this attempt up before its command began."""
    try:
        return os.lstat(os.path.join(folder, DECISION)).st_size == 0
    except OSError:
        return False


def parse(data: bytes | None) -> Tree | None:
    """A JSON object in bytes; None for everything else."""
    if data is None:
        return None
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) else None


def text(tree: Tree | None, key: str) -> str:
    """A string field of what was read; "" if it is missing or something else."""
    value = (tree or {}).get(key)
    return value if isinstance(value, str) else ""


def whole(tree: Tree | None, key: str) -> int | None:
    """An integer field of what was read, if it is one and fits 63 bits."""
    value = (tree or {}).get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 62 else None


def real(tree: Tree | None, key: str) -> float | None:
    """A number of what was read, if it is one and finite."""
    value = (tree or {}).get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e18:
        return None
    return float(value)


def part(tree: Tree | None, key: str) -> Tree | None:
    """An object within what was read."""
    value = (tree or {}).get(key)
    return value if isinstance(value, dict) else None


def reserve_slot(folder: str) -> int:
    """Write and fsync the empty slot: the record at the end then needs no new block. Raises OSError, leaving none."""
    path = os.path.join(folder, SLOT)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.pwrite(descriptor, b"\n" * SLOT_SIZE, 0)  # one page: written whole or, on a full disk, not at all
        os.fsync(descriptor)
        _sync_folder(folder)
    except OSError:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise
    return descriptor


def fill_slot(descriptor: int, record: Tree) -> None:
    """Overwrite the slot in place: magic, checksum, JSON, padding. Raises OSError."""
    os.pwrite(descriptor, _encode_slot(record), 0)
    os.fdatasync(descriptor)


def _encode_slot(record: Tree) -> bytes:
    for spare in ((), ("left_behind",), ("left_behind", "evidence"), ("left_behind", "evidence", "reason")):
        kept = {key: value for key, value in record.items() if key not in spare}
        payload = json.dumps(kept, separators=(",", ":")).encode()
        head = b"%s %08x " % (_MAGIC, binascii.crc32(payload))
        if len(head) + len(payload) < SLOT_SIZE:
            return (head + payload).ljust(SLOT_SIZE, b"\n")
    raise ValueError("exit record too long")


def read_slot(path: str) -> Tree | None:
    """The record in a slot; None if it is still empty, torn or garbled."""
    data = read_bytes(path, SLOT_SIZE)
    if data is None or not data.startswith(_MAGIC + b" ") or len(data) != SLOT_SIZE:
        return None
    checksum, _, rest = data[len(_MAGIC) + 1 :].partition(b" ")
    payload = rest.rstrip(b"\n")
    return parse(payload) if checksum == b"%08x" % binascii.crc32(payload) else None


def read_exit(folder: str) -> Tree | None:
    """How the attempt in `folder` ended: its slot, else the readable copy, which rename makes whole; else None."""
    for tree in (read_slot(os.path.join(folder, SLOT)), read_json(os.path.join(folder, EXIT))):
        if text(tree, "status") in ("completed", "failed", "cancelled"):
            return tree
    return None


def read_outcome(run_dir: str, token: str) -> Tree | None:
    """The trainer's own word, if it is about the very start that `token` names."""
    tree = read_json(os.path.join(run_dir, OUTCOME))
    return tree if token and text(tree, "token") == token else None


def write_copies(folder: str, name: str, tree: Tree, *, durable: bool = True) -> None:
    """Write a file of an attempt and its mirror in the run's folder; the mirror only if no newer attempt has begun."""
    write_json(os.path.join(folder, name), tree, durable=durable)
    attempts, number = os.path.split(folder)
    if not os.path.exists(os.path.join(attempts, str(int(number) + 1), LAUNCH)):
        write_json(os.path.join(os.path.dirname(attempts), name), tree, durable=False)


def write_stop(folder: str, who: str, grace: float, why: str = "") -> None:
    """Leave the intent to stop, before any signal; an earlier one stands unless this grace (seconds) is shorter.

    With `why` the run's end is `failed` for that reason, unless a stop was asked for before: the first request decides.
    On a full disk an empty file says that somebody asked: a name needs no block.
    """
    path = os.path.join(folder, STOP)
    tree = {"who": who, "grace": grace, "at": timestamp(), "why": why}
    try:
        write_json(path, tree, exclusive=True)
    except FileExistsError:
        earlier = read_stop(folder)
        if earlier is None or earlier.grace is None or grace < earlier.grace:
            with contextlib.suppress(OSError):
                write_json(path, tree | {"why": earlier.why if earlier else why})
    except OSError:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))


def read_stop(folder: str) -> StopRequest | None:
    """Who asked for the end; None if nobody of ours did."""
    path = os.path.join(folder, STOP)
    if not os.path.lexists(path):
        return None
    tree = read_json(path)
    return StopRequest(text(tree, "who")[:64], real(tree, "grace"), text(tree, "at"), text(tree, "why")[:240])
