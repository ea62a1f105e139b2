from __future__ import annotations

from mlhub.compare.pairs import differ, differ_packages


def test_what_only_one_has_and_what_differs_is_told_apart() -> None:
    found = differ({"a": 1, "b": 2, "c": None}, {"b": 3, "d": 4, "a": 1.0})
    assert (found.only_a, found.only_b, found.changed) == ({"c": None}, {"d": 4}, {"b": (2, 3)})
    assert (found.same, len(found)) == (1, 3)


def test_a_missing_value_is_not_null() -> None:
    assert len(differ({"a": None}, {})) == 1


def test_packages_have_one_name_however_it_is_written() -> None:
    found = differ_packages({"Foo_Bar": "1", "ruamel.yaml": "2"}, {"foo-bar": "1", "ruamel_yaml": "3"})
    assert found.changed == {"ruamel-yaml": ("2", "3")}
    assert found.same == 1


def test_json_has_pairs_as_lists() -> None:
    assert differ({"a": 1}, {"a": 2}).to_json() == {"only_a": {}, "only_b": {}, "changed": {"a": [1, 2]}, "same": 0}
