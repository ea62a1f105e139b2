"""What is to be started, kept on disk while it waits: argument list, folder and environment. And what the queue knows.

`order.json` is the only file that holds an environment's values (0600); it is there while the run waits or may be
retried, and is removed then. A run that starts at once never has one. Not what is started now: `launch.json`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mlhub import capture
from mlhub.runner import identity, record
from mlhub.runner.folder import numbered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.paths import Home, RunPaths
    from mlhub.runner.launch import Launch
    from mlhub.store.runs import Run
    from mlhub.store.store import Store

#: an environment is 2 MB at most (the kernel's own limit), and JSON may take six bytes for one of it
_LIMIT = 16 << 20
#: secrets of mlhub itself, stored with no run: one that waits has them from config.toml only
_OF_MLHUB = ("MLHUB_NOTIFY", "MLHUB_DATABASE_URL", "MLHUB_GIT_TOKEN")
#: of the run that an order was given in; they would be wrong in this one
_NOT_PASSED_ON = ("MLHUB_CONFIG", "MLHUB_RUN_TOKEN", "MLHUB_ATTEMPT", "MLHUB_RUN_ID", "MLHUB_RUN_DIR")


@dataclass(frozen=True, slots=True)
class Order:
    """One start of a run, as a user asked for it. `grace` in seconds.

    `venv` (a folder), `capture` and `environment` are kept with the run and come on top of whatever `env` it is
    started with: `env` is the shell's, which a resume takes anew.
    """

    argv: tuple[str, ...]
    cwd: Path
    env: dict[str, str]
    grace: float = 10.0
    stop_on_nan: bool = False
    venv: str | None = None
    capture: bool = True
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_shell(cls, argv: tuple[str, ...], cwd: Path, **more: Any) -> Order:  # noqa: ANN401 - its own fields
        """With the environment of this process."""
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
        return cls(argv, cwd, environment, **more)


def write(paths: RunPaths, attempt: int, order: Order) -> None:
    """Keep `order` until this attempt is started. Raises OSError."""
    env = {name: value for name, value in order.env.items() if name not in _OF_MLHUB}
    tree = asdict(order) | {"version": 1, "cwd": str(order.cwd), "env": env}
    file = paths.attempt(attempt).order
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    record.write_json(str(file), tree, durable=False)


def read(paths: RunPaths, attempt: int) -> Order | None:
    """The order that is kept; None if there is none, or none that can be read."""
    tree = record.parse(record.read_bytes(str(paths.attempt(attempt).order), _LIMIT))
    argv, env = (tree or {}).get("argv"), record.part(tree, "env")
    if tree is None or env is None or not isinstance(argv, list) or not argv:
        return None
    if not all(isinstance(word, str) for word in (*argv, *env.values())):
        return None
    return Order(
        argv=tuple(argv),
        cwd=Path(record.text(tree, "cwd") or "/"),
        env=env,
        grace=record.real(tree, "grace") or 0.0,
        stop_on_nan=tree.get("stop_on_nan") is True,
        **_around(tree),
    )


def _around(tree: record.Tree) -> dict[str, Any]:
    """What an order's file says of what is put around the command, every field checked for its type."""
    extra = record.part(tree, "environment") or {}
    return {
        "venv": record.text(tree, "venv") or None,
        "capture": tree.get("capture") is not False,
        "environment": {name: value for name, value in extra.items() if isinstance(value, str)},
    }


def forget(paths: RunPaths, *attempts: int) -> None:
    """Remove the orders of these attempts, and with them the environment they hold."""
    for attempt in attempts:
        with suppress(OSError):
            paths.attempt(attempt).order.unlink(missing_ok=True)


def pass_on(paths: RunPaths, attempt: int) -> bool:
    """Let the order of an attempt be the next one's; False if there is none. Raises OSError."""
    old, new = paths.attempt(attempt).order, paths.attempt(attempt + 1).order
    if old.exists():
        new.parent.mkdir(mode=0o700, exist_ok=True)
        with suppress(FileNotFoundError):  # somebody else is faster
            old.rename(new)
    return new.exists()


def close_attempt(paths: RunPaths, run: Run, status: str, reason: str) -> bool:
    """Say that an attempt has ended before its command began, so that it can't begin any more; False if it has."""
    folder = paths.attempt(run.attempt)
    tree = {"version": 1, "attempt": run.attempt, "status": status, "reason": reason, "host": run.host}
    tree |= {"exit_code": None, "signal": None, "ended_at": record.timestamp(), "written_by": "queue"}
    try:
        if paths.root.is_dir():  # a folder that was removed is not made again
            folder.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if record.decide(str(folder.root), record.GIVEN_UP) != record.GIVEN_UP:
                return False
            record.write_copies(str(folder.root), record.EXIT, tree, durable=False)
    except OSError:
        return not folder.launch.exists()  # a full disk: what was not launched finds no room to be
    return True


