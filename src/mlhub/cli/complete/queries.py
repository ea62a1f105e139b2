"""The filter language for completion: fields of a query, metrics and keys, and the values that can be known."""

from __future__ import annotations

from mlhub.cli.complete.runs import groups, keys, labels, metrics, runs
from mlhub.cli.complete.words import Word, only

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.cli.complete.words import Place, Source


def queries(place: Place, current: str) -> list[Word]:
    """The last word of a query: a field, or its value."""
    start = max(current.rfind(sign) for sign in " (|") + 1
    start += current[start : start + 1] == "-"
    head, word = current[:start], current[start:]
    found = _query_words(place, word)
    fitting = [one for one in found if one.text.startswith(word)]
    if len(fitting) == 1 and fitting[0].open and fitting[0].text != word:  # straight on to what may follow
        found = [*(_query_words(place, fitting[0].text)), *fitting]
        found = found if len(found) > 2 else fitting  # one alone would be taken for the end
    return [one._replace(text=head + one.text) for one in found]


def _query_words(place: Place, word: str) -> list[Word]:
    field, sign, _ = word.partition(":")
    if sign:
        read = _QUERY_VALUES.get(field)
        return [one._replace(text=f"{field}:{_quoted(one.text)}") for one in read(place, "")] if read else []
    from mlhub.query import fields

    bare = place._replace(arguments=[])
    return [
        *(Word(f"{name}:", open=True) for name in fields.TEXT_FIELDS),
        *(Word(name, open=True) for name in fields.NUMBER_FIELDS),
        *(one._replace(open=True) for one in metrics(bare, "")),
        *(Word(f"cfg.{one.text}", one.help, open=True) for one in keys(bare, "")),
    ]


def _quoted(text: str) -> str:
    return f'"{text}"' if any(sign in text for sign in " ()|") and '"' not in text else text


_QUERY_VALUES: dict[str, Source] = {
    "status": lambda place, current: only(  # noqa: ARG005
        ("queued", "running", "completed", "failed", "cancelled", "active", "ended")
    ),
    "tag": labels,
    "group": groups,
    "name": lambda place, current: runs(place._replace(path=("ls",), option=None, arguments=[], options={}), current),
    "kind": lambda place, current: only(("train", "eval", "index", "prepare", "command")),  # noqa: ARG005
    "has": metrics,
}
