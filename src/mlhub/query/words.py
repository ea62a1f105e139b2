"""A query as words: quotes, operators, brackets, `-` and `|`. What a word means is `mlhub.query.fields`'s."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mlhub.errors import MlhubError
from mlhub.store.bounds import both, either
from mlhub.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlhub.store.bounds import Bound
    from mlhub.store.runs import Run

    #: of a run, at a time (seconds since 1970)
    Test = Callable[[Run, float], bool]

_DEEPEST = 40
_OPERATOR = re.compile(r"!=|!~|>=|<=|==|[:=<>~]")
_OR, _AND = (re.compile(rf"{word}(?=[\s(]|$)", re.IGNORECASE) for word in ("or", "and"))
_EXAMPLE = "For example: status:running val/map_64>0.5 cfg.training.lr>=1e-3 -name:test"


class QueryError(MlhubError):
    """The text is no query. `at`: where in it, counted from 0."""

    def __init__(self, message: str, at: int) -> None:
        message = one_line(message)  # it may quote the text
        super().__init__(f"filter: {message} (at character {at + 1})", _EXAMPLE)
        self.short, self.at = message, at


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the query, without its quotes; `field`, `operator` and `value` are empty where it is a text."""

    text: str
    at: int
    field: str = ""
    operator: str = ""
    value: str = ""
    value_at: int = 0


class Term(NamedTuple):
    """What a part of a query means, and by which rough condition rows can be left out unread; None: by none."""

    test: Test
    bound: Bound | None = None


class Reader:
    """Reads the text from left to right."""

    def __init__(self, text: str, term_of: Callable[[Word], Term]) -> None:
        self.text, self.at, self._depth, self._term_of = text, 0, 0, term_of

    def at_end(self) -> bool:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.at >= len(self.text)

    def either(self) -> Term:
        """Parts with `|` or `or` between them."""
        parts = [self._every()]
        while not self.at_end() and (found := self._connective()) is not None:
            self.at += found
            parts.append(self._every())
        if len(parts) == 1:
            return parts[0]
        tests = [part.test for part in parts]
        return Term(lambda run, now: any(test(run, now) for test in tests), either(part.bound for part in parts))

    def _connective(self) -> int | None:
        if self.text.startswith("|", self.at):
            return 2 if self.text.startswith("||", self.at) else 1
        return 2 if _OR.match(self.text, self.at) else None

    def _every(self) -> Term:
        """Terms that must all be met."""
        terms: list[Term] = []
        while not self.at_end() and self.text[self.at] != ")" and self._connective() is None:
            if terms and _AND.match(self.text, self.at):
                self.at += 3
                if self.at_end():
                    raise QueryError("nothing after and", self.at)
                continue
            terms.append(self._term())
        if not terms:
            raise QueryError("something is missing here", self.at)
        if len(terms) == 1:
            return terms[0]
        tests = [term.test for term in terms]
        return Term(lambda run, now: all(test(run, now) for test in tests), both(term.bound for term in terms))

    def _term(self) -> Term:
        if self.text[self.at] in "-!" and not self.text.startswith("!=", self.at):
            start = self.at
            self.at += 1
            if self.at_end() or self.at > start + 1:
                raise QueryError("nothing after -", start)
            self._deeper()
            opposite = self._term().test
            self._depth -= 1
            return Term(lambda run, now: not opposite(run, now))
        if self.text[self.at] != "(":
            return self._term_of(self._word())
        start = self.at
        self.at += 1
        self._deeper()
        inner = self.either()
        if self.at_end():
            raise QueryError("a ( without its )", start)
        self.at, self._depth = self.at + 1, self._depth - 1
        return inner

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise QueryError("too many ( within each other", self.at)

    def _word(self) -> Word:
        """Up to a blank, a `|`, or a `)` that closes nothing in it; quotes hold blanks and operators."""
        start, opened, found = self.at, 0, ""
        operator: tuple[str, str, int] | None = None
        while self.at < len(self.text):
            character = self.text[self.at]
            if character == '"':
                found += self._quoted()
                continue
            if character.isspace() or character == "|" or (character == ")" and not opened):
                break
            opened += (character == "(") - (character == ")")
            if operator is None and (match := _OPERATOR.match(self.text, self.at)):
                operator = (found, match.group(), match.end())
                found, self.at = "", match.end()
                continue
            found += character
            self.at += 1
        if self.at == start:
            raise QueryError("something is missing here", start)
        if operator is None:
            return Word(found, start)
        field, sign, value_at = operator
        if not field:
            raise QueryError(f"nothing before {sign}", start)
        if not found:
            raise QueryError(f"nothing after {field}{sign}", value_at)
        return Word(found, start, field, "=" if sign == "==" else sign, found, value_at)

    def _quoted(self) -> str:
        start = self.at
        end = self.text.find('"', start + 1)
        if end < 0:
            raise QueryError('a " without its other one', start)
        self.at = end + 1
        return self.text[start + 1 : end]
