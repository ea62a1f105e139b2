"""What `PROJECT:config.yaml`, `PROJECT:script.py` and `PROJECT:` with a command mean: a command line in its folder.

Not the start of it: that is `mlhub.runner`, to which the command line gives the plan as a request.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlhub.adapters import HASHING, Program, load
from mlhub.adapters.invocation import Invocation
from mlhub.adapters.plain import load_plain
from mlhub.errors import MlhubError, NotFoundError, UsageError
from mlhub.projects import environment, registry
from mlhub.projects.detect import Script, configs, inside, look, rank, read_script
from mlhub.text import closest, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlhub.adapters import Adapter
    from mlhub.adapters.plain import PlainConfig
    from mlhub.config import RunConfig
    from mlhub.paths import Home
    from mlhub.projects.detect import Findings
    from mlhub.projects.registry import Project

#: of the names in a hint
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run. `preset` is the user's config file; without an `invocation` the command is as it was typed.

    `python` starts it, in the virtual environment `venv` if there is one; `notes` are for the user.
    """

    project: Project
    adapter: Adapter
    command: tuple[str, ...]
    python: str
    venv: Path | None
    config: PlainConfig | RunConfig | None = None
    preset: Path | None = None
    invocation: Invocation | None = None
    notes: tuple[str, ...] = ()


def split(word: str) -> tuple[str, str] | None:
    """`PROJECT:WHAT` in its two parts; None for a word that means something else: a path, a file of that very name."""
    found = re.fullmatch(r"([A-Za-z0-9_][\w.-]*):(?!//)(.*)", word)
    return None if found is None or os.path.exists(word) else (found[1], found[2])


def plan(home: Home, name: str, what: str, words: Sequence[str], behind: Sequence[str] = ()) -> Plan:
    """What `PROJECT:WHAT WORDS -- BEHIND` means. Raises UsageError, NotFoundError, ConfigError or MlhubError.

    A config: `words` are KEY=VALUE, `behind` goes to its script. A script: both are its arguments. Nothing: `behind`
    is the command.
    """
    project = registry.find(home, name)
    folder = registry.folder_of(project)
    python, venv, notes = _python(home, project)
    common: dict[str, Any] = {"project": project, "python": python, "venv": venv}
    if not what:
        if not behind or words:
            raise UsageError(f"{name}: what is to be run?", _offer(project, look(folder)))
        adapter = load.find(project.adapter or "command", home)
        return Plan(adapter=adapter, command=tuple(behind), notes=notes, **common)
    if what.endswith(".py"):
        adapter, invocation = _of_script(home, project, python, what, (*words, *behind))
        return Plan(adapter=adapter, command=invocation.command(None), invocation=invocation, notes=notes, **common)
    file = _config_file(project, what)
    if project.adapter == HASHING.name:
        return _of_preset(project, file, words, notes)
    adapter, invocation = _of_config(home, project, python, file, words, behind)
    config = load_plain(folder / file, words, free=invocation.composes)
    if invocation.program.config == "environment":
        notes = (*notes, f"{invocation.script} declares no --config and no options: it has MLHUB_CONFIG to read")
    command = invocation.command(config)
    return Plan(
        adapter=adapter, command=command, config=config, preset=folder / file, invocation=invocation, notes=notes,
        **common,
    )  # fmt: skip


def _python(home: Home, project: Project) -> tuple[str, Path | None, tuple[str, ...]]:
    """The Python it runs with, its virtual environment, and what is to be said of it. Raises MlhubError."""
    found = environment.describe(home, project)
    again = f"mlhub project env {project.name}"
    if found.state in ("none", "partial"):
        if not found.own:
            raise MlhubError(f"project {project.name}: no environment in {found.folder}", f"{again} --venv DIR")
        cut = "its making was cut short" if found.state == "partial" else "not made yet"
        raise MlhubError(f"project {project.name}: its environment: {cut}", again)
    stale = f"what {project.name} needs has changed since its environment was made: {again}"
    venv = Path(found.folder) if found.folder else None
    return str(found.python), venv, (stale,) if found.state == "stale" else ()


def _of_preset(project: Project, file: str, words: Sequence[str], notes: tuple[str, ...]) -> Plan:
    """A preset of mlhub's own training code that lies in a project: it runs with mlhub's Python."""
    from mlhub.config import load_config

    path = Path(project.folder) / file
    return Plan(
        project, HASHING, HASHING.command("train"), sys.executable, None, load_config(path, words), path, notes=notes
    )


