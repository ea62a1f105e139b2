"""`spec.json`: what a run was started with: command, folder, code, packages, hardware. Never a secret's value.

Read from files wherever a file says it, so that writing it costs milliseconds; NVML is not asked.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from pathlib import Path
from typing import Any

from mlhub.redact import redact, redact_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: a larger diff is cut here, and says so
_DIFF_LIMIT = 1 << 20
#: `mlhub run` waits no longer than this for git in a huge tree
_GIT_SECONDS = 2.0
_GIT_PLACE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")


def describe(command: Sequence[str], cwd: Path, code: Path, venv: Path | None = None) -> dict[str, Any]:
    """The part of spec.json about the machine and the code. `code` is the folder of the code being run."""
    python = _python_of(command) or (str(venv / "bin" / "python") if venv else None)
    return {
        "command": redact_command(command),
        "cwd": str(cwd),
        "environment": sorted(os.environ),
        "git": git_state(code),
        "python": python,
        "packages": packages(python),
        "hardware": hardware(),
    }


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit and uncommitted changes of the working tree `folder` lies in; None outside one."""
    deadline = time.monotonic() + _GIT_SECONDS
    head = _git(folder, deadline, "rev-parse", "--show-toplevel", "HEAD", "--abbrev-ref", "HEAD")
    if head is None:
        top = _git(folder, deadline, "rev-parse", "--show-toplevel")  # a repository without a commit
        return {"root": top.strip(), "commit": None, "dirty": True, "diff": None} if top else None
    # by lines from the end: a folder's name may hold a line break
    root, commit, branch = head.strip().rsplit("\n", 2)
    diff = _git(Path(root), deadline, "diff", "HEAD", "--no-color", "--no-ext-diff", "--no-textconv")
    state: dict[str, Any] = {"root": root, "commit": commit, "branch": None if branch == "HEAD" else branch}
    state |= {"dirty": None, "diff": None, "untracked": None}
    if diff is None:
        return state | {"note": f"git took longer than {_GIT_SECONDS:.0f} s"}
    untracked = _git(Path(root), deadline, "ls-files", "--others", "--exclude-standard", "-z")
    names = [name for name in (untracked or "").split("\0") if name][:1000]
    state |= {"dirty": bool(diff or names), "diff": redact(diff[:_DIFF_LIMIT]), "untracked": names}
    if len(diff) > _DIFF_LIMIT:
        state["note"] = f"diff cut at {_DIFF_LIMIT} of {len(diff)} characters"
    return state


def _git(folder: Path, deadline: float, *arguments: str) -> str | None:
    """The output of git, or None if it failed, is not there or took too long."""
    # no optional locks: we must never make the user's own git command fail; no fsmonitor: a repository may name any
    # program for that; and in a hook of git's own GIT_DIR means another tree than the folder's
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", str(folder), *arguments]
    environment = {key: value for key, value in os.environ.items() if key not in _GIT_PLACE}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=max(0.01, deadline - time.monotonic()),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


def _python_of(command: Sequence[str]) -> str | None:
    """The Python a command names, if it names one."""
    import shutil

    if not Path(command[0]).name.startswith("python"):
        return None
    return shutil.which(command[0])


def packages(python: str | None) -> dict[str, str]:
    """Name -> version of what is installed beside `python`, from the names of its .dist-info folders."""
    if python is None:
        return {}
    prefix = Path(python).parent.parent
    found: dict[str, str] = {}
    for folder in sorted(prefix.glob("lib/python3*/site-packages")):
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            if name.endswith(".dist-info"):
                package, _, version = name.removesuffix(".dist-info").partition("-")
                found[package] = version
    return dict(sorted(found.items()))


def hardware() -> dict[str, Any]:
    """Processor, memory and GPUs, from /proc; what is not there is left out."""
    return {
        "host": platform.node(),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "cpu": _first_match("/proc/cpuinfo", r"^model name\s*:\s*(.+)$"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_kb": int(_first_match("/proc/meminfo", r"^MemTotal:\s*(\d+)") or 0) or None,
        "driver": _first_match("/proc/driver/nvidia/version", r"Kernel Module\s+(?:for \S+\s+)?(\d[\d.]+)"),
        "gpus": [
            _first_match(str(file), r"^Model:\s*(.+)$")
            for file in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
        ],
    }


def _first_match(path: str, pattern: str) -> str | None:
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    match = re.search(pattern, text, re.MULTILINE)
    return match.group(1).strip() if match else None
