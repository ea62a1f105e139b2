"""Which key or column of a table is what: the image, captions by language, labels, the split. For generic formats.

A suffix is a language only if it is one by ISO 639-1 (`caption_ko`), so that `id` or `hw` never become one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from mlhub.data.formats.base import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.data.formats.base import Source

#: ISO 639-1
_CODES = """
    aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el
    en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu
    ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na
    nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so
    sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""
LANGUAGES = frozenset(_CODES.split())
_IMAGES = ("image", "image_path", "file_name", "filename", "filepath", "file_path", "path", "img", "img_path", "file")
_CAPTIONS = ("captions", "caption", "text", "texts", "sentences", "sentence", "title", "description", "raw")
_LABELS = ("labels", "label", "tags", "classes", "class")
#: bare codes that are columns of another meaning far more often
_NOT_ALONE = frozenset(("id", "no", "is", "to", "or", "as"))
_SUFFIXED = re.compile(rf"(?:{'|'.join(_CAPTIONS)})[_.\-]([a-z]{{2}})|([a-z]{{2}})[_.\-](?:{'|'.join(_CAPTIONS)})")

OPTIONS = {
    "image": "the key or column of the image's path",
    "caption": "the key or column of the caption",
    "language": "the captions' language, where no key says it (default: en)",
    "label": "the key or column of the labels",
    "id": "the key or column of the id",
    "split": "the key or column of the split",
}


def part(row: Mapping[str, object], source: Source, where: str) -> Part:
    """What a row says. Its image is empty if none is named."""
    image = _first(row, source.option("image"), _IMAGES)
    split = _first(row, source.option("split"), ("split",))
    return Part(
        image=_path(image),
        captions=_captions(row, source),
        labels=_texts(_first(row, source.option("label"), _LABELS), apart=True),
        id=_text(_first(row, source.option("id"), ("id", "image_id", "key"))),
        split=_text(split),
        concept=_text(row.get("concept")),
        style=_text(row.get("style")),
        category=_text(row.get("category")),
        digest=_text(row.get("digest")),
        where=where,
    )


def names_an_image(keys: object) -> bool:
    """Whether a row of these keys could be one of ours."""
    return isinstance(keys, (list, tuple, dict, set)) and any(str(key).lower() in _IMAGES for key in keys)


def _first(row: Mapping[str, object], chosen: str, usual: tuple[str, ...]) -> object:
    if chosen:
        return row.get(chosen)
    lower = {str(key).lower(): value for key, value in row.items()}
    return next((lower[key] for key in usual if lower.get(key) not in (None, "")), None)


def _captions(row: Mapping[str, object], source: Source) -> dict[str, list[str]]:
    language = source.option("language", _text(row.get("language")) or "en")
    found: dict[str, list[str]] = {}
    chosen = source.option("caption")
    for key, value in row.items():
        known = _language(str(key).lower(), language) if not chosen else ""
        spoken = language if chosen and key == chosen else known
        if not spoken:
            continue
        if isinstance(value, Mapping):
            for code, texts in value.items():
                found.setdefault(str(code), []).extend(_texts(texts))
        else:
            found.setdefault(spoken, []).extend(_texts(value))
    return {code: texts for code, texts in found.items() if texts}


def _language(key: str, language: str) -> str:
    """The language of a column of captions; empty for another column."""
    if key in _CAPTIONS:
        return language
    if key in LANGUAGES and key not in _NOT_ALONE:
        return key
    match = _SUFFIXED.fullmatch(key)
    code = (match[1] or match[2]) if match else ""
    return code if code in LANGUAGES else ""


def _texts(value: object, *, apart: bool = False) -> list[str]:
    """One text or several; `apart`: a text may be several, as JSON or with semicolons between."""
    if isinstance(value, str) and apart:
        if value.startswith("["):
            try:
                return _texts(json.loads(value))
            except (ValueError, RecursionError):
                pass
        return [text for text in value.split(";") if text.strip()]
    if isinstance(value, (list, tuple)):
        return [text for one in value for text in _texts(one.get("raw") if isinstance(one, Mapping) else one)]
    text = _text(value)
    return [text] if text else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, (int, float)) else ""


def _path(value: object) -> str:
    if isinstance(value, Mapping):
        value = value.get("path")
    return value if isinstance(value, str) else ""
