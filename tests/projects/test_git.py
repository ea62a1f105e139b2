"""Clones: which URLs, whose token, what a killed one leaves. Real git, by file and by HTTP with a password."""

from __future__ import annotations

import base64
import http.server
import os
import re
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from mlhub.errors import MlhubError, UsageError
from mlhub.projects import git
from tests.conftest import wait_until
from tests.projects.conftest import commit, make_bare
from tests.projects.conftest import git as run_git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Cli

TOKEN = "s3cret-token-of-a-test"


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/a/b.git", "http://localhost:8080/x", "ssh://git@host:22/a", "git@github.com:a/b.git",
        "file:///srv/x.git", "git://host/x", "https://org@dev.azure.com/org/p/_git/r", "host:path/repo",
    ],
)  # fmt: skip
def test_these_are_urls(url: str) -> None:
    assert git.is_url(url)
    assert git.check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c id", "fd::17", "--upload-pack=id", "-oProxyCommand=id", "https://u:pw@host/x", "ftp://host/x",
        "https://ghp_0123456789@github.com/a/b", "https://host/x?private_token=1", "https://host/x y", "https://",
        "https://-oProxyCommand=id/x", "javascript://x", "https://host/\x1b[2J", "https://[::1/x", "transport::https://x",
        "ssh://git:pw@host/x", "https://0123456789012345678901234567890123456789@github.com/a/b",
    ],
)  # fmt: skip
def test_these_are_refused_and_tell_no_secret(url: str) -> None:
    with pytest.raises(UsageError) as error:
        git.check_url(url)
    told = error.value.message + error.value.hint
    assert not re.search(r":pw|ghp_|0123456789|\x1b", told)


@pytest.mark.parametrize("name", ["-x", "--upload-pack=x", "a b", "a..b", "", "a\nb", "x" * 300, "a~1", "b.lock"])
def test_these_are_no_branches(name: str) -> None:
    with pytest.raises(UsageError):
        git.check_branch(name)


def test_a_token_goes_to_its_own_host_only() -> None:
    env = {"GITHUB_TOKEN": "g", "GITLAB_TOKEN": "l", "MLHUB_GIT_TOKEN": "git.example.org:8443:e"}
    assert git.token_for("https://github.com/a/b", env) == "g"
    assert git.token_for("https://gitlab.com/a/b", env) == "l"
    assert git.token_for("https://git.example.org:8443/a", env) == "e"
    for url in (
        "https://github.com.evil.org/a", "https://evil.org/github.com", "http://github.com/a", "git@github.com:a/b",
        "https://github.com@evil.org/a", "https://git.example.org/a", "ssh://git@github.com/a",
    ):  # fmt: skip
        assert git.token_for(url, env) is None, url


def test_gits_environment_asks_nobody() -> None:
    env = git.environment_for("https://github.com/a/b", {"GIT_DIR": "/x", "SSH_ASKPASS": "/bin/x"})
    assert env["GIT_TERMINAL_PROMPT"] == "0"
    assert not {"GIT_DIR", "SSH_ASKPASS", "MLHUB_CREDENTIAL"} & env.keys()


def test_a_clone_is_of_the_branch_that_was_asked_for(bare: Path, tmp_path: Path) -> None:
    git.clone(bare.as_uri(), tmp_path / "c", "dev")
    assert git.head(tmp_path / "c").branch == "dev"
    assert git.origin(tmp_path / "c") == bare.as_uri()


@pytest.mark.parametrize(("branch", "hint"), [("nope", "branch isn't there"), (None, "git itself")])
def test_a_clone_that_fails_says_why_and_leaves_nothing(
    bare: Path, tmp_path: Path, branch: str | None, hint: str
) -> None:
    url = bare.as_uri() if branch else f"{bare.as_uri()}-gone"
    with pytest.raises(MlhubError, match="can't clone") as error:
        git.clone(url, tmp_path / "in" / "c", branch)
    assert hint in error.value.hint
    assert list((tmp_path / "in").iterdir()) == []


def test_why_a_clone_failed_is_said_once(cli: Cli, tmp_path: Path) -> None:
    done = cli("project", "add", "http://127.0.0.1:1/x.git", code=1)
    assert done.stderr.count("127.0.0.1 port 1") == 1
    assert done.stderr.startswith("error: can't clone http://127.0.0.1:1/x.git: Failed to connect")
    done = cli("project", "add", (tmp_path / "gone.git").as_uri(), code=1)
    assert done.stderr.count("\n") == 2


