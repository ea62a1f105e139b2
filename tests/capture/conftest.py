"""A virtual environment that has torch and Lightning and has never seen mlhub; a home that a module's runs share."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import Cli, make_cli

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPTS = Path(__file__).with_name("scripts")


@pytest.fixture(scope="session")
def bare_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its packages are those of the tests' own environment; the .pth files there, mlhub's among them, don't count."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = next(folder.glob("lib/python3*/site-packages"))
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    found = subprocess.run(
        [folder / "bin" / "python", "-c", "import importlib.util as u; print(u.find_spec('mlhub').origin)"],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    assert found.stdout.strip() in ("None", ""), found.stdout  # a folder without code at the most
    return folder


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """The command, in a home of the module's own. What it started is stopped in the end."""
    cli = make_cli(tmp_path_factory.mktemp("hub") / "home")
    yield cli
    active = [run["name"] for run in cli.json("ls", "-n", "100") if run["status"] in ("queued", "running")]
    if active:
        cli("stop", *active, "--grace", "0", code=None)


def script(name: str) -> str:
    """The path of a script that knows nothing of tests."""
    return str(SCRIPTS / name)


def lines(path: Path) -> list[dict[str, Any]]:
    """The JSON objects of a file of lines."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def series(run: dict[str, Any], metric: str) -> list[tuple[int, Any]]:
    """The steps and values of a metric of a run, as recorded."""
    records = lines(Path(run["dir"]) / "metrics.jsonl")
    return [(record["step"], record[metric]) for record in records if metric in record]
