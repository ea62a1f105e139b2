"""Bash's side of completion: it hands over the line as it was typed, and types what comes back as it comes."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from mlhub.cli.complete.words import Answer


def split(line: str) -> list[str]:
    """The words of a command line as they were typed, quotes and all; the last is the one the cursor is in."""
    words = [""]
    quote = ""
    escaped = False
    for letter in line:
        if not (quote or escaped) and letter in " \t\n":
            if words[-1]:
                words.append("")
            continue
        words[-1] += letter
        if escaped:
            escaped = False
        elif letter == "\\" and quote != "'":
            escaped = True
        elif letter == quote:
            quote = ""
        elif letter in "'\"" and not quote:
            quote = letter
    return words


def plain(word: str) -> str:
    """A word without its quotes, of which the last may still be open."""
    return _unquote(word)[0]


def _unquote(word: str) -> tuple[str, str, int]:
    """The word without quotes; the quote that is still open, or nothing; how many letters stand before that."""
    text: list[str] = []
    quote = ""
    before = 0
    letters = iter(word)
    for letter in letters:
        if letter == "\\" and quote != "'":
            after = next(letters, "")
            text.append(after if not quote or after in '"\\$`' else letter + after)
        elif letter == quote:
            quote = ""
        elif letter in "'\"" and not quote:
            quote, before = letter, len(text)
        else:
            text.append(letter)
    return "".join(text), quote, before


def answer_lines(answer: Answer, current: str, replaced: str) -> str:
    """Bash replaces only what stands behind the last `:`, `=` or quote, and types the answers as they come."""
    quote, before = _unquote(current)[1:]
    if not quote:
        before = len(plain(current[: len(current) - len(replaced)] if current.endswith(replaced) else ""))
    escape = _ESCAPES[quote]
    return "".join(f"{line}\n" for line in (answer.how, *(escape(word.text[before:]) for word in answer.words)))


def _escape(text: str) -> str:
    safe = "".join(
        letter if letter.isalnum() or letter in "-_./:=@%+,^" or letter > "\x7f" else f"\\{letter}" for letter in text
    )
    return f"~{safe[2:]}" if safe.startswith("\\~/") else safe


def _escape_double(text: str) -> str:
    return "".join(f"\\{letter}" if letter in '"$`\\' else letter for letter in text)


def _escape_single(text: str) -> str:
    return text.replace("'", "'\\''")


_ESCAPES: dict[str, Callable[[str], str]] = {"": _escape, '"': _escape_double, "'": _escape_single}
