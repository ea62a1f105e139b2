"""Themes and glyphs: what is drawn where the terminal can't draw all."""

from __future__ import annotations

import subprocess
import sys

import pytest

_ASK = "from mlhub.tui.theme import unicode_works; print(unicode_works())"


@pytest.mark.parametrize(
    ("changes", "works"),
    [({"LANG": "C"}, False), ({"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"}, False), ({"LANG": "de_DE.ISO-8859-1"}, False),
     ({"LANG": "ko_KR.UTF-8"}, True), ({"LANG": "C.UTF-8"}, True), ({"LC_CTYPE": "en_US.utf8"}, True), ({}, True)],
)  # fmt: skip
def test_glyphs_are_letters_where_the_locale_is_plain(changes, works):
    done = subprocess.run([sys.executable, "-c", _ASK], env=changes, capture_output=True, text=True, check=True)
    assert done.stdout == f"{works}\n"
