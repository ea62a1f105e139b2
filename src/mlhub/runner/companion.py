"""Processes of ours that a supervisor starts: the sampler beside a run, a tick after it. Their death is nothing to it.

They carry a token of their own, `sampler:TOKEN`, as the supervisor does: so they count neither as the run's nor as left
behind. Standard library only. What they do is `mlhub.runner.sample`'s and `mlhub.runner.tick`'s.
"""

from __future__ import annotations

import os
import signal
import sys

from mlhub.runner import identity

#: a command that has ended by then is not sampled, and costs no second process
DELAY_SECONDS = 1.0
_NOTHING = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1)]


def start(run_dir: str, attempt: int, token: str) -> None:
    """Start the sampler of an attempt. `MLHUB_SAMPLER=0` is heard here already. Raises OSError."""
    if os.environ.get("MLHUB_SAMPLER", "").lower() not in ("0", "false", "no", "off"):
        spawn(f"sampler:{token}", "mlhub.runner.sample", run_dir, str(attempt))


def spawn(who: str, module: str, *arguments: str) -> None:
    """Start a program of ours in a session of its own, with `who` as its token; its stderr is ours. Raises OSError.

    Not a fork: our locks would be shared until exec.
    """
    os.posix_spawn(
        sys.executable,
        [sys.executable, "-P", "-m", module, *arguments],
        {**os.environ, identity.TOKEN_NAME: who},
        file_actions=_NOTHING,
        setsid=True,
        setsigmask=(),
        setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
    )


def tells_the_end(run_dir: str) -> bool:
    """Whether the end of a run too short to be sampled may be one to give notice of."""
    home = os.path.dirname(os.path.dirname(run_dir))
    return bool(os.environ.get("MLHUB_NOTIFY")) or os.path.exists(os.path.join(home, "config.toml"))
