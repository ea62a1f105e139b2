from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from mlhub.runner.logout import logout_kills, scope_prefix

SESSION = "0::/user.slice/user-1000.slice/session-3.scope\n"
MANAGER = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/tmux.scope\n"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A root folder with the files logind would have."""
    for folder in ("proc/self", "etc/systemd/logind.conf.d", "var/lib/systemd/linger", f"run/user/{os.getuid()}"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(SESSION)
    return tmp_path


def kill_user_processes(machine: Path, value: str = "yes") -> None:
    (machine / "etc/systemd/logind.conf.d/50-kill.conf").write_text(
        f"[Login]\nKillUserProcesses={value}\nKillExcludeUsers=\n"
    )


def test_session_outlives_a_logout_by_default(machine: Path) -> None:
    assert logout_kills(machine) is None


def test_session_is_killed_where_logind_is_told_to(machine: Path) -> None:
    kill_user_processes(machine)
    assert "loginctl enable-linger" in (logout_kills(machine) or "")


def test_later_setting_wins(machine: Path) -> None:
    (machine / "etc/systemd/logind.conf").write_text("KillUserProcesses=yes\nKillExcludeUsers=\n")
    assert logout_kills(machine)
    kill_user_processes(machine, "no")
    assert logout_kills(machine) is None


def test_user_manager_ends_with_the_last_session(machine: Path) -> None:
    (machine / "proc/self/cgroup").write_text(MANAGER)
    assert "systemd user manager" in (logout_kills(machine) or "")


@pytest.mark.parametrize("group", [SESSION, MANAGER])
def test_lingering_user_loses_nothing(machine: Path, group: str) -> None:
    kill_user_processes(machine)
    (machine / "proc/self/cgroup").write_text(group)
    (machine / "var/lib/systemd/linger" / pwd.getpwuid(os.getuid()).pw_name).touch()
    assert logout_kills(machine) is None


def test_machine_without_systemd_kills_nothing(tmp_path: Path) -> None:
    assert (logout_kills(tmp_path), scope_prefix(tmp_path)) == (None, [])


def test_scope_is_used_where_a_logout_kills_and_there_is_a_bus(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    (machine / "systemd-run").write_text("#!/bin/sh\n")
    (machine / "systemd-run").chmod(0o755)
    monkeypatch.setenv("PATH", str(machine))
    kill_user_processes(machine)
    assert scope_prefix(machine) == []
    (machine / f"run/user/{os.getuid()}/bus").touch()
    assert scope_prefix(machine)[:3] == ["systemd-run", "--user", "--scope"]
