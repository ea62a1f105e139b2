"""Pictures as data URIs: small ones of what lies on disk. Files are outside data; `mlhub.picture` reads them."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from mlhub.errors import MlhubError
from mlhub.picture import load

#: dots of a side, at most: of a search's hit, of a logged picture
SMALL, LARGE = 112, 640
#: a picture as PNG that is no larger stays one: drawings, plots
_PNG = 24 << 10


def data_uri(path: str | Path, side: int) -> str:
    """The picture, at most `side` dots wide and high, as PNG or JPEG, whichever is smaller. Raises MlhubError."""
    image = load(Path(path), side, side, whole=True)
    best: tuple[int, str, bytes] | None = None
    for form, kind, how in (("PNG", "png", {"optimize": True}), ("JPEG", "jpeg", {"quality": 82})):
        out = io.BytesIO()
        image.save(out, format=form, **how)
        data = out.getvalue()
        if best is None or len(data) < best[0]:
            best = len(data), kind, data
        if form == "PNG" and len(data) <= _PNG // 4:
            break
    if best is None:
        raise MlhubError("no picture")
    return f"data:image/{best[1]};base64,{base64.b64encode(best[2]).decode()}"


class Album:
    """Pictures that are shown more than once are read once; why one can't be shown is told."""

    def __init__(self, side: int) -> None:
        self._side = side
        self._known: dict[str, str] = {}

    def uri(self, path: str) -> str:
        """The picture; empty where there is none to show."""
        if path not in self._known:
            try:
                self._known[path] = data_uri(path, self._side)
            except MlhubError:
                self._known[path] = ""
        return self._known[path]
