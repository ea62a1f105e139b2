"""The filter language of lists of runs. Pure: a text becomes a `Query`, which says of a `Run` whether it is meant.

    status:running tag:x kind:eval name:foo id:12          words of a run; several values: status:failed,cancelled
    val/map_64>0.5   loss.min<=0.1   loss=nan               metrics: last value, or .min .max .last .step
    cfg.training.lr>=1e-3   training.optimizer=adamw        keys of the configuration
    started<2h   took>1h30m   started>2026-11-20            times: how long ago, how long, or on which side of a day
    alert:nan   has:val/map_64   step>10k
    foo   "two words"   -name:test   -"two words"           anywhere in name, group, tags, kind, note; not
    a b   a | b   a or b   (a | b) c                        and; or

`:` means: a word is it, a text contains it, `*?[…]` is a pattern for the whole of it; `=` the whole text, literally;
`~` a pattern anywhere in it. Patterns are those of file names, not regular expressions: none takes exponential time.
Case does not matter. What is missing meets no comparison but `!=`, which is the opposite of `=`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlhub.query.bounds import bound_of
from mlhub.query.fields import test_of
from mlhub.query.words import QueryError, Reader, Term

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlhub.query.words import Test, Word
    from mlhub.store.bounds import Bound
    from mlhub.store.runs import Run

__all__ = ["Query", "QueryError", "parse"]

_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Query:
    """A query, ready to be asked. The empty one means all runs.

    `bound`: what a store may leave out unread (`Store.each_newest`); None: nothing.
    """

    text: str
    _test: Test
    bound: Bound | None = None

    def __bool__(self) -> bool:
        return bool(self.text)

    def matches(self, run: Run, now: float | None = None) -> bool:
        """Whether `run` is meant; `now`: seconds since 1970."""
        return self._test(run, time.time() if now is None else now)

    def select(self, runs: Iterable[Run]) -> list[Run]:
        """Those that are meant, in their order."""
        return list(self.each(runs))

    def each(self, runs: Iterable[Run]) -> Iterator[Run]:
        """The same, as they are asked for."""
        now = time.time()
        return (run for run in runs if self._test(run, now))


def parse(text: str) -> Query:
    """Raises QueryError for what is no query, saying where."""
    if len(text) > _LONGEST:
        raise QueryError(f"longer than {_LONGEST} characters", _LONGEST)
    reader = Reader(text, _term)
    term = reader.either() if not reader.at_end() else Term(_all)
    if not reader.at_end():
        raise QueryError("a ) without its (", reader.at)
    return Query(text.strip(), *term)


def _term(word: Word) -> Term:
    return Term(test_of(word), bound_of(word))


def _all(run: Run, now: float) -> bool:  # noqa: ARG001
    return True
