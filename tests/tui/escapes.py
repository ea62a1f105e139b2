"""Whether bytes that went to a terminal are all the screen's own: every control in them is one that Textual writes."""

from __future__ import annotations

import re

#: controls that Textual writes in the alternate screen: places, colours, modes, its questions at the start
_OWN = re.compile(
    r"\x1b\[\d+;\d+H"
    r"|\x1b\[\?(?:7|25|1000|1002|1003|1004|1006|1015|1016|1049|2004|2026|2048)[hl]"
    r"|\x1b\[\?20(?:26|48)\$p"
    r"|\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\|\x1b\[c"  # whether it draws pictures: mlhub.tui.search.graphics
    r"|\x1b\[\d*C"  # over cells that stay as they are: mlhub.tui.glass
    r"|\x1b\[>\d+u|\x1b\[<u"  # keys of their own, asked for and given back
    r"|\x1b\]22;(?:default|pointer|text|[a-z-]*)\x07"  # the mouse pointer's shape
)
_SGR = re.compile(r"\x1b\[([0-9;]*)m")
#: bold to strike without blinking and concealing, their ends, colours
_ATTRIBUTE = re.compile(
    r"(?:[34]8;2;\d{1,3};\d{1,3};\d{1,3}|[34]8;5;\d{1,3}|[0123479]|2[2-9]|3[0-79]|4[0-79]|9[0-7]|10[0-7]|53)(?:;|\Z)"
)
_ANY = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~]|.|\Z)", re.DOTALL)
#: C0, DEL, C1, bidirectional and invisible marks, separators of lines, joiners, selectors
_FORBIDDEN = re.compile(
    "[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe0e\ufe0f\ufeff\ufff9-\ufffb]"
)


def foreign(raw: bytes, *, allowed: str = r"(?!)") -> list[str]:
    """What in `raw` the screen doesn't write of its own accord, as Python writes it; `allowed`: a pattern of more."""
    text = raw.decode()  # fails on what isn't UTF-8
    found = [
        sequence.group()
        for sequence in _ANY.finditer(text)
        if not _OWN.fullmatch(sequence.group())
        and not _is_colour(sequence.group())
        and not re.fullmatch(allowed, sequence.group())
    ]
    return [repr(word) for word in (*found, *_FORBIDDEN.findall(_ANY.sub("", text)))]


def _is_colour(sequence: str) -> bool:
    match = _SGR.fullmatch(sequence)
    return match is not None and _ATTRIBUTE.sub("", match[1]) == ""
