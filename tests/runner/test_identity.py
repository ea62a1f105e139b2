from __future__ import annotations

import os
import signal
import subprocess
import sys

from mlhub.runner import identity

from .conftest import eventually


def test_own_process_is_found() -> None:
    found = identity.find_process(os.getpid())
    assert found is not None
    assert (found.parent, found.group, found.session) == (os.getppid(), os.getpgid(0), os.getsid(0))


def test_missing_process_is_none() -> None:
    assert identity.find_process(1 << 30) is None


def test_name_with_brackets_and_spaces_is_read_whole() -> None:
    code = "import sys; open('/proc/self/comm', 'w').write(') R 1 (x'); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        found = identity.find_process(process.pid)
        process.stdin.close()
    assert found is not None
    assert (found.name, found.parent) == (") R 1 (x", os.getpid())


def test_unreaped_process_is_dead() -> None:
    process = subprocess.Popen(["true"])
    eventually(lambda: identity.find_process(process.pid).dead)
    process.wait()
    assert identity.find_process(process.pid) is None


def test_boot_clock_agrees_with_start_times() -> None:
    with subprocess.Popen(["sleep", "1000"]) as process:
        found = identity.find_process(process.pid)
        assert found is not None
        assert abs(found.start / os.sysconf("SC_CLK_TCK") - identity.boot_clock()) < 5
        process.kill()


def test_token_is_read_from_the_environment_of_a_process() -> None:
    with subprocess.Popen(["sleep", "1000"], env={identity.TOKEN_NAME: "abc"}) as process:
        assert eventually(lambda: identity.read_token(process.pid)) == "abc"
        assert [found.pid for found in identity.with_token("abc")] == [process.pid]
        process.kill()


def test_environment_without_a_token_says_so() -> None:
    with subprocess.Popen(["sleep", "1000"], env={"A": "b"}) as process:
        eventually(lambda: identity.read_token(process.pid) == "")
        process.kill()


def test_empty_environment_cannot_tell() -> None:
    with subprocess.Popen(["sleep", "1000"], env={}) as process:
        eventually(lambda: identity.find_process(process.pid).name == "sleep")
        assert identity.read_token(process.pid) is None
        process.kill()


def test_process_with_another_start_time_is_somebody_else() -> None:
    with subprocess.Popen(["sleep", "1000"]) as process:
        found = identity.find_process(process.pid)
        assert found is not None
        assert identity.find_same(process.pid, found.start + 1) is None
        assert not identity.send(found._replace(start=found.start + 1), signal.SIGKILL)
        assert process.poll() is None
        process.kill()


def test_process_without_the_token_is_somebody_else() -> None:
    with subprocess.Popen(["sleep", "1000"], env={"A": "b"}, start_new_session=True) as process:
        eventually(lambda: identity.read_token(process.pid) == "")
        found = identity.find_process(process.pid)
        assert identity.find_same(found.pid, found.start, "abc") is None
        process.kill()


def test_session_leader_with_an_empty_environment_is_taken_for_the_command() -> None:
    with subprocess.Popen(["sleep", "1000"], env={}, start_new_session=True) as process:
        eventually(lambda: identity.find_process(process.pid).name == "sleep")
        found = identity.find_process(process.pid)
        assert identity.find_same(found.pid, found.start, "abc") is not None
        process.kill()


def test_signal_to_a_process_that_is_gone_is_false() -> None:
    process = subprocess.Popen(["sleep", "1000"])
    found = identity.find_process(process.pid)
    process.kill()
    process.wait()
    assert not identity.send(found, signal.SIGTERM)


def test_signal_is_sent_where_pidfds_are_forbidden(monkeypatch) -> None:
    def forbidden(_: int) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "pidfd_open", forbidden)
    process = subprocess.Popen(["sleep", "1000"])
    assert identity.send(identity.find_process(process.pid), signal.SIGTERM)
    assert process.wait() == -signal.SIGTERM