def write_facts(paths: RunPaths, run: Run, given: Order | None = None) -> None:
    """`queue.json`: the row's facts that no other file has, from which a lost database is made anew. Best effort.

    And, from the first time on, what was ordered, without its environment: a run may be cancelled before any launch.
    """
    old = record.read_json(str(paths.queue), record.LAUNCH_LIMIT) or {}
    facts: dict[str, Any] = {name: old[name] for name in _ORDERED if name in old}
    if given is not None:
        facts = {
            "argv": list(given.argv),
            "cwd": str(given.cwd),
            "grace": given.grace,
            "stop_on_nan": given.stop_on_nan,
            "venv": given.venv,
            "capture": given.capture,
            "environment": given.environment,
        }
    facts |= {
        "attempt": run.attempt,
        "priority": run.priority,
        "place": run.place,
        "after": run.after,
        "gpus_wanted": run.gpus_wanted,
        "gpus": run.gpus,
        "slots": run.slots,
        "retries": run.retries,
        "waiting": run.waiting,
        "host": run.host,
    }
    with suppress(OSError):  # without it a rebuilt row has no priority; a full disk must not stop a start
        record.write_json(str(paths.queue), facts, durable=False)


_ORDERED = ("argv", "cwd", "grace", "stop_on_nan", "venv", "capture", "environment")


def recorded(paths: RunPaths, run: Run) -> Order | None:
    """What was started last, or ordered and never started, with the environment of this process; None if not known."""
    attempts = [number for number in reversed(numbered(paths.root / "attempts")) if number <= run.attempt]
    around = _around(record.read_json(str(paths.queue), record.LAUNCH_LIMIT) or {})
    for file in (*(paths.attempt(number).launch for number in attempts), paths.queue):
        tree = record.read_json(str(file), record.LAUNCH_LIMIT) or {}
        argv, cwd = tree.get("argv"), record.text(tree, "cwd")
        if isinstance(argv, list) and argv and all(isinstance(word, str) for word in argv) and cwd:
            grace, on_nan = record.real(tree, "grace") or 0.0, tree.get("stop_on_nan") is True
            return Order.of_shell(tuple(argv), Path(cwd), grace=grace, stop_on_nan=on_nan, **around)
    return None


def requeue(
    store: Store,
    run: Run,
    *,
    retries: int,
    slots: int,
    priority: int | None = None,
    gpus_wanted: int | None = None,
    after: list[int] | None = None,
) -> bool:
    """A run waits again as its next attempt; False if somebody else has put it there. What isn't given stays."""
    done = store.requeue(
        run,
        retries=retries,
        slots=slots,
        priority=run.priority if priority is None else priority,
        gpus_wanted=run.gpus_wanted if gpus_wanted is None else gpus_wanted,
        after=run.after if after is None else after,
        claimed_boot=identity.boot_clock(),
    )
    if done:
        write_facts(store.home.run(run.id), store.reload(run))
    return done


def to_launch(home: Home, run: Run, order: Order) -> Launch:
    """The order with all that a program sees of its run."""
    from mlhub.runner.launch import Launch  # 8 ms that a listing need not pay

    paths = home.run(run.id)
    environment = order.env | order.environment
    if order.venv:
        environment = capture.in_venv(environment, order.venv)
    environment = capture.environment(environment, wanted=order.capture and not capture.is_own(order.argv)) | {
        "MLHUB_HOME": str(home.root),
        "MLHUB_RUN_ID": str(run.id),
        "MLHUB_RUN_DIR": str(paths.root),
        "MLHUB_ATTEMPT": str(run.attempt),
    }
    environment.setdefault("PYTHONUNBUFFERED", "1")  # a log that is followed shows a line when it is printed
    if paths.config.exists():
        environment["MLHUB_CONFIG"] = str(paths.config)
    if run.gpus_wanted:
        # by default CUDA counts the fastest card first; NVML, by whose numbers we claim, counts by the bus
        environment |= {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ",".join(map(str, run.gpus))}
    return Launch(
        argv=order.argv,
        cwd=order.cwd,
        env=environment,
        log=paths.log,
        grace=order.grace,
        database=home.database,
        stop_on_nan=order.stop_on_nan,
    )
