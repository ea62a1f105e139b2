import json
import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from mlhub.data.items import About, Dataset, Item, write_items
from mlhub.errors import MlhubError, UsageError
from mlhub.hashing import checkpoint, index
from mlhub.hashing.codes import pack


def silent(*_):
    pass


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def encoder(world):
    return checkpoint.load(world.checkpoint)


@pytest.fixture(scope="module")
def built(world, encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "index"
    index.build(encoder, world.dataset, folder, silent)
    return folder


def test_a_row_is_the_16_bytes_of_its_image_s_code(world, encoder, built):
    codes = np.load(built / "codes.npy")
    paths = [world.dataset.image_path(item) for item in world.dataset.items]
    assert (codes.dtype, codes.shape, codes.flags["C_CONTIGUOUS"]) == (np.uint8, (16, 16), True)
    np.testing.assert_array_equal(codes, pack(encoder.images(paths).logits))


def test_bit_b_of_a_stored_code_is_the_sign_of_logit_b(world, encoder, built):
    row = np.load(built / "codes.npy")[3]
    logits = encoder.images([world.dataset.image_path(world.dataset.items[3])]).logits[0]
    assert [bool(row[b // 8] >> (7 - b % 8) & 1) for b in range(128)] == (logits > 0).tolist()


def test_vectors_are_the_encoder_s_in_the_order_of_the_items(world, encoder, built):
    vectors = np.load(built / "vectors.npy")
    paths = [world.dataset.image_path(item) for item in world.dataset.items]
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, encoder.images(paths).vectors, atol=1e-6)


def test_items_are_those_of_the_data_set_in_its_order(world, built):
    rows = lines(built / "items.jsonl")
    assert [row["id"] for row in rows] == [item.id for item in world.dataset.items]
    assert rows[0]["captions"] == {"en": ["red", "something red"], "ko": ["빨강"]}


def test_a_caption_stands_once_a_concept_and_knows_its_items(built):
    rows = lines(built / "texts.jsonl")
    assert len(rows) == 8 * 3
    assert rows[0] == {"id": "red/en/0", "text": "red", "language": "en", "items": [0, 1]}
    assert lines(built / "items.jsonl")[1]["texts"] == [0, 1, 2]


def test_text_codes_are_the_codes_of_the_captions(encoder, built):
    texts = [row["text"] for row in lines(built / "texts.jsonl")]
    np.testing.assert_array_equal(np.load(built / "text_codes.npy"), pack(encoder.texts(texts).logits))


def test_offsets_say_where_each_line_begins(built):
    for name in ("items", "texts"):
        data = (built / f"{name}.jsonl").read_bytes()
        offsets = np.load(built / f"{name}.offsets.npy")
        assert [data[a:b] for a, b in pairwise(offsets)] == data.splitlines(keepends=True)


def test_the_header_names_checkpoint_data_and_counts(world, encoder, built):
    about = json.loads((built / "index.json").read_text())
    assert about["model"]["checkpoint"] == str(world.checkpoint)
    assert (about["model"]["digest"], about["model"]["run"]) == (encoder.digest, "1")
    assert about["data"]["fingerprint"] == world.dataset.fingerprint
    assert (about["items"], about["texts"], about["bits"]) == (16, 24, [8, 16, 32, 48, 64, 128])


def test_only_the_languages_the_model_was_taught_are_encoded():
    item = Item("a", "a.png", {"en": ("dog",), "fr": ("chien",)})
    texts, rows = index.caption_rows([item], ("en", "ko"))
    assert [text.text for text in texts] == ["dog"]
    assert rows == [(0,)]


def test_chunks_leave_no_seam(world, encoder, built, tmp_path, monkeypatch):
    monkeypatch.setattr(index, "_CHUNK", 5)
    index.build(encoder, world.dataset, tmp_path / "index", silent)
    for name in ("codes.npy", "text_codes.npy", "items.jsonl"):
        assert (tmp_path / "index" / name).read_bytes() == (built / name).read_bytes()


def broken_dataset(world, folder):
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "good.png").write_bytes(world.dataset.image_path(world.dataset.items[0]).read_bytes())
    (folder / "images" / "bad.png").write_bytes(b"not a picture")
    captions = {"en": ("red",)}
    write_items(folder, About("broken"), tuple(Item(name, f"images/{name}.png", captions) for name in ("good", "bad")))
    return Dataset.open(folder)


def test_a_broken_image_stops_it_by_name_and_leaves_the_old_index_whole(world, encoder, tmp_path):
    target = tmp_path / "index"
    index.build(encoder, world.dataset, target, silent)
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    with pytest.raises(MlhubError, match=r"bad\.png"):
        index.build(encoder, broken_dataset(world, tmp_path / "broken"), target, silent)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken", "index"]


def test_it_takes_the_place_of_an_index_that_was_there(world, encoder, tmp_path):
    target = tmp_path / "index"
    target.mkdir()
    (target / "of-before").touch()
    index.build(encoder, world.dataset, target, silent)
    assert not (target / "of-before").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_what_a_killed_indexing_left_is_removed(world, encoder, tmp_path):
    (tmp_path / ".index.new").mkdir()
    (tmp_path / ".index.new" / "codes.npy").touch()
    index.build(encoder, world.dataset, tmp_path / "index", silent)
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_the_program_writes_into_its_run_s_folder(world, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MLHUB_HOME", str(world.home))
    monkeypatch.setenv("MLHUB_RUN_DIR", str(tmp_path))
    index.main(["--checkpoint", str(world.checkpoint)])
    assert (tmp_path / "index" / "index.json").is_file()
    assert "indexed 16 images and 24 captions of shapes" in capsys.readouterr().out


def test_a_full_disk_is_two_lines_and_leaves_nothing_half_made(world, tmp_path):
    """The kernel's limit on a file's size stands for the disk: the vectors, 16 kB, do not fit."""
    command = [sys.executable, "-m", "mlhub.hashing.index", "--checkpoint", str(world.checkpoint)]
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 4; exec "$@"', "bash", *command, "--output", str(tmp_path / "index")],
        env={**os.environ, "MLHUB_HOME": str(world.home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 2)
    assert "can't be written" in done.stderr
    assert not list(tmp_path.iterdir())


def test_without_a_run_or_an_output_folder_it_says_so_at_once(world, monkeypatch):
    monkeypatch.delenv("MLHUB_RUN_DIR", raising=False)
    with pytest.raises(UsageError, match="no folder"):
        index.main(["--checkpoint", str(world.checkpoint)])
