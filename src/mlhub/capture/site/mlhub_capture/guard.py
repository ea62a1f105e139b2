"""What stands between our failures and other people's trainings: each is noted once, and what fails often is off."""

from __future__ import annotations

from mlhub_capture import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: a disk that was full for a moment costs records, and not all that come after
_BEARABLE = 20
_failures: dict[str, int] = {}


def attempt(where: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What `function` returns; None if it failed, or is off. SystemExit, by which a stop leaves, passes."""
    if _failures.get(where, 0) > _BEARABLE:
        return None
    try:
        return function(*args, **kwargs)
    except Exception as error:
        _failures[where] = _failures.get(where, 0) + 1
        record.note(where, error)
        if _failures[where] > _BEARABLE:
            record.note(f"{where} is off after {_failures[where]} failures", error)
        return None
