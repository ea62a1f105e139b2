"""How projects are shown: as text, and as JSON."""

from __future__ import annotations

from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mlhub.paths import Home
    from mlhub.projects.environment import Environment
    from mlhub.projects.registry import Project


def show_project(home: Home, project: Project, *, as_json: bool) -> int:
    import shlex

    import msgspec

    from mlhub.cli.out import emit_json, say
    from mlhub.projects import environment, git
    from mlhub.projects.detect import look
    from mlhub.text import one_line

    folder = Path(project.folder)
    found, state, head = look(folder), environment.describe(home, project), git.head(folder)
    adapter = project.adapter or found.adapter
    if as_json:
        tree = tree_of(project) | {"adapter": adapter, "commit": head.commit, "on_branch": head.branch}
        detected = msgspec.to_builtins(found, order="deterministic")
        for script in detected["scripts"]:
            del script["uses"]  # hundreds of names, by which the program is chosen
        emit_json(tree | {"environment": environment.as_tree(state), "detected": detected})
        return 0
    at = " ".join(part for part in (head.branch, (head.commit or "")[:12]) if part)
    facts = [
        ("folder", project.folder + ("" if folder.is_dir() else "  (gone)")),
        ("url", project.url),
        ("code", at),
        ("adapter", adapter + ("" if project.adapter else "  (by its scripts)")),
        ("script", project.script),
        *environment_facts(state),
    ]
    say(f"project {project.name}")
    for label, fact in facts:
        if fact:
            say(f"  {label:<8} {one_line(fact)}")
    _print_found("configs", [(path, "") for path in found.configs])
    _print_found("scripts", [(script.path, script.adapter) for script in found.scripts])
    if found.cut:
        say("… more files than were looked at")
    if first := next(iter(found.configs), None) or next((script.path for script in found.scripts), None):
        say(f"run it   mlhub run {one_line(shlex.quote(f'{project.name}:{first}'))}")
    return 0


def _print_found(title: str, rows: list[tuple[str, str]]) -> None:
    from mlhub.cli.out import columns, say
    from mlhub.text import fit, one_line

    if rows:
        say(title)
    for path, note in rows[:30]:
        say(fit(f"  {one_line(path)}" + (f"  ({note})" if note else ""), columns()))
    if len(rows) > 30:
        say(f"  … {len(rows) - 30} more: --json has all")


def environment_facts(state: Environment) -> list[tuple[str, str]]:
    from mlhub.text import local_time

    if state.folder is None:
        return [("python", f"{state.python}  (the shell's; no environment)")]
    facts = [("venv", f"{state.folder}  ({state_word(state)})")]
    if state.version:
        facts.append(("python", f"{state.version}, {state.packages} packages"))
    if state.made_at:
        facts.append(
            ("made", f"{local_time(state.made_at)} by {state.installer} from {', '.join(state.sources) or '–'}")
        )
    if state.left_out:
        facts.append(("left out", f"conda's own: {', '.join(state.left_out)}; with conda make one and use --venv"))
    return facts


def state_word(state: Environment) -> str:
    if state.folder is None:
        return "the shell's"
    words = {"ready": "ready", "stale": "out of date", "partial": "half made", "none": "not made"}
    return words[state.state] + ("" if state.own else ", not mlhub's")


def folder_text(project: Project) -> str:
    return project.folder if Path(project.folder).is_dir() else f"{project.folder} (gone)"


def tree_of(project: Project) -> dict[str, Any]:
    import msgspec

    tree: dict[str, Any] = msgspec.to_builtins(project)
    return tree
