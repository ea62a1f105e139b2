from __future__ import annotations

import os
import subprocess

from mlhub.runner import family, identity

from .conftest import eventually

TOKEN = "0123456789abcdef"


def test_token_finds_a_process_outside_the_tree() -> None:
    with subprocess.Popen(["sleep", "1000"], env={identity.TOKEN_NAME: TOKEN}, start_new_session=True) as process:
        found = eventually(lambda: family.find_family(TOKEN, None))
        assert [member.pid for member in found] == [process.pid]
        process.kill()


def test_tree_finds_a_process_without_the_token() -> None:
    with subprocess.Popen(["sleep", "1000"], env={}, start_new_session=True) as process:
        assert process.pid in [member.pid for member in family.find_family(TOKEN, None, os.getpid())]
        process.kill()


def test_process_of_another_run_in_the_tree_is_left_out() -> None:
    with subprocess.Popen(["sleep", "1000"], env={identity.TOKEN_NAME: "another"}, start_new_session=True) as process:
        eventually(lambda: identity.read_token(process.pid) == "another")
        assert process.pid not in [member.pid for member in family.find_family(TOKEN, None, os.getpid())]
        process.kill()


def test_nothing_found_is_ended_at_once() -> None:
    assert family.end_family(list, settle=1000, grace=1000) == []


def test_process_that_hears_term_is_ended_by_it() -> None:
    process = subprocess.Popen(["sleep", "1000"], env={identity.TOKEN_NAME: TOKEN})
    eventually(lambda: family.find_family(TOKEN, None))
    left = family.end_family(lambda: family.find_family(TOKEN, None), settle=0, grace=10)
    process.wait()
    assert left == [family.LeftBehind(process.pid, "sleep", "TERM")]
