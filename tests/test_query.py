"""The filter language: which runs a query means, and what it says of one that is wrong."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlhub.query import QueryError, parse
from mlhub.store.runs import Run
from mlhub.text import one_line

NOW = 1_790_000_000.0
RUN: dict[str, Any] = {
    "id": 12,
    "name": "vit-b-lr3e-4",
    "kind": "train",
    "status": "running",
    "group": "sweep one",
    "tags": ["baseline", "paper"],
    "created_at": "2026-09-21T11:00:00.000Z",
    "started_at": "2026-09-21T11:13:20.000Z",  # 3 h before NOW
    "host": "box-1",
    "config": {"training": {"lr": 3e-4, "amp": True, "warm.up": 5}, "model": "ViT-B", "bits": [16, 64]},
    "summary": {
        "val/map_64": {"last": 0.52, "min": 0.1, "max": 0.55, "step": 900},
        "loss": {"last": "NaN", "min": 0.2, "max": "Infinity", "step": 1000},
        "odd.max": {"last": 7, "min": 0, "max": 9, "step": 1},
    },
    "alerts": [{"name": "nan", "severity": "fail", "text": "loss is NaN"}],
}


def meant(query: str, **changes: Any) -> bool:
    return parse(query).matches(Run(**RUN | changes), NOW)


@pytest.mark.parametrize(
    "query",
    [
        "", "  ", "status:running", "status:run", "state:failed,running", "status!=failed", "status:active",
        "tag:paper", "tag:pap*", "tag=paper", "-tag:draft", "tag!=draft", "kind:train", "id:12", "id=12", "id>5", "12",
        'group:"sweep one"', "group~sweep", "name:vit", "name:VIT-*", "name~lr?e", "name=vit-b-lr3e-4", "host:box",
        "vit", "PAPER", '"sweep one"', "-test", '-"two words"', "!name:test",
        "val/map_64>0.5", "val/map_64>=.52", "val/map_64.max=0.55", "val/map_64.step:900", "val/map_64<inf",
        "loss=nan", "loss!=0.3", "loss.max=inf", "loss.min<=2e-1", "odd.max=7", "odd.max.max=9",
        "cfg.training.lr>=1e-4", "cfg.training.lr:3e-4", "config.training.lr<1", "training.lr=0.0003",
        "cfg.training.amp:true", "cfg.training.warm.up=5", "cfg.model:vit", "cfg.model=vit-b", "cfg.bits:64",
        "cfg.missing!=1", "has:val/map_64", "has:training.lr", "-has:nothing",
        "step>=1k", "step:1000", "alert:nan", "alerts>0", "attempt:1",
        "started<4h", "started>2h30m", "took>1h", "created>3h", "age<1d", "started>2026-09-20", "started:2026-09-21",
        "status:failed | tag:paper", "status:failed or vit", "(status:failed | vit) tag:paper",
        "-(status:failed | test)",
        "vit and paper", "status:failed|vit", "a | (b | (c | vit))", "--vit", "vit OR nothing",
    ],
)  # fmt: skip
def test_means_the_run(query: str) -> None:
    assert meant(query)


@pytest.mark.parametrize(
    "query",
    [
        "status:failed", "status:ended", "tag:pape", "tag=pap*", "-tag:paper", "id:1", "name=vit", "nothing", "1",
        "group:sweep", "val/map_64>0.52", "val/map_64.min>0.1", "loss<inf", "loss>0", "loss=0.3", "missing>0",
        "cfg.missing=1", "cfg.training.lr>1", "cfg.training=1", "training.lr>1", "cfg.bits:32",
        "cfg.training.amp:false",
        "started<2h", "took<1h", "started>2026-09-21", "ended<1h", "vit test", "-(vit | test)", "note:x",
        "cfg.val/map_64>0", "val/map_64~5",
    ],
)  # fmt: skip
def test_does_not_mean_the_run(query: str) -> None:
    assert not meant(query)


@pytest.mark.parametrize(
    ("query", "at", "word"),
    [
        ('name:"two', 5, '"'), ("vit (a | b", 4, "("), ("a) b", 1, ")"), ("vit |", 5, "missing"),
        ("| vit", 0, "missing"), ("name:", 5, "after name:"), (">5", 0, "before >"), ("val/map>high", 8, "number"),
        ("status:runing", 7, "running"), ("staus:running", 0, "status"), ("name>5", 4, "text"),
        ("started<soon", 8, "30m"), ("a - b", 2, "-"), ("-", 0, "-"), ("id:x", 3, "number"),
        ("started>2026-99-99", 8, "day"), ("a and", 5, "and"), ("()", 1, "missing"),
    ],
)  # fmt: skip
def test_a_wrong_query_says_where_and_what(query: str, at: int, word: str) -> None:
    with pytest.raises(QueryError, match="character") as caught:
        parse(query)
    assert (caught.value.at, word in caught.value.message) == (at, True), caught.value.message


def test_quotes_make_one_value_of_words_and_operators() -> None:
    assert meant('name:"a (b" "x>y"', name="a (b", group="x>y")


def test_a_metric_with_brackets_and_an_operator_in_its_name_can_be_asked_for() -> None:
    summary = {"acc(top1)": {"last": 1}, "a=b c": {"last": 2}}
    assert meant('acc(top1)=1 "a=b c"=2', summary=summary)


def test_a_missing_value_meets_no_comparison_but_unequal() -> None:
    assert [meant(f"gone{sign}1") for sign in ("=", "<", ">", "<=", ">=", "!=")] == [False] * 5 + [True]


def test_a_pattern_cannot_take_exponential_time() -> None:
    assert not meant("name~" + "a*" * 200 + "b", name="a" * 5000)


def test_selects_in_the_order_given() -> None:
    runs = [Run(**RUN | {"id": number}) for number in (3, 1, 2)]
    assert [run.id for run in parse("id>1").select(runs)] == [3, 2]


WORDS = st.sampled_from(
    [*'()|-!:=<>~" ', "or ", "and ", "status", "name", "loss", "cfg.a.b", "started", "2h", "1e-3", "nan", "run", "*[?"]
)


@given(st.lists(WORDS, max_size=25).map("".join) | st.text(max_size=60))
def test_raises_nothing_but_its_own_error(text: str) -> None:
    with suppress(QueryError):
        parse(text).matches(Run(**RUN), NOW)


@given(st.lists(WORDS, max_size=25).map("".join) | st.text(max_size=60))
def test_an_error_points_into_the_text_and_is_clean(text: str) -> None:
    try:
        parse(text)
    except QueryError as error:
        caught = error
    else:
        return
    assert (0 <= caught.at <= len(text), caught.message) == (True, one_line(caught.message))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "a.b", "lr"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "lr"]), JSON, max_size=3),
    st.dictionaries(
        st.sampled_from(["loss", "a.max"]), st.dictionaries(st.sampled_from(["last", "max", "step"]), JSON)
    ),
    st.sampled_from(
        ["a.b>1", "a.b:x", "a.lr=nan", "loss.max<=3", "a.max~4", "cfg.a!=2", "has:a.b", "step>3", "started<1h"]
    ),
    st.text(max_size=30),
)
def test_whatever_a_run_holds_can_be_asked(config: Any, summary: Any, query: str, time: str) -> None:
    run = RUN | {"config": config, "summary": summary, "started_at": time}
    assert parse(query).matches(Run(**run), NOW) is not parse(f"-({query})").matches(Run(**run), NOW)
