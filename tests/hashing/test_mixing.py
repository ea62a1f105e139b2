"""Several data sets in one training: each has its share of every epoch, whatever its size; resumable; one validates."""

from __future__ import annotations

import json
from collections import Counter

import msgspec
import pytest

from mlhub.config import RunConfig, check_config
from mlhub.data.items import About, Dataset, write_items
from mlhub.errors import ConfigError, MlhubError
from mlhub.hashing import backbones, data, loading
from mlhub.hashing.mixing import Shares, mix, shares
from tests.conftest import Cli
from tests.hashing.conftest import make_dataset
from tests.hashing.test_data import CONFIG, equal


def called(folder, name, concepts=()):
    """The set of shapes, or some of them, under another name."""
    made = make_dataset(folder)
    write_items(
        made.folder, About(name), tuple(item for item in made.items if not concepts or item.concept in concepts)
    )
    return Dataset.open(made.folder)


@pytest.fixture
def two(tmp_path):
    return called(tmp_path / "a", "a"), called(tmp_path / "b", "b", ("red", "blue", "grey"))


def batches(two, weights, *, lazy=False, size=2):
    dataset = mix(two[0], two[1:], weights)
    concepts = data.gather(dataset, ("en", "ko"))
    backbone = backbones.build(CONFIG.model, 24, texts=concepts.documents())
    items = dataset.select("train")
    pictures = loading.Lazy(dataset, items, backbone, 2) if lazy else data.decode(dataset, items, backbone, 2)
    return data.Batches(CONFIG, size, backbone, concepts, items, pictures, shares(dataset, concepts.index))


def seen(source):
    rows = [row for batch in source for row in batch.text_concepts.tolist()]
    return Counter("b" if source.concepts.names[row].startswith("b/") else "a" for row in rows)


@pytest.mark.parametrize(("weights", "share"), [({"a": 1, "b": 1}, (10, 10)), ({"a": 3, "b": 1}, (16, 4))])
def test_each_set_has_its_share_of_an_epoch_whatever_its_size(two, weights, share):
    source = batches(two, weights)
    for _ in range(3):
        counts = seen(source)
        assert abs(counts["a"] - share[0]) <= 2  # an epoch is whole batches: one concept of eleven is left out
        assert abs(counts["b"] - share[1]) <= 2


def test_a_set_comes_round_whole_before_it_comes_again():
    dealt = Shares({"a": range(10), "b": range(10, 14)}, {"a": 1, "b": 1})
    assert dealt.counts == {"a": 7, "b": 7}
    epochs = [dealt.epoch(3, number) for number in range(1, 9)]
    of_a = [concept for epoch in epochs for concept in epoch if concept < 10]
    of_b = [concept for epoch in epochs for concept in epoch if concept >= 10]
    assert all(len(set(of_a[start : start + 10])) == 10 for start in range(0, 50, 10))
    assert all(len(set(of_b[start : start + 4])) == 4 for start in range(0, 56, 4))
    assert dealt.epoch(3, 5) == epochs[4] != dealt.epoch(4, 5)


def test_remainders_go_to_the_largest_and_nothing_is_lost():
    dealt = Shares({"a": range(5), "b": range(5, 10), "c": range(10, 11)}, {"a": 1, "b": 1, "c": 1})
    assert sorted(dealt.counts.values()) == [3, 4, 4]


def test_the_same_batches_held_or_lazy_and_taken_up_amid_an_epoch(two):
    weights = {"a": 2, "b": 1}
    source, lazy, again = batches(two, weights), batches(two, weights, lazy=True), batches(two, weights)
    list(source), list(lazy)
    whole = []
    for one, other in zip(source, lazy, strict=True):
        assert equal(one, other)
        whole.append(one)
        if len(whole) == 2:
            where = source.generators(2)
    again.go_to(1, 2, where)
    for one, other in zip(whole[2:], again, strict=True):
        assert equal(one, other)


def test_only_training_items_of_the_others_are_taken_and_their_images_are_theirs(two):
    dataset = mix(two[0], two[1:], {"a": 1, "b": 1})
    theirs = [item for item in dataset.items if item.id.startswith("b/")]
    assert {item.split for item in theirs} == {"train"}
    assert all(dataset.image_path(item).is_relative_to(two[1].folder) for item in theirs)
    assert all(dataset.image_path(item).is_relative_to(two[0].folder) for item in two[0].items)
    assert dataset.select("test") == two[0].select("test")


def test_the_fingerprint_is_the_firsts_and_a_state_asks_for_all(two):
    one, other = mix(two[0], two[1:], {"a": 1, "b": 1}), mix(two[0], two[1:], {"a": 1, "b": 2})
    assert one.fingerprint == two[0].fingerprint == two[0].trained_on
    assert len({one.trained_on, other.trained_on, two[0].trained_on}) == 3


def test_ids_that_meet_are_refused(two, tmp_path):
    items = (msgspec.structs.replace(two[0].items[0], id="b/red-square"), *two[0].items[1:])
    first = Dataset("a", two[0].folder, items, "f")
    assert any(item.id == "red-square" and item.split == "train" for item in two[1].items)
    with pytest.raises(MlhubError, match="has an item b/red-square too"):
        mix(first, two[1:], {"a": 1, "b": 1})


@pytest.mark.parametrize("mixture", [{"x": 1}, {"emoji": 0}, {"emoji": -1}, {"emoji": "much"}, ["emoji"]])
def test_a_mixture_that_can_not_be_is_refused_naming_the_key(mixture):
    with pytest.raises(ConfigError, match=r"data\.mix"):
        check_config({"data": {"dataset": "emoji", "mix": mixture}})


def test_a_plain_preset_has_no_mixture():
    assert RunConfig().data.mix == {}


@pytest.mark.slow
def test_a_training_on_two_sets_runs_and_validates_on_the_first(cli: Cli, tmp_path):
    for name in ("a", "b"):
        make_dataset(tmp_path / name)
        rows = [json.loads(line) for line in (tmp_path / name / "items.jsonl").read_text().splitlines()]
        for row in rows:
            row["split"] = "val" if row["split"] == "test" else "train"
        (tmp_path / name / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        cli("data", "add", name, str(tmp_path / name / "rows.jsonl"))
        cli("data", "prepare", name)
    missing = cli("run", "quickstart", "data.dataset=a", "data.mix={a: 2, zebras: 1}", code=1).stderr
    assert "data set zebras is not prepared" in missing
    words = ["data.dataset=a", "data.mix={a: 2, b: 1}", "training.max_epochs=2", "training.batch_size=8"]
    done = cli("run", "quickstart", *words, "--follow", code=None)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "data set b: 10 training images, weight 1" in done.stdout
    assert "val/map_64" in cli.json("ls")[0]["summary"]
