"""Configurations as dotted keys, where they differ, and which runs differ in nothing but their seed."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mlhub.store.runs import Run

#: values by dotted key, in the order of the configuration
Flat = dict[str, Any]

_SEED = re.compile(r"(?:^|_)(?:seed|random_state)(?:_|$)|seeds?$")


def flatten(config: Mapping[str, Any]) -> Flat:
    """Leaves by dotted key. A list is one value, unless it holds mappings: `layers[0].dim`. Empty ones are leaves.

    A key that holds a dot or a bracket itself is quoted, so that two places never share a key.
    """
    found: Flat = {}
    waiting: list[tuple[str, Any]] = [("", config)]
    while waiting:  # a stack, as a configuration may be nested as deep as it likes
        place, value = waiting.pop()
        if isinstance(value, dict) and (value or not place):
            waiting += [(f"{place}.{_part(key)}" if place else _part(key), value[key]) for key in reversed(value)]
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            waiting += [(f"{place}[{index}]", value[index]) for index in range(len(value) - 1, -1, -1)]
        else:
            found[place] = value
    return found


def _part(key: object) -> str:
    word = str(key)
    return word if word and not set(word) & set('.[]"') else json.dumps(word, ensure_ascii=False)


def canonical(value: Any) -> object:  # noqa: ANN401 - whatever JSON holds
    """Something hashable that is equal for equal values: 1 and 1.0 are, 1 and true are not, NaN is itself."""
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - NaN
        return "number", "NaN"
    if isinstance(value, bool) or value is None:
        return "word", value
    if isinstance(value, int | float):
        return "number", value
    if isinstance(value, str):
        return "text", value
    return "tree", json.dumps(_plain(value), sort_keys=True, default=str)


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Whole floats as integers, within lists too: they are written differently and equal."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def table(flats: Mapping[int, Flat], *, everything: bool = False) -> dict[str, dict[int, Any]]:
    """The values of each key by run, of the keys that differ (or of all). A run without the key is not in it.

    Missing is not null: a key that one run lacks differs. Keys in the order of the configurations.
    """
    found: dict[str, dict[int, Any]] = {}
    for key in _in_order(flats.values()):
        values = {run_id: flat[key] for run_id, flat in flats.items() if key in flat}
        if everything or differs(values.values(), len(flats)):
            found[key] = values
    return found


def differs(values: Iterable[Any], of: int) -> bool:
    """Whether `of` runs that have these values don't agree: in a value, or in having one."""
    kept = list(values)
    return 0 < len(kept) < of or len({canonical(value) for value in kept}) > 1


def _in_order(flats: Iterable[Flat]) -> list[str]:
    """All keys: those of the first, each that only a later one has behind the key that it follows there."""
    order: list[str] = []
    known: set[str] = set()
    for flat in flats:
        place = 0
        for key in flat:
            if key in known:
                place = order.index(key) + 1 if len(known) < _MANY else len(order)
            else:
                order.insert(place, key)
                known.add(key)
                place += 1
    return order


#: keys from which on new ones go to the end: looking each up would be felt
_MANY = 500


@lru_cache(4096)
def is_seed(key: str) -> bool:
    """Whether a key is that of a seed: `seed`, `training.seed`, `random_state`, `seed_everything`."""
    return bool(_SEED.search(key.rsplit(".", 1)[-1].strip('"').lower().replace("-", "_")))


def seed_groups(runs: Sequence[Run], flats: Mapping[int, Flat]) -> list[tuple[int, ...]]:
    """Ids of runs, two or more, that are of one kind and one configuration but for the seed.

    One of them may be without: its seed is the program's own.
    """
    found: dict[object, list[int]] = {}
    seedless: dict[object, list[int]] = {}
    for run in runs:
        flat = flats.get(run.id, {})
        rest = frozenset((key, canonical(value)) for key, value in flat.items() if not is_seed(key))
        place = found if len(rest) < len(flat) else seedless
        if flat:
            place.setdefault((run.kind, rest), []).append(run.id)
    for key, ids in found.items():
        if len(seedless.get(key, ())) == 1:
            ids[:0] = seedless[key]
    return [tuple(ids) for ids in found.values() if len(ids) > 1]
