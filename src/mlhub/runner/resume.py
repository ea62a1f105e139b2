"""A further attempt of an ended run, and a new run from what an old one was started with.

The program itself continues from its checkpoint: it sees MLHUB_ATTEMPT > 1. Never two attempts alive at once: what the
last one left behind is ended first.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlhub.adapters.invocation import read_invocation
from mlhub.adapters.plain import load_plain
from mlhub.errors import MlhubError, UsageError
from mlhub.runner import leftovers
from mlhub.runner.folder import read_spec
from mlhub.runner.imported import check_ours
from mlhub.runner.kinds import is_hashing
from mlhub.runner.order import Order, recorded, requeue
from mlhub.runner.reconcile import refresh
from mlhub.runner.spec import git_state
from mlhub.runner.submit import Request, check_gpus, enter, uninterrupted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlhub.adapters.invocation import Invocation
    from mlhub.paths import RunPaths
    from mlhub.store.runs import Run
    from mlhub.store.store import Store


@dataclass(frozen=True, slots=True)
class Resumed:
    """The run as it then is, processes of its last attempt that had to be ended, runs it no longer waits for."""

    run: Run
    ended: list[int]
    dropped: list[Run]


def resume(
    store: Store,
    run: Run,
    *,
    queue: bool = False,
    retries: int = 0,
    priority: int | None = None,
    max_runs: int = 0,
    gpus: int | None = None,
) -> Resumed:
    """Start an ended run again, as its next attempt, with the environment of this process.

    Raises MlhubError if it has not ended, has completed, ran on another host, or its order is not known.
    """
    paths = store.home.run(run.id)
    check_ours(paths, run)
    _check(run)
    given = recorded_order(paths, run)
    cards = check_gpus(run.gpus_wanted if gpus is None else gpus)
    slots = max_runs if max_runs > 0 else int(queue)
    after, dropped = _dependencies(store, run)
    with uninterrupted():
        over = leftovers.end(store, run)
        if over.left:
            pids = ", ".join(map(str, over.left))
            raise MlhubError(f"processes of its last attempt can't be ended: {pids}", "Look at them with ps.")
        done = requeue(store, run, retries=retries, slots=slots, priority=priority, gpus_wanted=gpus, after=after)
        run = store.reload(run)
        if not done:
            raise MlhubError(f"run {run.id} ({run.name}) is {run.status} already", f"mlhub show {run.name}")
        return Resumed(enter(store, run, given, queue=queue, max_runs=max_runs, cards=cards), over.ended, dropped)


def _dependencies(store: Store, run: Run) -> tuple[list[int], list[Run]]:
    """Of the runs it was to come after, those it still can, and those that ended badly: who resumes it knows that."""
    others = [other for other in map(store.get, run.after) if other is not None]
    dropped = [other for other in others if other.status in ("failed", "cancelled") and not other.to_be_retried]
    return [other.id for other in others if other not in dropped], dropped


def _check(run: Run) -> None:
    if run.active:
        raise MlhubError(f"run {run.id} ({run.name}) is {run.status}", f"Stop it first: mlhub stop {run.name}")
    if run.status == "completed":
        raise MlhubError(
            f"run {run.id} ({run.name}) has completed: there is nothing to continue", f"mlhub rerun {run.name}"
        )
    if run.host != socket.gethostname():
        raise MlhubError(
            f"run {run.id} ({run.name}) ran on host {run.host}", f"Resume it there, or mlhub rerun {run.name}"
        )


def recorded_order(paths: RunPaths, run: Run) -> Order:
    """What the run was started with, and the environment of this process. Raises MlhubError."""
    check_ours(paths, run)
    given = recorded(paths, run)
    if given is None:
        raise MlhubError(
            f"run {run.id} ({run.name}): its folder does not say what was started", "Start it anew: mlhub run …"
        )
    return given


def rerun_request(store: Store, run: Run, overrides: Sequence[str], **changes: Any) -> Request:  # noqa: ANN401 - fields of Request
    """A request for a new run like `run`: its preset as it was resolved, with `overrides`, or its command.

    Raises UsageError for overrides of a run without a preset, MlhubError if its folder does not say what it was.
    """
    paths = store.home.run(run.id)
    given = recorded_order(paths, run)
    kind = str(read_spec(paths).get("kind") or run.kind)  # capture may have made a training of a command
    common: dict[str, Any] = {
        "kind": kind, "group": run.group, "tags": tuple(run.tags), "grace": given.grace, "cwd": given.cwd,
        "gpus": run.gpus_wanted, "stop_on_nan": given.stop_on_nan,
        "venv": Path(given.venv) if given.venv else None, "capture": given.capture, "environment": given.environment,
    }  # fmt: skip
    common |= {"adapter": run.adapter, "project": run.project, "preset": Path(run.preset) if run.preset else None}
    if invocation := read_invocation(paths.invocation):
        return _rerun_of_project(paths, run, invocation, overrides, common | changes)
    if is_hashing(run) and paths.config.exists():
        from mlhub.adapters import HASHING
        from mlhub.config import load_config

        config = load_config(paths.config, overrides)
        common |= {"adapter": HASHING.name, "code": Path(__file__).parents[1]}
        return Request(HASHING.command("train"), config=config, **common | changes)
    if overrides:
        raise UsageError(
            f"run {run.id} ({run.name}) has no preset, so {overrides[0]!r} can't be set",
            "Leave it out, or mlhub run -- CMD …",
        )
    detail = {} if kind == "command" else run.config
    return Request(given.argv, detail=detail, **common | changes)


def _rerun_of_project(
    paths: RunPaths, run: Run, invocation: Invocation, overrides: Sequence[str], fields: dict[str, Any]
) -> Request:
    """By what the run's folder keeps, whatever became of the project and its adapter. Raises UsageError."""
    invocation = invocation.changed(overrides)
    config = None
    if paths.config.exists():
        config = load_plain(paths.config, overrides, free=invocation.composes)
    elif overrides:
        raise UsageError(
            f"run {run.id} ({run.name}) was given no config, so {overrides[0]!r} can't be set",
            f"mlhub run {invocation.project}:{invocation.script} -- ARG …",
        )
    return Request(invocation.command(config), config=config, invocation=invocation, **fields)


