"""The main job as a user does it: train the quickstart in full, evaluate, index, search. One training for all tests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench.queries import DEMO
from PIL import Image

from tests.conftest import Cli, make_cli, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Trained:
    cli: Cli
    train: dict[str, Any]
    eval: dict[str, Any]
    index: dict[str, Any]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    cli = make_cli(tmp_path_factory.mktemp("job") / "home", seconds=600)
    return Trained(
        cli=cli,
        train=cli.json("run", "quickstart", "--name", "quick", "--wait"),
        eval=cli.json("eval", "quick"),
        index=cli.json("index", "quick"),
    )


def figures(run: dict[str, Any]) -> dict[str, float]:
    return {name: entry["last"] for name, entry in run["summary"].items()}


def test_the_training_made_its_data_set_and_completed(trained: Trained) -> None:
    assert (trained.train["status"], trained.train["kind"]) == ("completed", "train")
    assert {row["name"]: row["status"] for row in trained.cli.json("data", "ls")}["emoji"] == "ready"


def test_every_length_and_direction_was_validated(trained: Trained) -> None:
    seen = figures(trained.train)
    for bits in (8, 16, 32, 48, 64, 128):
        assert {f"val/map_{bits}", f"val/i2t/map_{bits}", f"val/t2i/r10_{bits}"} <= set(seen)
    assert {"train/loss", "train/lr", "train/examples_per_s", "val/t2i/map_float"} <= set(seen)


def test_best_and_last_are_weights_with_a_sidecar(trained: Trained) -> None:
    folder = Path(trained.train["dir"]) / "checkpoints"
    for name in ("best", "last"):
        assert (folder / f"{name}.safetensors").stat().st_size > 100_000
        assert json.loads((folder / f"{name}.json").read_text())["config"]["data"]["dataset"] == "emoji"


def test_the_evaluation_names_its_protocol(trained: Trained) -> None:
    assert (trained.eval["kind"], trained.eval["protocol"]) == ("eval", "emoji-v1")
    assert trained.cli.json("show", trained.eval["name"])["protocol"] == "emoji-v1"


#: of one seed; over three, learned codes of 128 bits beat ITQ's too: bench/quickstart.py
RIVALS = [
    (bits, rival) for bits in (16, 32, 64, 128) for rival in ("itq", "pca", "lsh") if (bits, rival) != (128, "itq")
]


@pytest.mark.parametrize(("bits", "rival"), RIVALS)
@pytest.mark.parametrize("direction", ["i2t", "t2i"])
def test_learned_codes_beat_a_baseline(trained: Trained, direction: str, bits: int, rival: str) -> None:
    seen = figures(trained.eval)
    assert seen[f"eval/{direction}/map_{bits}"] > seen[f"eval/{direction}/map_{bits}_{rival}"]


def test_the_index_is_one_row_of_16_bytes_an_item(trained: Trained) -> None:
    folder = Path(trained.index["dir"]) / "index"
    codes = np.load(folder / "codes.npy")
    items = (folder / "items.jsonl").read_text().splitlines()
    assert (codes.dtype, codes.shape, codes.flags.c_contiguous) == (np.uint8, (len(items), 16), True)


@pytest.mark.parametrize("query", DEMO)
def test_what_people_type_first_is_answered(trained: Trained, query: str) -> None:
    said = [hit["captions"] for hit in trained.cli.json("search", query, "-k", "5")["results"]]
    assert any(DEMO[query] & set(captions) for captions in said), said


def test_a_result_can_be_opened(trained: Trained) -> None:
    hit = trained.cli.json("search", "guitar")["results"][0]
    with Image.open(hit["image"]) as image:
        assert image.size[0] > 16
    assert hit["rank"] == 1


def test_an_image_finds_itself_and_its_name(trained: Trained) -> None:
    path = trained.cli.json("search", "guitar")["results"][0]["image"]
    assert trained.cli.json("search", "--image", path)["results"][0]["image"] == path
    assert trained.cli.json("search", "--image", path, "--to", "text")["modality"] == "image"


def test_the_table_is_readable_in_a_pipe(trained: Trained) -> None:
    said = trained.cli("search", "강아지").stdout
    assert "\x1b" not in said
    assert "caption" in said.splitlines()[1]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["search"], 2, "a text or --image FILE"),
        (["search", " "], 2, "the query is empty"),
        (["search", "x", "--bits", "12"], 2, "12"),
        (["search", "x", "--to", "sound"], 2, "expected image or text"),
        (["search", "--image", "nothing.png"], 1, "nothing.png"),
        (["search", "x", "--index", "quick"], 1, "not an index"),
        (["eval", "--checkpoint", "nothing"], 1, "nothing: no such file"),
    ],
)
def test_a_wrong_call_is_two_lines(trained: Trained, arguments: list[str], code: int, message: str) -> None:
    said = trained.cli(*arguments, code=code).stderr.splitlines()
    assert len(said) == 2
    assert message in said[0]


def test_a_checkpoint_that_is_none_is_refused(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "fake.safetensors").write_bytes(b"\x80\x04garbage")
    run = trained.cli.json("eval", "quick", "--checkpoint", str(tmp_path / "fake.safetensors"), code=1)
    assert run["status"] == "failed"
    assert "not a checkpoint" in trained.cli("logs", run["name"]).stdout


def test_an_index_of_another_checkpoint_is_refused(trained: Trained) -> None:
    other = trained.cli.json("run", "quickstart", "training.max_epochs=1", "--wait")
    best = Path(trained.train["dir"]) / "checkpoints" / "best.safetensors"
    kept = best.read_bytes()
    best.write_bytes((Path(other["dir"]) / "checkpoints" / "last.safetensors").read_bytes())
    try:
        said = trained.cli("search", "a dog", code=1).stderr
    finally:
        best.write_bytes(kept)
    assert "made by another checkpoint" in said
    assert "mlhub index" in said


def test_a_search_without_an_index_names_the_command(cli: Cli) -> None:
    said = cli("search", "a dog", code=1).stderr
    assert "there is no index" in said
    assert "mlhub index" in said


def test_a_stopped_training_leaves_its_last_checkpoint(trained: Trained) -> None:
    run = trained.cli.json("run", "quickstart", "--name", "stopped")
    wait_until(lambda: figures(trained.cli.json("show", "stopped")).get("val/map_64"), 120)
    trained.cli("stop", "stopped")
    assert trained.cli.json("show", "stopped")["status"] == "cancelled"
    assert (Path(run["dir"]) / "checkpoints" / "last.safetensors").exists()
