"""Putting the scripts of completion where shells find them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from mlhub.cli.completion import SCRIPTS, put

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.conftest import Cli


def test_installing_twice_adds_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".bashrc").write_text("alias ll='ls -l'")
    for shell_name in ("bash", "zsh", "fish", "bash", "zsh"):
        put(shell_name)
    lines = (tmp_path / ".bashrc").read_text().splitlines()
    assert lines[0] == "alias ll='ls -l'"
    assert len(lines) == 2
    assert "mlhub" in lines[1]
    assert len((tmp_path / ".zshrc").read_text().splitlines()) == 1
    assert (tmp_path / ".config/fish/completions/mlhub.fish").read_text() == SCRIPTS["fish"]


def test_an_installed_script_is_loaded_by_a_new_bash(cli: Cli, tmp_path: Path) -> None:
    environment = cli.environment | {"HOME": str(tmp_path), "SHELL": "/bin/bash"}
    environment.pop("XDG_DATA_HOME", None)
    cli("--install-completion", HOME=str(tmp_path), SHELL="/bin/bash", XDG_DATA_HOME=str(tmp_path / "data"))
    done = subprocess.run(
        ["bash", "--rcfile", str(tmp_path / ".bashrc"), "-i", "-c", "complete -p mlhub"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "complete -o nosort -F _mlhub mlhub\n"


def test_a_shell_that_has_none_is_told_which_have(cli: Cli) -> None:
    assert "There is one for: bash, zsh, fish." in cli("completion", "tcsh", code=2).stderr