def test_pull_goes_forward_only(tmp_path: Path) -> None:
    bare = make_bare(tmp_path / "r")
    git.clone(bare.as_uri(), tmp_path / "c", "main")
    commit(tmp_path / "r" / "work", "NEW", "two\n")
    run_git(tmp_path / "r" / "work", "push", "--quiet", "origin", "main")
    git.pull(tmp_path / "c", bare.as_uri())
    assert (tmp_path / "c" / "NEW").read_text() == "two\n"
    assert git.unsaved(tmp_path / "c") is None
    commit(tmp_path / "c", "MINE", "mine\n")
    assert git.unsaved(tmp_path / "c") == "there are commits that were not pushed"
    commit(tmp_path / "r" / "work", "NEW", "three\n")
    run_git(tmp_path / "r" / "work", "push", "--quiet", "origin", "main")
    with pytest.raises(MlhubError, match="can't update") as error:
        git.pull(tmp_path / "c", bare.as_uri())
    assert "merge or rebase" in error.value.hint
    assert (tmp_path / "c" / "MINE").exists()


class _Private(http.server.SimpleHTTPRequestHandler):
    """A repository as plain files, to who knows the token."""

    def do_GET(self) -> None:
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        if base64.b64decode(given).decode().partition(":")[2] != TOKEN:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing: the test's own output is enough."""


@pytest.fixture
def private(bare: Path) -> Iterator[str]:
    """`host:port` of a server that has the repository for those who know the token."""
    run_git(bare, "update-server-info")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: _Private(*a, directory=str(bare.parent)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_token_of_the_environment_opens_a_private_repository_and_is_nowhere_afterwards(
    cli: Cli, private: str, tmp_path: Path
) -> None:
    store = tmp_path / "stored"
    config = tmp_path / "gitconfig"
    config.write_text(f"[credential]\n\thelper = store --file={store}\n")  # which would keep what git is given
    changes = {
        "GIT_CONFIG_GLOBAL": str(config),
        "MLHUB_GIT_TOKEN": f"{private}:{TOKEN}",
        "GIT_TRACE": str(tmp_path / "trace"),
    }
    done = cli("project", "add", f"http://{private}/model.git", "--no-venv", **changes)
    cli("project", "update", "model", **changes)
    assert TOKEN not in done.stdout + done.stderr
    found = [file for file in tmp_path.rglob("*") if file.is_file() and TOKEN.encode() in file.read_bytes()]
    assert found == []
    assert not store.exists()
    assert (cli.home / "projects" / "model" / "train.py").exists()


@pytest.mark.parametrize(("token", "hint"), [("", "export MLHUB_GIT_TOKEN="), ("wrong", "was refused")])
def test_without_the_right_token_nothing_is_asked_and_the_hint_says_what_to_do(
    cli: Cli, private: str, token: str, hint: str
) -> None:
    changes = {"MLHUB_GIT_TOKEN": f"{private}:{token}"} if token else {}
    done = cli("project", "add", f"http://{private}/model.git", code=1, GIT_CONFIG_GLOBAL="/dev/null", **changes)
    assert hint in done.stderr
    assert cli.json("project", "ls") == []


def test_a_clone_that_is_killed_leaves_no_project_and_the_next_one_works(cli: Cli, bare: Path, tmp_path: Path) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()
    slow.write_text(f'#!/bin/sh\ncase "$*" in *clone*) sleep 30;; esac\nexec {real} "$@"\n')
    slow.chmod(0o755)
    env = cli.environment | {"PATH": f"{slow.parent}:{os.environ['PATH']}"}
    words = [sys.executable, "-m", "mlhub", "project", "add", bare.as_uri(), "--no-venv"]
    process = subprocess.Popen(
        words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    partial = wait_until(lambda: list((cli.home / "projects").glob(".model.*.partial")))
    process.kill()
    process.wait()
    assert cli.json("project", "ls") == []
    cli("project", "add", bare.as_uri(), "--no-venv")
    assert [row["name"] for row in cli.json("project", "ls")] == ["model"]
    assert not partial[0].exists()


def test_ctrl_c_ends_git_and_leaves_nothing(cli: Cli, bare: Path, tmp_path: Path) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    slow.chmod(0o755)
    env = cli.environment | {"PATH": f"{slow.parent}:{os.environ['PATH']}"}
    words = [sys.executable, "-m", "mlhub", "project", "add", bare.as_uri(), "--no-venv"]
    process = subprocess.Popen(
        words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    pid = int(wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip()))
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode not in (0, None)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"))
    assert list((cli.home / "projects").iterdir()) == []
