"""A new run like an old one, as a text that a user edits: options, then the preset's configuration or the command.

Only leaves that were changed become `KEY=VALUE` overrides, as on the command line. Secrets in a command are shown as
`***` and put back where they stay untouched. Functions of a store, for a thread; the editor is `acting.dialogs`'.
"""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlhub.errors import ConfigError, MlhubError
from mlhub.text import clean, fit, one_line
from mlhub.tui import theme

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mlhub.runner.submit import Request
    from mlhub.settings import Settings
    from mlhub.store.runs import Run
    from mlhub.store.store import Store

_OPTIONS = ("name", "group", "tags", "queue", "after", "gpus")


@dataclass(frozen=True, slots=True)
class Form:
    """The text to be edited, and what it was made from. `at`: the line to begin on."""

    run: Run
    request: Request
    text: str
    at: int
    warning: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an edited text asks for."""

    overrides: dict[str, Any]
    before: dict[str, Any]
    argv: tuple[str, ...] | None
    name: str | None
    group: str | None
    tags: tuple[str, ...]
    queue: bool
    after: str | None
    gpus: int


def form_of(store: Store, run: Run) -> Form:
    """The text for a run. Raises MlhubError if it is not known what was started."""
    from mlhub.runner.resume import code_changed, rerun_request

    run = store.reload(run)
    request = rerun_request(store, run, [])
    options = {"name": None, "group": request.group, "tags": list(request.tags), "queue": False, "after": None,
               "gpus": request.gpus}  # fmt: skip
    head = f"# like run {run.id} ({one_line(run.name)}); name: empty means that one is made\n"
    body = _dump(options).replace("null\n", "\n")
    if request.config is None:
        body += f"# in {one_line(str(request.cwd))}\n{_command_block(request.command)}"
    else:
        body += _dump({"config": _tree(request)})
    text = head + body
    first = next(index for index, line in enumerate(text.split("\n")) if line.startswith(("config:", "command:")))
    changed = code_changed(store.home.run(run.id))
    return Form(run, request, text, first + 1, one_line(changed) if changed else None)


def _dump(tree: object) -> str:
    """YAML without anything that a terminal would act on: what is no plain text is escaped."""
    from mlhub.yaml12 import dump

    text = dump(tree)
    return text if clean(text) == text else dump(tree, escaped=True)


def _command_block(argv: tuple[str, ...]) -> str:
    from mlhub.redact import redact_command

    words = shlex.join(redact_command(argv))
    if words.encode(errors="replace").decode() != words:
        raise MlhubError(
            "its command is not Unicode text, which can't be edited here", "mlhub rerun starts it as it is."
        )
    if clean(words) != words or "\t" in words:
        return _dump({"command": words})
    return "command: |\n" + "".join(f"  {line}\n" if line else "\n" for line in words.split("\n"))


def _tree(request: Request) -> dict[str, Any]:
    tree = request.config.tree() if request.config is not None else {}
    return {key: _plain(value) for key, value in tree.items()}


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def read(form: Form, text: str) -> Wanted:
    """What an edited text asks for. Raises MlhubError that names the line or the key."""
    from mlhub.runner.names import check_words
    from mlhub.yaml12 import parse

    tree = parse(text, "line")
    last = "command" if form.request.config is None else "config"
    if not isinstance(tree, dict) or last not in tree:
        raise ConfigError(f"{last}: is missing", "Escape leaves everything as it was.")
    if unknown := [key for key in tree if key not in (*_OPTIONS, last)]:
        raise ConfigError(f"{one_line(str(unknown[0]))}: unknown key", f"There are: {', '.join((*_OPTIONS, last))}.")
    name, group, tags = _word(tree, "name"), _word(tree, "group"), _words(tree, "tags")
    old = form.request  # what it has of old it may keep, however odd
    check_words(name, None if group == old.group else group, [tag for tag in tags if tag not in old.tags])
    config = last == "config"
    return Wanted(
        overrides=_overrides(form, tree["config"]) if config else {},
        before=_leaves(_tree(form.request)) if config else {},
        argv=None if config else _argv(form, tree["command"]),
        name=name,
        group=group,
        tags=tags,
        queue=_flag(tree, "queue"),
        after=",".join(_words(tree, "after")) or None,
        gpus=_count(tree, "gpus"),
    )


def _word(tree: Mapping[str, Any], key: str) -> str | None:
    value = tree.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return str(value)
    raise ConfigError(f"{key}: expected a word", "Put it between quotation marks.")


def _words(tree: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = tree.get(key)
    items = value if isinstance(value, list) else str(value).split(",") if value is not None else []
    return tuple(dict.fromkeys(word for item in items if (word := (_word({key: item}, key) or "").strip())))


def _flag(tree: Mapping[str, Any], key: str) -> bool:
    value = tree.get(key)
    if value is not None and not isinstance(value, bool):
        raise ConfigError(f"{key}: expected true or false, got {value!r:.40}")
    return bool(value)


def _count(tree: Mapping[str, Any], key: str) -> int:
    value = tree.get(key) or 0
    if type(value) is not int or value < 0:
        raise ConfigError(f"{key}: expected a number, got {value!r:.40}")
    return value


def _argv(form: Form, text: object) -> tuple[str, ...]:
    """Shell words as an argument list; `***` that stayed is the secret it stands for."""
    from mlhub.redact import redact_command

    if not isinstance(text, str):
        raise ConfigError("command: expected shell words", "For example: python train.py --lr 0.1")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"command: {str(error).lower()}", "Quotation marks go in pairs.") from None
    if not words:
        raise ConfigError("command: is empty", "For example: python train.py --lr 0.1")
    hidden: dict[str, list[str]] = {}
    for word, shown in zip(form.request.command, redact_command(form.request.command), strict=True):
        if word != shown:
            hidden.setdefault(shown, []).append(word)
    return tuple(hidden[word].pop(0) if hidden.get(word) else word for word in words)


def _leaves(tree: Mapping[str, Any]) -> dict[str, Any]:
    from mlhub.adapters.template import leaves

    return dict(leaves(tree))


def _overrides(form: Form, tree: object) -> dict[str, Any]:
    """Dotted keys that have other values now, everything checked; of a project's config `+key` for new ones."""
    from mlhub.config import RunConfig, check_config

    before = _leaves(_tree(form.request))
    if isinstance(form.request.config, RunConfig):
        after = _leaves(_tree(replace(form.request, config=check_config(tree))))
        return {key: value for key, value in after.items() if value != before[key]}
    if not isinstance(tree, dict):
        raise ConfigError("config: expected keys and values", "Escape leaves everything as it was.")
    after = _leaves(tree)
    if gone := next((key for key in before if key not in after), None):
        raise ConfigError(f"{one_line(gone)}: is missing", "A key can be given another value, not be taken away.")
    changed = {key: value for key, value in after.items() if key in before and value != before[key]}
    return changed | {f"+{key}": value for key, value in after.items() if key not in before}


