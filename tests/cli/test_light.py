"""What commands may load, seen in a fresh interpreter: static contracts cannot see an import inside a function."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Cli

HEAVY = (
    "torch",
    "lightning",
    "open_clip",
    "faiss",
    "numpy",
    "PIL",
    "sqlalchemy",
    "alembic",
    "rich",
    "pydantic",
    "psutil",
)

LOADED = """
import sys
sys.argv = ["mlhub", *{arguments!r}]
from mlhub.cli import main
try:
    main()
except SystemExit as leave:
    assert not leave.code, leave.code
print(*[name for name in {heavy!r} if name in sys.modules], file=sys.stderr)
"""


def loaded(cli: Cli, *arguments: str, heavy: tuple[str, ...] = HEAVY) -> list[str]:
    script = LOADED.format(arguments=arguments, heavy=heavy)
    done = subprocess.run(
        [sys.executable, "-c", script], env=cli.environment, capture_output=True, text=True, check=True
    )
    return done.stderr.split()


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["--help"], ["ls"], ["show"], ["logs"], ["run", "quickstart", "--dry-run"], ["run", "--", "true"]],
)
def test_a_command_a_user_waits_for_loads_nothing_heavy(cli: Cli, arguments: list[str]) -> None:
    cli("run", "--wait", "--", "true")
    assert loaded(cli, *arguments) == []


@pytest.mark.parametrize("arguments", [["doctor"], ["gpu"], ["data", "ls"]])
def test_the_hub_never_loads_torch(cli: Cli, arguments: list[str]) -> None:
    assert loaded(cli, *arguments, heavy=("torch", "lightning", "open_clip", "faiss")) == []


def test_the_package_itself_loads_nothing() -> None:
    script = "import sys; before = set(sys.modules); import mlhub; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"__future__", "mlhub"}


@pytest.mark.parametrize("module", ["mlhub.records", "mlhub.runner.supervise", "mlhub.store.texts"])
def test_what_runs_beside_a_training_is_standard_library_only(module: str) -> None:
    script = f"import sys; sys.path.insert(0, 'src'); import {module}"
    subprocess.run([sys.executable, "-I", "-S", "-c", script], check=True)
