"""What differs between configurations."""

from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from mlhub.arguments import of_command
from mlhub.compare.configs import canonical, flatten, is_seed, seed_groups, table
from tests.compare.conftest import make_run

keys = st.text(max_size=4)
leaves = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=4)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=9
)
trees = st.dictionaries(keys, values, max_size=4)


def _differing(*configs, **more):
    return table({index: flatten(config) for index, config in enumerate(configs, 1)}, **more)


def test_only_keys_that_differ_are_there_and_by_run():
    assert _differing({"t": {"lr": 1, "seed": 2}}, {"t": {"lr": 3, "seed": 2}}) == {"t.lr": {1: 1, 2: 3}}


def test_missing_is_not_null():
    assert _differing({"a": None}, {}) == {"a": {1: None}}


def test_numbers_are_compared_as_numbers_and_true_is_none():
    assert _differing({"a": 1, "b": 1}, {"a": 1.0, "b": True}) == {"b": {1: 1, 2: True}}


def test_text_is_not_the_number_it_reads_as():
    assert "a" in _differing({"a": "1"}, {"a": 1})


def test_a_list_is_one_value():
    assert _differing({"bits": [8, 16]}, {"bits": [8]}) == {"bits": {1: [8, 16], 2: [8]}}


def test_a_list_of_mappings_is_taken_apart():
    assert _differing({"m": [{"d": 1}, {"d": 2}]}, {"m": [{"d": 1}, {"d": 3}]}) == {"m[1].d": {1: 2, 2: 3}}


def test_everything_is_there_if_asked_for():
    assert _differing({"a": 1}, {"a": 1}, everything=True) == {"a": {1: 1, 2: 1}}


def test_keys_stand_in_the_order_of_the_configurations():
    assert list(_differing({"a": 1, "c": 1}, {"a": 2, "b": 1, "c": 2})) == ["a", "b", "c"]


def test_a_tree_nested_a_thousand_deep_is_flattened():
    tree: dict = {}
    for _ in range(1000):
        tree = {"a": tree}
    assert flatten(tree) == {".".join(["a"] * 1000): {}}


@given(trees, trees)
def test_trees_differ_where_their_leaves_do(one, other):
    found = _differing(one, other)
    same = {key: canonical(value) for key, value in flatten(one).items()} == {
        key: canonical(value) for key, value in flatten(other).items()
    }
    assert (not found) == same


@given(trees)
def test_no_two_leaves_share_a_key(tree):
    def count(value):
        if isinstance(value, dict) and value:
            return sum(map(count, value.values()))
        return sum(map(count, value)) if isinstance(value, list) and any(isinstance(v, dict) for v in value) else 1

    assert len(flatten(tree)) == (count(tree) if tree else 0)


@given(values)
def test_what_went_through_json_is_the_same_value(value):
    assert canonical(json.loads(json.dumps(value))) == canonical(value)


def test_nan_is_itself():
    assert not _differing({"a": math.nan}, {"a": float("nan")})


def test_a_command_line_is_a_configuration():
    argv = ["python", "train.py", "--lr", "1e-3", "--name=x", "-v", "--offset", "-2", "data.size=8", "--seed", "3"]
    assert of_command(argv) == {
        "argument 1": "train.py", "lr": 0.001, "name": "x", "v": True, "offset": -2, "data.size": 8, "seed": 3,
    }  # fmt: skip


def test_seeds_are_known_by_their_key():
    assert all(map(is_seed, ("seed", "training.seed", "random_state", "rng-seed", "seed_everything", "data.seeds")))
    assert not any(map(is_seed, ("seedling", "training.lr", "seed.lr", "proceed")))


def test_runs_that_differ_in_nothing_but_the_seed_are_a_group():
    configs = [{"lr": 1, "seed": 1}, {"lr": 1, "seed": 2}, {"lr": 2, "seed": 1}]
    runs = [make_run(index, config=config) for index, config in enumerate(configs, 1)]
    assert seed_groups(runs, {run.id: flatten(run.config) for run in runs}) == [(1, 2)]


def test_one_of_a_group_may_have_the_seed_of_its_program():
    configs = [{"lr": 1, "seed": 2}, {"lr": 1}, {"lr": 2}, {"lr": 1, "seed": 3}]
    runs = [make_run(index, config=config) for index, config in enumerate(configs, 1)]
    flats = {run.id: flatten(run.config) for run in runs}
    assert seed_groups(runs, flats) == [(2, 1, 4)]
    assert seed_groups([*runs, make_run(5, config={"lr": 1})], flats | {5: {"lr": 1}}) == [(1, 4)]


def test_runs_without_a_seed_are_no_group():
    runs = [make_run(1), make_run(2)]
    assert seed_groups(runs, {1: {}, 2: {}}) == []
