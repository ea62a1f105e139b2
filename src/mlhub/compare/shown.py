"""Which of a run's metrics stands for it in a list: one rule for `mlhub ls` and for the screen."""

from __future__ import annotations

import functools
from pathlib import Path

from mlhub.adapters import HASHING
from mlhub.adapters.builtin import BUILT_IN
from mlhub.text import fit, one_line, width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.adapters import Adapter
    from mlhub.store.runs import Run


def main_metric(run: Run) -> str:
    """What it is made for (`checkpoint.monitor`, its adapter's), else what was held out, else a loss; else empty."""
    adapter = BUILT_IN.get(run.adapter or "") or _own(run.adapter, run.dir)
    return _main_metric(tuple(run.summary), _monitored(run), adapter.shows if adapter else ())


def short_name(name: str, most: int) -> str:
    """The last parts of a metric's name that `most` columns have room for; of one that is too long, its end."""
    parts = one_line(name).split("/")
    while len(parts) > 1 and width("/".join(parts)) > most:
        parts = parts[1:]
    return fit("/".join(parts), most, keep_end=True)


def _own(name: str | None, folder: str) -> Adapter | None:
    """An adapter that isn't built in, by the home that the run's folder lies in."""
    return _loaded(name, Path(folder).parent.parent) if name and folder else None


@functools.lru_cache(maxsize=64)
def _loaded(name: str, root: Path) -> Adapter | None:
    from mlhub.adapters.load import find_or_none
    from mlhub.paths import Home

    return find_or_none(name, Home(root, root / "data"))


def _monitored(run: Run) -> str:
    part = run.config.get("checkpoint")
    name = part.get("monitor") if isinstance(part, dict) else None
    return name if isinstance(name, str) else ""


@functools.lru_cache(maxsize=4096)
def _main_metric(names: tuple[str, ...], monitored: str, shows: tuple[str, ...]) -> str:
    from fnmatch import fnmatchcase

    for wanted in (monitored, *shows, HASHING.metric):
        if wanted in names:
            return wanted
        if found := next((name for name in names if wanted in shows and fnmatchcase(name, wanted)), None):
            return found
    if not names:
        return ""
    from mlhub.compare.comparison import order
    from mlhub.compare.direction import direction_of

    directed = sorted((name for name in names if direction_of(name)), key=order)
    held_out = [name for name in directed if name.lower().startswith(("val", "eval", "test"))]
    losses = [name for name in directed if "loss" in name.lower()]
    return next(iter([*held_out, *losses, *directed, *names]), "")