def _of_script(
    home: Home, project: Project, python: str, name: str, arguments: tuple[str, ...]
) -> tuple[Adapter, Invocation]:
    folder = Path(project.folder)
    if not (folder / name).is_file():
        raise _no_such(project, "script", name, [script.path for script in look(folder).scripts])
    script = read_script(folder, name) or Script(name, "command")
    adapter = load.find(project.adapter or script.adapter, home)
    program = adapter.program(script.uses, with_config=False) or Program(("{python}", "{script}", "{arguments}"))
    return adapter, _invocation(project, adapter, program, python, script, arguments=arguments)


def _of_config(
    home: Home, project: Project, python: str, file: str, words: Sequence[str], behind: Sequence[str]
) -> tuple[Adapter, Invocation]:
    script = _script_for(project)
    adapter = load.find(project.adapter or script.adapter, home)
    program = adapter.program(script.uses, with_config=True)
    if program is None:
        raise UsageError(
            f"adapter {adapter.name} has no program that takes a config",
            f"mlhub run {project.name}:{script.path} -- ARG …, or another adapter: mlhub project set {project.name}",
        )
    odd = next((word for word in words if "=" not in word), None)
    if odd is not None and program.config != "hydra":
        raise UsageError(f"{one_line(odd)!r}: expected KEY=VALUE", "Words for the script itself go behind --.")
    if behind and "{arguments}" not in program.command:
        raise UsageError(f"{script.path} is given its config alone", "Set keys of it instead: KEY=VALUE.")
    made = _invocation(
        project, adapter, program, python, script, config_file=file, arguments=tuple(behind), overrides=tuple(words)
    )
    return adapter, made


def _invocation(
    project: Project,
    adapter: Adapter,
    program: Program,
    python: str,
    script: Script,
    **more: Any,  # noqa: ANN401 - its own fields
) -> Invocation:
    return Invocation(
        project.name, adapter.name, program, project.folder, python, script.path,
        options=tuple(sorted(script.options)), flags=tuple(sorted(script.flags)), **more,
    )  # fmt: skip


def _script_for(project: Project) -> Script:
    """The script that is given the config: the one that was set, else the one that stands out. Raises UsageError."""
    folder = Path(project.folder)
    if project.script:
        if not (folder / project.script).is_file():
            raise _no_such(project, "script", project.script, [script.path for script in look(folder).scripts])
        return read_script(folder, project.script) or Script(project.script, "command")
    found = look(folder).scripts
    hint = f"Name it: mlhub project set {project.name} --script FILE.py"
    if not found:
        raise UsageError(f"project {project.name}: no script in it that could be run", hint)
    if len(found) > 1 and rank(found[0])[:-1] == rank(found[1])[:-1]:
        raise UsageError(f"project {project.name}: which script takes the config? {_some(found)}", hint)
    return found[0]


def _some(scripts: Sequence[Script]) -> str:
    names = [one_line(script.path) for script in scripts[:5]]
    return ", ".join(names) + (" …" if len(scripts) > 5 else "")


def _config_file(project: Project, what: str) -> str:
    """The config's path in the project: as it was named, or found by its name without folder or suffix."""
    folder = Path(project.folder)
    if (folder / what).is_file():
        if not inside(folder, what):
            real = one_line(os.path.realpath(folder / what))
            raise UsageError(
                f"{project.name}:{one_line(what)}: leads out of the project's folder, to {real}",
                "Copy the file into the project: what it holds is kept with the run.",
            )
        return what
    found = configs(folder)
    meant = [path for path in found if what in (Path(path).name, Path(path).stem, str(Path(path).with_suffix("")))]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise UsageError(f"{project.name}:{one_line(what)}: which? {', '.join(map(one_line, meant))}", "Name its path.")
    raise _no_such(project, "config", what, list(found))


def _no_such(project: Project, kind: str, name: str, known: list[str]) -> NotFoundError:
    there = ", ".join(map(one_line, known[:_SHOWN])) + (" …" if len(known) > _SHOWN else "")
    return NotFoundError(
        f"project {project.name}: no {kind} {one_line(name)!r}{one_line(closest(name, known))}",
        f"There are: {there}" if known else f"It has none that mlhub can see: mlhub project show {project.name}",
    )


def _offer(project: Project, found: Findings) -> str:
    first = next(iter([*found.configs, *(script.path for script in found.scripts)]), "config.yaml")
    return f"mlhub run {one_line(shlex.quote(f'{project.name}:{first}'))}, or mlhub run {project.name}: -- CMD ARG …"
