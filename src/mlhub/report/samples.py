"""What trained models find: a few fixed queries put to each run's own index. Nothing is shown that no index answered.

The queries are captions of held-out items, spread over the data set, the same for all indexes of the same data. A hit
counts as right if the query is among its own captions. The search itself is the search program's.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

from mlhub.adapters import HASHING
from mlhub.report.contents import Answers, Hit, Samples
from mlhub.report.pictures import SMALL, Album
from mlhub.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mlhub.paths import Home
    from mlhub.store.runs import Run

QUERIES, HITS = 5, 8
#: the program loads a model; on a busy machine that takes its time
_SECONDS = 300
_LINE = 1 << 20


class Index(NamedTuple):
    """An index of `run`, the trained run or the index run itself; `made` is the run that made it."""

    run: Run
    made: Run
    folder: Path
    info: dict[str, Any]


def find_indexes(home: Home, runs: Sequence[Run], made: Sequence[Run]) -> tuple[list[Index], list[Run]]:
    """The newest index of each run that has one; and the trained runs of ours that have none.

    `made`: completed index runs, the newest first. An index says itself which run's checkpoint it was made of.
    """
    abouts = [(one, _about(home.run(one.id).index)) for one in made]
    found: list[Index] = []
    without: list[Run] = []
    for run in runs:
        own = [(one, info) for one, info in abouts if info and (one.id == run.id or _made_of(info) == str(run.id))]
        if own:
            found.append(Index(run, own[0][0], home.run(own[0][0].id).index, own[0][1]))
        elif run.kind == "train" and HASHING.metric in run.summary:
            without.append(run)
    return found, without


def _about(folder: Path) -> dict[str, Any]:
    try:
        tree = json.loads((folder / "index.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    whole = isinstance(tree, dict) and isinstance(tree.get("model"), dict) and isinstance(tree.get("data"), dict)
    return tree if whole else {}


def _made_of(info: dict[str, Any]) -> object:
    return info["model"].get("run")


def ask_all(
    indexes: Sequence[Index], asked: Sequence[str], mark: Callable[[Run], int], tell: Callable[[str], None]
) -> list[Samples]:
    """The answers of all indexes, those of the same data together. `asked`: queries in place of fixed ones."""
    groups: dict[object, list[Index]] = {}
    for index in indexes:
        groups.setdefault(str(index.info["data"].get("fingerprint")), []).append(index)
    found = []
    album = Album(SMALL)
    for group in groups.values():
        name = one_line(str(group[0].info["data"].get("name")))
        queries = list(asked) or pick_queries(group[0])
        words = f"Queries are captions of held-out items of the data set {name}, spread over it."
        if asked:
            words = f"The queries were chosen by whoever made this report. Data set: {name}."
        elif not queries:
            words = f"The index of {name} has no held-out item with a caption to ask for."
        words += (
            " Below each picture its cosine similarity and how many bits of its code differ; ✓ where the query is among"
            " its own captions."
        )
        answers = []
        for index in group:
            tell(f"asking the index of {one_line(index.run.name)}")
            answers.append(_answers(index, queries, mark(index.run), album))
        found.append(Samples(words, queries, answers))
    return found


def pick_queries(index: Index) -> list[str]:
    """Captions of held-out items at even distances in the index, in the languages it knows by turns."""
    languages = [word for word in index.info.get("languages") or () if isinstance(word, str)][:2] or ["en"]
    found: dict[str, None] = {}
    try:
        with (index.folder / "items.jsonl").open("rb") as file:
            size = file.seek(0, 2)
            for place in range(QUERIES):
                file.seek(round(size * (place + 0.5) / QUERIES))
                file.readline(_LINE)
                if caption := _held_out_caption(file, languages[place % len(languages)]):
                    found[caption] = None
    except OSError:
        return []
    return list(found)


def _held_out_caption(file: Any, language: str) -> str | None:  # noqa: ANN401 - a binary file
    for _ in range(2000):
        line = file.readline(_LINE)
        if not line:
            return None
        try:
            item = json.loads(line)
            captions = item["captions"].get(language)
            if item["split"] != "train" and captions and isinstance(captions[0], str):
                return one_line(captions[0])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return None


def _answers(index: Index, queries: Sequence[str], mark: int, album: Album) -> Answers:
    count = index.info.get("items")
    about = f"index run {index.made.id} ({one_line(index.made.name)}): {count} pictures, checkpoint of step " + str(
        index.info["model"].get("step")
    )
    answers, problem = ask(index.folder, queries)
    hits = {query: [_hit(one, query, album) for one in found] for query, found in answers.items()}
    return Answers(index.run.id, mark, one_line(index.run.name), one_line(about), hits, problem)


def _hit(one: dict[str, Any], query: str, album: Album) -> Hit:
    said = [str(caption) for caption in one.get("captions") or ()]
    right = query.casefold() in {caption.casefold() for caption in said}
    caption = one_line(str(one.get("caption") or ""))
    return Hit(album.uri(str(one.get("image"))), caption, int(one["distance"]), float(one["score"]), right)


def ask(folder: Path, queries: Sequence[str]) -> tuple[dict[str, list[dict[str, Any]]], str]:
    """The hits of each query as the search program answers them, one process for all; and what went wrong."""
    if absent := HASHING.missing():
        return {}, f"searching needs {', '.join(absent)}, which this installation has not"
    if not queries:
        return {}, ""
    lines = "".join(json.dumps({"id": n, "text": text, "k": HITS}) + "\n" for n, text in enumerate(queries))
    command = HASHING.command("search", "--index", str(folder), "--serve")
    try:
        done = subprocess.run(command, input=lines.encode(), capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return {}, f"the search program did not answer in {_SECONDS} s"
    except OSError as error:
        return {}, f"the search program can't be run: {error.strerror or error}"
    found: dict[str, list[dict[str, Any]]] = {}
    problem = ""
    for tree in _documents(done.stdout):
        number, answer, trouble = tree.get("id"), tree.get("answer"), tree.get("error")
        if isinstance(number, int) and 0 <= number < len(queries) and isinstance(answer, dict):
            found[queries[number]] = answer["results"]
        elif isinstance(trouble, dict):
            problem = one_line(str(trouble.get("message")))
    if not found and not problem:
        problem = f"the search program ended with {done.returncode}"
    return found, "" if found else problem


def _documents(data: bytes) -> list[dict[str, Any]]:
    found = []
    for line in data.splitlines():
        try:
            tree = json.loads(line)
        except ValueError:
            continue
        if isinstance(tree, dict):
            found.append(tree)
    return found
