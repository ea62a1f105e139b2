from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlhub.cli.logs import start_of_tail
from mlhub.paths import RunPaths
from mlhub.runner import segments
from tests.conftest import Cli, wait_until

COUNT = 400_000


@pytest.fixture
def rotated(cli: Cli) -> Cli:
    """A run of many numbered lines, all but the newest MiB compressed."""
    cli("run", "--wait", "--", "seq", str(COUNT))
    paths = RunPaths(cli.home / "runs" / "1")
    segments.rotate(paths, None, 1 << 20)
    assert segments.find(paths.root / "logs")
    return cli


def test_the_whole_log_is_printed_across_its_segments(rotated: Cli) -> None:
    assert rotated("logs").stdout.split() == [str(number) for number in range(1, COUNT + 1)]


@pytest.mark.parametrize("lines", [1, 1000, COUNT - 5, COUNT, COUNT + 5])
def test_the_last_lines_are_found_across_segments(rotated: Cli, lines: int) -> None:
    found = rotated("logs", "-n", str(lines)).stdout.split()
    assert (found[0], len(found)) == (str(max(1, COUNT - lines + 1)), min(lines, COUNT))


def test_json_has_the_lines_across_segments(rotated: Cli) -> None:
    found = rotated.json("logs", "-n", str(COUNT - 1))
    assert (found["lines"][0], found["lines"][-1], found["offset"]) == ("2", str(COUNT), 2)


def test_a_followed_log_goes_on_over_what_is_compressed_meanwhile(cli: Cli) -> None:
    cli("run", "--", "sh", "-c", f"seq {COUNT}; while [ ! -e $MLHUB_RUN_DIR/go ]; do sleep 0.1; done; echo end")
    folder = cli.home / "runs" / "1"
    wait_until(lambda: (folder / "output.log").read_bytes().endswith(f"\n{COUNT}\n".encode()))
    segments.rotate(RunPaths(folder), None, 1 << 20)
    (folder / "go").touch()
    assert cli("logs", "-f").stdout.split() == [*map(str, range(1, COUNT + 1)), "end"]


def test_damage_is_one_line_and_the_rest_is_printed(rotated: Cli) -> None:
    folder = rotated.home / "runs" / "1" / "logs"
    first = segments.find(folder)[0]
    (folder / first.name).write_bytes(b"torn")
    printed = rotated("logs").stdout
    assert f"[… {first.end} bytes of log can't be read: segment damaged]" in printed
    assert printed.split()[-1] == str(COUNT)
    assert rotated("logs", "-n", "2").stdout.split() == [str(COUNT - 1), str(COUNT)]


def test_the_tail_of_a_log_without_line_breaks_is_looked_for_in_its_end_only(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path)
    with open(paths.log, "wb") as file:
        file.writelines(b"x" * (1 << 20) for _ in range(80))
    reader = segments.LogReader(paths)
    assert reader.size - (66 << 20) < start_of_tail(reader, 5) < reader.size - (63 << 20)


def test_the_tail_of_a_hole_of_exabytes_is_found_at_once(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path)
    paths.log.touch()
    os.truncate(paths.log, 1 << 43)
    with open(paths.log, "ab") as file:
        file.write(b"one\ntwo\n")
    reader = segments.LogReader(paths)
    data, _ = reader.read(start_of_tail(reader, 1))
    assert data == b"two\n"
    assert start_of_tail(reader, 9) > (1 << 43) - (1 << 17)
