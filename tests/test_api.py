"""`mlhub.runs` and `mlhub.metrics`: Arrow tables for notebooks; `mlhub.log` in a real run beside the rest."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

import mlhub
from mlhub import arrow
from mlhub.errors import MlhubError, NotFoundError, UsageError
from mlhub.store.store import Store
from mlhub.text import stamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlhub.paths import Home


@pytest.fixture
def store(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("MLHUB_HOME", str(home.root))
    opened = Store.open(home)
    yield opened
    opened.close()


def add(store: Store, *lines: dict[str, Any] | str, name: str = "otter", **more: Any) -> Path:
    """A run that has ended, with these records."""
    run_id = store.add(name=name, kind="command", created_at=stamp(1.7e9), host="h", **more)
    run = store.get(run_id)
    assert run is not None
    store.start(run, started_at=stamp(1.7e9 + 1), pid=None, supervisor_pid=None)
    store.finish(
        store.reload(run),
        status="failed",
        ended_at=stamp(1.7e9 + 5),
        exit_code=3,
        signal=None,
        reason="x",
        duration=4.0,
    )
    folder = store.home.run(run_id).root
    folder.mkdir(parents=True)
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text)
    return folder


def test_facts_of_runs_have_their_types_also_without_a_run(store: Store) -> None:
    empty = mlhub.runs()
    assert empty.num_rows == 0
    add(store, tags=("a", "b"), group="g")
    table = mlhub.runs()
    assert table.schema.field("started").type == pa.timestamp("us", tz="UTC")
    assert table.schema.types[: len(empty.schema)] == empty.schema.types
    (row,) = table.to_pylist()
    assert (row["id"], row["name"], row["status"], row["tags"], row["exit_code"]) == (
        1,
        "otter",
        "failed",
        ["a", "b"],
        3,
    )
    assert row["started"] == datetime.fromtimestamp(1.7e9 + 1, UTC)
    assert (row["duration"], row["note"]) == (4.0, None)


def test_keys_of_configurations_are_columns_of_one_type_each(store: Store) -> None:
    add(store, config={"lr": 1, "deep": {"bias": True, "n": 3}, "name": "x", "list": [1], "mixed": 1}, name="a")
    add(store, config={"lr": 0.5, "deep": {"n": None}, "mixed": "auto", "huge": 1 << 70}, name="b")
    table = mlhub.runs()
    kinds = {name: str(table.schema.field(f"config.{name}").type) for name in ("lr", "deep.bias", "deep.n", "mixed")}
    assert kinds == {"lr": "double", "deep.bias": "bool", "deep.n": "int64", "mixed": "string"}
    newest, oldest = table.to_pylist()
    assert (newest["config.lr"], oldest["config.lr"], newest["config.deep.n"]) == (0.5, 1.0, None)
    assert (oldest["config.list"], oldest["config.mixed"], newest["config.huge"]) == ("[1]", "1", str(1 << 70))


def test_metrics_of_runs_are_floats_with_nan_and_infinity(store: Store) -> None:
    add(store, {"step": 1, "loss": 2.0, "loss.min": 5}, {"step": 2, "loss": "NaN", "up": "Infinity"})
    (row,) = mlhub.runs().to_pylist()
    assert math.isnan(row["metric.loss"])
    assert (row["metric.loss.max"], row["metric.loss.step"], row["metric.up"]) == (2.0, 2, math.inf)
    assert (row["metric.loss.min"], row["metric.up.min"]) == (5.0, None)  # a metric's own name goes before


def test_a_query_chooses_runs(store: Store) -> None:
    add(store, {"step": 1, "loss": 2.0}, name="a")
    add(store, {"step": 1, "loss": 1.0}, name="b")
    assert mlhub.runs("loss<1.5").column("name").to_pylist() == ["b"]
    with pytest.raises(UsageError):
        mlhub.runs("status:nonsense")


def test_a_table_of_metrics_has_a_row_a_record(store: Store) -> None:
    add(
        store, {"step": 1, "epoch": 0, "time": 5.5, "loss": 0.5}, {"step": 2, "time": 6.5, "loss": "NaN", "val/map": 1},
        {"step": 9, "loss": "-Infinity", "note": "text"}, "no json", {"time": 7.5, "val/map": None, "x": True},
    )  # fmt: skip
    table = mlhub.metrics("otter")
    assert [(field.name, str(field.type)) for field in table.schema] == [
        ("step", "int64"), ("epoch", "double"), ("time", "timestamp[us, tz=UTC]"), ("attempt", "int64"),
        ("loss", "double"), ("val/map", "double"),
    ]  # fmt: skip
    assert table.column("step").to_pylist() == [1, 2, 9]
    assert table.column("time").to_pylist()[0] == datetime.fromtimestamp(5.5, UTC)
    loss = table.column("loss")
    assert loss.null_count == 0
    assert (math.isnan(loss[1].as_py()), loss[2].as_py()) == (True, -math.inf)
    assert table.column("val/map").to_pylist() == [None, 1.0, None]


def test_named_metrics_are_columns_even_where_there_are_none(store: Store) -> None:
    add(store, {"step": 1, "loss": 0.5}, {"step": 2, "val/a": 1}, {"step": 3, "val/b": 1, "loss": 2})
    assert mlhub.metrics(1, ["val/*"]).to_pydict() == {
        "step": [2, 3], "epoch": [None, None], "time": [None, None], "attempt": [1, 1], "val/a": [1, None],
        "val/b": [None, 1],
    }  # fmt: skip
    assert mlhub.metrics(1, "loss").column("loss").to_pylist() == [0.5, 2]
    nothing = mlhub.metrics("@last", ["none", "no[ne]"])
    assert (nothing.num_rows, nothing.schema.names[-1], nothing.schema.types[-1]) == (0, "none", pa.float64())


def test_what_a_later_attempt_superseded_is_left_out_as_in_the_export(store: Store) -> None:
    add(
        store, {"step": 1, "a": 1}, {"step": 2, "a": 2}, {"a": 7}, '{"step":1,"attempt":2,"time":5.5}',
        {"step": 2, "a": 3}, {"step": 3.5, "a": 4},
    )  # fmt: skip
    table = mlhub.metrics(1)
    assert table.column("a").to_pylist() == [1, 7, 3, 4]
    assert table.column("attempt").to_pylist() == [1, 1, 2, 2]
    assert table.column("step").to_pylist() == [1, None, 2, None]


def test_pieces_make_the_same_table_as_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        {"step": n, "a": n / 2} | ({"b": n} if n % 7 == 0 else {}) | ({"late": 1} if n > 400 else {})
        for n in range(500)
    ]
    add(store, *lines, '{"step":300,"attempt":2,"time":5.5}', *lines[301:])
    whole = mlhub.metrics(1)
    monkeypatch.setattr(arrow, "_PIECE", 100)
    assert mlhub.metrics(1).equals(whole)
    assert whole.num_rows == 500


def test_a_torn_line_a_huge_one_and_a_missing_file_hurt_nobody(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "_PIECE", 1000)
    monkeypatch.setattr(arrow, "_LONGEST", 4000)
    folder = add(
        store, {"step": 1, "a": 1}, {"step": 2, "x" * 10_000: 1}, {"step": 3, "y" * 3000: 1}, {"step": 4, "a": 2}
    )
    with open(folder / "metrics.jsonl", "a") as file:
        file.write('{"step":5,"a"')
    table = mlhub.metrics(1)
    assert table.column("step").to_pylist()[0] == 1
    assert table.column("step").to_pylist()[-2:] == [3, 4]
    (folder / "metrics.jsonl").unlink()
    assert mlhub.metrics(1).schema.names == ["step", "epoch", "time", "attempt"]


def test_more_metrics_than_a_table_takes_are_to_be_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "_MOST_METRICS", 10)
    add(store, {"step": 1} | {f"m{number}": number for number in range(20)})
    with pytest.raises(MlhubError, match="more than 10 metrics") as caught:
        mlhub.metrics(1)
    assert "names=" in caught.value.hint
    assert mlhub.metrics(1, ["m1", "m2"]).num_columns == 6


def test_samples_of_the_system_have_a_time_each(store: Store) -> None:
    folder = add(store)
    (folder / "system.jsonl").write_text('{"time":5.0,"cpu":12.5}\n')
    assert mlhub.metrics(1, system=True).to_pylist() == [{"time": datetime.fromtimestamp(5, UTC), "cpu": 12.5}]


def test_a_compacted_run_gives_the_same_table(store: Store) -> None:
    from mlhub.runner.archive import compact

    folder = add(store, {"step": 1, "a": 1}, {"step": 2, "a": "NaN", "b": 2})
    before = mlhub.metrics(1)
    compact(folder / "metrics.jsonl")
    after = mlhub.metrics(1)
    assert after.schema.equals(before.schema)
    assert str(after.to_pylist()) == str(before.to_pylist())


def test_no_such_run_is_said(store: Store) -> None:
    with pytest.raises(NotFoundError):
        mlhub.metrics("nobody")


def test_without_pyarrow_the_extra_is_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for call in (mlhub.runs, lambda: mlhub.metrics(1)):
        with pytest.raises(MlhubError, match="pyarrow") as caught:
            call()
        assert "mlhub[archive]" in caught.value.hint


def test_a_home_that_is_not_there_has_no_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLHUB_HOME", str(tmp_path / "new"))
    assert mlhub.runs().num_rows == 0


def test_what_a_notebook_calls_loads_nothing_before_it_is_called() -> None:
    script = (
        "import sys, mlhub; mlhub.log({'a': 1}); mlhub.log_text('a', 'b');"
        "heavy = ('pyarrow', 'numpy', 'msgspec', 'mlhub.arrow', 'mlhub.records');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], env={}, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
