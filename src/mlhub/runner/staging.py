"""The folder of a run that is being imported, built aside under a name that no run has. Not what becomes of it.

Everything in it is text from elsewhere: names and values are bounded here, secrets in a config hidden as in our own.
"""

from __future__ import annotations

import json
import math
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from mlhub.errors import StoreError
from mlhub.files import write_json
from mlhub.paths import RunPaths
from mlhub.records import current_records, encode, fold
from mlhub.redact import redact, redact_tree
from mlhub.runner import tree
from mlhub.text import one_line
from mlhub.yaml12 import dump

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from mlhub.foreign.source import Facts
    from mlhub.records import Summary

#: records that are written and folded at once
_BATCH = 4096
#: values of a config, characters of one, levels of it
_MOST_VALUES, _LONGEST, _DEEPEST = 10_000, 10_000, 20
#: remarks about one run
_MOST_TOLD = 20


class Staging:
    """Takes what a reader finds (`mlhub.foreign.source.Sink`); gone at the end unless it was moved away."""

    def __init__(self, folder: Path) -> None:
        self.paths = RunPaths(folder)
        self.summary: Summary = {}
        #: bytes of metrics.jsonl
        self.size = 0
        self.told: list[str] = []
        self._batch: list[dict[str, object]] = []
        self._attempt = 1
        self._files: dict[str, BinaryIO] = {}

    def __enter__(self) -> Self:
        with _writing(self.paths.root):
            tree.erase(self.paths.root)
            self.paths.root.mkdir(mode=0o700, parents=True)
            for folder in (self.paths.checkpoints, self.paths.artifacts, self.paths.attempt(1).root):
                folder.mkdir(mode=0o700, parents=True)
            for path in (self.paths.metrics, self.paths.log):
                path.touch(mode=0o600)
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            with suppress(OSError):  # a full disk, said already
                file.close()
        with suppress(OSError):
            tree.erase(self.paths.root)

    def metric(self, record: dict[str, object]) -> None:
        self._batch.append(record)
        if len(self._batch) >= _BATCH:
            self._flush()

    def mark(self, step: int, time: float) -> None:
        self._flush()
        self._attempt += 1
        line = f'{{"step":{max(-1, step)},"attempt":{self._attempt},"time":{max(0.0, time):.6f}}}\n'
        self._write(self.paths.metrics, line.encode())

    def system(self, record: dict[str, object]) -> None:
        self._write(self.paths.system, encode(record).encode() + b"\n")

    def output(self, text: str) -> None:
        self._write(self.paths.log, text.encode(errors="replace"))

    def tell(self, text: str) -> None:
        if len(self.told) < _MOST_TOLD:
            self.told.append(one_line(text)[:500])

    def close(self) -> None:
        """Nothing more is to come: all of it is on disk, and `summary` that of the metrics. Raises StoreError."""
        self._flush()
        with _writing(self.paths.root):
            for file in self._files.values():
                file.close()
            self._files.clear()
            self.size = self.paths.metrics.stat().st_size
            if self._attempt > 1:  # some records were superseded
                self.summary = fold({}, current_records(self.paths.metrics))

    def write_config(self, facts: Facts) -> dict[str, Any]:
        """`config.yaml`, if there is a config; as it was kept."""
        config = _bounded(facts.config, self)
        if config:
            with _writing(self.paths.root):
                self.paths.config.write_text(dump(config), encoding="utf-8")
        return config

    def write(self, path: Path, document: dict[str, Any]) -> None:
        """A JSON file. Raises StoreError."""
        with _writing(self.paths.root):
            write_json(path, document)

    def _flush(self) -> None:
        lines = []
        for index, record in enumerate(self._batch):
            line = encode(record)
            if not _all_finite(record):
                self._batch[index] = json.loads(line)  # with words for the numbers JSON lacks
            lines.append(line)
        if lines:
            self._write(self.paths.metrics, ("\n".join(lines) + "\n").encode())
            self.summary = fold(self.summary, self._batch)
        self._batch.clear()

    def _write(self, path: Path, data: bytes) -> None:
        with _writing(self.paths.root):
            file = self._files.get(path.name)
            if file is None:
                file = self._files[path.name] = open(path, "ab")  # noqa: SIM115 - closed at the end
            file.write(data)


class _writing:  # noqa: N801 - reads as a statement; a class, as it stands around every line that is written
    """What the disk refuses is said as such, and is never taken for a fault of the source."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, OSError):
            hint = "Free some disk space or make the home writable, then import again: what is there is not doubled."
            raise StoreError(f"{self._folder.parent}: {error.strerror or error}", hint) from error


def _all_finite(record: dict[str, object]) -> bool:
    try:
        return math.isfinite(sum(record.values()))  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, OverflowError):
        return False


def _bounded(config: dict[str, Any], staging: Staging) -> dict[str, Any]:
    """A config as JSON has it: text keys, no more and no longer values than it should have, which is told."""
    left = _MOST_VALUES

    def plain(value: Any, depth: int) -> Any:  # noqa: ANN401 - a config can hold anything
        nonlocal left
        left -= 1
        if isinstance(value, dict) and depth < _DEEPEST:
            return {_text(str(key), 200): plain(part, depth + 1) for key, part in value.items() if left > 0}
        if isinstance(value, (list, tuple, set)) and depth < _DEEPEST:
            return [plain(part, depth + 1) for part in value if left > 0]
        if isinstance(value, float):
            return value if math.isfinite(value) else json.loads(encode({"x": value}))["x"]
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int) and abs(value) < 1 << 63:
            return value
        return _text(value if isinstance(value, str) else repr(value)[: 2 * _LONGEST], _LONGEST)

    found: dict[str, Any] = plain(config, 0)
    if left <= 0:
        staging.tell(f"of its hyperparameters the first {_MOST_VALUES} were imported")
    return redact_tree(found)


def _text(text: str, most: int) -> str:
    text = text.encode(errors="replace").decode()
    return text if len(text) <= most else text[: most - 1] + "…"


def shown_command(facts: Facts) -> list[str] | None:
    """The command as our own runs have it, secrets hidden."""
    return [redact(_text(word, _LONGEST)) for word in facts.command[:1000]] or None


def remove_rests(runs: Path) -> None:
    """Remove what an import that was killed left behind."""
    with suppress(OSError):
        for entry in os.scandir(runs):
            if entry.name.startswith(PREFIX):
                tree.erase(runs / entry.name)


#: of folders beside the runs' that are being imported
PREFIX = ".import-"
