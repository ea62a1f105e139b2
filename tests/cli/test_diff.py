"""`mlhub diff`: all that differs between two runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from mlhub.cli.diff import Found
from mlhub.cli.diff_text import lines
from mlhub.compare.code import CodeDifference, File
from tests.compare.conftest import make_run
from tests.conftest import make_cli

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Two runs that have ended; read-only."""
    cli = make_cli(tmp_path_factory.mktemp("both") / "home")
    cli("run", "--wait", "--name", "otter", "--", "sh", "-c", "echo same; echo 'loss 0.25 in 3 s'")
    cli("run", "--wait", "--name", "newt", "--", "sh", "-c", "echo same; echo 'loss 0.5 in 9 s'; exit 3", code=1)
    return cli


@pytest.fixture
def two(both: Cli, tmp_path: Path) -> Cli:
    """The same, to be changed."""
    shutil.copytree(both.home, tmp_path / "home")
    return make_cli(tmp_path / "home")


def change_spec(cli: Cli, run: int, **facts: Any) -> None:
    path = cli.home / "runs" / str(run) / "spec.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def test_every_section_says_what_differs_or_that_nothing_does(two: Cli) -> None:
    text = two("diff", "otter", "newt").stdout
    assert "outcome: " in text
    assert "completed → failed" in text
    assert "metrics: none in either run" in text
    assert "config: none in either run" in text
    assert "hardware: no difference" in text
    assert "logs" not in text


def test_lines_fit_80_columns_and_have_no_colours_in_a_pipe(two: Cli) -> None:
    change_spec(two, 2, hardware={"cpu": "x" * 300, "host": "other"}, packages={"y" * 90: "1"})
    text = two("diff", "1", "2", "--only", "packages,hardware").stdout
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines() if "xxx" not in line) <= 80


def test_packages_added_removed_and_changed_are_told_apart(two: Cli) -> None:
    change_spec(two, 1, packages={"torch": "2.9", "old": "1", "same": "1"})
    change_spec(two, 2, packages={"torch": "2.10", "new": "1", "same": "1"})
    text = two("diff", "1", "2", "--only", "packages").stdout
    assert "1 changed, 1 only in A, 1 only in B" in text
    assert "2.9 → 2.10" in text
    found = two.json("diff", "1", "2", "--only", "packages")["packages"]
    assert found == {"only_a": {"old": "1"}, "only_b": {"new": "1"}, "changed": {"torch": ["2.9", "2.10"]}, "same": 1}


def test_logs_are_compared_when_asked_for_and_times_and_losses_count_as_equal(two: Cli) -> None:
    assert "logs: no difference" in two("diff", "1", "2", "--logs").stdout
    exact = two("diff", "1", "2", "--exact", "--only", "logs").stdout
    assert "-loss 0.25 in 3 s" in exact
    assert "+loss 0.5 in 9 s" in exact


def test_of_an_enormous_log_head_and_tail_are_compared(two: Cli) -> None:
    log = two.home / "runs" / "2" / "output.log"
    with log.open("ab") as file:
        file.truncate(3 << 30)
        file.seek(0, os.SEEK_END)
        file.write(b"\nthe end\n")
    text = two("diff", "1", "2", "--only", "logs").stdout
    assert "B's log has 3221225481 bytes: its first and last 2 MiB are compared" in text
    assert "+the end" in text


def test_code_is_what_the_two_runs_have_on_record(cli: Cli) -> None:
    cli("run", "--wait", "--", "true")
    folder = cli.home.parent / "code"
    folder.mkdir()
    git = ("git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run([*git, "init", "--quiet"], check=True)
    for name, line in (("one", "lr = 1"), ("two", "lr = 2\x1b[31m")):
        (folder / "train.py").write_text(f"{line}\n")
        subprocess.run([*git, "add", "--all"], check=True)
        subprocess.run([*git, "commit", "--quiet", "-m", name], check=True)
        (folder / f"{name}.txt").write_text("untracked")
        run = ("-m", "mlhub", "run", "--wait", "--name", name, "--", "true")
        subprocess.run(["python3", *run], cwd=folder, env=_with_python(cli), check=True, capture_output=True)
    text = cli("diff", "one", "two", "--only", "code").stdout
    assert "code: 2 files, +2 −1" in text
    assert "-lr = 1\n+lr = 2\n" in text
    assert "+ untracked: two.txt" in text
    assert "@@" not in cli("diff", "one", "two", "--only", "code", "--stat").stdout
    assert cli.json("diff", "one", "two")["code"]["files"][1] == {"path": "train.py", "added": 1, "removed": 1}


def _with_python(cli: Cli) -> dict[str, str]:
    return cli.environment | {"PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"}


def test_text_from_outside_never_reaches_a_terminal_as_it_is(two: Cli) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J"
    change_spec(two, 2, hardware={evil: evil}, packages={evil: evil}, environment=[evil], command=[evil], cwd=evil)
    text = two("diff", "1", "2", "--logs").stdout
    assert "\x1b" not in text
    assert "owned" not in text


@pytest.mark.parametrize("broken", ["", "[]", "{", '{"git": 3, "packages": [], "hardware": "x", "environment": {}}'])
def test_a_torn_spec_is_no_accident(two: Cli, broken: str) -> None:
    (two.home / "runs" / "2" / "spec.json").write_text(broken)
    assert "git repository" in two("diff", "1", "2", "--logs").stdout
    assert two.json("diff", "1", "2")["code"]["how"] == "unknown"


def test_wrong_names_are_told(two: Cli) -> None:
    assert "did you mean packages?" in two("diff", "1", "2", "--only", "package", code=2).stderr
    assert "no run '99'" in two("diff", "1", "99", code=1).stderr


def test_json_is_one_document_with_every_section(two: Cli) -> None:
    found = two.json("diff", "otter", "newt", "--logs")
    assert found["outcome"]["changed"]["status"] == ["completed", "failed"]
    assert (found["a"]["name"], found["b"]["name"]) == ("otter", "newt")
    assert {"metrics", "config", "command", "code", "packages", "hardware", "environment", "logs"} <= found.keys()


def test_a_run_is_not_compared_with_itself(cli: Cli) -> None:
    cli("run", "--wait", "--name", "one", "--", "true")
    assert "are one run" in cli("diff", "one", "1", code=2).stderr


def test_a_long_difference_of_code_leaves_the_sections_behind_it_in_sight() -> None:
    text = "".join(f"+x{line}\n" for line in range(3000))
    code = CodeDifference("trees", (File("big.py", 3000, 0),), text)
    found = Found(make_run(1), make_run(2), {}, None, code, None, ())
    many = list(lines(found, ["code", "packages"], stat=False))
    assert "  … 2000 lines more: --only code" in many
    assert "+x2999" in list(lines(found, ["code"], stat=False))
