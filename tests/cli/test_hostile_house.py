"""Run folders made by somebody who wishes us ill: no command follows them, hangs or shows their codes."""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli

COMMANDS = (
    ["gc", "--older-than", "0"],
    ["gc", "--older-than", "0", "--yes"],
    ["doctor"],
    ["doctor", "--fix"],
    ["gpu"],
    ["metrics", "1"],
    ["metrics", "1", "--format", "csv", "--all"],
    ["metrics", "1", "--system"],
    ["ls"],
    ["rm", "1"],
    ["rm", "--list"],
    ["gc", "--trash", "now", "--yes"],
)

BOMB = "[" * 200_000


def replace_by_link(root: Path, outside: Path) -> None:
    for name in ("metrics.jsonl", "system.jsonl", "output.log", "spec.json", "queue.json", "row.json"):
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(outside / "kept")
    (root / "checkpoints").rmdir()
    (root / "checkpoints").symlink_to(outside)
    (root / "logs").symlink_to(outside)
    (root / "index").symlink_to(outside)


def replace_by_pipe(root: Path, outside: Path) -> None:
    for name in ("metrics.jsonl", "system.jsonl", "output.log", "spec.json", "queue.json", "row.json", "process.json"):
        (root / name).unlink(missing_ok=True)
        os.mkfifo(root / name)
    for file in (root / "attempts" / "1").iterdir():
        file.unlink()
        os.mkfifo(file)


def replace_by_bomb(root: Path, outside: Path) -> None:
    for name in ("metrics.jsonl", "system.jsonl", "spec.json", "queue.json", "row.json", "summary.json"):
        (root / name).write_text(BOMB + "\n" + f'{{"a":{BOMB}\n')
    (root / "attempts" / "1" / "launch.json").write_text(BOMB)


def replace_by_garbage(root: Path, outside: Path) -> None:
    for name in ("metrics.jsonl", "output.log"):
        with (root / name).open("wb") as file:
            file.write(b"\x1b[2J\xff\x00\n" * 100_000)
            file.truncate(2 << 30)
    (root / "metrics.parquet").write_bytes(b"PAR1\x1b[2J")


def name_with_codes(root: Path, outside: Path) -> None:
    odd = os.fsdecode(b"\x1b[2J\xff\nname")
    for folder in (root, root / "checkpoints", root / "attempts", root / "attempts" / "1"):
        (folder / odd).mkdir()
        (folder / f".{odd}.4194305").write_text("half")
        os.utime(folder / f".{odd}.4194305", (0, 0))
    (root / "metrics.jsonl").write_text(json.dumps({"step": 1, "\x1b[2J\n": "\x1b[2J"}) + "\n")
    (root / "spec.json").write_text(json.dumps({"name": "\x1b[2J/../x\n"}))
    (root.parent.parent / f"mlhub.db.damaged-{odd}").write_text("x")


def take_permissions_away(root: Path, outside: Path) -> None:
    for folder in (root / "attempts" / "1", root / "artifacts", root / "checkpoints"):
        folder.chmod(0)
    os.chown(root / "spec.json", 65534, 65534)


HOSTILE = (
    replace_by_link,
    replace_by_pipe,
    replace_by_bomb,
    replace_by_garbage,
    name_with_codes,
    take_permissions_away,
)


@pytest.mark.parametrize("lost", [False, True], ids=["known", "rebuilt"])
@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
def test_no_command_follows_hangs_or_shows_codes(cli: Cli, tmp_path: Path, make, lost: bool) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("kept", "best.safetensors", "step-1.safetensors", "state.pt", ".kept.4194305"):
        (outside / name).write_text("precious\n" * 10_000)
        os.utime(outside / name, (0, 0))
    before = {entry.name: entry.stat().st_mtime for entry in os.scandir(outside)}
    cli("run", "--wait", "--name", "evil", "--", "true")
    make(cli.home / "runs" / "1", outside)
    if lost:
        for file in cli.home.glob("mlhub.db*"):
            with contextlib.suppress(IsADirectoryError):
                file.unlink()
    start = time.monotonic()
    for command in COMMANDS:
        done = cli(*command, code=None)
        said = done.stdout + done.stderr
        assert "Traceback" not in said, (command, said)
        assert "\x1b" not in said, command
    assert time.monotonic() - start < 100
    assert {entry.name: entry.stat().st_mtime for entry in os.scandir(outside)} == before
