"""What the database knows for completion: runs, their metrics, keys, tags, groups, hosts.

It is opened to read only, and not waited for: missing, locked, damaged or of another version, it gives no names.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

from mlhub.cli.complete.words import Word, only

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.cli.complete.words import Place, Source


class Names:
    """Short answers from the database, or none: it may be missing, locked, damaged, of another version."""

    def __init__(self) -> None:
        self._connection = _open()

    def ask(self, text: str, **parameters: object) -> list[tuple[Any, ...]]:
        import sqlite3

        if self._connection is None:
            return []
        try:
            return list(self._connection.execute(text, parameters))
        except sqlite3.Error:
            return []


def _open() -> Any:  # noqa: ANN401 - sqlite3 is loaded when it is needed
    """A connection that can't write and doesn't wait.

    Where no write-ahead log is left nobody has the database open, and SQLite is told so: even to read it would make
    files beside it.
    """
    import sqlite3

    from mlhub.settings import home_root

    database = home_root() / "mlhub.db"
    if not database.is_file():
        return None
    log = database.with_name("mlhub.db-wal")
    alone = "" if log.exists() and log.stat().st_size else "&immutable=1"
    try:
        return sqlite3.connect(f"{database.as_uri()}?mode=ro{alone}", uri=True, timeout=0, isolation_level=None)
    except sqlite3.Error:
        return None


#: which runs a command can do something with
_STATUSES = {
    "stop": ("queued", "running"),
    "wait": ("queued", "running"),
    "resume": ("failed", "cancelled"),
    "rm": ("completed", "failed", "cancelled"),
    "--after": ("queued", "running"),
}
_KINDS = {"eval": "train", "index": "train", "--index": "index"}
#: of which only those of mlhub's own programs are meant
_OWN = ("eval", "index")


def runs(place: Place, current: str) -> Iterator[Word]:
    """Names of runs, newest first, `@last`, and ids if the word begins with a digit."""
    from mlhub.store import texts

    if place.path == ("rm",) and "restore" in place.options:
        yield from _trash()
        return
    command = f"--{place.option.name}" if place.option is not None else place.path[0]
    kind, statuses = _KINDS.get(command), " ".join(_STATUSES.get(command, ()))
    if place.path == ("queue", "move"):
        statuses = "queued"
    said = {*place.arguments, *chain.from_iterable(place.options.values())}
    names = Names()
    meant = {"statuses": statuses, "kind": kind, "adapter": "hashing" if command in _OWN else None}
    if "@last".startswith(current) and (command not in _STATUSES or command == "wait"):
        yield Word("@last", "the newest")
    found = names.ask(texts.RUN_WORDS, first=current, last=current + "\U0010ffff", **meant)
    if current.isascii() and current.isdigit():
        found = names.ask(texts.RUN_IDS, prefix=current, **meant)
        found = [(str(id_), f"{status} {name}") for id_, name, status, _ in found]
        yield from (Word(*row) for row in found if row[0] not in said)
        return
    for id_, name, status, its_kind in found:
        if name not in said and str(id_) not in said:
            yield Word(name, f"{id_} {status}" + (f" {its_kind}" if its_kind not in ("train", "command") else ""))


def listed(place: Place, current: str, source: Source) -> Iterator[Word]:
    """The last of several with commas between them."""
    head, comma, last = current.rpartition(",")
    before = {*head.split(",")}
    return (word._replace(text=head + comma + word.text) for word in source(place, last) if word.text not in before)


def _trash() -> list[Word]:
    from mlhub.runner.trash import entries
    from mlhub.settings import Settings

    return [Word(entry.name, f"{entry.id}, in the trash") for entry in reversed(entries(Settings.load().to_home()))]


def _of_runs(place: Place, column: str) -> list[dict[str, Any]]:
    """Summaries or configs of the runs that the command line names, else of the newest."""
    import json

    from mlhub.store import texts

    names = Names()
    said = [part for word in place.arguments for part in word.split(",")]
    rows = [row for word in said for row in names.ask(texts.RUN_TREES, ref=word)]
    found = []
    for row in rows or names.ask(texts.NEWEST_TREES):
        try:
            found.append(json.loads(row[("summary", "config").index(column)]))
        except (ValueError, RecursionError):
            continue
    return [tree for tree in found if isinstance(tree, dict)]


def metrics(place: Place, current: str) -> list[Word]:  # noqa: ARG001 - a source
    """Names of metrics, with the value of the newest run that has one."""
    found: dict[str, str] = {}
    for summary in _of_runs(place, "summary"):
        for name, entry in summary.items():
            if name not in found and isinstance(entry, dict):
                found[name] = _short(entry.get("last"))
    return [Word(name, help_) for name, help_ in sorted(found.items())]


def keys(place: Place, current: str) -> list[Word]:  # noqa: ARG001
    """Dotted keys of configurations."""
    found: dict[str, str] = {}
    for config in _of_runs(place, "config"):
        found = dict(leaves(config)) | found
    return [Word(name, help_) for name, help_ in found.items()]


def leaves(tree: dict[str, Any], before: str = "", depth: int = 8) -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value and depth:
            yield from leaves(value, f"{before}{key}.", depth - 1)
        else:
            yield f"{before}{key}", _short(value)


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value)[:40]


def labels(place: Place, current: str) -> list[Word]:  # noqa: ARG001
    from mlhub.store import texts

    return only(row[0] for row in Names().ask(texts.TAG_WORDS) if isinstance(row[0], str))


def _worn(place: Place, current: str) -> list[Word]:
    """Tags that can be taken away: those of the runs at hand."""
    from mlhub.store import texts

    said = [part for word in place.arguments[:1] for part in word.split(",")]
    names = Names()
    found = [row[0] for word in said for row in names.ask(texts.RUN_TAGS, ref=word)]
    return only(dict.fromkeys(found)) or labels(place, current)


def tags(place: Place, current: str) -> list[Word]:
    """Tags there are; behind `--remove` those of the run."""
    return (
        _worn(place, current) if place.option is not None and place.option.name == "remove" else labels(place, current)
    )


def groups(place: Place, current: str) -> list[Word]:  # noqa: ARG001
    from mlhub.store import texts

    return only(row[0] for row in Names().ask(texts.GROUP_WORDS))


def hosts(place: Place, current: str) -> list[Word]:  # noqa: ARG001
    from mlhub.store import texts

    return only((row[0] for row in Names().ask(texts.WAITING_HOSTS)), "runs wait there")
