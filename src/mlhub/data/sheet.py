"""A contact sheet: one HTML file with the pictures of some items and all that is said of them. No script, no network.

Everything that came from the set is escaped, and the page's own policy forbids it to load or run anything.
"""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

from mlhub import picture
from mlhub.errors import MlhubError
from mlhub.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlhub.data.items import Item, Stored

#: pixels of a thumbnail's longer side
_SIDE = 192
#: letters of a caption that are shown
_LONGEST = 500

_STYLE = """
:root{color-scheme:light dark}
body{font:14px/1.4 system-ui,sans-serif;margin:2rem;background:Canvas;color:CanvasText}
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(200px,1fr));gap:1.25rem}
figure{margin:0;overflow-wrap:anywhere}
img,.none{width:100%;aspect-ratio:1;object-fit:contain;background:#8882;border-radius:6px}
.none{display:grid;place-items:center;color:GrayText}
figcaption p{margin:.25rem 0}
small{color:GrayText}
"""


def write(stored: Stored, items: Iterable[Item], title: str) -> bytes:
    """The page."""
    figures = "\n".join(_figure(stored, item) for item in items)
    heading = html.escape(one_line(title))
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width"><title>{heading}</title><style>{_STYLE}</style></head>
<body><h1>{heading}</h1><main>
{figures}
</main></body></html>
"""
    return page.encode("utf-8", "replace")


def _figure(stored: Stored, item: Item) -> str:
    said = [(language, text) for language, texts in item.captions.items() for text in texts]
    first = said[0][1] if said else ", ".join(item.labels) or item.id
    lines = "".join(
        f'<p lang="{html.escape(one_line(language))}" dir="auto"><small>{html.escape(one_line(language))}</small> '
        f"{_escaped(text)}</p>"
        for language, text in said
    )
    labels = ", ".join(item.labels)
    about = " · ".join(filter(None, (item.id, item.split, labels)))
    return f"<figure>{_image(stored, item, first)}<figcaption>{lines}<p><small>{_escaped(about)}</small></p></figcaption></figure>"  # noqa: E501 - one line of HTML


def _image(stored: Stored, item: Item, said: str) -> str:
    try:
        small = picture.load(stored.image_path(item), _SIDE, _SIDE, whole=True)
    except MlhubError as error:
        return f'<div class="none">{_escaped(error.message)}</div>'
    out = io.BytesIO()
    small.save(out, "JPEG", quality=80)
    data = base64.b64encode(out.getvalue()).decode()
    return f'<img alt="{_escaped(said)}" src="data:image/jpeg;base64,{data}">'


def _escaped(text: str) -> str:
    text = one_line(text)
    return html.escape(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")
