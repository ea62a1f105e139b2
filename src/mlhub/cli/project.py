"""`mlhub project`: training code of one's own, in a folder or cloned, its virtual environment; and the adapters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.paths import Home
    from mlhub.projects.registry import Project

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Projects: training code to run by its configs, and adapters.

\b
mlhub project add ~/code/mine     a folder, or a git URL
mlhub run mine:conf/base.yaml     a run of one of its configs
""",
)

_Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
_Name = Annotated[str, typer.Argument(metavar="PROJECT", show_default=False)]
_Branch = Annotated[str | None, typer.Option(help="The branch or tag to clone.")]
_Adapter = Annotated[str | None, typer.Option(help="How it is run (default: as found): mlhub project adapters.")]
_Script = Annotated[str | None, typer.Option(metavar="FILE.py", help="The script that is given a config.")]
_Python = Annotated[str | None, typer.Option(metavar="PATH|3.11", help="The Python its environment is made with.")]
_Venv = Annotated[Path | None, typer.Option(metavar="DIR", help="Use this environment, which is left as it is.")]
_NoVenv = Annotated[bool, typer.Option("--no-venv", help="Make none: run with the Python of the shell.")]


@app.command("add")
def add(
    source: Annotated[str, typer.Argument(metavar="PATH|GIT_URL", show_default=False)],
    name: Annotated[str | None, typer.Option(help="Its name (default: the last part of the path or URL).")] = None,
    branch: _Branch = None,
    adapter: _Adapter = None,
    script: _Script = None,
    python: _Python = None,
    venv: _Venv = None,
    no_venv: _NoVenv = False,
    json: _Json = False,
) -> int:
    """Add a project: a folder where it lies, or a clone; and make the virtual environment that it asks for.

    A token for a private repository is read from GITHUB_TOKEN, GITLAB_TOKEN, HF_TOKEN or MLHUB_GIT_TOKEN=HOST:TOKEN,
    or comes from git's own credential helper. It is never stored.

    \b
    mlhub project add ~/work/segmenter
    mlhub project add https://github.com/OWNER/NAME.git --branch dev --name seg
    mlhub project add . --venv .venv --adapter lightning
    """
    from mlhub.cli.hub import open_home
    from mlhub.cli.out import say
    from mlhub.cli.project_text import show_project
    from mlhub.projects import registry
    from mlhub.projects.add import Chosen
    from mlhub.projects.add import add as make

    home = open_home()
    project = make(home, source, Chosen(adapter, script, python, venv, no_venv), name=name, branch=branch)
    if not json:
        say(f"project {project.name}  {project.folder}")
    trouble = _make_environment(home, project)
    status = show_project(home, registry.find(home, project.name), as_json=json)
    return 1 if trouble else status


@app.command("ls")
def ls(json: _Json = False) -> int:
    """List projects.

    \b
    mlhub project ls
    """
    from mlhub.cli.hub import open_home
    from mlhub.cli.out import Column, emit_json, say, table, tell
    from mlhub.cli.project_text import folder_text, state_word, tree_of
    from mlhub.errors import MlhubError
    from mlhub.projects import environment, registry
    from mlhub.text import one_line

    home = open_home()
    found = []
    for name in registry.names(home):
        try:
            found.append(registry.find(home, name))
        except MlhubError as error:
            tell(f"warning: {one_line(error.message)}; {one_line(error.hint)}")
    states = [environment.describe(home, project) for project in found]
    if json:
        pairs = zip(found, states, strict=True)
        emit_json([tree_of(project) | {"environment": environment.as_tree(state)} for project, state in pairs])
        return 0
    if not found:
        say("no projects yet; add one: mlhub project add PATH|GIT_URL")
        return 0
    heads = [Column("name"), Column("adapter"), Column("environment"), Column("folder", flex=True, path=True)]
    rows = [
        [project.name, project.adapter or "–", state_word(state), folder_text(project)]
        for project, state in zip(found, states, strict=True)
    ]
    for line in table(heads, rows):
        say(line)
    return 0


@app.command("show")
def show(name: _Name, json: _Json = False) -> int:
    """Show a project: where it lies, its environment, and the configs and scripts that were found in it.

    \b
    mlhub project show segmenter
    """
    from mlhub.cli.hub import open_home
    from mlhub.cli.project_text import show_project
    from mlhub.projects import registry

    home = open_home()
    return show_project(home, registry.find(home, name), as_json=json)


@app.command("set")
def set_(
    name: _Name,
    adapter: _Adapter = None,
    script: _Script = None,
    python: _Python = None,
    venv: _Venv = None,
    no_venv: _NoVenv = False,
    json: _Json = False,
) -> int:
    """Change how a project is run.

    \b
    mlhub project set segmenter --script tools/train.py --adapter command
    mlhub project set segmenter --venv ~/envs/torch
    """
    from mlhub.cli.hub import open_home
    from mlhub.cli.project_text import show_project
    from mlhub.errors import UsageError
    from mlhub.projects import registry
    from mlhub.projects.add import Chosen, change

    chosen = Chosen(adapter, script, python, venv, no_venv)
    if chosen == Chosen():
        raise UsageError("nothing to change", "mlhub project set --help names what can be.")
    home = open_home()
    project = change(home, registry.find(home, name), chosen)
    return show_project(home, project, as_json=json)


