from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mlhub.errors import MlhubError
from mlhub.paths import RunPaths
from mlhub.runner import launch, logout, record

from .conftest import Sandbox, eventually, kill


def test_launch_gives_the_pids_of_the_command_and_its_supervisor(box: Sandbox) -> None:
    started = box.shell("echo I am $$; exec sleep 1000")
    assert f"I am {started.pid}\n" in box.log("I am")
    assert box.inspect().supervisor_pid == started.supervisor_pid


def test_second_launch_of_an_attempt_is_refused_and_the_first_goes_on(box: Sandbox) -> None:
    started = box.launch("sleep", "1000")
    with pytest.raises(MlhubError, match="attempt 1 of run 7 was started already"):
        box.launch("touch", "ran")
    assert box.inspect().pid == started.pid


def test_next_attempt_is_refused_while_the_last_one_runs_unsupervised(box: Sandbox) -> None:
    kill(box.launch("sleep", "1000").supervisor_pid)
    with pytest.raises(MlhubError, match="attempt 1 of run 7 is still running"):
        box.launch("true", attempt=2)


def test_command_gets_the_environment_given_and_the_token(box: Sandbox) -> None:
    box.launch("/usr/bin/env", env={"COLOUR": "blue"})
    box.final()
    names = {line.partition("=")[0] for line in box.paths.log.read_text().splitlines()}
    assert {"COLOUR", "MLHUB_RUN_TOKEN"} <= names
    assert "HOME" not in names


def test_run_folder_may_be_named_from_here(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(box.paths.root)
    order = launch.Launch(("pwd",), Path(), dict(os.environ), Path("output.log"))
    launch.launch(RunPaths(Path()), 1, order)
    box.final()
    assert box.paths.log.read_text() == f"{box.paths.root}\n"


def test_command_is_looked_up_on_its_own_path(box: Sandbox) -> None:
    tool = box.root / "tool"
    tool.write_text("#!/bin/sh\necho found\n")
    tool.chmod(0o755)
    box.launch("tool", env={"PATH": str(box.root)})
    box.final()
    assert box.paths.log.read_text() == "found\n"


def test_arguments_that_are_not_utf8_reach_the_command(box: Sandbox) -> None:
    box.launch("printf", "%s", os.fsdecode(b"\xff"))
    box.final()
    assert box.paths.log.read_bytes() == b"\xff"


def test_files_are_for_the_owner_only(box: Sandbox) -> None:
    box.shell("exit 0")
    box.final()
    files = [path for path in (box.paths.root / "attempts").rglob("*") if path.is_file()] + [box.paths.log]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_umask_of_the_user_reaches_the_command(box: Sandbox) -> None:
    old = os.umask(0o027)
    try:
        box.shell("umask")
    finally:
        os.umask(old)
    box.final()
    assert box.paths.log.read_text() == "0027\n"


def test_folder_that_cannot_be_written_is_one_clear_line(box: Sandbox) -> None:
    (box.paths.root / "attempts").write_text("in the way")
    with pytest.raises(MlhubError, match="cannot start: Not a directory"):
        box.launch("true")


def test_supervisor_that_hangs_is_ended_and_starts_nothing(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = box.root / "entry.py"
    entry.write_text("import os, time\nif os.fork(): os._exit(0)\ntime.sleep(1000)")
    monkeypatch.setattr(launch, "_ENTRY", str(entry))
    monkeypatch.setattr(launch, "ANSWER_SECONDS", 0.3)
    with pytest.raises(MlhubError, match="died or hung"):
        box.launch("true")
    eventually(lambda: not [pid for pid in os.listdir("/proc") if str(entry).encode() in cmdline(pid)])


def cmdline(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def systemd_run(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in on PATH for `systemd-run --scope`, which execs its command in place; notes its options."""
    tool = box.root / "bin" / "systemd-run"
    tool.parent.mkdir()
    tool.write_text(
        f'#!/bin/sh\necho "$1 $2 $3" > {box.root}/asked\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n'
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(launch, "scope_prefix", lambda: [*logout.SCOPE])
    return tool


@pytest.mark.usefixtures("systemd_run")
def test_supervisor_gets_a_scope_of_its_own_where_logout_kills(box: Sandbox) -> None:
    box.shell("exit 3")
    assert box.final().exit_code == 3
    assert (box.root / "asked").read_text() == "--user --scope --collect\n"


def test_run_is_started_plainly_if_systemd_run_fails(box: Sandbox, systemd_run: Path) -> None:
    systemd_run.write_text("#!/bin/sh\nexit 1\n")
    box.shell("exit 3")
    assert box.final().exit_code == 3


def test_launch_json_names_the_host_and_the_time(box: Sandbox) -> None:
    box.launch("sleep", "1000")
    tree = record.read_json(str(box.paths.attempt(1).launch))
    assert tree is not None
    assert (tree["argv"], tree["name"]) == (["sleep", "1000"], os.uname().nodename)
