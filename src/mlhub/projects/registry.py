"""What projects there are: a JSON file each in the home, written whole or not at all. Not their code, which is beside.

The files are outside data to whoever reads them: one that is damaged is named, and keeps nobody from the others.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from mlhub.errors import MlhubError, NotFoundError, UsageError
from mlhub.files import read_regular, replace_bytes
from mlhub.text import closest, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.paths import Home

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


class Project(msgspec.Struct, frozen=True):
    """`venv`: an environment somebody else keeps; `own_venv`: mlhub makes and updates one. Neither: the shell's Python.

    `python` is what its own environment is made with, `script` what a config is given to where there are several.
    """

    name: str
    folder: str
    url: str | None = None
    branch: str | None = None
    adapter: str | None = None
    script: str | None = None
    python: str | None = None
    venv: str | None = None
    own_venv: bool = True
    added_at: str = ""

    @property
    def cloned(self) -> bool:
        return self.url is not None


def check_name(name: str) -> str:
    """The name, if it can be a project's: it names a folder, and stands before the colon of `mlhub run NAME:…`."""
    if not _NAME.fullmatch(name) or name.endswith((".git", ".lock", ".json")):
        raise UsageError(
            f"--name {one_line(name)!r:.80}: no name for a project",
            "Letters, digits, - _ and . (not first), 64 at most, for example --name my-model.",
        )
    return name


def name_of(source: str) -> str:
    """A name made from the last part of a path or URL."""
    last = re.split(r"[/:\\]", source.rstrip("/"))[-1].removesuffix(".git")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip(".-")[:64] or "project"


def save(home: Home, project: Project) -> None:
    """Write a project's file. Raises MlhubError."""
    file = home.registry / f"{project.name}.json"
    try:
        home.registry.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_bytes(file, msgspec.json.format(msgspec.json.encode(project), indent=1) + b"\n")
    except (OSError, UnicodeEncodeError) as error:
        raise MlhubError(f"{file}: can't be written ({error})", "Make room, or the home writable.") from error


def remove(home: Home, project: Project) -> None:
    """Forget a project. Its folder is the caller's concern."""
    (home.registry / f"{project.name}.json").unlink(missing_ok=True)


def names(home: Home) -> list[str]:
    """The names of all projects; nothing is opened, so that completion may ask."""
    if not home.registry.is_dir():
        return []
    return sorted(file.stem for file in home.registry.glob("*.json") if _NAME.fullmatch(file.stem))


def find(home: Home, name: str) -> Project:
    """A project by name. Raises NotFoundError with the nearest name, or MlhubError for a damaged file."""
    known = names(home)
    if name not in known:
        there = f"There are {', '.join(known)}." if known else "There is none yet: mlhub project add PATH|GIT_URL"
        raise NotFoundError(f"no project {one_line(name)!r:.80}{closest(name, known)}", there)
    return read(home.registry / f"{name}.json")


def folder_of(project: Project) -> Path:
    """Where its code lies. Raises NotFoundError if that is gone."""
    folder = Path(project.folder)
    if not folder.is_dir():
        raise NotFoundError(
            f"project {project.name}: its folder is gone: {one_line(project.folder)}",
            f"Bring it back, or mlhub project rm {project.name} and add it anew.",
        )
    return folder


def read(file: Path) -> Project:
    """The project in a file. Raises MlhubError."""
    hint = f"Remove the file and add the project again: rm {file}"
    try:
        project = msgspec.json.decode(read_regular(file), type=Project)
    except (OSError, msgspec.DecodeError) as error:  # msgspec's ValidationError is one
        raise MlhubError(f"{file}: damaged ({one_line(str(error))})", hint) from error
    if project.name != file.stem or not project.folder.startswith("/") or "\0" in project.folder:
        raise MlhubError(f"{file}: damaged (it isn't the project {file.stem}'s)", hint)
    return project
