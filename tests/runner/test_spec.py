from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from mlhub.redact import redact, redact_command, redact_tree
from mlhub.runner.spec import describe, git_state, hardware, packages

if TYPE_CHECKING:
    from pathlib import Path


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "train.py").write_text("lr = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_a_clean_tree_has_a_commit_and_no_diff(repository: Path) -> None:
    state = git_state(repository)
    assert state is not None
    assert (len(state["commit"]), state["dirty"], state["diff"]) == (40, False, "")


def test_a_dirty_tree_keeps_its_diff_and_names_untracked_files(repository: Path) -> None:
    (repository / "train.py").write_text("lr = 2\n")
    (repository / "new.py").touch()
    state = git_state(repository / ".")
    assert state is not None
    assert "+lr = 2" in state["diff"]
    assert (state["dirty"], state["untracked"]) == (True, ["new.py"])


def test_a_secret_in_a_diff_is_not_recorded(repository: Path) -> None:
    (repository / "train.py").write_text('api_key = "s3cr3t-value"\ntoken = tokens[0]\n')
    state = git_state(repository)
    assert state is not None
    assert "s3cr3t" not in state["diff"]
    assert "+token = tokens[0]" in state["diff"]


@pytest.mark.parametrize(
    "line",
    [
        'os.environ["WANDB_API_KEY"] = "s3cr3t"',
        'auth_token = """s3cr3t"""',
        'db_pwd: "s3cr3t"',
        "MLHUB_NOTIFY=slack://a/s3cr3t/b json://s3cr3t",
        'notify = "discord://1/s3cr3t"',
        "notify: tgram://s3cr3t/b",
        'os.environ["MLHUB_NOTIFY"] = "slack://s3cr3t"',
        "url = https://hooks.slack.com/services/T/B/s3cr3t",
    ],
)
def test_a_secret_given_in_any_of_the_usual_ways_is_found(line: str) -> None:
    assert "s3cr3t" not in redact(line)


def test_looking_at_the_code_runs_no_program_that_the_repository_names(repository: Path) -> None:
    program = repository / "program"
    program.write_text(f"#!/bin/sh\ntouch {repository}/was-run\n")
    program.chmod(0o755)
    for key in ("core.fsmonitor", "diff.external", "core.pager", "diff.mine.textconv"):
        git(repository, "config", key, str(program))
    (repository / ".gitattributes").write_text("*.py diff=mine\n")
    (repository / "train.py").write_text("lr = 3\n")
    state = git_state(repository)
    assert state is not None
    assert "+lr = 3" in state["diff"]
    assert not (repository / "was-run").exists()


def test_in_a_git_hook_it_is_still_the_folders_code(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    assert git_state(tmp_path_factory.mktemp("elsewhere")) is None


def test_outside_a_repository_there_is_no_code_state(tmp_path: Path) -> None:
    assert git_state(tmp_path) is None


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--hf-token", "abc"], ["--hf-token", "***"]),
        (["--api_key=abc"], ["--api_key=***"]),
        (["DB_PASSWORD=abc"], ["DB_PASSWORD=***"]),
        (["https://me:abc@host/x"], ["https://me:***@host/x"]),
        (["hf_abcdefghijklmnopqrst"], ["***"]),
        (["-H", "Authorization: Bearer abc.def-123"], ["-H", "Authorization: Bearer ***"]),
        (["-H", "authorization: basic bWU6YWJj="], ["-H", "authorization: basic ***"]),
        (["MLHUB_NOTIFY=slack://a/b/c"], ["MLHUB_NOTIFY=***"]),
        (["--notify=yes", "notify:json"], ["--notify=yes", "notify:json"]),
        (["-p", "8080", "-u", "train.py"], ["-p", "8080", "-u", "train.py"]),
        (["env", "SIGNING_KEY=abc", "API=https://h", "x"], ["env", "SIGNING_KEY=***", "API=https://h", "x"]),
        (["/bin/sshpass", "-p", "abc", "ssh", "-p", "22"], ["/bin/sshpass", "-p", "***", "ssh", "-p", "22"]),
        (["sshpass", "-pabc", "ssh", "h"], ["sshpass", "-p***", "ssh", "h"]),
        (["mysql", "-pabc", "-p", "database"], ["mysql", "-p***", "-p", "database"]),
        (["curl", "-u", "me:abc", "h"], ["curl", "-u", "me:***", "h"]),
        (["docker", "login", "-p", "abc"], ["docker", "login", "-p", "***"]),
        (["docker", "run", "-p", "80:80"], ["docker", "run", "-p", "80:80"]),
        (["a basic configuration"], ["a basic configuration"]),
        (["--tokenizer", "gpt2", "--max_tokens=5"], ["--tokenizer", "gpt2", "--max_tokens=5"]),
    ],
)
def test_secrets_leave_a_command_and_the_rest_stays(words: list[str], shown: list[str]) -> None:
    assert redact_command(["python", *words]) == ["python", *shown]


def test_a_private_key_is_redacted_as_a_whole() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nabc\ndef\n-----END RSA PRIVATE KEY-----"
    assert redact(f"a\n{key}\nb") == "a\n***\nb"


def test_the_environment_is_recorded_by_name_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARMLESS", "very-secret-value")
    spec = describe((sys.executable, "x.py"), tmp_path, tmp_path)
    assert "HARMLESS" in spec["environment"]
    assert "very-secret-value" not in json.dumps(spec)


def test_packages_are_those_of_the_python_that_runs() -> None:
    assert packages(sys.executable)["msgspec"]
    assert packages(None) == {}


def test_the_hardware_has_cores_and_memory() -> None:
    found = hardware()
    assert found["cores"] >= 1
    assert found["memory_kb"] > 100_000


def test_options_by_other_names_are_secrets_too():
    given = [
        "x",
        "--wandb-key",
        "0123dead",
        "--api.key",
        "k",
        "--pass",
        "p",
        "--passphrase",
        "q",
        "DB_PASS=r",
        "--passes",
        "3",
    ]
    shown = redact_command([*given, "https://t@h/x", "git@h:x"])
    assert shown == [
        "x", "--wandb-key", "***", "--api.key", "***", "--pass", "***", "--passphrase", "***", "DB_PASS=***",
        "--passes", "3", "https://***@h/x", "git@h:x",
    ]  # fmt: skip


def test_secrets_in_hyperparameters_are_known_by_key_and_by_form():
    tree = {"db": "postgres://u:hunter2@h/db", "hf": "hf_abcdefghijklmnop", "credentials": ("u", "pw"), "auth": "a",
            "image_key": "jpg", "n": {"wandb_key": "w", "lr": 0.1}}  # fmt: skip
    assert redact_tree(tree) == {
        "db": "postgres://u:***@h/db", "hf": "***", "credentials": ["***", "***"], "auth": "***",
        "image_key": "jpg", "n": {"wandb_key": "***", "lr": 0.1},
    }  # fmt: skip
