"""`mlhub` itself killed, at every step of a launch, alone and together with what it started."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli

from .conftest import Seen, eventually, kill

#: dies by SIGKILL where it would call what its first argument names; the rest is the command line of the second
DIE_AT = """
import importlib, os, runpy, sys
module, _, function = sys.argv[1].partition(":")
place = importlib.import_module(module)
*path, function = function.split(".")
for name in path:
    place = getattr(place, name)
setattr(place, function, lambda *a, **k: os.kill(os.getpid(), 9))
sys.argv = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def die_at(cli: Cli, step: str, module: str, *arguments: str, **changes: str) -> None:
    """`python -m MODULE ARGUMENTS`, killed at `step` ("module:function")."""
    command = [sys.executable, "-P", "-c", DIE_AT, step, module, *arguments]
    done = subprocess.run(command, env=cli.environment | changes, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, (step, done.stdout, done.stderr)


def starter(side: Path) -> tuple[str, ...]:
    """A command that notes each of its starts in `side`."""
    return ("sh", "-c", 'echo $MLHUB_RUN_ID >> "$0"/starts; exec sleep 1000', str(side))


def starts_of(side: Path) -> list[str]:
    return (side / "starts").read_text().split() if (side / "starts").exists() else []


#: from the row to the answer; `mlhub run` starts nothing if it dies at one of the first
BEFORE = ("mlhub.runner.submit:_write_folder", "mlhub.runner.submit:start_now", "mlhub.runner.queue:_claim",
          "mlhub.runner.queue:launch", "mlhub.runner.launch:_start_supervisor")  # fmt: skip
AFTER = ("mlhub.runner.launch:_hear", "mlhub.store.store:Store.start")


def test_2_killed_before_the_launch_has_never_started_within_10_s(
    cli: Cli, tmp_path: Path, seen: Seen[dict[str, Any]]
) -> None:
    cli("ls")
    for step in BEFORE:
        die_at(cli, step, "mlhub", "run", "--", *starter(tmp_path))
    assert {run["status"] for run in cli.json("ls")} <= {"queued", "failed"}
    runs = eventually(lambda: (found := cli.json("ls")) and all(run["status"] == "failed" for run in found) and found)
    assert all("never started" in seen(run)["reason"] for run in runs)
    assert starts_of(tmp_path) == []


@pytest.mark.parametrize("step", AFTER)
def test_2_killed_after_the_launch_leaves_a_run_like_any_other(
    cli: Cli, tmp_path: Path, seen: Seen[dict[str, Any]], step: str
) -> None:
    cli("ls")
    die_at(cli, step, "mlhub", "run", "--name", "mine", "--", *starter(tmp_path))
    eventually(lambda: starts_of(tmp_path))
    run = seen(eventually(lambda: (found := cli.json("show", "mine"))["pid"] and found))
    assert (run["status"], run["condition"]) == ("running", None)


def test_2_killed_tick_between_claim_and_launch_gives_the_claim_back(cli: Cli, tmp_path: Path, seen: Seen[str]) -> None:
    cli("queue", "pause")
    steps = (
        "mlhub.runner.queue:_start",
        "mlhub.runner.queue:launch",
        "mlhub.runner.launch:_start_supervisor",
        "mlhub.runner.launch:_hear",
        "mlhub.store.store:Store.start",
    )
    for step in steps:
        cli("run", "--queue", "--name", step.rpartition(":")[2].lower().replace(".", "-"), "--", *starter(tmp_path))
    for number, step in enumerate(steps, start=1):  # each has room for one more claim, and dies over it
        die_at(cli, step, "mlhub", "queue", "resume", MLHUB_MAX_RUNS=str(number))
    cli.environment["MLHUB_MAX_RUNS"] = str(len(steps))
    runs = eventually(
        lambda: (found := cli.json("ls")) and all(run["status"] == "running" and run["pid"] for run in found) and found,
        60,
    )
    eventually(lambda: len(starts_of(tmp_path)) >= len(steps))
    seen(f"{len(runs)} claims given back, {len(starts_of(tmp_path))} starts")
    assert sorted(starts_of(tmp_path)) == sorted(str(run["id"]) for run in runs)


def find_sampler(run: dict[str, Any]) -> int | None:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"mlhub.runner.sample" in words and os.fsencode(run["dir"]) in words:
            return int(entry.parent.name)
    return None


def expect(dead: tuple[str, ...]) -> tuple[str, str | None, tuple[str, ...]]:
    """Status, condition, and how the reason may begin, by who was killed."""
    if {"trainer", "supervisor"} <= set(dead):  # the supervisor may have been quick enough to record it
        return "failed", None, ("lost", "killed by SIGKILL")
    if "trainer" in dead:
        return "failed", None, ("killed by SIGKILL",)
    return "running", "unsupervised" if "supervisor" in dead else None, ("",)


PARTS = ("trainer", "supervisor", "sampler", "cli")
COMBINATIONS = [dead for count in range(1, 5) for dead in itertools.combinations(PARTS, count)]


@pytest.mark.parametrize("dead", COMBINATIONS, ids="+".join)
def test_7_whoever_is_killed_the_next_listing_is_true(
    cli: Cli, seen: Seen[dict[str, Any]], dead: tuple[str, ...]
) -> None:
    waiting = subprocess.Popen(
        [sys.executable, "-m", "mlhub", "run", "--wait", "--name", "mine", "--", "sleep", "1000"],
        env=cli.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        run = eventually(lambda: (found := show(cli)) and found["pid"] and found)
        sampler = eventually(lambda: find_sampler(run))
        pids = {"trainer": run["pid"], "supervisor": run["supervisor_pid"], "sampler": sampler, "cli": waiting.pid}
        for part in dead:
            os.kill(pids[part], signal.SIGKILL)
        status, condition, reasons = expect(dead)
        found = seen(settled(lambda: cli.json("ls")[0]))
        assert (found["status"], found["condition"]) == (status, condition)
        assert (found["reason"] or "").startswith(reasons)
    finally:
        waiting.kill()
        waiting.wait()


def show(cli: Cli) -> dict[str, Any] | None:
    runs = cli.json("ls")
    return runs[0] if runs else None


def settled(look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The first listing that is not `finishing`: the supervisor is writing the record just then, which is true too."""
    return eventually(lambda: "finishing" not in ((found := look())["condition"] or "") and found)


@pytest.mark.parametrize("both", [False, True])
def test_5_status_of_a_killed_run_is_right_on_the_next_listing(
    cli: Cli, seen: Seen[dict[str, Any]], both: bool
) -> None:
    run = cli.json("run", "--", "sleep", "1000")
    if both:
        kill(run["supervisor_pid"])
    kill(run["pid"])
    found = seen(cli.json("ls")[0])
    true = [("failed", None)] if both else [("failed", None), ("running", "finishing")]
    assert (found["status"], found["condition"]) in true