@app.command("update")
def update(name: _Name, json: _Json = False) -> int:
    """Bring a project up to date: `git pull --ff-only` in a clone, then its environment, if what it needs has changed.

    \b
    mlhub project update segmenter
    """
    from mlhub.cli.hub import open_home
    from mlhub.cli.out import tell
    from mlhub.cli.project_text import show_project
    from mlhub.projects import registry
    from mlhub.projects.add import pull

    home = open_home()
    project = registry.find(home, name)
    tell(pull(home, project))
    trouble = _make_environment(home, project)
    status = show_project(home, project, as_json=json)
    return 1 if trouble else status


@app.command("env")
def env(
    name: _Name,
    anew: Annotated[bool, typer.Option("--anew", help="Make it from nothing, whatever is there.")] = False,
    json: _Json = False,
) -> int:
    """Make a project's virtual environment, or bring it up to date; one that is up to date is left alone.

    \b
    mlhub project env segmenter
    mlhub project env segmenter --anew
    """
    from mlhub.cli.hub import open_home
    from mlhub.cli.out import emit_json, say, tell
    from mlhub.cli.project_text import environment_facts
    from mlhub.projects import environment, registry
    from mlhub.projects.add import own_environment

    home = open_home()
    project = own_environment(home, registry.find(home, name))
    _warn_active(home, project)
    changed = environment.make(home, project, anew=anew)
    found = environment.describe(home, project)
    if json:
        emit_json(environment.as_tree(found))
        return 0
    if not changed:
        tell("up to date")
    for label, fact in environment_facts(found):
        say(f"  {label:<8} {fact}")
    return 0


@app.command("rm")
def rm(
    name: _Name,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the clone where it is.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Remove a clone in which something was changed.")] = False,
    json: _Json = False,
) -> int:
    """Forget a project, and remove what mlhub made: its clone and its environment. A folder of yours stays.

    Runs of it stay too; they can be shown and compared, but not be started again.

    \b
    mlhub project rm segmenter
    """
    from mlhub.cli.hub import open_home
    from mlhub.cli.out import emit_json, say
    from mlhub.projects import registry
    from mlhub.projects.add import remove

    home = open_home()
    project = registry.find(home, name)
    if active := _active(home, project):
        from mlhub.errors import MlhubError

        raise MlhubError(f"project {name}: run {active[0]} of it is active", f"Stop it first: mlhub stop {active[0]}")
    removed = remove(home, project, keep=keep, force=force)
    if json:
        emit_json({"name": name, "removed": removed})
        return 0
    say(f"project {name}: forgotten" + "".join(f"; removed {folder}" for folder in removed))
    return 0


@app.command("adapters")
def adapters(
    name: Annotated[str | None, typer.Argument(metavar="[ADAPTER]", show_default=False)] = None, json: _Json = False
) -> int:
    """List adapters (how a config becomes a command line, which metrics matter), or show one.

    \b
    mlhub project adapters
    mlhub project adapters lightning    as a file in HOME/adapters may have it
    """
    from mlhub.adapters import load
    from mlhub.cli.hub import open_home
    from mlhub.cli.out import Column, emit_json, say, table, tell
    from mlhub.errors import MlhubError
    from mlhub.text import clean, one_line
    from mlhub.yaml12 import dump

    home = open_home()
    if name:
        tree = load.as_tree(load.find(name, home)) | {"source": load.source(name, home)}
        if json:
            emit_json(tree)
        else:
            say(clean(dump(tree)).rstrip())
        return 0
    rows: list[dict[str, Any]] = []
    for known in load.known(home):
        try:
            rows.append({"name": known, "source": load.source(known, home), "about": load.find(known, home).about})
        except MlhubError as error:
            rows.append({"name": known, "source": load.source(known, home), "about": "", "error": error.message})
            tell(f"warning: {one_line(error.message)}")
    if json:
        emit_json(rows)
        return 0
    heads = [Column("name"), Column("from", flex=True, path=True), Column("about", flex=True, least=30)]
    for line in table(heads, [[row["name"], row["source"], row["about"]] for row in rows]):
        say(line)
    return 0


def _make_environment(home: Home, project: Project) -> bool:
    """Make or update the environment, if mlhub keeps it; whether that failed, which is said and keeps nobody."""
    from mlhub.cli.out import tell
    from mlhub.errors import MlhubError
    from mlhub.projects import environment
    from mlhub.text import one_line

    if project.venv or not project.own_venv:
        return False
    _warn_active(home, project)
    try:
        environment.make(home, project)
    except MlhubError as error:
        tell(f"error: {one_line(error.message)}")
        tell(f"hint:  {one_line(error.hint)}")
        return True
    return False


def _active(home: Home, project: Project) -> list[str]:
    """Names of the project's runs that run or wait."""
    from mlhub.store.store import Store

    if not home.database.exists():
        return []
    store = Store.open(home)
    return [run.name for run in store.active() if run.project == project.name]


def _warn_active(home: Home, project: Project) -> None:
    from mlhub.cli.out import tell
    from mlhub.projects import environment
    from mlhub.text import one_line

    if environment.describe(home, project).state == "ready":
        return
    if active := _active(home, project):
        tell(f"warning: {one_line(', '.join(active))} run in the environment that is being changed")
