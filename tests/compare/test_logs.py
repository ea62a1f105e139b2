from __future__ import annotations

import pytest

from mlhub.compare.logs import differ, shortened, to_lines


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("2026-11-23T20:01:02.123Z start", "2025-01-03 07:44:59 start"),
        ("ETA 1m 40s", "ETA 12s"),
        ("12.9 steps/s", "901 steps/s"),
        ("3.1it/s", "2.75it/s"),
        ("<Model object at 0x7f01ab>", "<Model object at 0x55ffee12>"),
        ("pid 123", "pid 98765"),
        ("train loss 1.25e-3", "train loss 0.8"),
        ("wrote /tmp/abc123/x.png", "wrote /tmp/tmpq9_z/x.png"),
        ("took 3 h", "took 12.5 hours"),
        ("100%|██████████| [00:12<00:00]", "100%|█████████▌| [01:59<00:00]"),
    ],
)  # fmt: skip
def test_what_always_differs_counts_as_equal(a: str, b: str) -> None:
    assert differ([a], [b]).lines == ()
    assert differ([a], [b], exact=True).only_a == 1


@pytest.mark.parametrize(
    ("a", "b"),
    [("epoch 3", "epoch 4"), ("loss NaN", "loss 0.5"), ("torch 2.9.1", "torch 2.10.0"), ("batch 64", "batch 32")],
)
def test_what_says_something_is_a_difference(a: str, b: str) -> None:
    found = differ(["same", a], ["same", b])
    assert found.lines == ("@@ line 1 of A, 1 of B @@", " same", f"-{a}", f"+{b}")


def test_the_runs_own_name_and_folder_count_as_equal() -> None:
    a, b = ["run otter in /h/runs/1"], ["run newt in /h/runs/2"]
    assert differ(a, b, own=[["/h/runs/1", "otter"], ["/h/runs/2", "newt"]]).lines == ()


def test_of_a_progress_bar_its_last_state_counts() -> None:
    assert to_lines(b"a\r\n10%\r50%\r100%\ndone\r\n") == ["a", "100%", "done"]


def test_lines_are_clean() -> None:
    assert to_lines(b"\x1b]0;title\x07\x1b[31mred\x1b[0m \xff\n") == ["red �"]


def test_many_lines_lose_their_middle_and_it_is_counted() -> None:
    lines, left = shortened([str(number) for number in range(100)], 10)
    assert (lines, left) == (["0", "1", "2", "3", "4", "95", "96", "97", "98", "99"], 90)


def test_equal_logs_of_many_lines_differ_in_nothing() -> None:
    lines = [f"line {number}" for number in range(20_000)]
    assert differ(lines, list(lines)) == ((), 0, 0)
    assert differ(lines, [*lines, "Traceback"]).lines[-1] == "+Traceback"
