from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlhub.errors import ConfigError
from mlhub.yaml12 import dump, parse

#: but control characters, which PyYAML folds, and no preset has
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT


def test_words_stay_words_and_numbers_become_numbers() -> None:
    assert parse("[no, yes, on, true, 1e-3, 1.5, 010, -7, +8, 1:30, 2020-01-01, ~]", "x") == [
        "no", "yes", "on", True, 0.001, 1.5, 10, -7, 8, "1:30", "2020-01-01", None,
    ]  # fmt: skip


@given(st.dictionaries(TEXT, SCALARS | st.lists(SCALARS)))
def test_what_is_dumped_is_read_back_the_same(tree: dict[str, object]) -> None:
    assert parse(dump(tree), "x") == tree


@pytest.mark.parametrize("word", ["1e3", "010", "no", "true", "1.", "~", "null", "0x10", "1_000", "=", "<<", "- a"])
def test_a_text_that_looks_like_something_else_stays_a_text(word: str) -> None:
    assert parse(dump({"key": word}), "x") == {"key": word}


def test_an_error_names_file_line_and_column() -> None:
    with pytest.raises(ConfigError, match=r"mine.yaml:2:\d+: not valid YAML"):
        parse("a: 1\nb: [", "mine.yaml")


def test_aliases_within_aliases_are_refused() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for before, after in zip("abcde", "bcdef", strict=True):
        bomb += f"{after}: &{after} [{', '.join(9 * [f'*{before}'])}]\n"
    with pytest.raises(ConfigError, match="more than 10000 values"):
        parse(bomb, "x")
