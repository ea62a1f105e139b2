"""The client of the search process: real processes of `fake_search.py`, which die and hang on demand."""

from __future__ import annotations

import os
import signal

import pytest

from mlhub.adapters import HASHING
from mlhub.tui.search import client as searching
from mlhub.tui.search.client import Query, SearchClient
from tests.conftest import wait_until
from tests.tui.searching import fake, make_index


@pytest.fixture
def folder(tmp_path):
    return make_index(tmp_path / "index")


@pytest.fixture
def client(home, monkeypatch):
    fake(monkeypatch)
    client = SearchClient(home)
    yield client
    client.close()
    assert not client._thread or not client._thread.is_alive()


def answered(client, words, folder, **more):
    query = Query(words, folder, **more)
    client.ask(query)
    return wait_until(lambda: client.answer if client.answer and client.answer.query is query else None)


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_there_is_no_process_before_the_first_wish(client):
    assert (client.pid, client.state, client._thread) == (None, "", None)


def test_a_query_is_answered_and_the_process_stays_for_the_next(client, folder):
    first = answered(client, "a dog", folder, k=3)
    assert [(hit.rank, hit.caption, hit.distance) for hit in first.hits] == [
        (1, "a dog 1", 1), (2, "a dog 2", 2), (3, "a dog 3", 3),
    ]  # fmt: skip
    child = client.pid
    assert answered(client, "a cat", folder, bits=32, to="text").bits == 32
    assert (client.pid, client.state, client.pending) == (child, "ready", None)


def test_a_path_is_asked_as_an_image(client, folder):
    picture = folder / "images" / "00.png"
    assert answered(client, str(picture), folder, k=1).modality == "image"


def test_it_can_be_started_before_there_is_a_query(client, folder):
    client.warm(folder)
    wait_until(lambda: client.state == "ready")
    assert client.answer is None


def test_while_it_loads_it_says_what_and_how_long(client, folder):
    (folder / "slow").touch()
    client.ask(Query("a dog", folder))
    wait_until(lambda: client.state.startswith("loading the model 1 s"))
    (folder / "slow").unlink()
    wait_until(lambda: client.answer)


def test_only_the_newest_of_several_queries_is_answered(client, folder):
    (folder / "slow").touch()
    seen = []
    for words in ("a", "ab", "abc"):
        client.ask(Query(words, folder))
    wait_until(lambda: client.state.startswith("loading"))
    client.ask(Query("abcd", folder))
    (folder / "slow").unlink()
    wait_until(lambda: seen.append(client.answer) or client.pending is None)
    assert {reply.query.words for reply in seen if reply} == {"abcd"}


def test_killed_while_nobody_asks_it_says_so_and_the_next_query_starts_another(client, folder):
    answered(client, "a dog", folder)
    child = client.pid
    os.kill(child, signal.SIGKILL)
    wait_until(lambda: client.state == "died: killed by SIGKILL (restarts with the next query)")
    assert client.pid is None
    assert answered(client, "a cat", folder).hits
    assert client.pid not in (None, child)


def test_a_query_it_dies_of_is_answered_by_that(client, folder):
    reply = answered(client, "die", folder)
    assert (reply.error, reply.hits) == ("the search process died: exit status 3", ())
    assert answered(client, "a dog", folder).hits


def test_why_it_could_not_start_is_its_own_last_error(client, folder):
    (folder / "refuse").touch()
    assert answered(client, "a dog", folder).error == "the search process died: no memory for the model"


def test_deaths_in_a_row_are_given_time(client, folder, monkeypatch):
    (folder / "refuse").touch()
    for _ in range(3):
        assert "died:" in answered(client, "a dog", folder).error
    reply = answered(client, "a dog", folder)
    assert "died 3 times in a row" in reply.error
    assert reply.hint.startswith("Again in ")
    (folder / "refuse").unlink()
    monkeypatch.setattr(searching, "_REST", 0.0)
    assert answered(client, "a dog", folder).hits


def test_one_that_hangs_is_ended(client, folder, monkeypatch):
    monkeypatch.setattr(searching, "_ANSWER_LIMIT", 0.5)
    answered(client, "a dog", folder)
    child = client.pid
    assert "hung: no answer in 0 s" in answered(client, "hang", folder).error
    wait_until(lambda: gone(child))
    assert answered(client, "a dog", folder).hits


def test_one_that_does_not_get_ready_is_ended(client, folder, monkeypatch):
    monkeypatch.setattr(searching, "_START_LIMIT", 0.5)
    (folder / "slow").touch()
    assert "not ready after 0 s" in answered(client, "a dog", folder).error


def test_without_the_packages_it_says_how_to_install_them(client, folder, monkeypatch):
    monkeypatch.setattr(type(HASHING), "missing", lambda _: ["torch"])
    reply = answered(client, "a dog", folder)
    assert (reply.error, reply.hint) == ("search: not installed", "pip install 'mlhub[hashing]'")
    assert client.pid is None


def test_words_of_results_are_cleaned(client, folder):
    hit = answered(client, "hostile", folder).hits[0]
    assert hit.caption == "[red]x[/] 1"


def test_closing_ends_the_process_even_one_that_hangs(client, folder):
    answered(client, "a dog", folder)
    child = client.pid
    client.ask(Query("hang", folder))
    client.close()
    assert gone(child)
