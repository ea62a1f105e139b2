"""JSON documents larger than memory, an element of a list at a time (ijson over yajl). Not the meaning of any.

What is broken is named by line and column: yajl tells how far it came, and a second look counts the lines up to there.
"""

from __future__ import annotations

import re
from typing import Any

from mlhub.errors import MlhubError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from mlhub.data.formats.base import Reading

_CHUNK = 1 << 16
#: levels that a document may be nested; the parser keeps the path of each, which takes their square in memory
_DEEPEST = 500
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class _Counted:
    """The bytes of a file without a byte-order mark, counted as they are read; of `path`, none nested too deep."""

    def __init__(self, file: BinaryIO, reading: Reading | None, path: Path | None = None) -> None:
        self._file, self._reading = file, reading
        self._suspect, self._depth = path, 0
        if file.read(3) != b"\xef\xbb\xbf":
            file.seek(0)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        if self._reading:
            self._reading.advance(len(data))
        if self._suspect:
            self._weigh(data, self._suspect)
        return data

    def _weigh(self, data: bytes, path: Path) -> None:
        """Look closely, once, at a document whose brackets, those in strings too, could be nested too deep."""
        left, most = _unpaired(data)
        if self._depth + most > _DEEPEST:
            _require_shallow(path)
            self._suspect = None
        self._depth += left


def elements(reading: Reading, path: Path, prefix: str) -> Iterator[Any]:
    """The elements at `prefix` (`images.item`; `item` of a document that is a list). Raises MlhubError."""
    import ijson

    yield from _parsed(reading, path, lambda file: ijson.items(file, prefix, buf_size=_CHUNK, use_float=True))


def elements_of(reading: Reading, path: Path, prefixes: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Of several lists of one document, each element with the list it is of, as the document has them."""
    import ijson

    def built(file: _Counted) -> Iterator[tuple[str, Any]]:
        return _built(ijson.parse(file, buf_size=_CHUNK, use_float=True), prefixes)

    yield from _parsed(reading, path, built)


def _parsed(reading: Reading, path: Path, parse: Callable[[_Counted], Iterator[Any]]) -> Iterator[Any]:
    import ijson

    with reading.open(path) as file:
        if file.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff"):  # type: ignore[attr-defined]  # a BufferedReader has it
            raise MlhubError(f"{path}: is in UTF-16, not UTF-8", f"Type: iconv -f UTF-16 -t UTF-8 {path.name} > NEW")
        try:
            yield from parse(_Counted(file, reading, path))
        except (ijson.JSONError, UnicodeDecodeError) as error:
            raise MlhubError(
                f"{path}:{_place(path)}: not JSON: {_said(error)}", "Fetch it again; or mend it there."
            ) from None
        except OSError as error:
            raise MlhubError(f"{path}: can't be read: {error.strerror}", "Mend the disk, or fetch it again.") from None


def _built(events: Iterator[tuple[str, str, Any]], prefixes: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Elements made of the parser's events; what stands elsewhere is passed over."""
    import ijson

    for prefix, event, value in events:
        if prefix not in prefixes:
            continue
        if event in ("start_map", "start_array"):
            builder = ijson.ObjectBuilder()
            builder.event(event, value)
            depth = 1
            while depth:
                _, inner, content = next(events)
                builder.event(inner, content)
                depth += {"start_map": 1, "start_array": 1, "end_map": -1, "end_array": -1}.get(inner, 0)
            yield prefix, builder.value
        elif event not in ("end_map", "end_array", "map_key"):
            yield prefix, value


def _unpaired(data: bytes) -> tuple[int, int]:
    """By how much the depth grows over some bytes, and how deep they go at most, strings being taken for structure."""
    brackets, rounds = data.translate(None, _NOT_BRACKETS), 0
    while rounds <= _DEEPEST and (b"[]" in brackets or b"{}" in brackets):
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
        rounds += 1
    opened = brackets.count(b"[") + brackets.count(b"{")
    return 2 * opened - len(brackets), opened + 2 * rounds


def _require_shallow(path: Path) -> None:
    """Raise MlhubError if a document is nested too deep; what is no JSON is told by whoever reads it."""
    import ijson

    depth = 0
    with path.open("rb") as file:
        try:
            for event, _ in ijson.basic_parse(_Counted(file, None), buf_size=_CHUNK, use_float=True):
                depth += {"start_map": 1, "start_array": 1, "end_map": -1, "end_array": -1}.get(event, 0)
                if depth > _DEEPEST:
                    raise MlhubError(
                        f"{path}: nested deeper than {_DEEPEST} levels", "That is no data set; fetch it again."
                    )
        except (ijson.JSONError, UnicodeDecodeError):
            return


def _said(error: Exception) -> str:
    """The first line of what yajl says: the others quote the document."""
    text = str(error).strip().splitlines() or ["broken"]
    return re.sub(r"^(lexical|parse) error: ", "", text[0])[:120].strip() or "broken"


def _place(path: Path) -> str:
    """Line and column of the first byte that is no JSON: the document is parsed a line's piece at a time."""
    import ijson

    parser = ijson.parse_coro(_Nothing())
    line, column = 1, 1
    with path.open("rb") as file:
        source = _Counted(file, None)
        while chunk := source.read(_CHUNK):
            try:
                parser.send(chunk)
            except Exception:  # whatever the parser calls it: the look is at where, not at what
                return _within(path, file.tell() - len(chunk), line, column)
            line += chunk.count(b"\n")
            column = len(chunk) - chunk.rfind(b"\n") if b"\n" in chunk else column + len(chunk)
    return f"{line}:{column}"


def _within(path: Path, start: int, line: int, column: int) -> str:
    """The same within one chunk, byte by byte: a parser is fed all before it, then that."""
    import ijson

    parser = ijson.parse_coro(_Nothing())
    with path.open("rb") as file:
        source = _Counted(file, None)
        while file.tell() < start:
            parser.send(source.read(min(_CHUNK, start - file.tell())))
        for byte in source.read(_CHUNK):
            try:
                parser.send(bytes((byte,)))
            except Exception:  # as above
                break
            line, column = (line + 1, 1) if byte == 10 else (line, column + 1)
    return f"{line}:{column}"


class _Nothing:
    """Takes the parser's events and keeps none."""

    def send(self, _event: object) -> None: ...
