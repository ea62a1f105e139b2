from __future__ import annotations

import re

from mlhub.runner.names import new_name


def test_a_name_is_two_words_easy_to_type() -> None:
    assert re.fullmatch(r"[a-z]+-[a-z]+", new_name(lambda _: False))


def test_a_taken_name_is_not_given_again() -> None:
    seen: set[str] = set()
    for _ in range(2000):
        name = new_name(seen.__contains__)
        assert name not in seen
        seen.add(name)


def test_when_two_words_are_all_taken_a_number_follows() -> None:
    assert re.fullmatch(r"[a-z]+-[a-z]+-\d+", new_name(lambda name: name.count("-") == 1))
