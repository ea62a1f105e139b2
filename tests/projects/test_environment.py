"""A project's virtual environment: what it is made from, when it is out of date, what a killed making leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from mlhub.errors import MlhubError
from mlhub.projects import environment
from mlhub.projects.needs import needs_of
from mlhub.projects.registry import Project
from tests.conftest import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from mlhub.paths import Home
    from tests.conftest import Cli


def write_wheel(folder: Path, version: str) -> None:
    """A package of one module, as pip installs it without building anything."""
    info = f"tinything-{version}.dist-info"
    with zipfile.ZipFile(folder / f"tinything-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tinything.py", f"VERSION = {version!r}\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tinything\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def ask_for(folder: Path, version: str) -> None:
    (folder / "requirements.txt").write_text(f"--no-index\n--find-links {folder}\ntinything=={version}\n")


@pytest.mark.slow
def test_an_environment_is_made_updated_refused_killed_and_made_anew(cli: Cli, tmp_path: Path) -> None:
    """One environment for all of it: each costs seconds."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "main.py").write_text("import tinything, sys; print(tinything.VERSION, sys.prefix)\n")
    for version in ("1.0", "2.0"):
        write_wheel(folder, version)
    ask_for(folder, "1.0")
    made = cli.json("project", "add", str(folder))["environment"]
    assert (made["state"], made["own"], made["sources"]) == ("ready", True, ["requirements.txt"])

    ask_for(folder, "2.0")
    stale = cli("run", "tiny:main.py", "--wait")
    assert "has changed since its environment was made" in stale.stderr
    assert cli("logs").stdout.split()[0] == "1.0"
    done = cli("project", "update", "tiny")
    assert "Successfully installed tinything-2.0" in done.stderr
    assert cli.json("run", "tiny:main.py", "--wait")["status"] == "completed"
    assert cli("logs").stdout.split() == ["2.0", str(cli.home / "venvs" / "tiny")]
    assert "up to date" in cli("project", "env", "tiny").stderr

    ask_for(folder, "3.0")  # which there isn't: the old environment is still whole
    refused = cli("project", "env", "tiny", code=1)
    assert "No matching distribution" in refused.stderr
    assert "No matching distribution" in (cli.home / "registry" / "tiny.log").read_text()
    assert cli.json("project", "show", "tiny")["environment"]["state"] == "stale"

    ask_for(folder, "2.0")
    words = [sys.executable, "-m", "mlhub", "project", "env", "tiny", "--anew"]
    process = subprocess.Popen(words, env=cli.environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: not (cli.home / "venvs" / "tiny" / "mlhub.json").exists())
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert "not made yet" in (said := cli("run", "tiny:main.py", code=1).stderr) or "cut short" in said
    # what it had started may still be at work
    wait_until(lambda: "another mlhub" not in cli("project", "env", "tiny", code=None).stderr, 90)
    assert cli.json("run", "tiny:main.py", "--wait")["status"] == "completed"


@pytest.mark.parametrize(
    ("files", "sources", "words"),
    [
        (
            {"requirements.txt": "a\n-r more.txt\n", "more.txt": "b\n"},
            ["requirements.txt", "more.txt"], ["-r", "F/requirements.txt"],
        ),
        ({"pyproject.toml": "[project]\nname='a'\n"}, ["pyproject.toml"], ["-e", "F"]),
        ({"pyproject.toml": "[tool.ruff]\n"}, [], []),
        ({"setup.py": ""}, ["setup.py"], ["-e", "F"]),
        ({"requirements.txt": "-r requirements.txt\n"}, ["requirements.txt"], ["-r", "F/requirements.txt"]),
        (
            {"environment.yml": "dependencies: [numpy, python=3.10, {pip: [torch, -e .]}]"},
            ["environment.yml"], ["torch"],
        ),
        ({"environment.yml": "dependencies: ["}, ["environment.yml"], []),
        ({"environment.yml": "dependencies: {pip: 3}"}, ["environment.yml"], []),
        ({}, [], []),
    ],
)  # fmt: skip
def test_what_a_project_needs_is_read(
    tmp_path: Path, files: dict[str, str], sources: list[str], words: list[str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    needs = needs_of(tmp_path)
    assert list(needs.sources) == sources
    assert [word.replace(str(tmp_path), "F") for word in needs.words] == words


def test_what_only_conda_could_install_is_said(tmp_path: Path) -> None:
    (tmp_path / "environment.yml").write_text("dependencies: [numpy=1.2, 'cudatoolkit\x1b[2J', python=3.10]")
    assert "\x1b" not in "".join(needs_of(tmp_path).left_out)
    (tmp_path / "environment.yml").write_text("dependencies: [numpy=1.2, pytorch::pytorch, python=3.10, pip]")
    assert needs_of(tmp_path).left_out == ("numpy=1.2", "pytorch::pytorch")


def test_a_change_in_a_file_that_is_included_counts(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-c limits.txt\na\n")
    (tmp_path / "limits.txt").write_text("a<2\n")
    before = needs_of(tmp_path).digest
    assert needs_of(tmp_path).digest == before
    (tmp_path / "limits.txt").write_text("a<3\n")
    assert needs_of(tmp_path).digest != before


@pytest.mark.parametrize("torn", ["", '{"digest":', "[]", "\0"])
def test_an_environment_without_a_whole_mark_is_half_made(home: Home, folder: Path, torn: str) -> None:
    project = Project("model", str(folder))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home.venv("model"))], check=True)
    (home.venv("model") / "mlhub.json").write_text(torn)
    assert environment.describe(home, project).state == "partial"


