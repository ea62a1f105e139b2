"""`mlhub compare`, of runs that really ran: which are compared, what is said of them, every form, curves."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sqlite3
import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from mlhub.runner import archive
from tests.cli.test_light import loaded
from tests.conftest import make_cli

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli

#: logs a loss each 10 steps and an accuracy each 100, in epochs of 200; accuracy is best in the middle
TRAIN = """
import sys, mlhub
lr, seed, steps = float(sys.argv[1].split("=")[1]), int(sys.argv[2].split("=")[1]), int(sys.argv[3].split("=")[1])
for step in range(0, steps, 10):
    values = {"train/loss": 1 / (1 + lr * step) + seed / 1000}
    if step % 100 == 90:
        values["val/acc"] = 0.5 + 100 * lr - abs(step - steps / 2) / 10000 + seed / 1000
    mlhub.log(values, step=step, epoch=step // 200)
"""
HOSTILE = "<img src=x onerror=alert(1)>|`*$\\frac{1}{2}$`"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """slow, fast and fast's second seed in a group; short, which ended early; and one with a hostile name."""
    root = tmp_path_factory.mktemp("compare")
    script = root / "train.py"
    script.write_text(TRAIN)
    cli = make_cli(root / "home")
    for name, lr, seed, steps in (
        ("slow", 0.001, 1, 1000), ("fast", 0.003, 1, 1000), ("fast-2", 0.003, 2, 1000), ("short", 0.002, 1, 400),
    ):  # fmt: skip
        words = [f"lr={lr}", f"seed={seed}", f"steps={steps}"]
        cli("run", "--wait", "--group", "sweep", "--name", name, "--", sys.executable, str(script), *words)
    cli("run", "--wait", "--name", "other", "--", sys.executable, str(script), "lr=0.001", "seed=1", "steps=100")
    with sqlite3.connect(cli.home / "mlhub.db") as database:  # no command gives such a name; a foreign file may
        database.execute("UPDATE runs SET name = ? WHERE name = 'other'", (HOSTILE,))
    return cli


def test_the_newest_group_is_compared_where_no_run_is_named(runs: Cli) -> None:
    found = runs.json("compare")
    assert [run["name"] for run in found["runs"]] == ["slow", "fast", "fast-2", "short"]
    assert "4 runs of group sweep, the newest group" in found["notes"]


def test_json_has_the_contracts_shape_and_who_is_best(runs: Cli) -> None:
    found = runs.json("compare", "slow", "fast")
    assert found["config_diff"] == {"lr": {"1": 0.001, "2": 0.003}}
    assert found["metrics"]["val/acc"] == {"1": pytest.approx(0.552), "2": pytest.approx(0.752)}
    assert found["best"]["val/acc"] == found["verdict"]["run"] == 2
    assert found["direction"] == {"val/acc": "max", "train/loss": "min"}
    assert found["delta"]["val/acc"]["2"]["value"] == pytest.approx(0.2)


def test_the_answer_stands_above_the_table(runs: Cli) -> None:
    lines = runs("compare", "slow", "fast").stdout.splitlines()
    assert lines[:2] == [
        "best: fast, val/acc 0.752 (+0.2, +36.2 % over slow)",
        "differs from slow by lr 0.001 → 0.003",
    ]
    assert any(re.fullmatch(r"val/acc ↑ +0\.552  +★ 0\.752 \+36\.2%", line) for line in lines)


def test_runs_that_differ_in_their_seed_alone_are_one_line_with_their_deviation(runs: Cli) -> None:
    shown = runs("compare").stdout
    assert "fast +1" in shown
    assert "★ 0.7525 ± 0.00071 (n=2)" in shown
    assert "more than one sd (0.00071) apart" in shown
    assert "fast-2" in runs("compare", "--no-seeds").stdout


def test_a_difference_within_the_deviation_is_called_so(runs: Cli) -> None:
    found = runs.json("compare", "slow", "fast", "fast-2", "--metric", "train/loss", "--at", "step=0")
    assert "within one sd (0.00071) – no clear winner" in found["verdict"]["sentences"][0]


@pytest.mark.parametrize(
    ("place", "loss", "acc"),
    [
        ("step=255", 1 / 1.25 + 0.001, 0.5 + 0.1 + 0.001 - 0.031),
        ("epoch=0", 1 / 1.19 + 0.001, 0.5 + 0.1 + 0.001 - 0.031),
        ("best:val/acc", 1 / 1.49 + 0.001, 0.5 + 0.1 + 0.001 - 0.001),
        ("max:train/loss", 1.001, None),
        ("max", 1.001, 0.5 + 0.1 + 0.001 - 0.001),
        ("last", 1 / 1.99 + 0.001, 0.5 + 0.1 + 0.001 - 0.049),
    ],
)
def test_at_a_place_every_metric_has_the_value_it_had_there(
    runs: Cli, place: str, loss: float, acc: float | None
) -> None:
    found = runs.json("compare", "slow", "fast", "--at", place)
    assert found["metrics"]["train/loss"]["1"] == pytest.approx(loss)
    assert found["metrics"]["val/acc"].get("1") == (None if acc is None else pytest.approx(acc))


def test_a_run_that_ended_before_the_place_is_named(runs: Cli) -> None:
    found = runs.json("compare", "slow", "short", "--at", "step=800")
    assert "ended before step 800: short 390" in found["notes"]
    assert found["at"]["steps"] == {"1": 800, "4": 390}


@pytest.mark.skipif(not archive.available(), reason="needs pyarrow")
def test_a_compacted_run_has_the_same_values_at_a_place(runs: Cli) -> None:
    before = runs.json("compare", "slow", "fast", "--at", "best:val/acc")
    path = runs.home / "runs" / "1" / "metrics.jsonl"
    archive.compact(path)
    try:
        assert runs.json("compare", "slow", "fast", "--at", "best:val/acc")["metrics"] == before["metrics"]
    finally:
        with archive.opened(path) as whole:
            data = whole.read_bytes()
        path.write_bytes(data)
        archive.packed(path).unlink()


def test_sorting_limiting_and_filtering_choose_runs(runs: Cli) -> None:
    def names(*arguments: str) -> list[str]:
        return [run["name"] for run in runs.json("compare", "--no-seeds", *arguments)["runs"]]

    assert names("--sort", "val/acc") == ["fast-2", "fast", "short", "slow"]
    assert names("--sort", "train/loss", "--limit", "2") == ["fast", "fast-2"]
    assert names("--sort", "lr", "--reverse") == ["fast", "fast-2", "short", "slow"]
    assert names("--filter", "val/acc>0.7") == ["fast", "fast-2"]
    assert names("--group", "sweep", "--filter", "name:s", "--baseline", "short") == ["slow", "fast", "fast-2", "short"]


def test_only_what_differs_is_shown_unless_all_is_asked_for(runs: Cli) -> None:
    assert "seed" not in runs.json("compare", "slow", "fast")["config_diff"]
    assert runs.json("compare", "slow", "fast", "--all-params")["config_diff"]["seed"] == {"1": 1, "2": 1}


@pytest.mark.parametrize("columns", ["40", "80"])
@pytest.mark.parametrize("arguments", [["--plot", "--no-seeds"], ["slow", "fast", "short"], ["--vertical"]])
def test_no_line_is_wider_than_the_terminal(runs: Cli, columns: str, arguments: list[str]) -> None:
    lines = runs("compare", *arguments, COLUMNS=columns).stdout.splitlines()
    assert max(map(len, lines)) <= int(columns)


def test_vertical_has_one_value_a_line(runs: Cli) -> None:
    lines = runs("compare", "slow", "fast", "--vertical", "-m", "val/*").stdout.splitlines()
    at = lines.index("val/acc ↑")
    assert lines[at + 1 : at + 3] == ["  slow    0.552", "  fast  ★ 0.752 +36.2%"]


def test_without_unicode_all_is_ascii_and_aligned(runs: Cli) -> None:
    done = runs("compare", "--plot", LANG="C", LC_ALL="C")
    assert done.stdout.isascii()
    assert "* 0.7525 +- 0.00071 (n=2)" in done.stdout
    assert "val/acc ^   over step" in done.stdout


def test_a_plot_tells_curves_apart_without_colours_and_names_each(runs: Cli) -> None:
    lines = runs("compare", "slow", "fast", "--plot", "train/loss").stdout.splitlines()
    at = lines.index("train/loss ↓   over step")
    chart = "\n".join(lines[at:])
    assert re.search(r"^  a slow  last 0\.5035  min 0\.5035 at 990$", chart, re.MULTILINE)
    assert re.search(r"^  b fast  last 0\.2529  min 0\.2529 at 990 ★$", chart, re.MULTILINE)
    assert any("⠤" in line or "⠉" in line or "⣀" in line for line in lines[at:])


def test_no_chart_marks_a_run_as_best_that_the_verdict_does_not(runs: Cli, tmp_path: Path) -> None:
    words = ("compare", "slow", "fast", "short", "--plot", "train/loss", "--svg", str(tmp_path / "c.svg"))
    with sqlite3.connect(runs.home / "mlhub.db") as database:
        database.execute("UPDATE runs SET status = 'failed' WHERE name = 'fast'")
    try:
        shown = runs(*words).stdout
    finally:
        with sqlite3.connect(runs.home / "mlhub.db") as database:
            database.execute("UPDATE runs SET status = 'completed' WHERE name = 'fast'")
    assert re.findall(r"  . (\S+) .* ★$", shown[shown.index("over step") :], re.MULTILINE) == ["slow"]
    assert [word for word in _words_of(tmp_path / "c.svg") if "★" in word] == ["★ slow  0.5035"]


def test_curves_of_seeds_have_no_best_one(runs: Cli, tmp_path: Path) -> None:
    svg, page = tmp_path / "c.svg", tmp_path / "r.html"
    shown = runs("compare", "fast", "fast-2", "--plot", "--svg", str(svg)).stdout
    assert "★" not in shown + "".join(_words_of(svg))
    runs("report", "fast", "fast-2", "-o", str(page))
    assert '"best":false' in page.read_text()
    assert '"best":true' not in page.read_text()
    assert runs.json("compare", "fast", "fast-2")["best"] == {}


def _words_of(svg: Path) -> list[str]:
    return list(ET.fromstring(svg.read_bytes()).itertext())  # noqa: S314 - we wrote it


def test_runs_on_different_data_are_no_seeds_of_one_configuration(cli: Cli, tmp_path: Path) -> None:
    """Also where the program told its hyperparameters, as `capture` does for it."""
    script = tmp_path / "train.py"
    script.write_text(
        "import json, os, sys, mlhub\n"
        "told = json.dumps({'framework': 'lightning', 'parameters': {'width': 8}})\n"
        "open(os.path.join(os.environ['MLHUB_RUN_DIR'], 'capture.json'), 'w').write(told)\n"
        "mlhub.log({'val/loss': len(sys.argv[1])}, step=1)\n"
    )
    for seed, data in enumerate(("coco", "flickr"), 1):
        cli("run", "--wait", "--name", data, "--", sys.executable, str(script), data, "--seed", str(seed))
    found = cli.json("compare", "1", "2")
    assert [run["config"] for run in found["runs"]] == [{"width": 8, "seed": 1}, {"width": 8, "seed": 2}]
    assert found["config_diff"] == {"argument 2": {"1": "coco", "2": "flickr"}, "seed": {"1": 1, "2": 2}}
    assert found["seeds"] == []
    assert found["verdict"]["sentences"][1] == "differs from flickr by argument 2 flickr → coco, seed 2 → 1"


def test_a_word_that_is_neither_a_run_nor_a_metric_is_said(runs: Cli) -> None:
    done = runs("compare", "slow", "fast", "--plot", "trian/loss", code=2)
    assert "no metric of these runs matches 'trian/loss'; did you mean train/loss?" in done.stderr


def test_figures_are_files_and_hold_every_name(runs: Cli, tmp_path: Path) -> None:
    png, svg = tmp_path / "c.png", tmp_path / "c.svg"
    done = runs("compare", "1", "2", "5", "--png", str(png), "--svg", str(svg), "*/*", "--smooth", "0.5", "--log-y")
    assert "Warning" not in done.stderr
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    words = "".join(ET.fromstring(svg.read_bytes()).itertext())  # noqa: S314 - we wrote it
    for word in ("val/acc ↑", "train/loss ↓", "slow", "fast", "<img src=x onerror=alert"):
        assert word in words


def test_csv_has_a_row_a_run_and_numbers_in_full(runs: Cli) -> None:
    rows = list(csv.DictReader(io.StringIO(runs("compare", "slow", "fast", "--csv").stdout)))
    assert [row["name"] for row in rows] == ["slow", "fast"]
    assert float(rows[0]["val/acc"]) == pytest.approx(0.552)
    assert rows[1]["lr"] == "0.003"


@pytest.mark.parametrize("form", ["md", "html", "csv", "json"])
def test_a_file_is_written_whole_and_its_ending_says_the_form(runs: Cli, tmp_path: Path, form: str) -> None:
    file = tmp_path / f"table.{form}"
    done = runs("compare", "slow", "fast", "-o", str(file))
    assert done.stdout == ""
    assert "fast" in file.read_text()
    assert os.listdir(tmp_path) == [file.name]


def test_a_hostile_name_stays_text_in_every_form(runs: Cli) -> None:
    html = runs("compare", "1", "5", "--html").stdout
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "\\<img src=x" in runs("compare", "1", "5", "--md").stdout
    assert json.loads(runs("compare", "1", "5", "--json").stdout)["runs"][1]["name"] == HOSTILE


def test_escape_sequences_and_endless_names_of_metrics_never_reach_a_terminal(runs: Cli) -> None:
    script = (
        "import mlhub\nfor step in range(30): mlhub.log({'\\x1b]0;owned\\x07\\x1b[2Jval/acc': step, "
        "'x' * 10000: 1.0 * step, '정확도\\u202e': step, **{f'm{i}': i for i in range(300)}}, step=step)"
    )
    for name in ("evil-1", "evil-2"):
        runs("run", "--wait", "--name", name, "--", sys.executable, "-c", script)
    for form in (["--plot"], ["--md"], ["--csv"], ["--html"], ["--vertical"], ["--at", "step=20"]):
        done = runs("compare", "evil-1", "evil-2", *form)
        assert not set(done.stdout + done.stderr) & set("\x1b\x07\u202e")
    lines = runs("compare", "evil-1", "evil-2").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "291 more metrics: --all-metrics, or -m NAME" in lines


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--at", "noon"], "--at noon: no such place"),
        (["--at", "step=soon"], "not a number"),
        (["--at", "best:val/ac"], "did you mean val/acc?"),
        (["--metric", "val/ac"], "did you mean val/acc?"),
        (["--sort", "val/ac"], "did you mean val/acc?"),
        (["--csv", "--md"], "one document at a time"),
        (["--plot", "--json"], "--plot draws on the terminal"),
        (["--plot", "--x", "miles"], "There are: step, epoch, relative, time."),
        (["--filter", "(a"], "a ( without its )"),
    ],
)
def test_wrong_words_are_said_with_what_there_is(runs: Cli, arguments: list[str], said: str) -> None:
    assert said in runs("compare", "slow", "fast", *arguments, code=2).stderr


