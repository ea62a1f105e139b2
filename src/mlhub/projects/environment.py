"""A project's own virtual environment: made by uv, or by venv and pip, from what the project says it needs.

`mlhub.json` in it is written last and says what it was made from: without it an environment is half made, and is made
anew; with another digest it is brought up to date. Environments that others keep (`--venv`) are never touched.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec

from mlhub.errors import MlhubError, UsageError
from mlhub.files import read_regular, replace_bytes
from mlhub.projects.needs import Needs, needs_of, text_of
from mlhub.projects.registry import folder_of as folder_of_code
from mlhub.projects.stream import run
from mlhub.text import now, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.paths import Home
    from mlhub.projects.registry import Project

#: `none`: there is none; `partial`: its making was cut short; `stale`: what it was made from has changed
State = Literal["ready", "stale", "partial", "none"]
_MARK = "mlhub.json"


class Mark(msgspec.Struct, frozen=True):
    """What an environment was made from."""

    digest: str
    made_at: str
    installer: str
    python: str
    sources: list[str] = []


class Environment(msgspec.Struct, frozen=True):
    """A project's environment as it is. `folder` is None where runs use the Python of the shell."""

    folder: str | None
    own: bool
    state: State
    python: str | None = None
    version: str | None = None
    packages: int = 0
    made_at: str | None = None
    installer: str | None = None
    sources: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def folder_of(home: Home, project: Project) -> Path | None:
    """Where its environment is, or is to be: one that was named, one in its folder, its own; None for none."""
    if project.venv:
        return Path(project.venv)
    if not project.own_venv:
        return None
    return home.venv(project.name)


def found_inside(folder: Path) -> Path | None:
    """A virtual environment that lies in the project's folder already."""
    return next((folder / name for name in (".venv", "venv") if (folder / name / "pyvenv.cfg").is_file()), None)


def describe(home: Home, project: Project) -> Environment:
    """What is there, read from files in milliseconds."""
    folder = folder_of(home, project)
    if folder is None:
        return Environment(None, own=False, state="ready", python=shutil.which("python3") or sys.executable)
    python = folder / "bin" / "python"
    own = project.venv is None
    needs = needs_of(Path(project.folder)) if own else Needs()
    mark = _mark(folder)
    if not python.exists():
        state: State = "partial" if folder.is_dir() and own else "none"
        return Environment(str(folder), own, state, sources=needs.sources, left_out=needs.left_out)
    if own:
        state = "partial" if mark is None else "stale" if mark.digest != _digest(needs, project) else "ready"
    else:
        state = "ready"
    version = next(
        iter(re.findall(r"(?m)^version(?:_info)?\s*=\s*(\d+\.\d+\.\d+)", text_of(folder / "pyvenv.cfg"))), None
    )
    count = sum(1 for _ in folder.glob("lib/python3*/site-packages/*.dist-info"))
    return Environment(
        str(folder), own, state, str(python), version, count, mark.made_at if mark else None,
        mark.installer if mark else None, needs.sources, needs.left_out,
    )  # fmt: skip


def make(home: Home, project: Project, *, anew: bool = False) -> bool:
    """Create or update a project's own environment; False if it was up to date. Shows progress. Raises MlhubError."""
    if project.venv or not project.own_venv:
        raise UsageError(f"project {project.name}: its environment isn't mlhub's to change", "Change it with its pip.")
    needs = needs_of(folder_of_code(project))
    digest = _digest(needs, project)
    folder = home.venv(project.name)
    with locked(home, project.name) as lock:
        mark = _mark(folder)
        if mark and mark.digest == digest and not anew and (folder / "bin" / "python").exists():
            return False
        log = log_of(home, project)
        log.unlink(missing_ok=True)
        installer = "uv" if shutil.which("uv") else "pip"
        try:
            if anew or mark is None or mark.python != (project.python or ""):
                _create(home, project, installer, log, lock)
                mark = None
            (folder / _MARK).unlink(missing_ok=True)  # until all is installed it is half made
            _install(project, needs, folder, installer, log, lock, mark)
            made = Mark(digest, now(), installer, project.python or "", list(needs.sources))
            _write_mark(folder, made)
        except OSError as error:
            raise MlhubError(f"{folder}: {error.strerror or error}", "Make room, or set MLHUB_VENVS_DIR.") from error
    return True


def log_of(home: Home, project: Project) -> Path:
    """What the installers said when the environment was last made."""
    return home.registry / f"{project.name}.log"


def is_ours(home: Home, project: Project) -> bool:
    """Whether the folder of its own environment is one that mlhub made, or began to: no other is ever removed."""
    return _claim_of(home, project).exists() or _mark(home.venv(project.name)) is not None


def _claim_of(home: Home, project: Project) -> Path:
    """There from before the first file of the environment is made."""
    return home.registry / f"{project.name}.venv"


