"""A run's log in parts: compressed segments of its older bytes beside the file that is still written to.

The oldest bytes go into `logs/<start>-<end>.zst`, and only when those are on disk they are freed in place, by making a
hole of them. So byte offsets stay, the writer never notices, and nothing is lost by a kill at any line. (Copying and
truncating loses what is written in between.) Whose log it is and how it is printed are others' business.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

from mlhub.runner import lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.paths import RunPaths

#: bytes of the log in one segment: what a reader decompresses to see any line of it
SEGMENT = 8 << 20
#: the newest bytes, which stay in the file: whoever wants a log's end needs no segment
KEEP = 1 << 20
#: a segment that claims more is none of ours, and is not decompressed
_MOST = 4 * SEGMENT
_NAME = re.compile(r"(0|[1-9]\d{0,17})-([1-9]\d{0,17})\.zst")
_FOLDER, _LOCK = "logs", "lock"
_KEEP_SIZE, _PUNCH_HOLE = 1, 2
_LINE = 1 << 16
#: no file system has larger blocks
_BLOCK = 1 << 16


class Segment(NamedTuple):
    """Bytes `start` to `end` of the log, compressed, in the file `name` of the segments' folder."""

    start: int
    end: int
    name: str


def folder_of(log: Path) -> Path:
    """Where the segments of a log lie: beside the file itself, also where `log` is a link to it."""
    return Path(os.path.realpath(log)).parent / _FOLDER


