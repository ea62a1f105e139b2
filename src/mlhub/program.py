"""What mlhub's own programs share: errors in two lines, an exit status, their own word on how they ended.

Not a command line of its own: each program reads its arguments itself. `python -m mlhub.hashing.X`, for one, runs
`sys.exit(run(main))`.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import traceback
from pathlib import Path

from mlhub import files
from mlhub.errors import MlhubError
from mlhub.paths import RunPaths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


#: what is noted beside the outcome
_facts: dict[str, object] = {}


def run(main: Callable[[Sequence[str]], None], arguments: Sequence[str] | None = None, *, is_run: bool = True) -> int:
    """Run `main` with the command line's arguments; the exit status. 0 done, 1 failed, 2 wrong usage.

    An MlhubError is two lines on stderr, and a traceback only under `MLHUB_DEBUG=1`. Anything else is a bug of ours or
    of a library: its traceback goes to the log. Inside a run both are noted in its `outcome.json`; so is success;
    but not by a program that is no run of its own (`is_run` false), which may be started from within another's.
    """
    note = write_outcome if is_run else _silent
    try:
        main(sys.argv[1:] if arguments is None else arguments)
    except MlhubError as error:
        if os.environ.get("MLHUB_DEBUG") == "1":
            traceback.print_exc()
        sys.stderr.write(f"error: {error.message}\n" + (f"hint: {error.hint}\n" if error.hint else ""))
        note("failed", error.message)
        return error.exit_code
    except Exception as error:
        note("failed", f"{type(error).__name__}: {error}")
        raise
    note("completed")
    return 0


def remember(**facts: object) -> None:
    """Have `outcome.json` say more in the end, for advice after a failure: such as the batch size in use."""
    _facts.update(facts)


def attempt() -> int:
    """The number of this start of the run's process; 1 outside a run."""
    number = os.environ.get("MLHUB_ATTEMPT", "1")
    return int(number) if number.isascii() and number.isdigit() else 1


def say(text: str) -> None:
    """A line for the run's log. On a full disk the line is lost, and the training goes on."""
    try:
        print(text, flush=True)  # noqa: T201 - stdout is the run's log
    except OSError:
        # what the stream still holds would be tried again with each line, and at the end make a failure of a success
        sys.stdout = open(sys.stdout.fileno(), "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115


def _silent(_outcome: str, _error: str = "") -> None: ...


def run_folder() -> RunPaths | None:
    """The folder of the run this process belongs to, if it belongs to one."""
    folder = os.environ.get("MLHUB_RUN_DIR")
    return RunPaths(Path(folder)) if folder else None


def write_outcome(outcome: str, error: str = "") -> None:
    """Note in `outcome.json` how the program ended: the second witness beside the exit record. Only inside a run.

    It carries the run's token: a reader believes no outcome but that of the attempt it asks about.
    """
    paths = run_folder()
    if paths is None:
        return
    said = {
        "outcome": outcome,
        "error": error,
        "attempt": attempt(),
        "token": os.environ.get("MLHUB_RUN_TOKEN", ""),
        "time": time.time(),
        **_facts,
    }
    with contextlib.suppress(MlhubError):  # a full disk: the exit record was reserved, and says it
        write_json(paths.outcome, said)


def write_json(path: Path, document: object) -> None:
    """Write a JSON document whole or not at all; its folder is made if need be. Raises MlhubError if it can't be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(path, document)
    except OSError as error:
        raise MlhubError(f"{path}: can't be written: {error.strerror}", "Make room, or mend the folder.") from error