def find_after(store: Store, words: str | None) -> tuple[int, ...]:
    """The ids of the runs that --after names. Raises NotFoundError, or UsageError if one can't complete any more."""
    if words is not None and not all(word.strip() for word in words.split(",")):
        raise UsageError(f"--after {words!r}: an empty name", "Name runs, commas between them: --after base,12")
    found = [refresh(store, store.find(word.strip())) for word in (words or "").split(",") if word.strip()]
    for run in found:
        if run.status in ("failed", "cancelled") and not run.to_be_retried:
            raise UsageError(
                f"--after {run.name}: it {'was ' if run.status == 'cancelled' else ''}{run.status}",
                f"mlhub resume {run.name} first, or leave --after out.",
            )
    return tuple(dict.fromkeys(run.id for run in found))


def code_changed(paths: RunPaths) -> str | None:
    """What is different in the code since the run was started, in words; None if nothing is, or nobody can tell."""
    then = read_spec(paths).get("git")
    root = then.get("root") if isinstance(then, dict) else None
    if not isinstance(then, dict) or not isinstance(root, str) or not os.path.isdir(root):
        return None
    now = git_state(Path(root))
    if now is None:
        return None
    if now["commit"] != then.get("commit"):
        return f"commit {str(then.get('commit'))[:12]} then, {str(now['commit'])[:12]} now"
    if now["diff"] != then.get("diff"):
        return "uncommitted changes differ"
    if now["untracked"] != then.get("untracked"):
        return "files that git does not track differ"
    return None