def test_a_folder_that_is_not_there_is_said(runs: Cli, tmp_path: Path) -> None:
    done = runs("compare", "slow", "fast", "--md", "-o", str(tmp_path / "none" / "t.md"), code=1)
    assert "Name a file in a folder that can be written." in done.stderr


def test_an_empty_home_has_nothing_to_compare(cli: Cli) -> None:
    assert "no run" in cli("compare").stdout
    assert cli.json("compare")["runs"] == []


def test_a_comparison_without_curves_loads_neither_numpy_nor_matplotlib(runs: Cli) -> None:
    for arguments in (["compare"], ["compare", "slow", "fast", "--at", "step=100"]):
        assert loaded(runs, *arguments, heavy=("numpy", "matplotlib", "pyarrow", "rich", "textual", "psutil")) == []


def test_evaluations_by_different_protocols_are_no_one_row(runs: Cli) -> None:
    for run_id, name in ((1, "emoji-v1"), (2, "emoji-v2")):
        folder = runs.home / "runs" / str(run_id) / "artifacts"
        folder.mkdir(exist_ok=True)
        (folder / "eval.json").write_text(json.dumps({"protocol": {"name": name}}))
    with sqlite3.connect(runs.home / "mlhub.db") as database:
        database.execute("UPDATE runs SET kind = 'eval' WHERE id IN (1, 2)")
    try:
        found = runs.json("compare", "slow", "fast")
        assert found["metrics"]["val/acc [emoji-v1]"].keys() == {"1"}
        assert found["metrics"]["val/acc [emoji-v2]"].keys() == {"2"}
        assert "measured by different protocols (emoji-v1, emoji-v2)" in " ".join(found["notes"])
        assert found["verdict"]["run"] is None
    finally:
        with sqlite3.connect(runs.home / "mlhub.db") as database:
            database.execute("UPDATE runs SET kind = 'command' WHERE id IN (1, 2)")


