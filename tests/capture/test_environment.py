"""Where a command runs, with which Python, and whether it is captured: what is put around it, and kept."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import distributions
from pathlib import Path

import pytest

from mlhub.capture import SITE, environment, in_venv, is_own, with_python
from mlhub.errors import UsageError
from tests.conftest import Cli


def test_the_folder_stands_first_and_once() -> None:
    once = environment({"PYTHONPATH": "/a::/b", "X": "1"})
    assert once == {"PYTHONPATH": f"{SITE}:/a:/b", "X": "1"}
    assert environment(once) == once
    assert environment(once, wanted=False) == {"PYTHONPATH": "/a:/b", "X": "1"}
    assert environment({}, wanted=False) == {}


def test_an_environment_is_entered_as_activate_does() -> None:
    found = in_venv({"PATH": "/bin", "PYTHONHOME": "/x"}, "/v")
    assert found == {"PATH": "/v/bin:/bin", "VIRTUAL_ENV": "/v"}


@pytest.mark.parametrize(
    ("command", "found"),
    [
        (("python", "a.py"), ("/p", "a.py")),
        (("python3.12", "-m", "x"), ("/p", "-m", "x")),
        (("./a.py", "--x"), ("/p", "./a.py", "--x")),
        (("/usr/bin/python3", "a.py"), ("/usr/bin/python3", "a.py")),
        (("torchrun", "a.py"), ("torchrun", "a.py")),
    ],
)
def test_python_is_that_of_the_environment(command: tuple[str, ...], found: tuple[str, ...]) -> None:
    assert with_python(command, Path("/p"), must=False) == found


def test_a_python_that_was_named_is_used_or_refused() -> None:
    assert with_python(("/usr/bin/python3", "a.py"), Path("/p"), must=True) == ("/p", "a.py")
    with pytest.raises(UsageError, match="'bash' is neither python nor a script"):
        with_python(("bash", "a.sh"), Path("/p"), must=True)


def test_our_own_programs_record_by_themselves() -> None:
    assert is_own(("/v/bin/python", "-P", "-m", "mlhub.hashing.train"))
    assert not is_own(("python", "-m", "mlhub_like"))


def test_both_packages_find_their_entry_point() -> None:
    (found,) = distributions(path=[str(SITE)])
    groups = {(point.group, point.value) for point in found.entry_points}
    assert groups == {
        ("lightning.pytorch.callbacks_factory", "mlhub_capture:lightning"),
        ("pytorch_lightning.callbacks_factory", "mlhub_capture:pytorch_lightning"),
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--venv", "nowhere"), "no such folder"),
        (("--venv", "."), "no bin/python in it"),
        (("--python", "./nope"), "no such file"),
        (("--python", "./"), "not executable"),
        (("--cwd", "nowhere"), "no such folder"),
        (("--venv", ".", "--python", "python3"), "both --venv and --python"),
    ],
)
def test_what_can_not_be_run_is_refused_in_words(cli: Cli, options: tuple[str, ...], words: str) -> None:
    done = cli("run", *options, "--", "python", "a.py", code=2)
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_the_plan_shows_python_folder_and_capture(cli: Cli, bare_venv: Path, tmp_path: Path) -> None:
    plan = cli.json("run", "--dry-run", "--venv", str(bare_venv), "--cwd", str(tmp_path), "--", "python", "a.py")
    assert plan["command"] == [str(bare_venv / "bin" / "python"), "a.py"]
    assert (plan["venv"], plan["cwd"], plan["capture"]) == (str(bare_venv), str(tmp_path), True)
    assert cli.json("run", "--dry-run", "--no-capture", "--", "python", "a.py")["capture"] is False


_SAY = "import os, json; print(json.dumps({n: os.environ.get(n) for n in ('VIRTUAL_ENV', 'PYTHONPATH', 'PATH')}))"


def test_a_rerun_and_a_resume_run_in_the_same_environment(cli: Cli, bare_venv: Path) -> None:
    options = ("--venv", str(bare_venv), "--no-capture", "--name", "first", "--wait")
    cli("run", *options, "--", "python", "-c", f"{_SAY}; raise SystemExit(3)", code=1)
    cli("resume", "first", "--wait", code=1)
    cli("rerun", "first", "--name", "second", "--wait", code=1)
    for name, times in (("first", 2), ("second", 1)):
        said = [json.loads(line) for line in cli("logs", name).stdout.splitlines() if line.startswith("{")]
        assert len(said) == times
        for found in said:
            assert found["VIRTUAL_ENV"] == str(bare_venv)
            assert found["PATH"].startswith(f"{bare_venv}/bin:")
            assert found["PYTHONPATH"] is None


def test_git_and_so_the_wheel_ignores_nothing_of_the_folder() -> None:
    files = [str(file) for file in SITE.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    assert any(file.endswith("dist-info/entry_points.txt") for file in files)
    done = subprocess.run(["git", "check-ignore", *files], capture_output=True, text=True, cwd=SITE, check=False)
    assert done.stdout == ""


@pytest.mark.parametrize("option", ["--venv", "--python", "--cwd"])
def test_an_option_without_its_value_is_named(cli: Cli, option: str) -> None:
    """As an empty variable of the shell leaves it: the option behind it would be taken for its value."""
    refused = cli("run", option, "--name", "x", "--", "true", code=2)
    assert f"{option} has no value before --name" in refused.stderr
