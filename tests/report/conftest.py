"""A home with three runs that recorded all that a report shows, hostile text among it, and the report on them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from mlhub import artifacts
from tests.conftest import Cli, make_cli
from tests.report import browser

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: text that would run, load or break out of an element, were it not escaped
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">'\"--></style></title>"

#: the name of a run, within what --name takes
CRAB = "<img src=x onerror=document.title=1>"


@dataclass(frozen=True)
class Reported:
    """The home, and a report on all of its runs."""

    cli: Cli
    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text("utf-8")


def written(path: Path, records: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def curve(best: float, *, bad: int | None = None) -> list[dict[str, object]]:
    """2,000 steps of a loss that falls and a score that rises to `best`; at step `bad` the loss is NaN."""
    return [
        {
            "step": step, "time": 1763848800.0 + step, "val/acc": best * step / 2000, HOSTILE: step,
            "train/loss": "NaN" if step == bad else 2 * math.exp(-step / 400) + 0.1 * math.sin(step),
        }
        for step in range(1, 2001)
    ]  # fmt: skip


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    folder = tmp_path_factory.mktemp("reported")
    cli = make_cli(folder / "home")
    curves = {"otter": curve(0.75), "newt": curve(0.5, bad=1000), CRAB: curve(0.25)[:1]}
    for rate, (name, records) in enumerate(curves.items(), 1):
        # a program that logs, says something and ends: sh's $0 is the file, $1 what it says
        file, end = written(folder / f"{rate}.jsonl", records), 3 * (name == CRAB)
        program = f'cat "$0" >> "$MLHUB_RUN_DIR/metrics.jsonl"; echo first line; printf "%s\\n" "$1"; exit {end}'
        command = ("sh", "-c", program, str(file), HOSTILE, "--lr", f"0.{rate}")
        cli("run", "--wait", "--name", name, "--tag", "t", "--", *command, code=1 if end else 0)
    keep(cli.home / "runs" / "1")
    path = folder / "report.html"
    cli("report", "1", "2", "3", "-o", str(path))
    return Reported(cli, path)


def keep(run: Path) -> None:
    from PIL import Image

    artifacts.keep_image(run, "samples", Image.new("RGB", (2000, 1000), (200, 30, 30)), step=7, caption=HOSTILE)
    artifacts.keep_table(run, "confusion", ["class", "count"], [["cat", 3], [HOSTILE, math.nan]])
    artifacts.keep_text(run, "notes", f"good\n{HOSTILE}\x1b[31m")
    (run / "artifacts" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Browser]:
    if browser.CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with browser.started(tmp_path_factory.mktemp("chromium")) as found:
        yield found
