"""Further attempts of a run, by hand and by --retries, and new runs from old ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from mlhub.runner import identity
from tests.conftest import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli

#: logs steps 0 to 4; a further attempt goes on from the checkpoint of step 2, and completes
TRAINER = """
import os, sys, mlhub
attempt = int(os.environ["MLHUB_ATTEMPT"])
for step in range(0 if attempt == 1 else 3, 5 if attempt == 1 else 8):
    mlhub.log({"loss": 10.0 * attempt + step}, step=step)
if attempt == 1:
    print("ready", flush=True)
    __import__("time").sleep(1000)
"""


def trained(cli: Cli, *options: str) -> dict[str, object]:
    run = cli.json("run", *options, "--", sys.executable, "-c", TRAINER)
    wait_until(lambda: "ready" in cli("logs", str(run["id"])).stdout)
    return run


def ended(cli: Cli, ref: str) -> dict[str, object]:
    return wait_until(lambda: (run := cli.json("show", ref))["status"] not in ("queued", "running") and run)


def test_a_stopped_run_is_resumed_as_the_next_attempt_of_the_same_run(cli: Cli) -> None:
    trained(cli)
    cli("stop", "1")
    cli("resume", "1", "--wait")
    run = cli.json("show", "1")
    assert (run["id"], run["attempt"], run["status"], run["exit_code"]) == (1, 2, "completed", 0)


def test_steps_after_the_checkpoint_are_superseded_in_the_summary(cli: Cli) -> None:
    trained(cli)
    cli("stop", "1")
    cli("resume", "1", "--wait")
    assert cli.json("show", "1")["summary"]["loss"] == {"last": 27.0, "min": 10.0, "max": 27.0, "step": 7}


def test_both_attempts_are_in_one_log(cli: Cli) -> None:
    cli("run", "--wait", "--", "sh", "-c", "echo attempt $MLHUB_ATTEMPT; test $MLHUB_ATTEMPT = 2", code=1)
    said = cli("resume", "1", "--follow").stdout
    assert "attempt 2" in said
    assert "attempt 1\n" not in said
    assert cli("logs", "1").stdout == "attempt 1\nattempt 2\n"


def test_a_crash_is_retried_as_often_as_was_asked(cli: Cli) -> None:
    cli("run", "--retries", "2", "--", "sh", "-c", "echo attempt $MLHUB_ATTEMPT; exit 3")
    run = wait_until(lambda: (run := cli.json("show", "1"))["attempt"] == 3 and run["status"] == "failed" and run)
    assert run["retries"] == 0
    assert cli("logs", "1").stdout.split() == ["attempt", "1", "attempt", "2", "attempt", "3"]
    assert not list((cli.home / "runs" / "1").rglob("order.json"))


def test_a_retry_needs_nobody_to_look(cli: Cli) -> None:
    mark = cli.home.parent / "second"
    cli("run", "--retries", "1", "--", "sh", "-c", f"test $MLHUB_ATTEMPT = 2 && touch {mark}")
    wait_until(mark.exists)


def test_a_killed_trainer_with_its_supervisor_is_retried_and_what_it_left_is_ended_first(cli: Cli) -> None:
    script = "setsid sleep 1000 & echo loader $!; test $MLHUB_ATTEMPT = 2 || sleep 1000"
    run = cli.json("run", "--retries", "1", "--", "sh", "-c", script)
    loader = int(wait_until(lambda: cli("logs", "1").stdout.split()[1:])[0])
    for pid in (run["supervisor_pid"], run["pid"]):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: (found := cli.json("show", "1"))["attempt"] == 2 and found["status"] == "completed")
    found = identity.find_process(loader)
    assert found is None or found.dead


def test_a_stopped_run_is_not_retried(cli: Cli) -> None:
    cli("run", "--retries", "5", "--", "sleep", "1000")
    cli("stop", "1")
    assert (cli.json("show", "1")["status"], cli.json("show", "1")["attempt"]) == ("cancelled", 1)
    assert not list((cli.home / "runs" / "1").rglob("order.json"))


def test_a_command_that_cannot_start_is_not_retried(cli: Cli) -> None:
    cli("run", "--retries", "5", "--", "nosuchcommand", code=1)
    cli("queue")
    assert cli.json("show", "1")["attempt"] == 1


def test_what_runs_or_has_completed_is_not_resumed(cli: Cli) -> None:
    cli("run", "--name", "live", "--", "sleep", "1000")
    assert "mlhub stop live" in cli("resume", "live", code=1).stderr
    cli("run", "--name", "done", "--wait", "--", "true")
    assert "nothing to continue" in cli("resume", "done", code=1).stderr


def test_two_resumes_at_once_make_one_attempt(cli: Cli) -> None:
    cli("run", "--wait", "--", "sh", "-c", "test $MLHUB_ATTEMPT = 1 && exit 1; sleep 1000", code=1)
    command = [sys.executable, "-m", "mlhub", "resume", "1"]
    both = [subprocess.Popen(command, env=cli.environment, stderr=subprocess.PIPE) for _ in range(2)]
    codes = sorted(process.wait(60) for process in both)
    for process in both:
        process.stderr.close()
    assert codes == [0, 1]
    assert (cli.json("show", "1")["attempt"], cli.json("show", "1")["status"]) == (2, "running")


def test_resume_waits_in_the_queue_if_asked(cli: Cli) -> None:
    cli("run", "--wait", "--", "sh", "-c", "exit $((2 - MLHUB_ATTEMPT))", code=1)
    cli("run", "--name", "busy", "--", "sleep", "1000")
    assert cli.json("resume", "1", "--queue")["status"] == "queued"
    cli("stop", "busy", "--grace", "0")
    wait_until(lambda: cli.json("show", "1")["status"] == "completed")


def test_a_resume_killed_before_its_launch_is_told_truly(cli: Cli) -> None:
    cli("run", "--wait", "--", "false", code=1)
    code = (
        "import os, sys; from mlhub.runner import queue\n"
        "queue.launch = lambda *a: os.kill(os.getpid(), 9)\n"
        "from mlhub.cli import main; sys.argv = ['mlhub', 'resume', '1']; main()"
    )
    subprocess.run([sys.executable, "-c", code], env=cli.environment, capture_output=True, check=False)
    run = wait_until(lambda: (run := cli.json("show", "1"))["status"] == "failed" and run["attempt"] == 2 and run)
    assert "never started" in run["reason"]
    assert cli.json("resume", "1", "--wait", code=1)["attempt"] == 3


def test_a_command_is_run_anew(cli: Cli, tmp_path: Path) -> None:
    cli("run", "--name", "old", "--group", "g", "--tag", "t", "--wait", "--", "sh", "-c", "echo hello", "sh", "x y")
    run = cli.json("rerun", "old", "--name", "new", "--tag", "u", "--wait")
    assert (run["id"], run["name"], run["group"], run["tags"]) == (2, "new", "g", ["t", "u"])
    first, second = (json.loads((cli.home / "runs" / str(i) / "spec.json").read_text())["command"] for i in (1, 2))
    assert first == second


def test_keys_of_a_run_without_a_preset_cannot_be_set(cli: Cli) -> None:
    cli("run", "--name", "old", "--wait", "--", "true")
    assert "has no preset" in cli("rerun", "old", "training.seed=2", code=2).stderr


def test_running_anew_warns_when_the_code_has_changed(cli: Cli) -> None:
    project = cli.home.parent / "project"
    project.mkdir()
    git = ["git", "-C", str(project), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git[:3], "init", "-q"], check=True)
    (project / "train.py").write_text("print(1)")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "x"], check=True)
    command = [sys.executable, "-m", "mlhub", "run", "--name", "old", "--wait", "--", "true"]
    subprocess.run(command, env=cli.environment, cwd=project, check=True, stdout=subprocess.DEVNULL)
    assert "code has changed" not in cli("rerun", "old", "--wait").stderr
    (project / "train.py").write_text("print(2)")
    assert "code has changed since run 1: uncommitted changes differ" in cli("rerun", "old", "--wait").stderr


def test_waiting_for_a_run_waits_for_its_retries_too(cli: Cli) -> None:
    cli("run", "--retries", "1", "--wait", "--", "sh", "-c", "exit $((2 - MLHUB_ATTEMPT))")
    assert (cli.json("show")["attempt"], cli.json("show")["status"]) == (2, "completed")


def test_following_shows_every_attempt(cli: Cli) -> None:
    said = cli("run", "--retries", "1", "-f", "--", "sh", "-c", "echo attempt $MLHUB_ATTEMPT; exit 1", code=1).stdout
    assert "attempt 1\nattempt 2\n" in said


def test_what_was_cancelled_before_it_began_can_be_resumed_and_run_anew(cli: Cli) -> None:
    cli("run", "--name", "busy", "--", "sleep", "1000")
    cli("run", "--queue", "--name", "never", "--", "echo", "hello there")
    cli("stop", "never")
    cli("resume", "never", "--wait")
    assert cli("logs", "never").stdout == "hello there\n"
    cli("rerun", "never", "--wait", "--name", "again")
    assert cli("logs", "again").stdout == "hello there\n"


def test_a_stop_between_two_attempts_is_the_last_word(cli: Cli) -> None:
    cli("run", "--retries", "50", "--", "false", MLHUB_SAMPLER="0")
    wait_until(lambda: cli.json("show", "1")["attempt"] > 3)
    cli("stop", "1")
    run = cli.json("show", "1")
    assert (run["retries"], run["status"] in ("failed", "cancelled")) == (0, True)
    cli("queue")
    assert cli.json("show", "1")["attempt"] == run["attempt"]
    assert not list((cli.home / "runs" / "1").rglob("order.json"))


def test_a_loss_that_is_not_a_number_is_not_retried(cli: Cli) -> None:
    code = "import mlhub, time; mlhub.log({'loss': float('nan')}); time.sleep(1000)"
    cli("run", "--retries", "5", "--stop-on-nan", "--", sys.executable, "-c", code)
    run = wait_until(lambda: (run := cli.json("show", "1"))["status"] == "failed" and run, 60)
    cli("queue")
    assert (cli.json("show", "1")["attempt"], "loss is NaN" in run["reason"]) == (1, True)


def test_resume_keeps_what_it_comes_after_and_drops_what_failed(cli: Cli) -> None:
    cli("run", "--name", "bad", "--wait", "--", "false", code=1)
    cli("run", "--name", "good", "--", "sleep", "1000")
    cli("resume", "bad")
    cli("run", "--name", "next", "--after", "good", "--", "true")
    cli("stop", "next")
    assert cli.json("resume", "next")["condition"] == "waits for run 2 (good)"
    cli("stop", "good", "--grace", "0")
    assert wait_until(lambda: (run := cli.json("show", "next"))["status"] == "cancelled" and run)
    assert "waits no more for run 2 (good), which cancelled" in cli("resume", "next", "--wait").stderr


def test_more_gpus_than_there_are_are_refused_for_a_resume_too(cli: Cli) -> None:
    cli("run", "--wait", "--", "false", code=1)
    assert "there is none here" in cli("resume", "1", "--gpus", "1", code=2).stderr
    assert cli.json("show", "1")["attempt"] == 1
