"""The JSON Schema of items, which ships beside this, and lines held against it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlhub.errors import MlhubError
from mlhub.files import open_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = Path(__file__).with_name("items.schema.json")
_LONGEST = 1 << 24


def schema() -> dict[str, Any]:
    """The schema as it ships."""
    found: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return found


def violations(path: Path) -> Iterator[str]:
    """Every line of a file that is not as the schema says: `FILE:LINE: key: what`. Needs jsonschema."""
    try:
        from jsonschema import Draft202012Validator
    except ImportError:
        raise MlhubError("jsonschema is not installed, and --schema needs it", "pip install jsonschema") from None
    validator = Draft202012Validator(schema())
    try:
        with open_regular(path) as file:
            number = 0
            while line := file.readline(_LONGEST):
                number += 1
                if line.strip():
                    yield from (f"{path}:{number}: {said}" for said in _wrong(validator, line))
    except OSError as error:
        raise MlhubError(f"{path}: can't be read: {error.strerror}", "Make the data set anew.") from None


def _wrong(validator: Any, line: bytes) -> Iterator[str]:  # noqa: ANN401 - jsonschema has no types
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        yield f"not JSON: {error}"
        return
    for wrong in validator.iter_errors(document):
        key = ".".join(map(str, wrong.absolute_path)) or "the line"
        yield f"{key}: {' '.join(wrong.message.split())[:200]}"
