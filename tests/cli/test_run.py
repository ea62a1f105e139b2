from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import RESERVED_SIGNALS

if TYPE_CHECKING:
    from tests.conftest import Cli


def test_a_run_returns_at_once_and_goes_on(cli: Cli) -> None:
    run = cli.json("run", "--", "sleep", "60")
    assert (run["id"], run["status"], run["kind"]) == (1, "running", "command")
    os.kill(run["pid"], 0)


def test_what_is_printed_says_what_to_type_next(cli: Cli) -> None:
    said = cli("run", "--name", "calm-otter", "--", "true").stdout
    assert "run 1  calm-otter  running" in said
    assert "mlhub logs -f calm-otter" in said


def test_waiting_returns_the_run_as_ended(cli: Cli) -> None:
    run = cli.json("run", "--wait", "--", "true")
    assert (run["status"], run["exit_code"]) == ("completed", 0)


def test_waiting_for_a_failed_run_exits_1_and_says_why(cli: Cli) -> None:
    done = cli("run", "--wait", "--", "sh", "-c", "exit 3", code=1)
    assert "failed: exit code 3" in done.stdout


def test_following_shows_the_log_in_order_and_ends(cli: Cli) -> None:
    done = cli("run", "-f", "--", "sh", "-c", "echo one; echo two >&2; printf three")
    assert done.stdout.splitlines()[1:4] == ["one", "two", "three"]
    assert done.stdout.splitlines()[-1].endswith("completed")


def test_control_codes_of_a_log_reach_no_terminal(cli: Cli) -> None:
    done = cli("run", "-f", "--", "printf", r"a\033]0;x\007b\033[2J\033[31mc\033[0m\n")
    assert "abc" in done.stdout
    assert "\x1b" not in done.stdout


