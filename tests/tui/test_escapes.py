"""The judge of bytes itself: what it lets through and what it finds."""

from __future__ import annotations

import pytest

from tests.tui.escapes import foreign


def test_what_textual_writes_is_its_own():
    own = (
        b"\x1b[?1049h\x1b[>25u\x1b[?2026$p\x1b]22;default\x07\x1b[3;61H"
        b"\x1b[1;38;2;97;175;239;48;2;31;35;43m[/] \xea\xb0\x95\x1b[0m\r\n"
    )
    assert foreign(own) == []


@pytest.mark.parametrize(
    "text",
    ["\x1b[31;5m", "\x1b[8m", "\x1b]0;t\x07", "\x1b]8;;http://x\x1b\\",
     "\x1b]52;c;eA==\x07", "\x1bPq\x1b\\", "\x9b2J",
     "\x07", "\x00", "\x1bc", "\x1b[5A", "\x1b[?1047h", "\x1b[2J",
     "a\u202eb", "\u200d", "\ufe0f", "\u2028", "\x1b[3g", "\x1b", "\t"],
)  # fmt: skip
def test_anything_else_is_found(text):
    assert foreign(f"before{text}after".encode())
