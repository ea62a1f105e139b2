from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import zstandard

from mlhub.paths import RunPaths
from mlhub.runner import lock, segments

MIB = 1 << 20


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    paths = RunPaths(tmp_path / "runs" / "7")
    paths.root.mkdir(parents=True)
    return paths


def text(size: int) -> bytes:
    """Lines that don't compress to nothing."""
    generator = random.Random(size)
    lines = (b"step %d loss %f\n" % (step, generator.random()) for step in itertools.count())
    data = b""
    while len(data) < size:
        data += b"".join(itertools.islice(lines, 50_000))
    return data


def fill(paths: RunPaths, size: int = 12 * MIB) -> bytes:
    data = text(size)
    paths.log.write_bytes(data)
    return data


def read_all(paths: RunPaths, limit: int = MIB) -> bytes:
    reader, position, parts = segments.LogReader(paths), 0, []
    while True:
        data, position = reader.read(position, limit)
        if not data:
            return b"".join(parts)
        parts.append(data)


def names(paths: RunPaths) -> list[str]:
    return [segment.name for segment in segments.find(paths.root / "logs")]


def test_a_log_within_its_limit_is_left_alone(paths: RunPaths) -> None:
    data = fill(paths, 3 * MIB)
    assert segments.rotate(paths, None, 16 * MIB) >= len(data)
    assert os.listdir(paths.root) == ["output.log"]


def test_a_longer_one_is_compressed_freed_and_reads_the_same(paths: RunPaths) -> None:
    data = fill(paths)
    taken = segments.rotate(paths, None, 8 * MIB)
    assert MIB <= taken < 2 * MIB
    assert paths.log.stat().st_size == len(data)
    assert paths.log.stat().st_blocks * 512 == taken
    assert read_all(paths) == data


def test_the_newest_part_stays_in_the_file_and_begins_with_a_line(paths: RunPaths) -> None:
    data = fill(paths)
    segments.rotate(paths, None, 8 * MIB)
    end = segments.find(paths.root / "logs")[-1].end
    assert len(data) - end >= segments.KEEP
    assert data[end - 1 : end] == b"\n"
    assert paths.log.read_bytes()[end:] == data[end:]


def test_any_range_reads_as_it_was(paths: RunPaths) -> None:
    data = fill(paths)
    segments.rotate(paths, None, 8 * MIB)
    reader = segments.LogReader(paths)
    cuts = [0, *(segment.end for segment in segments.find(paths.root / "logs")), len(data) - 1]
    for offset in (max(0, cut + around) for cut in cuts for around in (-3, -1, 0, 1, 3)):
        part, after = reader.read(offset, 100)
        assert part == data[offset:after]
        assert part or offset >= len(data)


def test_rotation_goes_on_where_it_was(paths: RunPaths) -> None:
    data = fill(paths)
    segments.rotate(paths, None, 8 * MIB)
    before = names(paths)
    with open(paths.log, "ab") as file:
        file.write(data)
    segments.rotate(paths, None, 8 * MIB)
    assert names(paths)[: len(before)] == before
    assert read_all(paths) == data + data


def test_a_writer_loses_nothing_while_its_log_is_compressed(paths: RunPaths) -> None:
    script = "for step in range(600_000): print('step', step, 'of many, and the words of a line', flush=not step % 50)"
    with open(paths.log, "ab") as log:
        writer = subprocess.Popen([sys.executable, "-I", "-S", "-c", script], stdout=log)
    while writer.poll() is None:
        segments.rotate(paths, None, 2 * MIB)
    segments.rotate(paths, None, 2 * MIB)
    want = b"".join(b"step %d of many, and the words of a line\n" % step for step in range(600_000))
    assert len(names(paths)) > 2
    assert read_all(paths) == want


def test_a_reader_sees_every_byte_while_it_is_compressed(paths: RunPaths) -> None:
    data = fill(paths, 40 * MIB)
    reader, position, seen = segments.LogReader(paths), 0, []
    worker = threading.Thread(target=segments.compress_all, args=(paths,))
    worker.start()
    while True:
        part, position = reader.read(position, 50_000)
        if not part:
            break
        seen.append(part)
    worker.join()
    assert b"".join(seen) == data
    assert read_all(paths) == data