def test_leaving_a_followed_run_leaves_it_running_and_says_so(cli: Cli) -> None:
    follower = subprocess.Popen(
        [sys.executable, "-m", "mlhub", "run", "--name", "left", "-f", "--", "sh", "-c", "echo here; sleep 60"],
        env=cli.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert follower.stdout is not None
    assert any("here" in line for line in follower.stdout)
    follower.send_signal(signal.SIGINT)
    _, said = follower.communicate(timeout=20)
    assert follower.returncode == 130
    assert "goes on" in said
    assert cli.json("show", "left")["status"] == "running"


def test_name_group_and_tags_are_kept(cli: Cli) -> None:
    cli("run", "--name", "base", "--group", "sweep", "--tag", "a", "--tag", "b", "--", "true")
    run = cli.json("show", "base")
    assert (run["name"], run["group"], run["tags"]) == ("base", "sweep", ["a", "b"])


@pytest.mark.parametrize("name", ["7", "-x", "@last", "a/b", "a\nb", "\x1b[2J", "", "x" * 101])
def test_a_name_that_could_not_be_typed_is_wrong_usage(cli: Cli, name: str) -> None:
    assert "error: --name" in cli("run", f"--name={name}", "--", "true", code=2).stderr


def test_a_command_that_is_not_there_fails_at_once_and_is_recorded(cli: Cli) -> None:
    done = cli("run", "--", "no-such-command", code=1)
    assert "cannot start 'no-such-command': No such file or directory" in done.stderr
    assert cli.json("show")["status"] == "failed"


def test_everything_behind_the_dashes_belongs_to_the_command(cli: Cli) -> None:
    cli("run", "--wait", "--", "echo", "--wait", "--", "-n", "50%")
    assert cli("logs").stdout == "--wait -- -n 50%\n"


def test_the_command_sees_its_run(cli: Cli) -> None:
    cli("run", "--wait", "--", "sh", "-c", "echo $MLHUB_RUN_ID $MLHUB_RUN_DIR")
    assert cli("logs").stdout == f"1 {cli.home}/runs/1\n"


def test_the_configuration_of_an_outer_run_does_not_leak(cli: Cli) -> None:
    cli("run", "--wait", "--", "sh", "-c", "echo ${MLHUB_CONFIG-none}", MLHUB_CONFIG="/outer/config.yaml")
    assert cli("logs").stdout == "none\n"


def test_waiting_for_a_run_of_another_host_ends(cli: Cli) -> None:
    run = cli.json("run", "--", "sleep", "60")
    process = Path(run["dir"]) / "attempts" / "1" / "process.json"
    kept = process.read_text()
    process.write_text(json.dumps(json.loads(kept) | {"name": "spark", "machine": "0" * 32, "boot": "0"}))
    assert cli("logs", "-f", code=1).stderr == ""
    process.write_text(kept)


def test_the_command_gets_plain_signals(cli: Cli) -> None:
    cli("run", "--wait", "--", "grep", "-E", "Sig(Blk|Ign)", "/proc/self/status")
    sets = [int(word, 16) for word in cli("logs").stdout.split()[1::2]]
    assert [found & ~RESERVED_SIGNALS for found in sets] == [0, 0]


def test_a_python_run_can_log_metrics(cli: Cli) -> None:
    script = "import mlhub; [mlhub.log({'loss': 1 / (s + 1)}, step=s) for s in range(4)]"
    cli("run", "--wait", "--", sys.executable, "-c", script)
    assert cli.json("show")["summary"]["loss"] == {"last": 0.25, "min": 0.25, "max": 1.0, "step": 3}


def test_the_spec_says_what_was_run_and_no_secret(cli: Cli) -> None:
    cli("run", "--wait", "--", "echo", "--token", "hunter22", MY_SECRET="hunter22")
    spec = json.loads((cli.home / "runs" / "1" / "spec.json").read_text())
    assert spec["command"] == ["echo", "--token", "***"]
    assert "MY_SECRET" in spec["environment"]
    assert "hunter22" not in json.dumps(spec)


def test_a_dry_run_shows_all_and_starts_nothing(cli: Cli) -> None:
    said = cli("run", "quickstart", "training.seed=9", "--dry-run").stdout
    assert "seed: 9" in said
    assert "mlhub.hashing.train" in said
    assert f"{cli.home}/runs/1" in said
    assert not cli.home.exists()


def test_a_dry_run_as_json_is_one_document(cli: Cli) -> None:
    plan = cli.json("run", "dgx_spark", "--dry-run")
    assert plan["config"]["model"]["bit_list"] == [8, 16, 32, 48, 64, 128]
    assert plan["dir"] == f"{cli.home}/runs/1"


def test_the_real_preset_is_refused_at_once_where_its_data_and_weights_are_not(cli: Cli) -> None:
    done = cli("run", "dgx_spark", code=1, HF_HOME=str(cli.home.parent / "hf"))
    assert "data set coco is not prepared" in done.stderr
    assert "hf download" in done.stderr
    assert cli.json("ls") == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run"], 2, "nothing to run"),
        (["run", "nowhere.yaml"], 1, "preset nowhere.yaml: no such file"),
        (["run", "quickstart", "training.batchsize=3"], 2, "did you mean training.batch_size?"),
        (["run", "quickstart", "training.seed=x"], 2, "training.seed: expected int, got 'x'"),
        (["run", "quickstart", "--", "true"], 2, "both a preset"),
        (["run", "-f", "quickstart", "--json"], 2, "--follow and --json both want stdout"),
    ],
)
def test_a_wrong_call_is_two_lines_and_starts_nothing(cli: Cli, arguments: list[str], code: int, message: str) -> None:
    said = cli(*arguments, code=code).stderr.splitlines()
    assert len(said) == 2
    assert said[0].startswith("error: ")
    assert message in said[0]
    assert said[1].startswith("hint:  ")
    assert not (cli.home / "runs").exists()


def test_logs_and_checkpoints_go_where_the_settings_say(cli: Cli, tmp_path: Path) -> None:
    places = {"MLHUB_LOG_DIR": str(tmp_path / "logs"), "MLHUB_CHECKPOINT_DIR": str(tmp_path / "ckpt")}
    cli("run", "--wait", "--", "sh", "-c", "echo hi; touch $MLHUB_RUN_DIR/checkpoints/x", **places)
    assert (tmp_path / "logs" / "1" / "output.log").read_text() == "hi\n"
    assert (tmp_path / "ckpt" / "1" / "x").exists()
    cli("rm", "1", **places)
    assert not (tmp_path / "logs" / "1").exists()
    assert not (tmp_path / "ckpt" / "1").exists()
