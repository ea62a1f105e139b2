"""How a command may end: by itself, by a signal, by a stop it ignores, with grandchildren that stay."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from mlhub.runner import identity
from mlhub.runner.stop import StopResult, stop
from mlhub.runner.truth import Verdict

from .conftest import LOADER, Sandbox, Seen, loader_of


@pytest.mark.parametrize("code", [1, 3, 255])
def test_4_exit_code_is_recorded(box: Sandbox, seen: Seen[Verdict], code: int) -> None:
    box.shell(f"exit {code}")
    verdict = seen(box.final())
    assert (verdict.status, verdict.exit_code, verdict.reason) == ("failed", code, f"exit code {code}")


def test_4_exit_code_0_is_completed(box: Sandbox, seen: Seen[Verdict]) -> None:
    box.shell("exit 0")
    verdict = seen(box.final())
    assert (verdict.status, verdict.exit_code, verdict.reason) == ("completed", 0, None)


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGHUP", "SIGTERM"])
def test_4_signal_is_recorded(box: Sandbox, seen: Seen[Verdict], name: str) -> None:
    box.shell(f"ulimit -c 0; kill -{name[3:]} $$")
    verdict = seen(box.final())
    assert (verdict.status, verdict.signal, verdict.exit_code) == ("failed", name, None)


def test_4_time_and_memory_used_are_recorded(box: Sandbox) -> None:
    box.python("data = b'x' * 50_000_000\nwhile __import__('time').process_time() < 0.2: pass")
    usage = box.exit()["usage"]
    assert usage["user"] + usage["system"] >= 0.2
    assert usage["max_rss_kb"] > 50_000


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_5_command_killed_by_a_stranger_failed_and_was_not_cancelled(
    box: Sandbox, seen: Seen[Verdict], number: signal.Signals
) -> None:
    os.kill(box.launch("sleep", "1000").pid, number)
    verdict = seen(box.final())
    assert (verdict.status, verdict.reason) == ("failed", f"killed by {number.name}")


def test_8_stop_leaves_no_grandchild_with_its_own_session(box: Sandbox, seen: Seen[str]) -> None:
    box.python(LOADER + "time.sleep(1000)")
    loader = loader_of(box)
    stop(box.paths, 1, 5, "alice")
    assert identity.find_process(loader) is None
    left = box.exit()["left_behind"]
    seen(f"left behind: ended by {left[0]['end']}")
    assert [(process["pid"], process["end"]) for process in left] == [(loader, "KILL")]


def test_8_end_by_itself_leaves_no_grandchild_either(box: Sandbox) -> None:
    box.python(LOADER)
    loader = loader_of(box)
    assert box.final().status == "completed"
    assert identity.find_process(loader) is None
    assert [process["end"] for process in box.exit()["left_behind"]] == ["KILL"]


def test_8_grandchild_with_an_empty_environment_is_found_by_its_place_in_the_tree(
    box: Sandbox, seen: Seen[str]
) -> None:
    box.shell("env -i setsid sleep 1000 & echo loader $!")
    loader = loader_of(box)
    assert box.final().status == "completed"
    assert identity.find_process(loader) is None
    seen(f"{len(box.family())} left")


def test_8_what_ends_by_itself_soon_is_not_left_behind(box: Sandbox) -> None:
    box.shell("sleep 0.1 & exit 0")
    assert box.exit()["left_behind"] == []


def test_8_run_started_from_within_a_run_outlives_it(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> None:
    inner = Sandbox(tmp_path_factory.mktemp("inner"))
    code = (
        "import os; from pathlib import Path; from mlhub.paths import RunPaths\n"
        "from mlhub.runner.launch import Launch, launch\n"
        f"paths = RunPaths(Path({str(inner.paths.root)!r}))\n"
        "launch(paths, 1, Launch(['sleep', '1000'], Path('/'), dict(os.environ), paths.log))"
    )
    box.launch(sys.executable, "-c", code)
    try:
        assert box.final().status == "completed"
        assert inner.inspect().status == "running"
        assert inner.inspect().condition is None
    finally:
        inner.clear()


def test_9_command_that_ignores_term_is_killed_after_the_grace(box: Sandbox, seen: Seen[Verdict]) -> None:
    box.shell("trap '' TERM; echo deaf; while :; do sleep 0.05; done")
    box.log("deaf")
    verdict = seen(stop(box.paths, 1, 0.3, "alice").verdict)
    assert (verdict.status, verdict.signal) == ("cancelled", "SIGKILL")
    assert verdict.reason == "stopped by alice, forced after 0.3 s"


def test_10_second_stop_says_that_it_had_ended(box: Sandbox, seen: Seen[str]) -> None:
    box.launch("sleep", "1000")
    assert stop(box.paths, 1, 5, "alice").stopped
    again: StopResult = stop(box.paths, 1, 5, "bob")
    assert (again.stopped, seen(again.message)) == (False, "run 7 already ended: cancelled")
    assert box.inspect().reason == "stopped by alice"
