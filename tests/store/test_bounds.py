"""What SQLite leaves out unread for a query: much, and never a run that is meant."""

from __future__ import annotations

import random
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlhub.errors import DamagedError
from mlhub.paths import Home
from mlhub.query import QueryError, parse
from mlhub.store.runs import Run
from mlhub.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

#: one in Kelvin's sign and a dotted capital I, which are k and i in small letters and beyond ASCII
NAMES = ["calm-otter", "CALM-OWL", "\u212aelvin", "\u0130stanbul", "a*b?[c]", "q'uote\"s", "x\\y", "ünï", "3", "nul:l"]
VALUES: list[Any] = [
    0.1, 0.3, 1 / 3, 5e-324, 1e308, 1e-3, 0, 1, 2**63, 10**30, -1.5, True, False, None, "NaN", "Infinity", "-Infinity",
    "0.3", "adamw", "1e-3", [], [16, 64], ["16"], {}, {"lr": 0.3}, {"b.c": 2, "b": {"c": 1}},
]  # fmt: skip
TIMES = ["2026-09-21T11:00:00.000Z", "2026-09-22T00:30:00+14:00", "20260921T110000", "1970-01-01T00:00:00Z", "", "soon"]
FIELDS = [
    "name", "kind", "group", "tag", "status", "state", "signal", "host", "note", "reason", "id", "attempt", "exit",
    "priority", "started", "created", "ended", "took", "step", "has", "loss", "loss.max", "a", "a.lr", "a.b.c", "cfg.a",
    "cfg.a.lr", "cfg.a.b.c", "cfg.lr", "lr", "config.loss", 'val/"x"', "a.b.c.d", "odd.max",
]  # fmt: skip
WORDS = [
    "k", "K", "i", "otter", "calm", "failed", "comp", "ended", "active", "3", "1", "0.3", "0.1", "1e-3", "nan", "inf",
    "5e-324", "9223372036854775808", "true", "adamw", "16", "2h", "20000w", "2026-09-21", "2026-09-22T00:30", "ü", "*",
    "c*", "[c]", "l,o", "3,4", '"a b"', "\\",
]  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A hundred runs with whatever a row can hold; some of them are not settled."""
    root = tmp_path_factory.mktemp("home")
    store = Store.open(Home(root, root / "data"))
    chance = random.Random(1)
    for number in range(1, 101):
        name = NAMES[number % len(NAMES)]
        entry = {key: chance.choice(VALUES) for key in ("last", "max", "step") if chance.random() < 0.8}
        config = {key: chance.choice(VALUES) for key in ("a", "lr", "loss", "a.b", "a.lr") if chance.random() < 0.5}
        run = Run(
            id=number, name=f"{name}{number}", kind=chance.choice(["train", "eval"]), host=chance.choice(NAMES),
            status=chance.choice(["completed", "failed", "running"]), group=chance.choice([None, *NAMES]),
            tags=chance.sample(NAMES, 2), created_at=chance.choice(TIMES), started_at=chance.choice([None, *TIMES]),
            exit_code=chance.choice([None, 0, 1, 3]), config=config, note=chance.choice([None, *NAMES]),
        )  # fmt: skip
        assert store.restore(run)
        summary = {key: entry for key in ("loss", "odd.max", "odd", "lr") if chance.random() < 0.5}
        store.set_summary(run, summary, 0, done=chance.random() < 0.9)
    yield store
    store.close()


def found(store: Store, text: str) -> tuple[list[int], list[int]]:
    """Ids that a query means of the rows that its bound lets through, and of all."""
    query = parse(text)
    return [run.id for run in query.each(store.each_newest(query.bound, page=30))], [
        run.id for run in query.each(store.each_newest())
    ]


TERMS = st.builds(
    lambda minus, field, sign, word: f"{minus}{field}{sign}{word}",
    st.sampled_from(["", "", "-"]),
    st.sampled_from(FIELDS),
    st.sampled_from([":", "=", "<", ">", "<=", ">=", "~", "!="]),
    st.sampled_from(WORDS),
) | st.sampled_from(WORDS)


@settings(deadline=None, max_examples=400)
@given(st.lists(TERMS, min_size=1, max_size=4), st.sampled_from([" ", " | "]))
def test_no_run_that_is_meant_is_left_out(store: Store, terms: list[str], sign: str) -> None:
    try:
        rough, exact = found(store, sign.join(terms))
    except QueryError:
        return
    assert rough == exact


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("sign", [":", "<", ">="])
def test_no_run_is_left_out_for_any_word(store: Store, field: str, sign: str) -> None:
    for word in WORDS:
        try:
            rough, exact = found(store, f"{field}{sign}{word}")
        except QueryError:
            continue
        assert rough == exact, word


@pytest.mark.parametrize(
    "text", ["name:otter", "id>95", "status:failed", "lr<0.2", "loss>0.3", "started>2026-09-20", "owl tag:calm-otter"]
)
def test_rows_are_left_out_unread(store: Store, text: str) -> None:
    bound = parse(text).bound
    assert bound is not None
    assert 0 < len(list(store.each_newest(bound))) < 90


def test_a_query_too_long_for_sqlite_is_answered_all_the_same(store: Store) -> None:
    rough, exact = found(store, " ".join(["a"] * 900))
    assert rough == exact


def test_a_damaged_row_that_may_be_meant_is_told_of(tmp_path: Any) -> None:
    store = Store.open(Home(tmp_path, tmp_path / "data"))
    store.restore(Run(id=1, name="a", kind="train", status="completed", host="h", created_at=""))
    with sqlite3.connect(tmp_path / "mlhub.db") as other:
        other.execute("UPDATE runs SET summary = '{torn', summary_done = 1")
    with pytest.raises(DamagedError, match="summary of run 1 is damaged"):
        list(store.each_newest(parse("loss>1").bound))
    store.close()
