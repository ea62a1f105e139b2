from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlhub.text import (
    clean,
    closest,
    duration,
    first_few,
    fit,
    local_time,
    now,
    number,
    one_line,
    pad,
    seconds_between,
    size,
    stamp,
    width,
)

HOSTILE = st.text(
    st.sampled_from("\x00\x07\x08\x1b[]0;m\x9b\x9d\x85\u202e\u2066\u200d\r\n\tab강\U0001f600\\P"), max_size=40
)


@given(HOSTILE)
def test_no_control_character_passes(text: str) -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200d]", clean(text))


@given(HOSTILE)
def test_only_whole_colour_sequences_pass_where_colours_are_kept(text: str) -> None:
    rest = re.sub(r"\x1b\[[0-9;:]*m", "", clean(text, colours=True))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", rest)


def test_an_escape_sequence_goes_as_a_whole() -> None:
    assert clean("a\x1b]0;title\x07b\x1b[2Jc\x1b[31md") == "abcd"
    assert clean("a\x1b[31mb\x1b[2Jc", colours=True) == "a\x1b[31mbc"


def test_a_progress_bar_reads_as_lines() -> None:
    assert clean("10%\r20%\r\ndone\n") == "10%\n20%\ndone\n"


def test_one_line_has_no_breaks() -> None:
    assert one_line("a\n b\t\x1b[2Jc") == "a b c"


@given(st.text(st.sampled_from("ab강아지\U0001f436"), max_size=20), st.integers(1, 30), st.booleans())
def test_a_fitted_and_padded_text_is_exactly_as_wide_as_asked(text: str, columns: int, keep_end: bool) -> None:
    assert width(pad(fit(text, columns, keep_end=keep_end), columns)) == columns


def test_a_path_keeps_its_end() -> None:
    assert fit("/a/long/path/name.png", 10, keep_end=True) == "…/name.png"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0.25, "0.2s"), (42, "42s"), (245, "4m 05s"), (3725, "1h 02m"), (273600, "3d 04h")],
)
def test_a_duration_reads_in_two_units(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.123456, "0.1235"), (1234567.0, "1.235e+06"), (12, "12"), ("NaN", "NaN")]
)
def test_a_number_keeps_four_digits(value: float | str | None, text: str) -> None:
    assert number(value) == text


def test_sizes_are_of_a_thousand() -> None:
    assert [size(count) for count in (12, 1500, 80e9)] == ["12 B", "1.5 kB", "80.0 GB"]


def test_a_stored_time_is_utc() -> None:
    assert stamp(0) == "1970-01-01T00:00:00.000Z"
    assert seconds_between(stamp(0), stamp(61.5)) == 61.5


def test_the_nearest_word_is_named() -> None:
    assert closest("calm-oter", ["calm-otter", "wide-elk"]) == "; did you mean calm-otter?"
    assert closest("zzz", ["calm-otter"]) == ""


@pytest.mark.parametrize("stored", ["noon", "", "0001-01-01T00:00:00+23:59", "\ud800"])
def test_what_is_no_time_is_shown_as_missing(stored: str) -> None:
    assert (local_time(stored), seconds_between(stored, now())) == ("–", None)


@pytest.mark.parametrize("text", ["❤\ufe0f", "👩\u200d👧", "👍\U0001f3fd", "a\ud800b", "a\U000e0041b", "a\u3164b"])
def test_what_only_changes_the_looks_and_half_a_surrogate_pair_are_taken_out(text):
    assert len(one_line(text)) == sum(letter in "❤👩👧👍ab" for letter in text)


@pytest.mark.parametrize(("text", "columns"), [("\u1112\u1161\u11ab", 2), ("e\u0301", 1), ("a\u20dd", 1), ("한x", 3)])
def test_marks_and_parts_of_syllables_take_no_column_of_their_own(text, columns):
    assert width(text) == columns


def test_of_many_names_the_first_stand_and_the_others_are_counted():
    assert first_few(["a"]) == "a"
    assert first_few(["a", "b", "c"]) == "a, b, c"
    assert first_few(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert first_few(["a", "b"], 1) == "a and 1 more"
