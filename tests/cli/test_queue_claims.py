"""Between the claim of a run and its begin: launchers and supervisors that are killed or held up."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlhub.runner import identity
from tests.cli.queueing import gate, let_go, until
from tests.conftest import wait_until

if TYPE_CHECKING:
    from tests.conftest import Cli


def test_a_claim_whose_launcher_was_killed_goes_back_into_the_queue_and_starts(cli: Cli) -> None:
    cli("run", "--name", "first", "--", "sh", "-c", gate(cli, "go"), MLHUB_SAMPLER="0")
    cli("run", "--queue", "--name", "next", "--", "true")
    os.kill(cli.json("show", "first")["supervisor_pid"], signal.SIGKILL)  # so that nobody ticks but us
    let_go(cli, "go")
    code = (
        "import os, sys; from mlhub.runner import queue\n"
        "queue.launch = lambda *a: os.kill(os.getpid(), 9)\n"
        "from mlhub.cli import main; sys.argv = ['mlhub', 'queue']; main()"
    )

    def killed() -> bool:
        done = subprocess.run([sys.executable, "-c", code], env=cli.environment, capture_output=True, check=False)
        return done.returncode == -signal.SIGKILL

    wait_until(killed)
    assert cli.json("show", "next")["status"] == "queued"
    until(cli, next="completed")


def held_up_before_its_launch(cli: Cli, *arguments: str) -> subprocess.Popen[bytes]:
    """`mlhub …` that has claimed a run and waits for the file `launch` before it launches it."""
    code = (
        "import os, sys, time; from mlhub.runner import queue\n"
        "real = queue.launch_claimed\n"
        "def late(*a, **k):\n"
        f"    open({str(cli.home.parent / 'claimed')!r}, 'w').close()\n"
        f"    while not os.path.exists({str(cli.home.parent / 'launch')!r}): time.sleep(0.02)\n"
        "    return real(*a, **k)\n"
        "queue.launch_claimed = late\n"
        f"from mlhub.cli import main; sys.argv = ['mlhub', *{arguments!r}]; main()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], env=cli.environment, stderr=subprocess.PIPE)
    wait_until((cli.home.parent / "claimed").exists)
    return process


def make_claims_old(cli: Cli) -> None:
    with contextlib.closing(sqlite3.connect(cli.home / "mlhub.db")) as connection, connection:
        connection.execute("UPDATE runs SET claimed_boot = claimed_boot - 11")


def test_a_run_taken_for_dead_because_its_launcher_was_held_up_is_not_launched_after(cli: Cli) -> None:
    cli("ls")
    launcher = held_up_before_its_launch(cli, "run", "--", "touch", str(cli.home.parent / "ran"))
    make_claims_old(cli)
    assert cli.json("show", "1")["status"] == "failed"
    let_go(cli, "launch")
    _, said = launcher.communicate(timeout=60)
    assert (launcher.returncode, b"never started" in said) == (1, True)
    assert not (cli.home.parent / "ran").exists()


def test_a_claim_that_was_given_to_another_is_launched_once(cli: Cli) -> None:
    log = cli.home.parent / "log"
    cli("queue", "pause")
    cli("run", "--queue", "--", "sh", "-c", f"echo ran >> {log}")
    launcher = held_up_before_its_launch(cli, "queue", "resume")
    make_claims_old(cli)
    wait_until(lambda: cli.json("show", "1")["status"] == "completed")
    let_go(cli, "launch")
    launcher.communicate(timeout=60)
    assert log.read_text() == "ran\n"
    assert cli.json("show", "1")["attempt"] == 1


def test_a_stop_between_the_claim_and_the_launch_is_heard(cli: Cli) -> None:
    cli("ls")
    launcher = held_up_before_its_launch(cli, "run", "--", "touch", str(cli.home.parent / "ran"))
    assert "before it began" in cli("stop", "1").stdout
    let_go(cli, "launch")
    _, said = launcher.communicate(timeout=60)
    assert (launcher.returncode, b"stopped by" in said) == (1, True)
    assert cli.json("show", "1")["status"] == "cancelled"
    assert not (cli.home.parent / "ran").exists()


def test_a_supervisor_held_up_at_its_birth_does_not_begin_what_was_given_up(cli: Cli) -> None:
    """Nothing is patched: the supervisor is stopped before its first step, as a disk that hangs would stop it."""
    cli("ls")
    command = [sys.executable, "-m", "mlhub", "run", "--", "touch", str(cli.home.parent / "ran")]
    for number in range(1, 30):  # it is young for milliseconds only: one that was older when found has simply run
        attempt = cli.home / "runs" / str(number) / "attempts" / "1"
        with subprocess.Popen(command, env=cli.environment, stderr=subprocess.PIPE) as launcher:
            supervisor = stopped_supervisor(attempt.parents[1], launcher)
            if supervisor is None or (attempt / "lock").exists():
                let_run(supervisor)
                continue
            (cli.home.parent / "ran").unlink(missing_ok=True)
            launch = attempt / "launch.json"
            launch.write_text(json.dumps(json.loads(launch.read_text()) | {"boot_clock": 1.0}))  # given up long ago
            assert "never started" in cli.json("show", str(number))["reason"]
            let_run(supervisor)
            _, said = launcher.communicate(timeout=60)
        assert (launcher.returncode, b"never started" in said) == (1, True)
        assert not (cli.home.parent / "ran").exists()
        return
    pytest.fail("no supervisor was found before it had taken its lock")


def let_run(supervisor: int | None) -> None:
    if supervisor is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(supervisor, signal.SIGCONT)


def stopped_supervisor(folder: Path, launcher: subprocess.Popen[bytes]) -> int | None:
    """The supervisor of a run's first attempt, stopped as soon as it is seen; None if the launch was over before."""
    while launcher.poll() is None:
        for process in identity.all_processes():
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
                if os.fsencode(folder) in words and b"-S" in words:
                    os.kill(process.pid, signal.SIGSTOP)
                    return process.pid
    return None
