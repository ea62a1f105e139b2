import json
import os
import subprocess
import sys

import numpy as np
import pytest

from mlhub.data.items import About, Dataset, Item, fingerprint, write_items
from mlhub.hashing.checkpoint import Encoded
from mlhub.hashing.evaluate import main, measure
from mlhub.hashing.program import run
from mlhub.hashing.protocol import plan
from mlhub.records import read_records

BITS = (8, 64)


@pytest.fixture(scope="module")
def emoji(tmp_path_factory):
    """Twelve concepts in two drawings; six of them hold one out."""
    items = [
        Item(f"{c}-{s}", f"{c}-{s}.png", {"en": (f"name {c}",)}, (f"kind {c % 3}",), f"c{c}", s, split(c, s))
        for c in range(12)
        for s in "ab"
    ]
    return Dataset("emoji", tmp_path_factory.mktemp("emoji"), tuple(items), fingerprint(tuple(items)))


def split(concept, style):
    return "test" if concept < 6 and style == "b" else "train"


def encoded(concepts, noise, seed):
    """Vectors [n, 40] and logits [n, 128] of concepts, disturbed by `noise`."""
    ideal = np.random.default_rng(0).standard_normal((12, 40))
    vectors = ideal[concepts] + noise * np.random.default_rng(seed).standard_normal((len(concepts), 40))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    logits = vectors @ np.random.default_rng(1).standard_normal((40, 128)).astype(np.float32)
    return Encoded(logits, vectors)


def figures(emoji, noise=0.0, bits=BITS):
    made = plan(emoji, ["en"])
    pictures = encoded([int(path.name.split("-")[0]) for path in made.images], noise, seed=2)
    texts = encoded([int(text.split()[1]) for text in made.texts], noise, seed=3)
    return {name: value for figure in measure(made, pictures, texts, bits) for name, value in figure.values()}


def test_every_name_of_the_contract_is_there(emoji):
    found = figures(emoji)
    for task in ("i2t", "t2i", "i2i"):
        for measure_ in ("map", "r1", "r5", "r10", "map_label", "r1_label", "r5_label", "r10_label"):
            names = {
                f"eval/{task}/{measure_}_{suffix}"
                for suffix in ("8", "64", "8_itq", "8_pca", "8_lsh", "64_lsh", "float")
            }
            assert names <= found.keys()


def test_a_length_a_baseline_does_not_have_is_left_out(emoji):
    found = figures(emoji)  # 40 dimensions, 18 + 12 training rows
    assert not {"eval/t2i/map_64_itq", "eval/t2i/map_64_pca"} & found.keys()


def test_undisturbed_embeddings_are_found_perfectly(emoji):
    found = figures(emoji)
    assert found["eval/t2i/map_float"] == 1.0
    assert found["eval/i2t/r1_64"] == 1.0
    assert found["eval/i2i/map_64"] == 1.0


def test_disturbed_embeddings_are_found_worse_and_worst_with_the_fewest_bits(emoji):
    found = figures(emoji, noise=1.0)
    assert found["eval/t2i/map_8"] < found["eval/t2i/map_64"] < 1.0


def test_same_label_is_another_question_than_same_concept(emoji):
    found = figures(emoji)
    assert found["eval/t2i/map_label_float"] < found["eval/t2i/map_float"]


def test_recall_by_label_is_no_worse_than_by_concept(emoji):
    found = figures(emoji, noise=1.0)
    assert found["eval/i2t/r1_8"] < found["eval/i2t/r1_label_8"] <= 1.0


def test_a_task_in_which_nothing_can_be_found_has_no_figure(tmp_path):
    """French names only the concept that holds nothing out."""
    items = (
        Item("0-a", "0-a.png", {"en": ("name 0",)}, concept="c0", split="test"),
        Item("1-a", "1-a.png", {"en": ("name 1",), "fr": ("nom 1",)}, concept="c1"),
    )
    made = plan(Dataset("emoji", tmp_path, items, "f"), ["en", "fr"])
    images, texts = encoded([0, 1], 0.0, seed=2), encoded([0, 1, 1], 0.0, seed=3)
    assert {figure.task for figure in measure(made, images, texts, BITS)} == {"t2i", "i2t"}


