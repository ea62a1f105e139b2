"""The command's side of the fork: a session of its own, default signals, the wait at the gate, exec. Never returns.

What runs here runs in a fork of the supervisor, and nothing of it outlives the exec.
"""

from __future__ import annotations

import os
import signal

from mlhub.runner import identity, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def become_command(launch: record.Tree, gate: int, failed: int, log: int) -> NoReturn:
    """Become the command of `launch` once a byte comes through `gate`; go quietly if it closes without one.

    `log` takes stdout and stderr. What prevents the exec is said in words through `failed`, which exec closes.
    """
    what = "start the command"
    try:
        os.setsid()
        restore_signals()
        if os.read(gate, 1) != b"g":
            os._exit(0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        cwd = record.text(launch, "cwd")
        what = f"enter the folder {cwd!r}"
        os.chdir(cwd)
        command = [str(word) for word in launch["argv"]]
        what = f"start {command[0]!r}"
        environment = {**os.environ, identity.TOKEN_NAME: record.text(launch, "token")}
        os.execvpe(command[0], command, environment)  # noqa: S606 - no shell is meant
    except BaseException as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        os.write(failed, f"cannot {what}: {reason}".encode(errors="backslashreplace"))
    finally:
        os._exit(127)


def restore_signals() -> None:
    """Every signal at its default and none blocked, whatever the launcher and the supervisor made of them."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
