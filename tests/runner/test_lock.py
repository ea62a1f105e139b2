from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mlhub.runner import lock

from .conftest import eventually


def test_lock_is_taken_once(tmp_path: Path) -> None:
    first = lock.take(str(tmp_path / "lock"))
    assert first is not None
    assert lock.take(str(tmp_path / "lock")) is None
    os.close(first)


def test_lock_is_seen_as_long_as_it_is_held(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    held = lock.take(path)
    assert held is not None
    assert lock.held(path)
    os.close(held)
    assert not lock.held(path)


def test_missing_file_is_not_locked_and_not_made(tmp_path: Path) -> None:
    assert not lock.held(str(tmp_path / "lock"))
    assert not (tmp_path / "lock").exists()


def test_testing_and_closing_does_not_free_the_lock(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    held = lock.take(path)
    assert held is not None
    for _ in range(3):
        assert lock.held(path)
    os.close(held)


def test_kill_frees_the_lock(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    code = "import sys, time; from mlhub.runner import lock; held = lock.take(sys.argv[1]); time.sleep(1000)"
    with subprocess.Popen([sys.executable, "-c", code, path]) as holder:
        eventually(lambda: lock.held(path))
        holder.kill()
    assert not lock.held(path)


def test_command_started_by_the_holder_does_not_keep_the_lock(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    held = lock.take(path)
    assert held is not None
    with subprocess.Popen(["sleep", "1000"], close_fds=False) as command:
        os.close(held)
        assert not lock.held(path)
        command.kill()
