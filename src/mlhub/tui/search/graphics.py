"""Real pictures where the terminal can draw them: by sixel or kitty's protocol, through `textual-image` if it is there.

The terminal is asked before the screen starts (`load`): later nobody but the screen reads what it answers. Without
`mlhub[graphics]` nothing happens here.
"""

from __future__ import annotations

import importlib
import os
import re
import select
import sys
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image
    from textual.widget import Widget

#: kitty's own question whether it draws, and what every terminal answers: so that nobody waits for what never comes
_QUESTION = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c"
_ANSWER = re.compile(rb"\x1b\[\?([0-9;]*)c")
#: seconds for a terminal that answers nothing
_PATIENCE = 0.2
_SIXEL = b"4"
#: terminals that draw nothing, or would print the question
_NOT = frozenset(("dumb", "linux", "cons25", "vt100", "vt220", "emacs", "unknown", ""))

_found: dict[str, Any] = {}


def load() -> None:
    """Find out: one question and its answer; where it is yes, the package too, which asks some more."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "") in _NOT:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or find_spec("textual_image") is None or not draws():
        return
    try:
        widgets = importlib.import_module("textual_image.widget")
        renderables = importlib.import_module("textual_image.renderable")
        if renderables.Image in (renderables.SixelImage, renderables.TGPImage):
            _found["widget"] = widgets.Image
            _found["cell"] = tuple(importlib.import_module("textual_image._terminal").get_cell_size())
    except Exception:  # house rule 5: somebody else's code talks to the terminal; half blocks do without it
        _found.clear()


def draws() -> bool:
    """Whether the terminal says that it draws pictures. What is typed meanwhile is lost."""
    import termios
    import tty

    keyboard, screen = sys.stdin.fileno(), sys.stdout.fileno()
    try:
        before = termios.tcgetattr(keyboard)
    except termios.error:
        return False
    said = b""
    try:
        tty.setcbreak(keyboard, termios.TCSANOW)
        os.write(screen, _QUESTION)
        deadline = time.monotonic() + _PATIENCE
        while not _ANSWER.search(said) and (left := deadline - time.monotonic()) > 0:
            if not select.select([keyboard], [], [], left)[0] or not (part := os.read(keyboard, 1024)):
                break
            said += part
    except OSError:
        return False
    finally:
        termios.tcsetattr(keyboard, termios.TCSANOW, before)
    answer = _ANSWER.search(said)
    return b"\x1b_Gi=31;OK" in said or (answer is not None and _SIXEL in answer[1].split(b";"))


def cell() -> tuple[int, int] | None:
    """Pixels of a cell; None: the terminal draws no pictures."""
    return _found.get("cell")


def widget(image: Image) -> Widget:
    """A widget that shows the image in its size."""
    made: Widget = _found["widget"](image)
    return made
