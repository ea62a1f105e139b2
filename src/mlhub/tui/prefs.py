"""What the screen remembers from one day to the next: a small JSON file in the home, `top.json`.

A file that is torn, or of another version, costs its settings and nothing else. Settings of mlhub are `config.toml`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from mlhub.files import read_regular, replace_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from mlhub.paths import Home


class Prefs(msgspec.Struct, kw_only=True):
    """Plain values that views read and change; `save` keeps them. Unknown keys are dropped, wrong values forgotten."""

    theme: str = ""
    view: str = "runs"
    #: ids of the columns of the table of runs, in order; empty: the usual ones
    columns: list[str] = []
    sort: str = ""
    descending: bool = True
    filter: str = ""
    group: bool = False
    folded: list[str] = []
    #: of charts
    smoothing: float = 0.6
    log_y: bool = False
    x_axis: str = "step"
    grid: str = ""
    metric_filter: str = ""
    #: of the log
    wrap: bool = False
    #: of the comparison
    only_differences: bool = True
    #: `last` or `best`; `across`, `down`, or as many runs as there are ask for
    compare_use: str = "last"
    compare_turned: str = ""
    #: of the search
    queries: list[str] = []
    bits: int = 0
    to: str = "image"
    #: whether the machine is read at all, and seconds of its history that are drawn (0: all there is)
    meters: bool = True
    history: int = 300


def load(home: Home) -> Prefs:
    """What was kept, or the defaults."""
    try:
        data = read_regular(_path(home))
        tree = msgspec.json.decode(data)
    except (OSError, msgspec.MsgspecError, RecursionError):
        return Prefs()
    if not isinstance(tree, dict):
        return Prefs()
    prefs = Prefs()
    for field in msgspec.structs.fields(Prefs):  # one that is wrong must not cost the others
        if field.name in tree:
            with suppress(msgspec.ValidationError):
                setattr(prefs, field.name, msgspec.convert(tree[field.name], field.type))
    return prefs


def save(home: Home, prefs: Prefs) -> None:
    """Keep them; a full disk or a read-only home must not disturb the screen."""
    with suppress(OSError):
        replace_bytes(_path(home), msgspec.json.format(msgspec.json.encode(prefs), indent=1))


def _path(home: Home) -> Path:
    return home.root / "top.json"


def slow_line() -> bool:
    """Whether the screen is drawn over SSH, where each byte is paid for."""
    return bool(os.environ.get("SSH_CONNECTION") or os.environ.get("SSH_TTY"))
