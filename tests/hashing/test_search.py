import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mlhub.errors import MlhubError, NotFoundError, UsageError
from mlhub.hashing import checkpoint, index
from mlhub.hashing.codes import hamming, pack
from mlhub.hashing.program import run
from mlhub.hashing.search import Searcher, language_of, main, nearest


@pytest.fixture(scope="module")
def folder(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "index"
    index.build(checkpoint.load(world.checkpoint), world.dataset, folder, lambda *_: None)
    return folder


@pytest.fixture(scope="module")
def searcher(folder):
    return Searcher(folder)


@pytest.fixture
def copy(folder, tmp_path):
    """An index of one's own to break."""
    return shutil.copytree(folder, tmp_path / "index")


@pytest.mark.parametrize("query", ["red", "something red", "빨강"])
def test_a_text_finds_the_images_of_what_it_says(searcher, query):
    answer = searcher.text(query, k=2)
    assert {hit.id for hit in answer.results} == {"red-disc", "red-square"}


def test_an_image_finds_itself_first_then_its_other_drawing(world, searcher):
    answer = searcher.image(world.picture("blue-disc"), k=2)
    assert [hit.id for hit in answer.results] == ["blue-disc", "blue-square"]
    assert (answer.results[0].distance, answer.results[0].score) == (0, 1.0)


def test_an_image_finds_its_captions(world, searcher):
    answer = searcher.image(world.picture("green-disc"), to="text", k=3)
    assert {hit.caption for hit in answer.results} == {"green", "something green", "초록"}


def test_a_text_finds_texts(searcher):
    assert searcher.text("violet", to="text", k=1).results[0].caption == "violet"


def test_results_fall_in_score_and_are_numbered_from_one(searcher):
    hits = searcher.text("orange", k=10).results
    assert [hit.rank for hit in hits] == list(range(1, 11))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@pytest.mark.parametrize("bits", [8, 48, 128])
def test_distance_is_over_the_bits_asked_for(world, searcher, bits):
    answer = searcher.text("grey", bits=bits, k=16)
    encoder = checkpoint.load(world.checkpoint)
    paths = [world.picture(hit.id) for hit in answer.results]
    expected = hamming(pack(encoder.texts(["grey"]).logits), pack(encoder.images(paths).logits), bits)[0]
    assert [hit.distance for hit in answer.results] == expected.tolist()


def test_score_ranks_only_those_the_codes_put_on_the_short_list(copy):
    """With a short list of two, the codes alone say which two: here blue's, swapped with red's."""
    about = json.loads((copy / "index.json").read_text())
    about["protocol"]["short_list"] = 2
    (copy / "index.json").write_text(json.dumps(about))
    ids = [json.loads(line)["id"] for line in (copy / "items.jsonl").read_text().splitlines()]
    red, blue = [ids.index("red-disc"), ids.index("red-square")], [ids.index("blue-disc"), ids.index("blue-square")]
    codes = np.load(copy / "codes.npy")
    codes[red + blue] = codes[blue + red]
    np.save(copy / "codes.npy", codes)
    found = Searcher(copy).text("blue", k=2, bits=128).results
    assert {hit.id for hit in found} == {"red-disc", "red-square"}


def test_more_results_than_the_short_list_are_still_given(copy):
    about = json.loads((copy / "index.json").read_text())
    about["protocol"]["short_list"] = 2
    (copy / "index.json").write_text(json.dumps(about))
    assert len(Searcher(copy).text("red", k=9, bits=128).results) == 9


def test_equal_scores_are_in_the_order_of_their_ids(copy):
    vectors, codes = np.load(copy / "vectors.npy"), np.load(copy / "codes.npy")
    vectors[:], codes[:] = vectors[5], codes[5]
    np.save(copy / "vectors.npy", vectors)
    np.save(copy / "codes.npy", codes)
    ids = [hit.id for hit in Searcher(copy).text("red", k=16).results]
    assert ids == sorted(ids)
    assert [hit.id for hit in Searcher(copy).text("red", k=4).results] == ids[:4]


def test_the_caption_shown_is_the_nearest_in_the_query_s_language(searcher):
    assert searcher.text("something red", k=1).results[0].caption == "something red"
    assert searcher.text("빨강", k=1).results[0].caption == "빨강"


def test_a_caption_in_another_language_is_not_shown_though_it_be_nearer(copy):
    languages = [json.loads(line)["language"] for line in (copy / "texts.jsonl").read_text().splitlines()]
    vectors = np.load(copy / "text_vectors.npy")
    vectors[[language == "ko" for language in languages]] *= -1
    np.save(copy / "text_vectors.npy", vectors)
    assert Searcher(copy).text("빨강", k=1).results[0].caption == "빨강"


def test_every_caption_is_there_beside_it(searcher):
    assert searcher.text("red", k=1).results[0].captions == {"en": ("red", "something red"), "ko": ("빨강",)}


def test_the_image_is_an_absolute_path_that_is_there(searcher):
    for hit in searcher.text("red", to="text", k=5).results:
        assert os.path.isabs(hit.image)
        assert os.path.isfile(hit.image)


def test_more_results_than_there_are_gives_all(searcher):
    assert len(searcher.text("red", k=500).results) == 16


@pytest.mark.parametrize(
    ("query", "language"), [("a dog", "en"), ("강아지", "ko"), ("개 dog", "ko"), ("犬", "en"), ("", "en")]
)
def test_letters_tell_the_language_of_a_query(query, language):
    assert language_of(query, ("en", "ko")) == language


def test_without_english_the_first_language_is_shown():
    assert language_of("rouge", ("ko", "ja")) == "ko"


@given(st.lists(st.integers(0, 128), min_size=1, max_size=40), st.integers(1, 50))
def test_the_short_list_is_every_row_as_near_as_the_nth(distances, count):
    rows = nearest(np.array(distances, np.uint8), count)
    limit = sorted(distances)[min(count, len(distances)) - 1]
    assert rows.tolist() == [row for row, distance in enumerate(distances) if distance <= limit]


@pytest.mark.parametrize("query", ["", "   ", "\n"])
def test_an_empty_query_is_refused(searcher, query):
    with pytest.raises(UsageError, match="empty"):
        searcher.text(query)


def test_a_length_the_model_does_not_have_is_refused_with_those_it_has(searcher):
    with pytest.raises(UsageError, match="8, 16, 32, 48, 64, 128"):
        searcher.text("red", bits=24)


def test_a_model_without_64_bits_is_asked_for_its_longest(copy):
    assert Searcher(copy).text("red").bits == 64
    about = json.loads((copy / "index.json").read_text())
    (copy / "index.json").write_text(json.dumps(about | {"bits": [8, 32]}))
    assert Searcher(copy).text("red").bits == 32


def moved(copy, world, tmp_path):
    """The data set of an index in a folder of one's own, as new as files are."""
    data = tmp_path / "shapes"
    shutil.copytree(world.dataset.folder, data, copy_function=shutil.copy)
    about = json.loads((copy / "index.json").read_text())
    about["data"]["folder"] = str(data)
    (copy / "index.json").write_text(json.dumps(about))
    os.utime(copy / "index.json", ns=(0, 0))
    return data


def test_a_data_set_that_was_touched_but_is_the_same_gives_no_warning(world, copy, tmp_path):
    moved(copy, world, tmp_path)
    assert Searcher(copy).text("red").to_json()["warnings"] == ()


def test_a_data_set_changed_after_it_was_indexed_gives_a_warning(world, copy, tmp_path, capsys):
    items = moved(copy, world, tmp_path) / "items.jsonl"
    items.write_text(items.read_text().replace("something red", "nothing red"))
    main(["--index", str(copy), "--text", "red", "--json"])
    said = capsys.readouterr()
    warning = "data set shapes has changed since it was indexed. Make it anew: mlhub index 1"
    assert (json.loads(said.out)["warnings"], said.err) == ([warning], f"warning: {warning}\n")


def test_a_data_set_that_is_gone_gives_a_warning(world, copy, tmp_path):
    shutil.rmtree(moved(copy, world, tmp_path))
    assert "can no longer be read" in Searcher(copy).text("red").warnings[0]


def test_no_results_asked_for_is_refused(searcher):
    with pytest.raises(UsageError, match="expected 1 or more"):
        searcher.text("red", k=0)


def test_an_image_that_cannot_be_read_is_refused_by_name(searcher, tmp_path):
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(MlhubError, match=r"cut\.png"):
        searcher.image(tmp_path / "cut.png")


def test_an_image_of_another_mode_and_size_is_fine(searcher, tmp_path):
    Image.new("L", (301, 17), 128).save(tmp_path / "wide.jpg")
    assert len(searcher.image(tmp_path / "wide.jpg").results) == 10


def test_no_index_names_the_command_that_makes_one(tmp_path):
    with pytest.raises(NotFoundError) as error:
        Searcher(tmp_path)
    assert "mlhub index" in error.value.hint


@pytest.mark.parametrize("name", ["codes.npy", "vectors.npy", "items.jsonl", "text_codes.npy", "texts.offsets.npy"])
def test_a_missing_file_is_named_with_the_command_that_mends_it(copy, name):
    (copy / name).unlink()
    with pytest.raises(MlhubError, match=name) as error:
        Searcher(copy)
    assert error.value.hint == "Make it anew: mlhub index 1"


@pytest.mark.parametrize(
    "name", ["codes.npy", "vectors.npy", "items.jsonl", "texts.jsonl", "text_vectors.npy", "index.json"]
)
def test_a_file_cut_short_is_named_with_the_command_that_mends_it(copy, name):
    data = (copy / name).read_bytes()
    (copy / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(MlhubError, match=name) as error:
        Searcher(copy)
    assert "mlhub index" in error.value.hint


def test_an_index_of_a_newer_mlhub_is_refused(copy):
    about = json.loads((copy / "index.json").read_text())
    (copy / "index.json").write_text(json.dumps(about | {"format": 2}))
    with pytest.raises(MlhubError, match="newer than this mlhub"):
        Searcher(copy)


def test_a_file_of_another_index_is_noticed(copy):
    np.save(copy / "codes.npy", np.zeros((17, 16), np.uint8))
    with pytest.raises(MlhubError, match=r"codes\.npy"):
        Searcher(copy)


def test_another_checkpoint_than_the_one_that_made_it_is_refused(copy):
    about = json.loads((copy / "index.json").read_text())
    about["model"]["digest"] = "0" * 64
    (copy / "index.json").write_text(json.dumps(about))
    with pytest.raises(MlhubError, match="another checkpoint") as error:
        Searcher(copy).text("red")
    assert error.value.hint == "Make it anew: mlhub index 1"


def test_a_checkpoint_that_is_gone_is_told_as_such(copy):
    about = json.loads((copy / "index.json").read_text())
    about["model"]["checkpoint"] = "/nowhere/best.safetensors"
    (copy / "index.json").write_text(json.dumps(about))
    with pytest.raises(MlhubError, match="is gone"):
        Searcher(copy).text("red")


def test_the_program_prints_one_json_document_of_the_contract(folder, capsysbinary):
    main(["--index", str(folder), "--text", "빨강", "-k", "3", "--bits", "32", "--json"])
    answer = json.loads(capsysbinary.readouterr().out)
    assert (answer["query"], answer["modality"], answer["bits"]) == ("빨강", "text", 32)
    assert answer["took_ms"] > 0
    assert answer["index"]["count"] == 16
    hit = answer["results"][0]
    assert {"rank", "id", "image", "caption", "captions", "distance", "score"} <= hit.keys()
    assert hit["captions"] == ["빨강", "red", "something red"]


def test_a_query_that_looks_like_an_option_is_a_query(folder, capsys):
    main(["--index", str(folder), "--text=--red", "--json"])
    assert json.loads(capsys.readouterr().out)["query"] == "--red"


def test_a_query_that_is_no_text_is_two_lines(folder, capsys):
    assert run(main, ["--index", str(folder), "--text", "\udcff"]) == 2
    assert capsys.readouterr().err.count("\n") == 2


def test_a_search_imports_neither_lightning_nor_faiss_nor_open_clip(folder):
    code = (
        "import sys; from mlhub.hashing.search import main; "
        f"main(['--index', {str(folder)!r}, '--text', 'red']); "
        "sys.stderr.write(' '.join({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"lightning", "faiss", "open_clip", "torchvision", "pandas"} & set(done.stderr.split())
