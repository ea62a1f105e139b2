"""Words that the tests of the queue share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conftest import wait_until

if TYPE_CHECKING:
    from tests.conftest import Cli


def statuses(cli: Cli) -> dict[str, str]:
    return {run["name"]: run["status"] for run in cli.json("ls", "-n", "1000")}


def until(cli: Cli, **wanted: str) -> dict[str, str]:
    return wait_until(lambda: (found := statuses(cli)) and wanted.items() <= found.items() and found)


def gate(cli: Cli, name: str) -> str:
    """A shell script that ends once `name` is let go."""
    return f"while [ ! -e {cli.home.parent}/{name} ]; do sleep 0.02; done"


def let_go(cli: Cli, name: str) -> None:
    (cli.home.parent / name).touch()
