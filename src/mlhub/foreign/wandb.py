"""What a W&B offline run says: history as records, summary, config, output, the machine's metrics, how it ended.

Numbers are taken; images, tables, histograms, text and artifacts are not. The file itself: `mlhub.foreign.wandb_log`.
"""

from __future__ import annotations

import json
import math
import re
from itertools import islice
from typing import Any

from mlhub.foreign.source import NO_END, Facts, Source, epoch, fingerprint, measure, metric_name
from mlhub.foreign.wandb_log import read_messages, record_class
from mlhub.records import read_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mlhub.foreign.source import Sink

#: records among which the run's own is looked for; it is the second
_FIRST = 50
_PLAIN = re.compile(rb"-?\d+\.\d+(?:e[-+]\d+)?")
#: W&B's names of the machine's metrics -> ours, and what to multiply by
_SYSTEM = (
    (re.compile(r"cpu"), "cpu", 1.0),
    (re.compile(r"proc\.memory\.rssMB"), "run.memory", float(1 << 20)),
    (re.compile(r"gpu\.(\d+)\.gpu"), r"gpu.\1.util", 1.0),
    (re.compile(r"gpu\.(\d+)\.temp"), r"gpu.\1.temp", 1.0),
    (re.compile(r"gpu\.(\d+)\.powerWatts"), r"gpu.\1.power", 1.0),
    (re.compile(r"gpu\.(\d+)\.memoryAllocatedBytes"), r"gpu.\1.memory", 1.0),
)


def find(path: Path) -> Source | None:
    """The run in a `.wandb` file; None if nothing was written yet. Raises MlhubError, OSError."""
    for record in _parsed(islice(read_messages(path), _FIRST)):
        if record.HasField("run"):
            run = record.run
            started = _seconds(run.start_time) if run.HasField("start_time") else None
            run_id = _text(run.run_id)
            return Source(
                kind="wandb",
                path=path,
                id=f"{_text(run.entity)}/{_text(run.project)}/{run_id}@{started or 0:.3f}",
                name=_text(run.display_name) or run_id,
                started=started,
                size=measure(path)[0],
                fingerprint=fingerprint([path]),
            )
    return None


def copy(source: Source, sink: Sink) -> Facts:
    """Give all that the run recorded to `sink`; the facts about it. Raises MlhubError, OSError."""
    return _Reading(source, sink).all()