@pytest.mark.parametrize("step", ["open", "write", "fsync", "rename", "read back", "free"])
def test_a_death_at_any_step_loses_nothing(paths: RunPaths, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = fill(paths)

    class Death(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Death

    place = {
        "open": (segments, "_write_whole"),
        "write": (zstandard, "ZstdCompressor"),
        "fsync": (os, "fsync"),
        "rename": (os, "rename"),
        "read back": (segments, "read"),
        "free": (segments, "_free"),
    }[step]
    with monkeypatch.context() as patch:
        patch.setattr(segments, "can_free", lambda _: True)  # it would free, and die, too
        patch.setattr(*place, die)
        with pytest.raises(Death):
            segments.rotate(paths, None, 8 * MIB)
    assert read_all(paths) == data
    assert segments.rotate(paths, None, 8 * MIB) < 2 * MIB
    assert read_all(paths) == data


def test_where_nothing_can_be_freed_the_log_stays_as_it_is(paths: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    data = fill(paths)
    monkeypatch.setattr(segments, "can_free", lambda _: False)
    assert segments.rotate(paths, None, 8 * MIB) >= len(data)
    assert names(paths) == []
    assert paths.log.read_bytes() == data


def test_the_whole_log_of_an_ended_run_is_compressed(paths: RunPaths) -> None:
    data = fill(paths)
    freed = segments.compress_all(paths)
    assert freed > len(data) // 2
    assert paths.log.stat().st_blocks * 512 < segments.KEEP
    assert read_all(paths) == data
    assert segments.compress_all(paths) == 0


def test_an_attempt_after_that_appends_at_the_same_offset(paths: RunPaths) -> None:
    data = fill(paths, 3 * MIB)
    segments.compress_all(paths)
    with open(paths.log, "ab") as file:
        file.write(b"attempt 2\n")
    assert read_all(paths) == data + b"attempt 2\n"


def test_an_empty_and_a_missing_log_have_nothing_to_compress(paths: RunPaths) -> None:
    paths.log.touch()
    assert segments.compress_all(paths) == 0
    assert read_all(paths) == b""


def test_while_another_is_at_it_nothing_is_done(paths: RunPaths) -> None:
    fill(paths)
    (paths.root / "logs").mkdir()
    held = lock.take(str(paths.root / "logs" / "lock"))
    assert held is not None
    segments.rotate(paths, None, 8 * MIB)
    os.close(held)
    assert names(paths) == []


def test_segments_of_a_log_elsewhere_lie_beside_it(paths: RunPaths, tmp_path: Path) -> None:
    place = tmp_path / "logs" / "7"
    place.mkdir(parents=True)
    data = text(12 * MIB)
    (place / "output.log").write_bytes(data)
    paths.log.symlink_to(place / "output.log")
    segments.rotate(paths, tmp_path / "logs", 8 * MIB)
    assert len(segments.find(place / "logs")) > 0
    assert read_all(paths) == data


def test_a_log_that_links_to_another_file_is_never_written_to(paths: RunPaths, tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(text(12 * MIB))
    blocks = (tmp_path / "precious").stat().st_blocks
    paths.log.symlink_to(tmp_path / "precious")
    segments.rotate(paths, tmp_path / "logs", 2 * MIB)
    segments.compress_all(paths, tmp_path / "logs")
    assert (tmp_path / "precious").stat().st_blocks == blocks
    assert not (tmp_path / "logs").exists()


def damaged(paths: RunPaths, content: bytes) -> tuple[bytes, int]:
    """A compressed log whose first segment has become something else; the log as it was, and the segment's end."""
    data = fill(paths)
    segments.compress_all(paths)
    first = segments.find(paths.root / "logs")[0]
    (paths.root / "logs" / first.name).write_bytes(content)
    return data, first.end


@pytest.mark.parametrize(
    "content",
    [b"", b"no zstd", zstandard.compress(text(MIB))[:-100], zstandard.compress(b"too short"),
     zstandard.compress(bytes(200 * MIB))],
    ids=["empty", "garbage", "torn", "short", "bomb"],
)  # fmt: skip
def test_a_damaged_segment_gives_one_line_and_reading_goes_on(paths: RunPaths, content: bytes) -> None:
    data, end = damaged(paths, content)
    assert read_all(paths) == b"\n[\xe2\x80\xa6 %d bytes of log can't be read: segment damaged]\n" % end + data[end:]


def test_a_damaged_segment_whose_bytes_are_still_in_the_file_costs_nothing(paths: RunPaths) -> None:
    data = fill(paths)
    (paths.root / "logs").mkdir()
    (paths.root / "logs" / f"0-{MIB}.zst").write_bytes(b"torn")
    assert read_all(paths) == data
    segments.rotate(paths, None, 8 * MIB)
    assert read_all(paths) == data
    assert f"0-{MIB}.zst.damaged" in os.listdir(paths.root / "logs")


def test_a_segment_that_is_gone_gives_a_line(paths: RunPaths) -> None:
    data, end = damaged(paths, b"")
    (paths.root / "logs" / names(paths)[0]).unlink()
    said = read_all(paths)
    assert said.startswith("\n[… ".encode())
    assert b"segment missing" in said[:80]
    assert said.endswith(data[end:])


@pytest.mark.parametrize(
    "name",
    ["x-1.zst", "5-3.zst", "-1-3.zst", "01-3.zst", "0-999999999999999999.zst", "0-5.zst.tmp", "٠-٥.zst", "0-0.zst"],
)
def test_a_file_with_another_name_is_no_segment(paths: RunPaths, name: str) -> None:
    data = fill(paths, 100)
    (paths.root / "logs").mkdir()
    (paths.root / "logs" / name).write_bytes(zstandard.compress(b"false"))
    assert names(paths) == []
    assert read_all(paths) == data


def test_a_segment_that_is_a_link_or_a_pipe_is_not_read(paths: RunPaths, tmp_path: Path) -> None:
    _, end = damaged(paths, b"")
    first = paths.root / "logs" / names(paths)[0]
    for make in (lambda: first.symlink_to(tmp_path), lambda: os.mkfifo(first)):
        first.unlink()
        make()
        assert b"%d bytes of log can't be read" % end in read_all(paths)[:80]


def test_a_hole_of_exabytes_is_one_line(paths: RunPaths) -> None:
    paths.log.write_bytes(b"begin\n")
    os.truncate(paths.log, 1 << 43)
    assert read_all(paths).count(b"segment missing") == 1


def test_zeros_that_a_program_printed_are_read_as_they_are(paths: RunPaths) -> None:
    data = b"a" * 5000 + bytes(20_000) + b"z\n"
    paths.log.write_bytes(data)
    assert read_all(paths) == data


def test_a_log_that_is_a_pipe_is_refused(paths: RunPaths) -> None:
    os.mkfifo(paths.log)
    with pytest.raises(OSError, match="not a regular file"):
        read_all(paths)


def test_on_a_full_disk_the_log_stays_as_it_is(paths: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    data = fill(paths)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        segments.rotate(paths, None, 8 * MIB)
    assert read_all(paths) == data
    assert names(paths) == []
    assert [entry for entry in os.listdir(paths.root / "logs") if entry != "lock"] == []
