"""What is put around a command so that its training is captured with no change to its code: folders and variables.

`site/`, which goes on PYTHONPATH, holds what runs inside other people's programs: standard library only, Python 3.9 on.
Nothing of it is imported here, and nothing here runs there. Also here: which Python a command is run with.
"""

from __future__ import annotations

import os
import re
import shutil
from itertools import pairwise
from pathlib import Path

from mlhub.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: the folder that goes on PYTHONPATH: an entry point that Lightning asks, and a light `mlhub`
SITE = Path(__file__).with_name("site")

_PYTHON = re.compile(r"python(\d(\.\d+)?)?")


def is_own(command: Sequence[str]) -> bool:
    """Whether a command is a program of mlhub's, which records by itself."""
    return any(word == "-m" and name.startswith("mlhub.") for word, name in pairwise(command))


def ignored_by(command: Sequence[str]) -> str | None:
    """The option of a leading Python by which it does not look at PYTHONPATH, and nothing is captured; None if none."""
    if not command or not _PYTHON.fullmatch(os.path.basename(command[0])):
        return None
    words = iter(command[1:])
    for word in words:
        if not word.startswith("-") or word in ("-", "--"):
            return None
        if word.startswith("--"):
            continue
        for letter in word[1:]:
            if letter in "IE":
                return "-" + letter
            if letter in "cm":  # the program itself, and its own words
                return None
            if letter in "WX":  # takes a value: the rest, or the next word
                if word.endswith(letter):
                    next(words, None)
                break
    return None


def environment(env: Mapping[str, str], *, wanted: bool = True) -> dict[str, str]:
    """`env` with the folder first on PYTHONPATH; with it nowhere if it isn't `wanted`: it may come from a run's own."""
    found = [part for part in env.get("PYTHONPATH", "").split(os.pathsep) if part and part != str(SITE)]
    if wanted:
        found.insert(0, str(SITE))
    result = {name: value for name, value in env.items() if name != "PYTHONPATH"}
    return result | {"PYTHONPATH": os.pathsep.join(found)} if found else result


def in_venv(env: Mapping[str, str], venv: str) -> dict[str, str]:
    """`env` as the `activate` of a virtual environment leaves it."""
    rest = {name: value for name, value in env.items() if name != "PYTHONHOME"}
    path = os.pathsep.join((os.path.join(venv, "bin"), env.get("PATH", os.defpath)))
    return rest | {"VIRTUAL_ENV": venv, "PATH": path}


def python_of(venv: Path) -> Path:
    """The Python of a virtual environment. Raises UsageError if there is none that can be started."""
    if not venv.is_dir():
        raise UsageError(f"--venv {venv}: no such folder", f"Make it: python3 -m venv {venv}")
    python = Path(os.path.abspath(venv)) / "bin" / "python"
    if not python.exists():
        raise UsageError(f"--venv {venv}: no bin/python in it", "Name the folder of a virtual environment.")
    return _runnable(python, "--venv")


def find_python(name: str) -> Path:
    """The Python that --python names: a path, or a program on PATH. Raises UsageError."""
    if os.sep not in name:
        found = shutil.which(name)
        if found is None:
            raise UsageError(f"--python {name}: no such program on PATH", "Give its path.")
        return Path(found)
    python = Path(os.path.abspath(name))
    if not python.exists():
        raise UsageError(f"--python {name}: no such file", "Give the path of a Python, or --venv DIR.")
    return _runnable(python, "--python")


def _runnable(python: Path, option: str) -> Path:
    if python.is_dir() or not os.access(python, os.X_OK):
        raise UsageError(f"{option}: {python} is not executable", "Name a Python that can be started.")
    return python


def with_python(command: Sequence[str], python: Path, *, must: bool) -> tuple[str, ...]:
    """`command` run by `python`: in place of a leading `python`, or before a leading script.

    Another command stays as it is; with `must` it raises UsageError, and a Python that is named by a path is replaced.
    """
    first = os.path.basename(command[0]) if must else command[0]
    if _PYTHON.fullmatch(first):
        return (str(python), *command[1:])
    if command[0].endswith(".py"):
        return (str(python), *command)
    if must:
        raise UsageError(
            f"--python: {command[0]!r} is neither python nor a script", "Use --venv DIR for other commands."
        )
    return tuple(command)
