"""What a logout would do to a run: systemd-logind can end every process of a session, however well detached.

A double fork does not help, as it kills by control group. Reads files only, a millisecond in all; changes nothing.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
from pathlib import Path

#: later folders win, and within one the later name
_CONF = ("usr/lib/systemd/logind.conf.d", "run/systemd/logind.conf.d", "etc/systemd/logind.conf.d")

#: execs the command in place, so that its pipes stay
SCOPE = ("systemd-run", "--user", "--scope", "--collect", "--quiet", "--")


def logout_kills(root: Path = Path("/")) -> str | None:
    """Why runs started now would die when the user logs out, and what to do; None if they would live on."""
    if _lingers(root):
        return None
    group = _control_group(root)
    user = _user()
    if re.search(r"/user@\d+\.service", group):
        return (
            f"logging out would end runs: they live in {user}'s systemd user manager; `loginctl enable-linger` keeps it"
        )
    if "/session-" in group and _kills_user_processes(root):
        return "logging out would end runs: logind has KillUserProcesses=yes; `loginctl enable-linger` keeps them"
    return None


def scope_prefix(root: Path = Path("/")) -> list[str]:
    """The words to put before a command so that it leaves the login session's control group; mostly none."""
    if "/session-" not in _control_group(root) or not _kills_user_processes(root):
        return []
    bus = os.environ.get("DBUS_SESSION_BUS_ADDRESS") or (root / f"run/user/{os.getuid()}/bus").exists()
    if not bus or shutil.which("systemd-run") is None:
        return []
    return list(SCOPE)


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _lingers(root: Path) -> bool:
    return (root / "var/lib/systemd/linger" / _user()).exists()


def _control_group(root: Path) -> str:
    """Our path in systemd's own hierarchy; "" where systemd does not run."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers in ("", "name=systemd") and path.strip("/"):
            return path
    return ""


def _kills_user_processes(root: Path) -> bool:
    drop_ins = sorted((file for folder in _CONF for file in (root / folder).glob("*.conf")), key=lambda file: file.name)
    kills, exempt = False, {"root"}  # logind's own default for KillExcludeUsers
    for file in (root / "etc/systemd/logind.conf", *drop_ins):
        for line in _read(file).splitlines():
            key, _, value = line.partition("=")
            if key.strip() == "KillUserProcesses":
                kills = value.strip().lower() in ("yes", "true", "on", "1")
            elif key.strip() == "KillExcludeUsers":
                exempt = set(value.split())
    return kills and _user() not in exempt


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
