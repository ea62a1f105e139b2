"""Adding, changing, updating and removing a project: the registry's entry, its clone and its environment together."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import msgspec

from mlhub.adapters import load
from mlhub.errors import MlhubError, NotFoundError, UsageError
from mlhub.projects import environment, git, registry
from mlhub.projects.needs import needs_of
from mlhub.projects.registry import Project
from mlhub.text import now, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.paths import Home


class Chosen(msgspec.Struct, frozen=True):
    """How a project is to be run, of what a user may choose; None for what is left as it is found."""

    adapter: str | None = None
    script: str | None = None
    python: str | None = None
    venv: Path | None = None
    no_venv: bool = False

    def checked(self, home: Home) -> Chosen:
        """The same, its environment absolute. Raises UsageError, NotFoundError or ConfigError."""
        if self.no_venv and (self.venv or self.python):
            raise UsageError(f"both --{'venv' if self.venv else 'python'} and --no-venv", "Give one of them.")
        if self.venv and self.python:
            raise UsageError("both --python and --venv", "An environment that is there has its own Python.")
        if self.adapter:
            load.find(self.adapter, home)
        return msgspec.structs.replace(self, venv=_checked_venv(self.venv)) if self.venv else self


def add(
    home: Home, source: str, chosen: Chosen | None = None, *, name: str | None = None, branch: str | None = None
) -> Project:
    """Register a folder, or clone a URL and register that. Its environment is not made here. Raises MlhubError.

    Without --venv, an environment that lies in the folder (`.venv`, `venv`) is used; without anything to install none.
    """
    path = Path(os.path.expanduser(source))
    cloned = not path.is_dir() and git.is_url(source)
    if not cloned and not path.is_dir():
        raise NotFoundError(f"{one_line(source)}: no such folder", "Name a folder, or a URL: https://…, git@HOST:…")
    if branch and not cloned:
        raise UsageError("--branch is for a URL; a folder has the branch it is on", "Leave it out, or switch with git.")
    url = git.check_url(source) if cloned else None
    name = registry.check_name(registry.name_of(source if cloned else os.path.abspath(path)) if name is None else name)
    if branch:
        git.check_branch(branch)
    chosen = (chosen or Chosen()).checked(home)
    with environment.locked(home, name):
        _check_free(home, name)
        folder = _clone(home, name, url, branch) if url else Path(os.path.abspath(path))
        venv = chosen.venv or (None if chosen.no_venv or chosen.python else environment.found_inside(folder))
        project = Project(
            name=name,
            folder=str(folder),
            url=url,
            branch=branch,
            adapter=chosen.adapter,
            script=_checked_script(folder, chosen.script),
            python=chosen.python,
            venv=str(venv) if venv else None,
            own_venv=not chosen.no_venv and not venv and _asks(folder, chosen.python),
            added_at=now(),
        )
        registry.save(home, project)
    return project


def _asks(folder: Path, python: str | None) -> bool:
    """Whether there is anything to make an environment for."""
    needs = needs_of(folder)
    return bool(needs.words or needs.sources or python)


def _check_free(home: Home, name: str) -> None:
    if name in registry.names(home):
        raise UsageError(
            f"a project {name!r} exists already", f"Choose another --name, or see mlhub project show {name}."
        )


def _clone(home: Home, name: str, url: str, branch: str | None) -> Path:
    """The clone; one that is there already of the same URL, its entry lost, is taken as it is. Raises MlhubError."""
    folder = home.clones / name
    if folder.exists() or folder.is_symlink():
        if git.origin(folder) == url and not folder.is_symlink():
            return folder
        raise MlhubError(f"{folder}: is there, and is no clone of it", "Choose another --name, or move it away.")
    try:
        git.clone(url, folder, branch)
    except OSError as error:
        raise MlhubError(f"{folder}: {error.strerror or error}", "Make room, or set MLHUB_PROJECTS_DIR.") from error
    return folder


def change(home: Home, project: Project, chosen: Chosen) -> Project:
    """Set what was given. Raises MlhubError."""
    chosen = chosen.checked(home)
    changes: dict[str, Any] = {}
    if chosen.adapter:
        changes["adapter"] = chosen.adapter
    if chosen.script:
        changes["script"] = _checked_script(Path(project.folder), chosen.script)
    if chosen.python:
        changes |= {"python": chosen.python, "own_venv": True, "venv": None}
    if chosen.venv or chosen.no_venv:
        changes |= {"venv": str(chosen.venv) if chosen.venv else None, "own_venv": False}
    project = msgspec.structs.replace(project, **changes)
    registry.save(home, project)
    return project


def own_environment(home: Home, project: Project) -> Project:
    """The project as one whose environment mlhub makes: who asks for it, gets one. Raises UsageError."""
    if project.venv:
        raise UsageError(
            f"project {project.name} uses {project.venv}, which is not mlhub's",
            f"Change it with its pip, or mlhub project set {project.name} --python 3 for one of its own.",
        )
    if not project.own_venv:
        project = msgspec.structs.replace(project, own_venv=True)
        registry.save(home, project)
    return project


def pull(home: Home, project: Project) -> str:
    """Bring a clone up to date; what came of it, in a line. Raises MlhubError."""
    folder = registry.folder_of(project)
    if not project.cloned:
        return f"{folder} is your own folder: pull there with git; its environment is looked at"
    with environment.locked(home, project.name):
        before = git.head(folder)
        if before.branch is None:
            return f"at {project.branch or (before.commit or '')[:12]}, which is no branch: there is nothing to pull"
        git.pull(folder, project.url)
        after = git.head(folder)
    if before.commit == after.commit:
        return f"{after.branch} is up to date at {(after.commit or '')[:12]}"
    return f"{after.branch}: {(before.commit or '')[:12]} -> {(after.commit or '')[:12]}"


def remove(home: Home, project: Project, *, keep: bool, force: bool) -> list[str]:
    """Forget a project; the folders that were removed with it. A folder of the user's stays. Raises MlhubError."""
    removed: list[str] = []
    clone = Path(project.folder)
    ours = project.cloned and clone == home.clones / project.name and clone.is_dir() and not keep
    if ours and not force and (why := git.unsaved(clone)):
        raise MlhubError(f"project {project.name}: {why} in {clone}", "Push it, or --keep the clone, or --force.")
    if environment.remove(home, project):
        removed.append(str(home.venv(project.name)))
    if ours:
        try:
            shutil.rmtree(clone)
        except OSError as error:
            raise MlhubError(f"{error.filename}: {error.strerror}", "Remove it by hand.") from error
        removed.append(str(clone))
    environment.log_of(home, project).unlink(missing_ok=True)
    registry.remove(home, project)
    return removed


def _checked_venv(venv: Path) -> Path:
    """A virtual environment of the user's, absolute. Raises UsageError."""
    folder = Path(os.path.abspath(os.path.expanduser(venv)))
    if not os.access(folder / "bin" / "python", os.X_OK):
        raise UsageError(f"--venv {one_line(str(venv))}: no bin/python in it", "Name the folder of an environment.")
    return folder


def _checked_script(folder: Path, script: str | None) -> str | None:
    """The script's path in the project. Raises UsageError."""
    if not script:
        return None
    path = Path(script) if Path(script).is_absolute() else folder / script
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"--script {one_line(script)}: no such file in {folder}", "Name it as the project does.")
    return os.path.relpath(path, folder)