def remove(home: Home, project: Project) -> bool:
    """Remove the environment that mlhub made, if it did. Raises MlhubError."""
    with locked(home, project.name):
        found = is_ours(home, project) and home.venv(project.name).is_dir()
        try:
            if found:
                shutil.rmtree(home.venv(project.name))
        except OSError as error:
            raise MlhubError(f"{error.filename}: {error.strerror}", "Remove it by hand.") from error
        _claim_of(home, project).unlink(missing_ok=True)
        return found


@contextmanager
def locked(home: Home, name: str) -> Iterator[int]:
    """Alone with a project's files; the lock's descriptor. Raises MlhubError at once if another process is."""
    try:
        home.registry.mkdir(mode=0o700, parents=True, exist_ok=True)
        opened = open(home.registry / f".{name}.lock", "w", encoding="utf-8")  # noqa: SIM115 - closed below
    except OSError as error:
        raise MlhubError(f"{home.registry}: can't be written ({error.strerror})", "Make the home writable.") from error
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise MlhubError(
                f"project {name}: another mlhub is at work on it", "Wait for it, then try again."
            ) from None
        yield file.fileno()


def _digest(needs: Needs, project: Project) -> str:
    return hashlib.sha256(f"1\0{needs.digest}\0{project.python or ''}".encode()).hexdigest()


# making it


def _create(home: Home, project: Project, installer: str, log: Path, lock: int) -> None:
    folder = home.venv(project.name)
    if installer == "uv":
        words = ["--python", project.python] if project.python else []
        command = ["uv", "venv", "--seed", *words, str(folder)]
    else:
        command = [_interpreter(project), "-m", "venv", str(folder)]
    if not is_ours(home, project) and folder.is_dir() and any(folder.iterdir()):
        raise MlhubError(f"{folder}: is there, and mlhub hasn't made it", "Move it away, or set MLHUB_VENVS_DIR.")
    _claim_of(home, project).touch(mode=0o600)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _say(f"making {folder} with {installer}", log)
    _run(command, project, log, lock, "can't make a virtual environment")


def _install(
    project: Project, needs: Needs, folder: Path, installer: str, log: Path, lock: int, before: Mark | None
) -> None:
    """Install what is needed. `before`: what the environment was made from; where pip refuses, it still is."""
    if not needs.words:
        return
    python = str(folder / "bin" / "python")
    _say(f"installing what {', '.join(needs.sources)} ask{'s' if len(needs.sources) == 1 else ''} for", log)
    front = ["uv", "pip", "install", "--python", python]
    if installer == "pip":
        front = [python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    try:
        _run([*front, *needs.words], project, log, lock, "can't install what it needs")
    except MlhubError:
        if before:
            _write_mark(folder, before)
        raise


def _run(command: list[str], project: Project, log: Path, lock: int, what: str) -> None:
    """In the project's folder, outside any other environment; pip's own settings and index are the machine's."""
    env = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH")}
    done = run(command, cwd=Path(project.folder), env=env, log=log, holds=[lock])
    if done.status:
        said = [line for line in done.lines if re.match(r"\s*(?:error|×|fatal|cause)", line, re.IGNORECASE)]
        why = (said or list(done.lines) or [f"it ended with {done.status}"])[-1].strip()
        raise MlhubError(
            f"project {project.name}: {what}: {why}",
            f"All of it is in {log}. Then: mlhub project env {project.name}",
        )


def _interpreter(project: Project) -> str:
    """The Python to make it with. Raises UsageError."""
    if not project.python:
        return sys.executable
    wanted = project.python if os.sep in project.python else project.python.removeprefix("python")
    names = [wanted] if os.sep in wanted else [f"python{wanted}", wanted]
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None or not _is_python(found):
        raise UsageError(
            f"--python {one_line(project.python)}: no such Python here", "Name its path, or a version such as 3.11."
        )
    return found


def _is_python(path: str) -> bool:
    try:
        done = subprocess.run(
            [path, "-I", "-c", "print(2 * 3)"], stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == b"6"


def _say(line: str, log: Path) -> None:
    from mlhub.projects.stream import Show

    show = Show()
    show(one_line(line), whole=True)
    show.end()
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(log, "a", encoding="utf-8", errors="replace") as file:
        file.write(line + "\n")


def _write_mark(folder: Path, mark: Mark) -> None:
    replace_bytes(folder / _MARK, msgspec.json.encode(mark) + b"\n")


def _mark(folder: Path) -> Mark | None:
    try:
        return msgspec.json.decode(read_regular(folder / _MARK), type=Mark)
    except (OSError, msgspec.DecodeError):
        return None


def as_tree(found: Environment) -> dict[str, Any]:
    """As `--json` shows it."""
    tree: dict[str, Any] = msgspec.to_builtins(found)
    return tree
