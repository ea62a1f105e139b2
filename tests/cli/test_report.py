"""`mlhub report`: which runs, which file."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from mlhub.cli.report import check_target
from tests.conftest import make_cli
from tests.hashing.conftest import world
from tests.report.conftest import CRAB, Reported, reported

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli

__all__ = ["reported", "world"]


def test_a_report_may_be_written_over_and_nothing_else_is(reported: Reported, tmp_path: Path) -> None:
    page, notes = tmp_path / "a.html", tmp_path / "a.md"
    shutil.copy(reported.path, page)
    check_target(page, force=False)
    reported.cli("report", "1", "--md", "-o", str(notes))
    check_target(notes, force=False)
    notes.write_text("my notes")
    done = reported.cli("report", "1", "--md", "-o", str(notes), code=1)
    assert "is no report of mlhub's" in done.stderr
    assert notes.read_text() == "my notes"
    reported.cli("report", "1", "--md", "-o", str(notes), "--force")
    assert notes.read_text().startswith("# Run otter")


def test_a_place_that_can_not_be_written_is_said_at_once(reported: Reported, tmp_path: Path) -> None:
    assert "does not exist" in reported.cli("report", "1", "-o", str(tmp_path / "no" / "r.html"), code=1).stderr
    assert "is a folder" in reported.cli("report", "1", "-o", str(tmp_path), code=1).stderr
    assert "no regular file" in reported.cli("report", "1", "--force", "-o", "/dev/null", code=1).stderr


def test_json_says_where_it_is_and_what_it_is_about(reported: Reported, tmp_path: Path) -> None:
    found = reported.cli.json("report", "otter", "newt", "-o", str(tmp_path / "r.html"))
    assert found["runs"] == [1, 2]
    assert found["bytes"] == (tmp_path / "r.html").stat().st_size
    assert found["summary"][0].startswith("Best: otter, val/acc 0.75")


def test_without_a_name_it_is_report_html_on_the_newest_runs(reported: Reported) -> None:
    done = reported.cli("report")
    assert done.stdout.startswith("report.html: 3 runs, ")
    assert (reported.cli.home.parent / "report.html").is_file()


def test_values_at_a_place_and_only_some_metrics(reported: Reported) -> None:
    text = reported.cli("report", "1", "2", "--at", "step=1000", "--metric", "val/*", "--md", "-o", "-").stdout
    assert "**0.375**" in text
    assert "train/loss" not in text


def test_one_run_alone_is_reported_too(reported: Reported) -> None:
    text = reported.cli("report", CRAB, "-o", "-").stdout
    assert "<h1>Run &lt;img src=x" in text
    assert "exit code 3" in text


def test_wrong_words_are_told(reported: Reported) -> None:
    assert "no run '99'" in reported.cli("report", "99", code=1).stderr
    assert "both want stdout" in reported.cli("report", "1", "--json", "-o", "-", code=2).stderr


def test_an_empty_home_has_nothing_to_report(cli: Cli) -> None:
    assert "nothing to report" in cli("report", code=1).stderr


@pytest.mark.parametrize("torn", ["spec.json", "metrics.jsonl", "config.yaml", "output.log", "artifacts.jsonl"])
def test_a_torn_file_makes_its_part_smaller_and_no_accident(reported: Reported, tmp_path: Path, torn: str) -> None:
    shutil.copytree(reported.cli.home, tmp_path / "home")
    (tmp_path / "home" / "runs" / "2" / torn).write_bytes(b'{"a": \xff\x00[1, {"step"')
    text = make_cli(tmp_path / "home")("report", "1", "2", "-o", "-").stdout
    assert text.rstrip().endswith("</html>")
    assert "newt" in text


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_retrieval_samples_are_what_the_runs_own_index_answers(cli: Cli, world, tmp_path: Path) -> None:
    shutil.copytree(world.home, cli.home)
    shutil.rmtree(cli.home / "runs")
    cli("run", "--wait", "--name", "otter", "--", "true")
    cli("index", "otter", "--checkpoint", str(world.checkpoint), "--name", "shapes-index")
    text = cli("report", "otter", "-o", "-").stdout
    assert 'id="samples"' in text
    assert "held-out items of the data set shapes" in text
    assert text.count('src="data:image/') >= 8
    assert text.count('class="right"') >= 1
    queries = [part.partition("”")[0] for part in text.split('class="query">“')[1:]]
    names = {item.captions["en"][0] for item in world.dataset.items} | {
        item.captions["ko"][0] for item in world.dataset.items
    }
    assert queries
    assert set(queries) <= names
    (cli.home / "runs" / "2" / "index" / "codes.npy").write_bytes(b"torn")
    broken = cli("report", "otter", "-o", "-").stdout
    assert "no samples. the index is damaged" in broken
    assert json.loads((cli.home / "runs" / "2" / "index" / "index.json").read_text())["items"] == 16
