from __future__ import annotations

import math
import shutil

import pytest

from mlhub.foreign.find import copy
from tests.foreign.collect import SAMPLES, Collected, find_all


@pytest.fixture
def store(tmp_path):
    return shutil.copytree(SAMPLES / "mlruns", tmp_path / "mlruns")


def runs(store):
    """Facts and records by name."""
    found = {}
    for source in find_all(store)[0]:
        collected = Collected()
        facts = copy(source, collected)
        found[facts.name] = (facts, collected)
    return found


def test_a_finished_run_is_all_there(store):
    facts, collected = runs(store)["good one"]
    assert (facts.status, facts.group, facts.note) == ("completed", "sample experiment", "two\nlines")
    assert facts.tags == ["paper=yes"]
    assert facts.config["lr"] == 0.1
    assert (facts.config["depth"], facts.config["name"], facts.config["a/b"]) == (3, "tiny", True)
    assert len(facts.config["long"]) == 300
    assert 0 < facts.ended - facts.started < 10
    assert collected.values("train/loss") == pytest.approx([1 / (step + 1) for step in range(10)])
    assert math.isnan(collected.values("acc")[10])
    assert collected.values("acc")[11] == math.inf


def test_records_are_in_order_of_time_and_steps(store):
    _, collected = runs(store)["good one"]
    assert [record["step"] for record in collected.metrics] == list(range(12))
    assert {"acc", "train/loss"} <= collected.metrics[3].keys()


def test_how_runs_ended_is_told_as_far_as_it_was_recorded(store):
    found = runs(store)
    assert found["bad one"][0].status == "failed"
    assert found["child"][0].status == "completed"
    live = found["runs still"][0]
    assert live.status == "failed"
    assert live.reason == "lost: still marked running in MLflow when imported"


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        ("KILLED", "cancelled", "cancelled, says MLflow"),
        ("2", "failed", "lost: still marked scheduled in MLflow when imported"),
        ("[a, b]", "failed", "lost: MLflow does not say how it ended"),
    ],
)
def test_each_word_of_mlflow_has_one_of_our_statuses(store, said, status, reason):
    [source] = [source for source in find_all(store)[0] if source.name == "good one"]
    meta = source.path / "meta.yaml"
    meta.write_text("".join(f"{'status: ' + said if line.startswith('status:') else line.rstrip()}\n"
                            for line in meta.read_text().splitlines()))  # fmt: skip
    facts = copy(source, Collected())
    assert (facts.status, facts.reason) == (status, reason)


def test_deleted_runs_and_experiments_are_none(store):
    assert set(runs(store)) == {"good one", "child", "bad one", "runs still"}


def test_lines_that_are_none_are_left_out_and_told(store):
    [source] = [source for source in find_all(store)[0] if source.name == "bad one"]
    with open(source.path / "metrics" / "loss", "a", encoding="utf-8") as file:
        file.write("x y z\n1795465032062\n1795465032062 0.5 6 data digest\n-5 1 1\n1795465032063 9.0 7")
    collected = Collected()
    copy(source, collected)
    assert collected.values("loss") == [2.0, 0.5]
    assert "3 lines" in collected.told[0]


def test_more_metrics_than_files_may_be_open_are_all_read(store):
    [source] = [source for source in find_all(store)[0] if source.name == "bad one"]
    for number in range(450):
        (source.path / "metrics" / f"m{number}").write_text(f"1795465032062 {number} 1\n")
    collected = Collected()
    copy(source, collected)
    assert {collected.values(f"m{number}")[0] for number in range(450)} == set(range(450))


def test_links_out_of_a_run_are_not_read(store, tmp_path):
    [source] = [source for source in find_all(store)[0] if source.name == "bad one"]
    (tmp_path / "secret").write_text("hunter2")
    (source.path / "params").mkdir(exist_ok=True)
    (source.path / "params" / "stolen").symlink_to(tmp_path / "secret")
    (source.path / "metrics" / "loop").symlink_to(source.path)
    assert "stolen" not in copy(source, Collected()).config


def test_a_meta_yaml_of_another_program_is_none(tmp_path):
    (tmp_path / "meta.yaml").write_text("{% set version = 1 %}\npackage: {name: x}\n")
    assert find_all(tmp_path) == ([], [])


def test_a_damaged_meta_yaml_is_told_and_costs_that_run_only(store):
    [source] = [source for source in find_all(store)[0] if source.name == "bad one"]
    (source.path / "meta.yaml").write_text("a: [1\n")
    sources, told = find_all(store)
    assert {source.name for source in sources} == {"good one", "child", "runs still"}
    assert "not valid YAML" in told[0]
