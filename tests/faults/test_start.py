"""Faults at the start: the terminal goes, the command can't be started."""

from __future__ import annotations

import os
import pty
import signal
import sys
from pathlib import Path

import pytest

from mlhub.errors import MlhubError
from mlhub.runner.truth import Verdict

from .conftest import Sandbox, Seen, eventually


def test_1_run_outlives_its_terminal(box: Sandbox, seen: Seen[Verdict]) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from mlhub.paths import RunPaths\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)  # tests under nohup inherit that it is ignored\n"
        "from mlhub.runner.launch import Launch, launch\n"
        "paths = RunPaths(Path(sys.argv[1]))\n"
        "launch(paths, 1, Launch(['sh', '-c', sys.argv[2]], Path('/'), dict(os.environ), paths.log))\n"
        "sys.stdin.read()"
    )
    launcher, terminal = pty.fork()
    if launcher == 0:
        script = box.wait_open("exit 5")
        os.execv(sys.executable, [sys.executable, "-c", code, str(box.paths.root), script])  # noqa: S606
    eventually(lambda: box.inspect().status == "running" and box.inspect().condition is None)
    os.close(terminal)  # the kernel hangs up on the terminal's session
    assert os.WTERMSIG(os.waitpid(launcher, 0)[1]) == signal.SIGHUP
    assert seen(box.inspect()).status == "running"
    box.go()
    assert seen(box.final()).exit_code == 5


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("nosuchcommand", "cannot start 'nosuchcommand': No such file or directory"),
        ("./plain.txt", "cannot start './plain.txt': Permission denied"),
        ("/", "cannot start '/': Permission denied"),
    ],
)
def test_3_command_that_cannot_start_is_refused_in_words(
    box: Sandbox, seen: Seen[Verdict], command: str, words: str
) -> None:
    (box.root / "plain.txt").write_text("text")
    with pytest.raises(MlhubError, match="cannot start"):
        box.launch(command)
    verdict = seen(box.inspect())
    assert (verdict.status, verdict.reason) == ("failed", words)


def test_3_folder_that_is_missing_is_refused_in_words(box: Sandbox, seen: Seen[Verdict]) -> None:
    with pytest.raises(MlhubError, match="cannot enter the folder '/nowhere': No such file or directory"):
        box.launch("true", cwd=Path("/nowhere"))
    assert seen(box.inspect()).status == "failed"