@pytest.fixture
def run_folder(world, tmp_path, monkeypatch):
    monkeypatch.setenv("MLHUB_HOME", str(world.home))
    monkeypatch.setenv("MLHUB_RUN_DIR", str(tmp_path))
    return tmp_path


def test_the_program_writes_one_record_at_the_checkpoint_s_step(world, run_folder):
    main(["--checkpoint", str(world.checkpoint)])
    records, _ = read_records(run_folder / "metrics.jsonl")
    assert [(record["step"], record["epoch"]) for record in records] == [(60, 1)]
    assert records[0]["eval/t2i/map_64"] > 0.9
    assert records[0]["eval/ko/t2i/map_64"] > 0.9


def test_the_document_holds_protocol_checkpoint_data_and_every_figure(world, run_folder):
    main(["--checkpoint", str(world.checkpoint)])
    document = json.loads((run_folder / "artifacts" / "eval.json").read_text())
    assert (document["protocol"]["name"], document["protocol"]["languages"]) == ("pairs-v1", ["en", "ko"])
    assert document["checkpoint"]["path"] == str(world.checkpoint)
    assert document["data"] == {"name": "shapes", "fingerprint": world.dataset.fingerprint, "items": 16}
    assert document["tasks"]["t2i"] == {"queries": 6, "left_out": 0, "gallery": 6}
    record = read_records(run_folder / "metrics.jsonl")[0][0]
    assert {name: record[name] for name in document["figures"]} == document["figures"]


@pytest.mark.usefixtures("run_folder")
def test_the_table_fits_80_columns_and_names_its_protocol(world, capsys):
    main(["--checkpoint", str(world.checkpoint)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("pairs-v1: shapes")
    assert sum(line.startswith("   64 ") for line in lines) == 4
    assert max(map(len, lines)) <= 80


@pytest.mark.usefixtures("run_folder")
def test_json_prints_the_document_alone(world, capsys):
    main(["--checkpoint", str(world.checkpoint), "--json"])
    assert json.loads(capsys.readouterr().out)["protocol"]["version"] == 1


@pytest.mark.usefixtures("run_folder")
def test_two_evaluations_of_one_checkpoint_give_the_same_figures(world, capsys):
    documents = []
    for _ in range(2):
        main(["--checkpoint", str(world.checkpoint), "--json"])
        documents.append(json.loads(capsys.readouterr().out))
    assert documents[0] == documents[1]


def test_a_checkpoint_trained_on_other_data_is_refused_and_nothing_is_written(world, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "home" / "data" / "shapes"
    folder.mkdir(parents=True)
    write_items(folder, About("shapes"), world.dataset.items[:-1])
    monkeypatch.setenv("MLHUB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLHUB_RUN_DIR", str(tmp_path / "run"))
    assert run(main, ["--checkpoint", str(world.checkpoint)]) == 1
    assert "another version of data set shapes" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["outcome.json"]


def test_outside_a_run_nothing_is_written(world, run_folder, monkeypatch):
    monkeypatch.delenv("MLHUB_RUN_DIR")
    main(["--checkpoint", str(world.checkpoint)])
    assert not list(run_folder.iterdir())


def test_a_checkpoint_that_is_not_there_is_two_lines(tmp_path, capsys):
    assert run(main, ["--checkpoint", str(tmp_path / "best.safetensors")]) == 1
    assert capsys.readouterr().err.count("\n") == 2


def test_numpy_works_in_one_thread():
    """Two are three times slower here, in CPU as well."""
    code = (
        "import mlhub.hashing.evaluate, os, numpy as np; a = np.ones((600, 600)); a @ a; "
        "print(len(os.listdir('/proc/self/task')))"
    )
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    assert subprocess.check_output([sys.executable, "-c", code], env=environment) == b"1\n"
