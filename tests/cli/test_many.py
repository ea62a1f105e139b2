"""More runs than anybody reads: lists and comparisons of them say all, or that they don't."""

from __future__ import annotations

import json
import weakref
from typing import TYPE_CHECKING

import msgspec
import pytest

from mlhub.cli.out import emit_json_array
from mlhub.settings import Settings
from mlhub.store.runs import Run
from mlhub.store.store import Store
from tests.conftest import make_cli

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Cli

MANY = 1203


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A home with the rows of ended runs, none of which differs from another in its seed alone."""
    cli = make_cli(tmp_path_factory.mktemp("many") / "home")
    cli.home.mkdir(mode=0o700)
    store = Store.open(Settings.load({"MLHUB_HOME": str(cli.home)}).to_home())
    with store.transaction():
        for number in range(1, MANY + 1):
            run = Run(
                id=number, name=f"ünit-{number}", kind="train", status="completed", host="here", config={"lr": number},
                created_at="2026-09-21T11:00:00.000Z", tags=['"quoted"\n'],
            )  # fmt: skip
            store.restore(run)
    with store.transaction():
        for run in store.newest(MANY):
            store.set_summary(run, {"val/acc": {"last": run.id / 7, "min": 0.1, "max": 0.9, "step": 5}}, 0, done=True)
    store.close()
    return cli


def test_a_list_written_run_by_run_is_the_document_that_it_would_be_at_once(many: Cli) -> None:
    text = many("ls", "-n", "5000", "--json").stdout
    runs = json.loads(text)
    assert [run["id"] for run in runs] == [*range(MANY, 0, -1)]
    assert text.encode() == msgspec.json.format(msgspec.json.encode(runs), indent=2) + b"\n"


@pytest.mark.parametrize("count", [1, 2, 501])
def test_a_list_has_as_many_runs_as_were_asked_for(many: Cli, count: int) -> None:
    assert [run["id"] for run in many.json("ls", "-n", str(count))] == [*range(MANY, MANY - count, -1)]


def test_an_empty_list_is_an_empty_array(cli: Cli) -> None:
    assert cli("ls", "--json").stdout == "[]\n"


class Item(msgspec.Struct, weakref=True):
    value: int


def test_what_is_written_is_let_go(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    known: list[weakref.ref[Item]] = []

    def items() -> Iterator[Item]:
        for value in range(3000):
            item = Item(value)
            known.append(weakref.ref(item))
            assert sum(ref() is not None for ref in known[-50:]) <= 2
            yield item
            del item

    emit_json_array(items())
    assert json.loads(capfdbinary.readouterr().out) == [{"value": value} for value in range(3000)]


def test_of_a_short_list_that_fails_nothing_stands_on_stdout(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - the one above
        emit_json_array(items())
    assert capfdbinary.readouterr().out == b""


def test_a_comparison_too_long_for_a_table_says_so_and_who_is_best_of_all(many: Cli) -> None:
    head, _, table = many("compare", "--filter", "id>0").stdout.partition("\n\n")
    assert head.startswith(f"best: ünit-{MANY}")
    assert f"{MANY} are too many for a table: the first 100 are shown" in " ".join(head.split())
    assert {line.split()[0] for line in table.splitlines() if "nit-" in line} == {f"ünit-{n}" for n in range(1, 101)}


def test_a_limit_that_was_asked_for_is_kept_to(many: Cli) -> None:
    text = many("compare", "--filter", "id>0", "--limit", "1100").stdout
    assert "too many for a table" not in text
    assert "ünit-1100 " in text


def test_other_forms_of_a_long_comparison_are_complete(many: Cli) -> None:
    assert len(many("compare", "--filter", "id>0", "--csv").stdout.splitlines()) == MANY + 1


def test_a_limit_that_leaves_nothing_out_changes_nothing(many: Cli) -> None:
    plain = many("compare", "--filter", "id>1100", "--md").stdout
    assert many("compare", "--filter", "id>1100", "--limit", "5000", "--md").stdout == plain
