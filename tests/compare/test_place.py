"""The words of `--at`."""

from __future__ import annotations

import pytest

from mlhub.compare.place import Place, parse_place
from mlhub.errors import UsageError


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("last", Place("last")),
        ("step=1000", Place("step", 1000)),
        ("step=1_000", Place("step", 1000)),
        ("step=10k", Place("step", 10_000)),
        ("epoch=3", Place("epoch", 3)),
        ("best:val/map_64", Place("best of", metric="val/map_64")),
        ("min:loss", Place("best of", metric="loss", way="min")),
        ("best:a:b=c", Place("best of", metric="a:b=c")),
    ],
)
def test_a_place(text: str, place: Place) -> None:
    assert parse_place(text) == place


@pytest.mark.parametrize("text", ["", "step", "step=", "step=x", "epoch=1e9x", "best:", "lest", "time=3", "step=nan"])
def test_what_is_no_place_is_said(text: str) -> None:
    with pytest.raises(UsageError):
        parse_place(text)
