"""Start a run: a row, a folder that says what it is, then the supervisor. The process itself is `runner.launch`'s."""

from __future__ import annotations

import json
import os
import signal
import socket
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlhub.errors import MlhubError, StoreError
from mlhub.runner.folder import linked_folders, numbered
from mlhub.runner.launch import Launch, launch
from mlhub.runner.names import new_name
from mlhub.runner.spec import describe
from mlhub.text import now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.config import RunConfig
    from mlhub.paths import Home, RunPaths
    from mlhub.store.runs import Run
    from mlhub.store.store import Store


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asked to be run."""

    command: tuple[str, ...]
    kind: str = "command"
    cwd: Path = field(default_factory=Path.cwd)
    code: Path | None = None  # folder of the code being run, if it isn't cwd
    name: str | None = None
    group: str | None = None
    tags: tuple[str, ...] = ()
    preset: Path | None = None
    config: RunConfig | None = None
    detail: dict[str, Any] = field(default_factory=dict)  # of the kind, into config: which checkpoint an eval is of
    grace: float = 10.0


def submit(store: Store, request: Request) -> Run:
    """Start `request` as a new run and return it, running.

    Raises MlhubError if nothing could be started; then the run is kept, failed, with the reason, or, when not even its
    folder could be written, no trace is left. Ctrl-C waits for the end of the launch: there is no half-started run.
    """
    with _uninterrupted():
        run = _add_row(store, request)
        paths = store.home.run(run.id)
        try:
            _write_folder(store.home, run, request)
        except OSError as error:
            _remove_folder(store.home, run.id)
            store.forget(run.id)
            hint = "Free some disk space or make the home writable, then try again."
            raise StoreError(f"{paths.root}: {error.strerror or error}", hint) from error
        try:
            started = launch(paths, run.attempt, _launch_of(store.home, run, request))
        except MlhubError as error:
            store.finish(run, status="failed", ended_at=now(), exit_code=None, signal=None, reason=error.message)
            raise
        store.start(
            run,
            started_at=started.started_at,
            pid=started.pid,
            supervisor_pid=started.supervisor_pid,
        )
        return store.reload(run)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C is held back until the block is done."""
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


def _add_row(store: Store, request: Request) -> Run:
    """The row, with an id whose folders do not exist yet.

    The database may be newer than they are, and a folder of checkpoints or logs may serve two homes.
    """
    least_id = None
    while True:
        run_id = store.add(
            name=request.name or new_name(store.name_taken),
            kind=request.kind,
            created_at=now(),
            host=socket.gethostname(),
            group=request.group,
            tags=request.tags,
            preset=str(request.preset) if request.preset else None,
            config=_config(request),
            least_id=least_id,
        )
        run = store.get(run_id)
        home = store.home
        roots = [root for root in (home.runs, home.checkpoints, home.logs) if root is not None]
        if run is not None and not any(os.path.lexists(root / str(run_id)) for root in roots):
            return run
        store.forget(run_id)
        least_id = 1 + max(run_id, *(max(numbered(root), default=0) for root in roots))


def _config(request: Request) -> dict[str, Any]:
    import msgspec

    tree: dict[str, Any] = msgspec.to_builtins(request.config) if request.config else {}
    return tree | request.detail


def _write_folder(home: Home, run: Run, request: Request) -> None:
    """The run's folder, complete but for what its process writes. Raises OSError."""
    paths = home.run(run.id)
    home.runs.mkdir(mode=0o700, exist_ok=True)
    paths.root.mkdir(mode=0o700)
    if request.config is not None:
        paths.config.write_text(request.config.to_yaml(), encoding="utf-8")
    _make_places(home, paths, run.id)
    about = {
        "id": run.id,
        "name": run.name,
        "kind": run.kind,
        "group": run.group,
        "tags": run.tags,
        "preset": run.preset,
        "created_at": run.created_at,
        "host": run.host,
        "config": run.config,
    }
    about |= describe(request.command, request.cwd, request.code or request.cwd)
    # a word of the command or a folder's name may be no Unicode: launch.json has it exactly, here `?` stands for it
    paths.spec.write_text(json.dumps(about, indent=1, ensure_ascii=False), encoding="utf-8", errors="replace")


def _make_places(home: Home, paths: RunPaths, run_id: int) -> None:
    """The log, and checkpoints: in the folder, or links to where MLHUB_LOG_DIR and MLHUB_CHECKPOINT_DIR say."""
    if home.logs is None:
        paths.log.touch(mode=0o600, exist_ok=False)
    else:
        target = home.logs / str(run_id) / paths.log.name
        _make_linked(target.parent, paths.log, target)
        target.touch(mode=0o600)
    if home.checkpoints is None:
        paths.checkpoints.mkdir()
    else:
        target = home.checkpoints / str(run_id)
        _make_linked(target, paths.checkpoints, target)
    paths.artifacts.mkdir()


def _make_linked(folder: Path, link: Path, target: Path) -> None:
    """A new folder and the link into it. Raises FileExistsError if it is another run's."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700)
    link.symlink_to(target)


def _remove_folder(home: Home, run_id: int) -> None:
    import shutil

    for folder in (*linked_folders(home, run_id), home.run(run_id).root):
        with suppress(OSError):
            shutil.rmtree(folder)


def _launch_of(home: Home, run: Run, request: Request) -> Launch:
    paths = home.run(run.id)
    environment = dict(os.environ)
    environment |= {
        "MLHUB_HOME": str(home.root),
        "MLHUB_RUN_ID": str(run.id),
        "MLHUB_RUN_DIR": str(paths.root),
        "MLHUB_ATTEMPT": str(run.attempt),
    }
    environment.setdefault("PYTHONUNBUFFERED", "1")  # a log that is followed shows a line when it is printed
    environment.pop("MLHUB_CONFIG", None)  # of a run that this one is started from
    if request.config is not None:
        environment["MLHUB_CONFIG"] = str(paths.config)
    return Launch(
        argv=request.command,
        cwd=request.cwd,
        env=environment,
        log=paths.log,
        grace=request.grace,
        database=home.database,
    )