class _Reading:
    """One pass over a file."""

    def __init__(self, source: Source, sink: Sink) -> None:
        self._source = source
        self._sink = sink
        self._facts = Facts(status="failed", reason=NO_END)
        self._names: set[str] = set()
        #: of the summary, what the history has not: name -> JSON
        self._summary: dict[str, Any] = {}
        self._step: int | None = None
        self._last = 0.0
        self._damaged = 0
        #: whether what the training says of itself carries its name
        self._signed = False

    def all(self) -> Facts:
        take = {
            "run": self._run, "environment": self._environment, "config": self._config, "history": self._history,
            "summary": self._take_summary, "stats": self._stats, "output": self._output, "output_raw": self._output,
            "exit": self._exit,
        }  # fmt: skip
        for record in _parsed(read_messages(self._source.path, self._tell_damage)):
            by_training = record.HasField("_info")
            self._signed = self._signed or (by_training and record.HasField("run"))
            if record.HasField("exit") and self._signed and not by_training:
                # by the program that W&B writes by, when the training was gone: 0 also of one that was killed
                self._facts.reason = "its program was gone before it said how it ended"
                continue
            for kind, message in record.ListFields():
                if kind.name in take:
                    take[kind.name](message)
        self._put_summary()
        facts = self._facts
        facts.ended = max(facts.ended or 0.0, self._last) or None
        if self._damaged > 1:
            self._sink.tell(f"{self._damaged} places in it are damaged; what could be read was imported")
        return facts

    def _tell_damage(self, offset: int) -> None:
        self._damaged += 1
        if self._damaged == 1:
            self._sink.tell(f"damaged at byte {offset}: what stood there, up to 32 kB, is left out")

    def _run(self, run: Any) -> None:  # noqa: ANN401 - messages made at run time, here and below
        facts = self._facts
        facts.name = _text(run.display_name) or facts.name or _text(run.run_id)
        facts.group = _text(run.run_group) or facts.group
        facts.tags = [_text(tag) for tag in run.tags] or facts.tags
        facts.note = _text(run.notes) or facts.note
        facts.host = _text(run.host) or facts.host
        if run.HasField("start_time"):
            facts.started = _seconds(run.start_time)
        self._config(run.config)
        self._git(run)

    def _environment(self, found: Any) -> None:  # noqa: ANN401
        facts = self._facts
        facts.host = facts.host or _text(found.host)
        facts.python = _text(found.python) or facts.python
        facts.cwd = _text(found.root) or facts.cwd
        if found.program:
            facts.command = [_text(found.program), *map(_text, found.args)]
        if facts.started is None and found.HasField("started_at"):
            facts.started = _seconds(found.started_at)
        self._git(found)

    def _git(self, found: Any) -> None:  # noqa: ANN401
        if found.HasField("git") and found.git.commit:
            self._facts.git = {"commit": _text(found.git.commit), "remote": _text(found.git.remote_url)}

    def _config(self, items: Any) -> None:  # noqa: ANN401
        for item in items.update:
            *way, last = _keys(item)
            tree = self._facts.config
            for key in way:
                tree = tree.setdefault(key, {}) if isinstance(tree, dict) else {}
            if isinstance(tree, dict) and (way or [last])[0] != "_wandb":
                tree[last] = _value(item)
        for item in items.remove:
            self._facts.config.pop(_keys(item)[0], None)

    def _history(self, history: Any) -> None:  # noqa: ANN401
        values = dict(_numbers(history.item))
        step = history.step.num if history.HasField("step") else values.get("_step")
        record: dict[str, object] = {} if step is None else {"step": int(step)}
        if isinstance(when := values.get("_timestamp"), float) and 0 < when < 1 << 34:
            record["time"] = when
            self._last = max(self._last, when)
        metrics = {metric_name(name): value for name, value in values.items() if name[:1] != "_"}
        if "epoch" in metrics:
            metrics["epoch"] = epoch(metrics["epoch"])
        if metrics:
            self._names |= metrics.keys()
            self._step = int(step) if step is not None else self._step
            self._sink.metric(record | metrics)

    def _take_summary(self, items: Any) -> None:  # noqa: ANN401
        for item in items.update:
            keys = _keys(item)
            if keys[0][:1] != "_" and ".".join(keys) not in self._names:
                self._summary[".".join(keys)] = item
        for item in items.remove:
            self._summary.pop(".".join(_keys(item)), None)

    def _put_summary(self) -> None:
        """Metrics that stand in the summary alone (`run.summary["best"] = …`), as of the last step."""
        items = [item for name, item in self._summary.items() if name not in self._names]
        values = {metric_name(name): value for name, value in _numbers(items) if name not in self._names}
        values.pop("epoch", None)
        if values:
            when = {"time": self._last} if self._last else {}
            self._sink.metric({"step": self._step or 0, **when, **values})

    def _stats(self, stats: Any) -> None:  # noqa: ANN401
        when = _seconds(stats.timestamp)
        self._last = max(self._last, when)
        values = dict(_our_name(name, value) for name, value in _numbers(stats.item))
        if values:
            self._sink.system({"time": when, **values})

    def _output(self, output: Any) -> None:  # noqa: ANN401
        if output.HasField("timestamp"):
            self._last = max(self._last, _seconds(output.timestamp))
        self._sink.output(_text(output.line))

    _output_raw = _output

    def _exit(self, found: Any) -> None:  # noqa: ANN401
        facts = self._facts
        facts.exit_code = found.exit_code
        facts.status = "failed" if found.exit_code else "completed"
        facts.reason = f"exit code {found.exit_code}" if found.exit_code else "imported"
        if facts.started is not None and found.runtime > 0:
            facts.ended = facts.started + found.runtime


def _parsed(messages: Iterable[bytes]) -> Iterator[Any]:
    from google.protobuf.message import DecodeError

    parse = record_class().FromString
    for data in messages:
        try:
            yield parse(data)
        except DecodeError:
            continue


def _numbers(items: Iterable[Any]) -> Iterator[tuple[str, float]]:
    """Name and number of what is one. Media, which say their `_type`, have numbers too; those are passed over."""
    found = [(_keys(item), item) for item in items]
    media = {tuple(keys[:-1]) for keys, _ in found if keys[-1] == "_type" and len(keys) > 1}
    for keys, item in found:
        if media and any(tuple(keys[:length]) in media for length in range(1, len(keys))):
            continue
        name, plain = ".".join(keys), item.value_json
        if _PLAIN.fullmatch(plain):  # most are, and JSON takes its time
            yield name, float(plain)
        else:
            yield from _leaves(name, _value(item))


def _leaves(name: str, value: object, depth: int = 0) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        if "_type" not in value and depth < 20:
            for key, part in value.items():
                yield from _leaves(f"{name}.{key}", part, depth + 1)
        return
    number = read_number(value)
    if number is not None:
        yield name, value if isinstance(value, int) else number


def _keys(item: Any) -> list[str]:  # noqa: ANN401
    return [_text(key) for key in item.nested_key] or [_text(item.key)]


def _value(item: Any) -> Any:  # noqa: ANN401 - JSON
    """An item's value; older files have JSON alone, newer ones numbers as such."""
    if not item.HasField("value_json") and item.HasField("number"):
        return item.number
    if not item.HasField("value_json") and item.HasField("integer"):
        return item.integer
    try:
        return json.loads(item.value_json or getattr(item, "json", b"") or b"null")
    except (ValueError, RecursionError):
        return None


def _our_name(name: str, value: float) -> tuple[str, float]:
    for pattern, ours, factor in _SYSTEM:
        if match := pattern.fullmatch(name):
            return match.expand(ours), value * factor
    return name, value


def _seconds(time: Any) -> float:  # noqa: ANN401
    found = time.seconds + time.nanos / 1e9
    return found if math.isfinite(found) and 0 < found < 1 << 34 else 0.0


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
