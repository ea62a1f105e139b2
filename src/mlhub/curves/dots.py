"""The dots of a braille cell: which bit of U+2800 each is. Only the table; who draws with it makes it theirs."""

from __future__ import annotations

#: from top to bottom, of each row the left and the right one
BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
