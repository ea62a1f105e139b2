"""`--filter QUERY` of the commands that have it: the language is `mlhub.query`, its errors are wrong usage."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.query import Query


def parse_filter(text: str) -> Query | None:
    """None without one, so that a plain list loads no language. Raises UsageError for a wrong one."""
    if not text.strip():
        return None
    from mlhub.errors import UsageError
    from mlhub.query import QueryError, parse

    try:
        return parse(text)
    except QueryError as error:
        raise UsageError(error.message, error.hint) from None
