"""Real pictures where the terminal can draw them: by sixel or kitty's protocol, through `textual-image` if it is there.

It asks the terminal what it can when it is imported, and reads the answer from the keyboard: so it is loaded before
the screen starts (`load`), and only in a terminal. Without `mlhub[graphics]` nothing happens here.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image
    from textual.widget import Widget

_found: dict[str, Any] = {}


def load() -> None:
    """Find out; costs nothing where the package is missing, and up to 0.3 s where the terminal doesn't answer."""
    if os.environ.get("NO_COLOR") or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return
    if find_spec("textual_image") is None:
        return
    try:
        widgets = importlib.import_module("textual_image.widget")
        renderables = importlib.import_module("textual_image.renderable")
        if renderables.Image in (renderables.SixelImage, renderables.TGPImage):
            _found["widget"] = widgets.Image
            _found["cell"] = tuple(importlib.import_module("textual_image._terminal").get_cell_size())
    except Exception:  # house rule 5: somebody else's code talks to the terminal; half blocks do without it
        _found.clear()


def cell() -> tuple[int, int] | None:
    """Pixels of a cell; None: the terminal draws no pictures."""
    return _found.get("cell")


def widget(image: Image) -> Widget:
    """A widget that shows the image in its size."""
    made: Widget = _found["widget"](image)
    return made
