"""A new run: a row, a folder that says what it is, then its start or its place in the queue (`runner.queue`).

The process itself is `runner.launch`'s.
"""

from __future__ import annotations

import json
import signal
import socket
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlhub.adapters.template import place
from mlhub.errors import MlhubError, StoreError, UsageError
from mlhub.redact import redact_tree
from mlhub.runner import identity, order, trash
from mlhub.runner.folder import linked_folders
from mlhub.runner.names import new_name
from mlhub.runner.order import Order
from mlhub.runner.queue import cancel, start_now, state_of, tick
from mlhub.runner.spec import describe
from mlhub.text import now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.adapters.invocation import Invocation
    from mlhub.adapters.plain import PlainConfig
    from mlhub.config import RunConfig
    from mlhub.paths import Home, RunPaths
    from mlhub.store.runs import Run
    from mlhub.store.store import Store


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asked to be run."""

    command: tuple[str, ...]  # where a word needs the run's folder: adapters.template.RUN_DIR
    kind: str = "command"
    cwd: Path = field(default_factory=Path.cwd)
    code: Path | None = None  # folder of the code being run, if it isn't cwd
    name: str | None = None
    group: str | None = None
    tags: tuple[str, ...] = ()
    preset: Path | None = None
    config: RunConfig | PlainConfig | None = None
    adapter: str | None = None
    project: str | None = None
    invocation: Invocation | None = None  # how a project's config and script became `command`, for rerun
    detail: dict[str, Any] = field(default_factory=dict)  # of the kind, into config: which checkpoint an eval is of
    grace: float = 10.0
    queue: bool = False  # wait for its turn, even where there is room
    priority: int = 0
    after: tuple[int, ...] = ()
    gpus: int = 0
    retries: int = 0
    stop_on_nan: bool = False
    venv: Path | None = None  # the virtual environment whose bin is first on PATH; the command names its Python already
    capture: bool = True  # training in it is recorded by itself: see mlhub.capture
    environment: dict[str, str] = field(default_factory=dict)  # set beside the shell's, and kept: no place for secrets


def submit(store: Store, request: Request, *, max_runs: int = 0) -> Run:
    """Start `request` as a new run, or queue it if it has to wait; the run as it then is.

    It waits if `max_runs` (0: no limit) are active, for GPUs, for the runs it comes after, and if it asked to. Raises
    MlhubError if nothing could be started; then the run is kept, failed, with the reason, or, when not even its folder
    could be written, no trace is left. Ctrl-C waits for the end of the launch: there is no half-started run.
    """
    cards = check_gpus(request.gpus)
    state_of(store, socket.gethostname())  # before it waits: only what waited through a reboot pauses the queue
    with uninterrupted():
        run = _add_row(store, request, max_runs)
        paths = store.home.run(run.id)
        request = replace(request, command=place(request.command, paths.root))
        given = Order.of_shell(
            request.command,
            request.cwd,
            grace=request.grace,
            stop_on_nan=request.stop_on_nan,
            venv=str(request.venv.absolute()) if request.venv else None,
            capture=request.capture,
            environment=request.environment,
        )
        try:
            _write_folder(store.home, run, request)
            order.write_facts(paths, run, given)
        except OSError as error:
            _remove_folder(store.home, run.id)
            store.forget(run.id)
            hint = "Free some disk space or make the home writable, then try again."
            raise StoreError(f"{paths.root}: {error.strerror or error}", hint) from error
        return enter(store, run, given, queue=request.queue, max_runs=max_runs, cards=cards)


def enter(store: Store, run: Run, given: Order, *, queue: bool, max_runs: int, cards: list[int]) -> Run:
    """Start a run that waits, or leave it in the queue. Raises MlhubError if it can't be started."""
    if queue or run.retries:
        _keep(store, run, given)
    if not queue:
        run = start_now(store, run, given, max_runs=max_runs, cards=cards)
        if not run.active and run.started_at is None:  # stopped meanwhile, or taken for dead because we were so slow
            raise MlhubError(run.reason or "never started", "Try again.")
        if not run.waiting:
            return run
        _keep(store, run, given)
    tick(store, max_runs=max_runs)  # a slot may have become free while nobody could see that we wait
    return store.reload(run)


def _keep(store: Store, run: Run, given: Order) -> None:
    """Keep the order of a run that waits. Raises StoreError; then it is cancelled."""
    try:
        order.write(store.home.run(run.id), run.attempt, given)
    except OSError as error:
        cancel(store, run, f"its order can't be kept: {error.strerror}")
        raise StoreError(f"{error.filename}: {error.strerror}", "Make room, then try again.") from error


def check_gpus(wanted: int) -> list[int]:
    """The GPUs that are free, if any are wanted. Raises UsageError if this machine will never have so many."""
    if wanted < 1:
        return []
    from mlhub.monitor import gpus

    found, why_none = gpus()
    if wanted > len(found):
        had = f"this machine has {len(found)}" if found else f"there is none here: {why_none}"
        raise UsageError(f"--gpus {wanted}: {had}", "mlhub gpu shows what there is.")
    return [card.index for card in found if card.free]


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C is held back until the block is done: nothing is left half-started."""
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


def _add_row(store: Store, request: Request, max_runs: int) -> Run:
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
            priority=request.priority,
            after=request.after,
            gpus_wanted=request.gpus,
            slots=max_runs if max_runs > 0 else int(request.queue),
            retries=request.retries,
            claimed_boot=identity.boot_clock(),
            adapter=request.adapter,
            project=request.project,
        )
        run = store.get(run_id)
        home = store.home
        if run is not None and not trash.taken(home, run_id):
            return run
        store.forget(run_id)
        least_id = 1 + max(run_id, trash.last_id(home))


def _config(request: Request) -> dict[str, Any]:
    """What the row and every comparison show; a project's config may hold what nobody is to see."""
    tree = request.config.tree() if request.config is not None else {}
    return (redact_tree(tree) if request.project else tree) | request.detail


def _write_folder(home: Home, run: Run, request: Request) -> None:
    """The run's folder, complete but for what its process writes. Raises OSError."""
    paths = home.run(run.id)
    home.runs.mkdir(mode=0o700, exist_ok=True)
    paths.root.mkdir(mode=0o700)
    if request.config is not None:
        paths.config.touch(mode=0o600)
        paths.config.write_text(request.config.to_yaml(), encoding="utf-8")
    if request.invocation is not None:
        _write_invocation(paths, request.invocation, request.config)
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
        "adapter": run.adapter,
        "project": run.project,
    }
    about |= describe(request.command, request.cwd, request.code or request.cwd, request.venv)
    # a word of the command or a folder's name may be no Unicode: launch.json has it exactly, here `?` stands for it
    paths.spec.touch(mode=0o600)  # it holds the command and the configuration
    paths.spec.write_text(json.dumps(about, indent=1, ensure_ascii=False), encoding="utf-8", errors="replace")


def _write_invocation(paths: RunPaths, invocation: Invocation, config: RunConfig | PlainConfig | None) -> None:
    """How the command came about, and its config as JSON if that is what the program reads; 0600 both."""
    import msgspec

    files = {paths.invocation: msgspec.json.encode(invocation)}
    if config is not None and invocation.as_json:
        files[paths.config_json] = json.dumps(config.tree(), ensure_ascii=False, indent=1).encode()
    for file, data in files.items():
        file.touch(mode=0o600)
        file.write_bytes(data)


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