def changes(form: Form, text: str) -> str:
    """What an edited text comes to, in a line. Raises MlhubError."""
    wanted, arrow = read(form, text), theme.glyph(("→", "->"))
    found = [
        f"{key} {_shown(wanted.before.get(key))} {arrow} {_shown(value)}" for key, value in wanted.overrides.items()
    ]
    if wanted.argv is not None and wanted.argv != form.request.command:
        found.append("another command")
    options = {"name": wanted.name, "queue": wanted.queue, "after": wanted.after}
    found += [f"{key} {_shown(value)}" for key, value in options.items() if value]
    for key, value, old in (
        ("group", wanted.group, form.request.group),
        ("tags", list(wanted.tags), list(form.request.tags)),
        ("gpus", wanted.gpus, form.request.gpus),
    ):
        found += [f"{key} {_shown(old)} {arrow} {_shown(value)}"] if value != old else []
    return one_line(", ".join(found)) or "nothing is changed: the same once more"


def _shown(value: object) -> str:
    return fit(one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)), 40)


def _check_program(name: str, cwd: Path) -> None:
    """Raises MlhubError if a start in `cwd` would not find the program: it would leave a failed run behind."""
    where = os.environ.get("PATH", os.defpath).split(os.pathsep)
    found = [cwd / name] if "/" in name else [cwd / folder / name for folder in where]
    if any(os.path.isfile(path) and os.access(path, os.X_OK) for path in found):
        return
    shown = one_line(name)
    if not os.path.isdir(cwd):
        raise MlhubError(f"command: its folder is gone: {one_line(str(cwd))}")
    if "/" in name and os.path.exists(found[0]):
        raise MlhubError(f"command: {shown} can't be executed", "Name a program that can be.")
    place = f"in {one_line(str(cwd))}" if "/" in name else "in any folder of PATH"
    raise MlhubError(f"command: there is no program {shown} {place}", "Nothing was started.")


def start(store: Store, settings: Settings, form: Form, text: str) -> str:
    """Start the run that an edited text asks for, or queue it; what came of it. Raises MlhubError."""
    from mlhub.runner.preflight import check
    from mlhub.runner.resume import find_after, rerun_request
    from mlhub.runner.submit import submit

    wanted = read(form, text)
    overrides = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in wanted.overrides.items()]
    request = rerun_request(
        store, store.reload(form.run), overrides,
        name=wanted.name, group=wanted.group, tags=wanted.tags, queue=wanted.queue, gpus=wanted.gpus,
        after=find_after(store, wanted.after),
    )  # fmt: skip
    if wanted.argv is not None:
        request = replace(request, command=wanted.argv)
    check(request.config, store.home)
    if request.config is None and not request.after:  # what comes before it may make the program
        _check_program(request.command[0], request.cwd)
    run = submit(store, request, max_runs=settings.max_runs)
    waits = f" ({run.condition})" if run.waiting and run.condition else ""
    return one_line(f"run {run.id} {run.name}, like {form.run.name}: {run.status}{waits}")