def test_seeds_of_one_configuration_have_a_mean_and_no_winner_together_or_apart(runs: Cli) -> None:
    words = "2 seeds of one configuration: val/acc 0.7525 ± 0.00071 (n=2), 0.752 (fast) to 0.753 (fast-2)"
    for more in ((), ("--seeds",)):
        shown = runs("compare", "fast", "fast-2", *more, COLUMNS="160").stdout
        assert shown.startswith(words)
        assert "★" not in shown
        assert "differences are against" not in shown


def test_markdown_has_the_answer_above_its_table(runs: Cli) -> None:
    shown = runs("compare", "slow", "fast", "--md").stdout
    assert shown.index("best: fast, val/acc 0.752") < shown.index("| --- |")


def test_a_run_whose_metrics_file_is_missing_is_named(runs: Cli) -> None:
    path = runs.home / "runs" / "1" / "metrics.jsonl"
    kept = path.rename(path.with_name("elsewhere"))
    try:
        assert "slow: its metrics file is missing" in runs.json("compare", "slow", "fast", "--at", "step=500")["notes"]
        assert "slow: its metrics file is missing" in runs("compare", "slow", "fast", "--plot").stderr
    finally:
        kept.rename(path)


def test_all_metrics_and_patterns_show_what_is_left_out(runs: Cli) -> None:
    script = "import mlhub; mlhub.log({f'm{i}': i for i in range(30)}, step=1)"
    for name in ("many-1", "many-2"):
        runs("run", "--wait", "--name", name, "--", sys.executable, "-c", script)
    assert "18 more metrics: --all-metrics, or -m NAME" in runs("compare", "many-1", "many-2").stdout
    for more in (["--all-metrics"], ["-m", "m*"]):
        lines = runs("compare", "many-1", "many-2", *more).stdout.splitlines()
        assert sum(line.startswith("m") for line in lines) == 30
    assert len(runs.json("compare", "many-1", "many-2")["metrics"]) == 30