def find(folder: Path) -> list[Segment]:
    """The segments in `folder` by their names, in order; what overlaps an earlier one, or is too large, is left out."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    found = [Segment(int(m[1]), int(m[2]), name) for name in names if (m := _NAME.fullmatch(name))]
    kept: list[Segment] = []
    for segment in sorted(found, key=lambda one: (one.start, -one.end)):
        if 0 < segment.end - segment.start <= _MOST and (not kept or segment.start >= kept[-1].end):
            kept.append(segment)
    return kept


def read(folder: Path, segment: Segment) -> bytes | None:
    """The bytes of a segment; None if it is torn, damaged, a link, or not as long as its name says."""
    import zstandard

    length = segment.end - segment.start
    try:
        descriptor = os.open(folder / segment.name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            reader = zstandard.ZstdDecompressor(max_window_size=2 * _MOST).stream_reader(file)
            data = b""
            while len(data) <= length and (part := reader.read(length + 1 - len(data))):
                data += part
    except (OSError, zstandard.ZstdError, MemoryError):
        return None
    return data if len(data) == length else None


def rotate(paths: RunPaths, logs: Path | None, limit: int) -> int:
    """Compress the log's older bytes once it takes more than `limit` on disk; the bytes it then takes.

    `logs` is MLHUB_LOG_DIR. What can't be freed (a full disk, a file system without holes) is left as it is.
    """
    taken = 0
    with contextlib.suppress(OSError):
        taken = os.stat(paths.log).st_blocks * 512
        if taken > limit:
            with _open_log(paths, logs) as log:
                if log is not None:
                    log.compress(log.cut(log.size() - KEEP))
                    taken = log.taken()
    return taken


def compress_all(paths: RunPaths, logs: Path | None = None) -> int:
    """Compress the whole log of a run that has ended; the bytes this has freed. Raises OSError on a full disk."""
    with _open_log(paths, logs) as log:
        if log is None or not log.taken():
            return 0
        before = log.taken() + log.segments_taken()
        log.compress(log.size())
        return max(0, before - log.taken() - log.segments_taken())


class _Log:
    """The file of a log, open, and the lock of its segments held."""

    def __init__(self, descriptor: int, folder: Path) -> None:
        self.descriptor = descriptor
        self.folder = folder

    def size(self) -> int:
        return os.fstat(self.descriptor).st_size

    def taken(self) -> int:
        """Bytes on disk; holes take none."""
        return os.fstat(self.descriptor).st_blocks * 512

    def segments_taken(self) -> int:
        return sum(os.stat(self.folder / segment.name).st_blocks * 512 for segment in find(self.folder))

    def cut(self, position: int) -> int:
        """The end of the last line before `position`; `position` itself in the middle of a very long one."""
        start = max(0, position - _LINE)
        newline = os.pread(self.descriptor, max(0, position - start), start).rfind(b"\n")
        return max(0, position if newline < 0 else start + newline + 1)

    def compress(self, until: int) -> None:
        """Everything before `until` into segments, each on disk before its bytes are freed. Raises OSError."""
        if not can_free(self.folder):
            return
        for segment in find(self.folder):
            self._settle(segment)
        known, position = find(self.folder), 0
        for segment in [*known, Segment(until, until, "")]:
            while position < min(segment.start, until):
                position = self._compress(position, min(position + SEGMENT, segment.start, until))
            position = max(position, segment.end)

    def _settle(self, segment: Segment) -> None:
        """Free what a segment holds already: a kill may have come between the two steps. A damaged one is put aside."""
        # the file system's blocks at both ends hold neighbours' bytes too, and are never a hole
        start, end = segment.start + _BLOCK, min(segment.end, self.size()) - _BLOCK
        if start >= end or not _has_data(self.descriptor, start, end):
            return
        if segment.end <= self.size() and read(self.folder, segment) is not None:
            _free(self.descriptor, segment.start, segment.end)
        else:
            os.rename(self.folder / segment.name, self.folder / f"{segment.name}.damaged")

    def _compress(self, start: int, end: int) -> int:
        """Bytes `start` to `end` into a segment, then the hole; where the next one starts."""
        import zstandard

        if not _has_data(self.descriptor, start, end):
            return end  # a hole that no segment fills: nothing is there to be kept
        data = os.pread(self.descriptor, end - start, start)
        if not data:
            return end
        segment = Segment(start, start + len(data), f"{start}-{start + len(data)}.zst")
        packed = zstandard.ZstdCompressor(level=3, write_checksum=True).compress(data)
        _write_whole(self.folder, segment.name, packed)
        if read(self.folder, segment) != data:
            raise OSError(errno.EIO, "a log's segment does not read back", segment.name)
        _free(self.descriptor, segment.start, segment.end)
        return segment.end


@contextlib.contextmanager
def _open_log(paths: RunPaths, logs: Path | None) -> Iterator[_Log | None]:
    """The log, if it is a file of this run's own and nobody else is at its segments; else None. Raises OSError."""
    target = Path(os.path.realpath(paths.log))
    own = logs is not None and target == Path(os.path.realpath(logs)) / paths.root.name / paths.log.name
    if paths.log.is_symlink() and not own:
        yield None  # a link to somewhere else is not ours to write to
        return
    held: int | None = None
    descriptor = os.open(target, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        folder = folder_of(paths.log)
        if stat.S_ISREG(os.fstat(descriptor).st_mode) and not folder.is_symlink():
            folder.mkdir(mode=0o700, exist_ok=True)
            held = lock.take(str(folder / _LOCK))
        yield _Log(descriptor, folder) if held is not None else None
    finally:
        os.close(descriptor)
        if held is not None:
            os.close(held)


def _write_whole(folder: Path, name: str, data: bytes) -> None:
    """Under another name, synced, renamed, the folder synced: it is there whole, or not at all."""
    temporary = folder / f".{name}.tmp"  # one writer, by the lock: a leftover of a kill is written over
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.rename(temporary, folder / name)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _has_data(descriptor: int, start: int, end: int) -> bool:
    """Whether a range is more than a hole. A file system that can't tell has data everywhere."""
    try:
        first: int = os.lseek(descriptor, start, os.SEEK_DATA)
    except OSError as error:
        return error.errno != errno.ENXIO  # no data from there to the end of the file
    return first < end


def _free(descriptor: int, start: int, end: int) -> None:
    """Make a hole of a range; the file keeps its size. Raises OSError where the file system can't."""
    import ctypes  # 4 ms, which a reader does not need

    libc = ctypes.CDLL(None, use_errno=True)
    call = libc.fallocate
    call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long)
    if call(descriptor, _KEEP_SIZE | _PUNCH_HOLE, start, end - start):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def can_free(folder: Path) -> bool:
    """Whether this file system makes holes: tried on a file of its own."""
    probe = folder / ".probe"
    try:
        descriptor = os.open(probe, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.write(descriptor, b"x" * 4096)
            _free(descriptor, 0, 4096)
            return os.pread(descriptor, 4096, 0) == bytes(4096)
        finally:
            os.close(descriptor)
            os.unlink(probe)
    except (OSError, AttributeError):
        return False


class LogReader:
    """A log by byte ranges, across segments and file; a program may be writing and the sampler compressing meanwhile.

    Where bytes can't be had a line says so, and reading goes on behind them.
    """

    def __init__(self, paths: RunPaths) -> None:
        self._path = paths.log
        self._folder = folder_of(paths.log)
        self._segments = find(self._folder)
        self._cached: tuple[Segment, bytes | None] | None = None

    @property
    def size(self) -> int:
        """Bytes of the log, compressed or not. Raises OSError for what is no file: a pipe would hang us."""
        descriptor = self._open()
        if descriptor is None:
            return 0
        try:
            return os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)

    @property
    def modified(self) -> float:
        """When the program wrote to it last, in seconds since 1970. Raises OSError."""
        return os.stat(self._path).st_mtime

    def read(self, offset: int, limit: int = 1 << 20) -> tuple[bytes, int]:
        """At most `limit` bytes from `offset` on and the offset after them; nothing at the end. Raises OSError.

        For bytes that can't be had there is a line in brackets, and the offset behind them.
        """
        descriptor = self._open()
        if descriptor is None:
            return b"", offset
        try:
            return self._read(descriptor, offset, limit)
        finally:
            os.close(descriptor)

    def _open(self) -> int | None:
        if os.path.islink(self._path) and not self._is_own(os.path.realpath(self._path)):
            raise OSError(errno.EINVAL, "a link out of the run's folder, which is not followed", str(self._path))
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "not a regular file", str(self._path))
        return descriptor

    def _is_own(self, target: str) -> bool:
        """Whether a link leads to where a folder of logs (MLHUB_LOG_DIR, now or when it ran) has this run's."""
        return os.path.basename(target) == self._path.name and os.path.dirname(target).endswith(
            f"/{self._path.parent.name}"
        )

    def _read(self, descriptor: int, offset: int, limit: int) -> tuple[bytes, int]:
        size = os.fstat(descriptor).st_size
        if offset >= size:
            return b"", offset
        segment = self._at(offset)
        if segment is None:
            end = min([offset + limit, size, *(one.start for one in self._segments if one.start > offset)])
            data = os.pread(descriptor, end - offset, offset)
            if b"\0" not in data:
                return data, offset + len(data)
            # a hole, it may be: bytes that were compressed since we looked, or that nobody has
            self._segments = find(self._folder)
            segment = self._at(offset)
            if segment is None:
                return self._read_around_holes(descriptor, offset, data)
        return self._read_segment(descriptor, segment, offset, limit)

    def _at(self, offset: int) -> Segment | None:
        return next((one for one in self._segments if one.start <= offset < one.end), None)

    def _read_around_holes(self, descriptor: int, offset: int, data: bytes) -> tuple[bytes, int]:
        """`data`, read at `offset`, up to a hole in it or to a segment that is new; a hole at its start is skipped."""
        stop = min([offset + len(data), *(one.start for one in self._segments if one.start > offset)])
        try:
            hole = os.lseek(descriptor, offset, os.SEEK_HOLE)
            if hole > offset:
                return data[: min(hole, stop) - offset], min(hole, stop)
            after = os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                return data[: stop - offset], stop
            after = os.fstat(descriptor).st_size
        after = min([after, *(one.start for one in self._segments if one.start > offset)])
        return _missing(after - offset, "segment missing"), after

    def _read_segment(self, descriptor: int, segment: Segment, offset: int, limit: int) -> tuple[bytes, int]:
        if self._cached is None or self._cached[0] != segment:
            self._cached = segment, read(self._folder, segment)
        data = self._cached[1]
        end = min(offset + limit, segment.end)
        if data is not None:
            return data[offset - segment.start : end - segment.start], end
        if os.fstat(descriptor).st_size >= segment.end and not _has_hole(descriptor, segment.start, segment.end):
            return os.pread(descriptor, end - offset, offset), end  # not freed yet: the file itself has it
        return _missing(segment.end - offset, "segment damaged"), segment.end


def _has_hole(descriptor: int, start: int, end: int) -> bool:
    try:
        return os.lseek(descriptor, start, os.SEEK_HOLE) < end
    except OSError:
        return True


def _missing(count: int, why: str) -> bytes:
    return f"\n[… {count} bytes of log can't be read: {why}]\n".encode()
