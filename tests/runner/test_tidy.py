"""What is done once a day without anybody asking: it frees space and loses nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from mlhub.runner import archive
from mlhub.runner.sample import LOCK
from mlhub.runner.tidy import due
from tests.cli.queueing import gate, let_go
from tests.conftest import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from mlhub.paths import Home
    from tests.conftest import Cli

#: 2,000 records, then a crash; a further attempt adds one
SCRIPT = """
import os, sys, mlhub
if os.environ["MLHUB_ATTEMPT"] == "1":
    for step in range(2000):
        mlhub.log({"loss": 1.0}, step=step)
    sys.exit(1)
mlhub.log({"loss": 2.0}, step=2000)
"""


def tidy(cli: Cli) -> None:
    command = [sys.executable, "-P", "-m", "mlhub.runner.tidy"]
    subprocess.run(command, env=cli.environment | {"MLHUB_COMPACT_DAYS": "0"}, check=True)


def metrics(cli: Cli) -> Path:
    return cli.home / "runs" / "1" / "metrics.jsonl"


def test_it_is_due_once_a_day(home: Home) -> None:
    assert due(home)
    home.tidied.touch()
    assert not due(home)
    os.utime(home.tidied, (time.time() - 90_000,) * 2)
    assert due(home)


def test_old_metrics_are_compacted_once_a_day(cli: Cli) -> None:
    cli("run", "--wait", "--", sys.executable, "-c", SCRIPT, code=1)
    before = cli("metrics", "1").stdout
    tidy(cli)
    assert (metrics(cli).exists(), archive.packed(metrics(cli)).exists()) == (False, True)
    assert cli("metrics", "1").stdout == before


def test_a_resumed_run_appends_to_what_was_compacted(cli: Cli) -> None:
    cli("run", "--wait", "--", sys.executable, "-c", SCRIPT, code=1)
    tidy(cli)
    cli("resume", "1", "--wait")
    assert len(cli("metrics", "1").stdout.splitlines()) == 2001


def test_a_run_that_waits_for_its_next_attempt_is_not_compacted(cli: Cli) -> None:
    cli("run", "--wait", "--", sys.executable, "-c", SCRIPT, code=1)
    cli("queue", "pause")
    cli("resume", "1", "--queue")
    tidy(cli)
    assert metrics(cli).exists()


def test_the_sampler_of_a_run_that_ends_starts_it(cli: Cli) -> None:
    cli("run", "--", "sh", "-c", gate(cli, "go"))
    wait_until((cli.home / "runs" / "1" / "attempts" / "1" / LOCK).exists)
    assert not (cli.home / "tidied").exists()
    let_go(cli, "go")
    wait_until((cli.home / "tidied").exists, 40)
