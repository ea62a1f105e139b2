"""`mlhub ls` in little room: what tells runs apart and how they stand stays whole, the rest gives way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlhub.settings import Settings
from mlhub.store.store import Store
from mlhub.text import now, width

if TYPE_CHECKING:
    from tests.conftest import Cli

LONG = "validation/retrieval/image_to_text/mean_average_precision_64"
SEEDS = [f"vit-small-cosine-lr1e-3-wd0.05-seed{seed}" for seed in range(3)]


@pytest.fixture
def full(cli: Cli) -> Cli:
    """A home with runs whose names differ in their last letter, and one that takes all the room it can get."""
    cli.home.mkdir(mode=0o700)
    store = Store.open(Settings.load({"MLHUB_HOME": str(cli.home)}).to_home())
    for name, metric in (*((name, "val/map_64") for name in SEEDS), ("x" * 200, LONG), ("calm-otter", "val/map_64")):
        store.add(name=name, created_at=now(), host="here", kind="train")
        run = store.find("@last")
        store.set_summary(run, {metric: {"last": 0.51234, "step": 1_000_000}}, 1, done=True)
        store.finish(run, status="failed", ended_at=now(), exit_code=1, signal=None, reason="y" * 200)
    store.close()
    return cli


@pytest.mark.parametrize("columns", [48, 60, 80, 100, 132, 200])
def test_no_line_is_wider_than_the_terminal_and_no_value_is_cut(full: Cli, columns: int) -> None:
    head, *rows = full("ls", COLUMNS=str(columns)).stdout.splitlines()
    assert max(map(width, (head, *rows))) <= columns
    assert head.split()[:3] == ["id", "status", "name"]
    assert all("0.5123" in row for row in rows)
    assert [row.split()[0] for row in rows] == ["5", "4", "3", "2", "1"]


def test_at_80_columns_names_that_begin_alike_can_be_told_apart(full: Cli) -> None:
    rows = full("ls", COLUMNS="80").stdout.splitlines()[1:]
    names = [row.split()[2] for row in rows]
    assert names[0] == "calm-otter"
    assert len(set(names)) == 5
    assert [name[-5:] for name in names[2:]] == ["seed2", "seed1", "seed0"]


def test_with_room_names_are_whole_and_one_that_is_endless_takes_no_more_than_its_share(full: Cli) -> None:
    text = full("ls", COLUMNS="160").stdout
    assert all(name in text for name in SEEDS)
    assert "y" * 30 in text


def test_a_short_list_keeps_all_its_columns_at_80(cli: Cli) -> None:
    cli("run", "--name", "tiny-tiger", "--wait", "--", "true")
    head = cli("ls", COLUMNS="80").stdout.splitlines()[0].split()
    assert head == ["id", "status", "name", "kind", "step", "val/map_64", "started", "took", "note"]