def test_a_folder_that_is_no_environment_is_left_alone(home: Home, folder: Path) -> None:
    home.venv("model").mkdir(parents=True)
    (home.venv("model") / "thesis.tex").write_text("mine")
    with pytest.raises(MlhubError, match="mlhub hasn't made it"):
        environment.make(home, Project("model", str(folder)))
    assert (home.venv("model") / "thesis.tex").exists()


def test_somebody_elses_environment_of_the_same_name_is_left_alone(home: Home, folder: Path) -> None:
    venv = home.venv("model")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    with pytest.raises(MlhubError, match="mlhub hasn't made it"):
        environment.make(home, Project("model", str(folder)), anew=True)
    environment.remove(home, Project("model", str(folder)))
    assert (venv / "bin" / "python").exists()


def test_a_making_that_was_killed_at_its_first_file_is_made_anew(home: Home, folder: Path) -> None:
    home.registry.mkdir(mode=0o700)
    (home.registry / "model.venv").touch()
    (home.venv("model") / "lib").mkdir(parents=True)
    assert environment.make(home, Project("model", str(folder), python=sys.executable))
    assert environment.describe(home, Project("model", str(folder), python=sys.executable)).state == "ready"


def test_two_are_never_at_work_on_one_environment(home: Home, folder: Path) -> None:
    with environment.locked(home, "model"), pytest.raises(MlhubError, match="another mlhub is at work"):
        environment.make(home, Project("model", str(folder)))


@pytest.mark.parametrize("python", ["9.9", "/bin/false", "/nothing", "cat", "-c"])
def test_a_python_that_is_none_is_said(home: Home, folder: Path, python: str) -> None:
    with pytest.raises(MlhubError, match="no such Python"):
        environment.make(home, Project("model", str(folder), python=python))


def test_uv_is_used_where_it_is(cli: Cli, folder: Path, tmp_path: Path) -> None:
    """The words that it is given, told by a program of its name that makes the environment with venv."""
    (folder / "requirements.txt").write_text("anything\n")
    program = tmp_path / "bin" / "uv"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable} -I\nimport json, os, subprocess, sys\n"
        f"print(json.dumps(sys.argv[1:]), file=open({str(tmp_path / 'said')!r}, 'a'))\n"
        "make = [sys.executable, '-m', 'venv', '--without-pip', sys.argv[-1]]\n"
        "if sys.argv[1] == 'venv': subprocess.run(make, check=True)\n"
    )
    program.chmod(0o755)
    found: dict[str, Any] = json.loads(
        cli(
            "project", "add", str(folder), "--python", "3.11", "--json", PATH=f"{program.parent}:{os.environ['PATH']}"
        ).stdout
    )
    venv = str(cli.home / "venvs" / "model")
    said = [json.loads(line) for line in (tmp_path / "said").read_text().splitlines()]
    assert said[0] == ["venv", "--seed", "--python", "3.11", venv]
    assert said[1] == ["pip", "install", "--python", f"{venv}/bin/python", "-r", str(folder / "requirements.txt")]
    assert (found["environment"]["installer"], found["environment"]["state"]) == ("uv", "ready")
