"""The search program that stays: real processes, asked by lines of JSON."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from mlhub.adapters import HASHING
from mlhub.hashing import checkpoint, index
from mlhub.hashing.search import Searcher
from mlhub.settings import Settings
from mlhub.tui.search.client import Query, SearchClient
from tests.conftest import wait_until


@pytest.fixture(scope="module")
def folder(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "index"
    index.build(checkpoint.load(world.checkpoint), world.dataset, folder, lambda *_: None)
    return folder


class Served:
    """A running process, and what it said before it was ready."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            HASHING.command("search", "--serve", "--index", str(folder)), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.said = []
        while not self.said or self.said[-1].get("event") != "ready":
            self.said.append(self.read())

    def read(self):
        return json.loads(self.process.stdout.readline())

    def line(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()
        return self.read()

    def ask(self, **request):
        return self.line(json.dumps({"id": 1} | request))

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(30)


@pytest.fixture(scope="module")
def served(folder):
    served = Served(folder)
    yield served
    assert served.end() == 0


def test_it_says_what_it_opened_before_it_loads_the_model(served, folder):
    opened, loading, ready = served.said
    assert (opened["index"]["folder"], opened["index"]["dataset"]) == (str(folder), "shapes")
    assert (opened["index"]["bits"], opened["index"]["languages"]) == ([8, 16, 32, 48, 64, 128], ["en", "ko"])
    assert (opened["index"]["items"], opened["index"]["texts"]) == (16, 24)
    assert (loading["event"], loading["what"], ready) == ("loading", "model", {"event": "ready"})


@pytest.mark.parametrize("to", ["image", "text"])
def test_its_answer_is_that_of_a_single_search(served, folder, to):
    answer = served.ask(id=7, text="빨강", to=to, k=3, bits=32)
    single = json.loads(json.dumps(Searcher(folder).text("빨강", to=to, k=3, bits=32).to_json()))
    assert answer == {"id": 7, "answer": single | {"took_ms": answer["answer"]["took_ms"]}}


def test_an_image_finds_itself_first(served, world):
    answer = served.ask(image=str(world.picture("blue-disc")), k=2)["answer"]
    assert [hit["id"] for hit in answer["results"]] == ["blue-disc", "blue-square"]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"text": " "}, "the query is empty"),
        ({"text": "red", "bits": 24}, "--bits 24"),
        ({"image": "/nowhere.png"}, "/nowhere.png: no such image"),
        ({"image": "/dev/zero"}, "/dev/zero: no such image"),
        ({"text": "red", "index": "/nowhere"}, "/nowhere: no index here"),
        ({}, "text or image, one of them"),
        ({"text": "red", "to": "sound"}, "not a request: Invalid enum value 'sound'"),
        ({"text": "red", "k": "many"}, "not a request: Expected `int`"),
    ],
)
def test_a_mistake_is_answered_and_the_next_query_too(served, request_, message):
    assert message in served.ask(id=5, **request_)["error"]["message"]
    assert served.ask(text="red", k=1)["answer"]["results"][0]["caption"] == "red"


@pytest.mark.parametrize("line", ["not json", "[]", "7", "{", '{"text": "red"}', "[" * 100_000, "x" * 3_000_000])
def test_a_line_that_is_no_request_is_answered_without_an_id(served, line):
    answer = served.line(line)
    assert answer["id"] is None
    assert answer["error"]["message"].startswith("not a request: ")


def test_another_index_is_opened_when_it_is_asked_for(served, folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "other")
    answer = served.ask(text="red", k=1, index=str(other))["answer"]
    assert answer["index"]["folder"] == str(other)
    assert served.ask(text="red", k=1)["answer"]["index"]["folder"] == str(folder)


def test_an_index_made_anew_is_opened_anew(served, folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "other")
    assert served.ask(text="red", index=str(other))["answer"]["bits"] == 64
    about = json.loads((other / "index.json").read_text())
    (other / "index.json").write_text(json.dumps(about | {"bits": [8, 32]}))
    assert served.ask(text="red", index=str(other))["answer"]["bits"] == 32


def test_indexes_that_are_no_longer_asked_are_closed(served, folder, tmp_path):
    others = [shutil.copytree(folder, tmp_path / str(number)) for number in range(4)]
    for other in others:
        served.ask(text="red", index=str(other))
    links = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{served.process.pid}/fd")]
    assert len([link for link in links if link.endswith(".jsonl")]) == 4  # two of each of the last two


def test_a_data_set_that_changes_meanwhile_gives_a_warning(served, world, folder, tmp_path):
    other, data = shutil.copytree(folder, tmp_path / "other"), tmp_path / "shapes"
    shutil.copytree(world.dataset.folder, data)
    about = json.loads((other / "index.json").read_text())
    about["data"]["folder"] = str(data)
    (other / "index.json").write_text(json.dumps(about))
    assert served.ask(text="red", index=str(other))["answer"]["warnings"] == []
    (data / "items.jsonl").write_text((data / "items.jsonl").read_text().replace("something red", "nothing red"))
    assert "has changed" in served.ask(text="red", index=str(other))["answer"]["warnings"][0]


def test_a_broken_index_at_the_start_is_told_and_others_are_searched(folder, tmp_path):
    served = Served(tmp_path)
    assert "no index here" in served.said[0]["error"]["message"]
    assert served.ask(text="red", k=1, index=str(folder))["answer"]["results"]
    assert served.end() == 0


def test_it_dies_with_whoever_started_it_though_its_input_stays_open(folder, tmp_path):
    """Its parent is killed; the other end of its input is ours."""
    program = textwrap.dedent("""
        import subprocess, sys, time
        child = subprocess.Popen(sys.argv[1:], stdin=0)
        print(child.pid, flush=True)
        time.sleep(60)
    """)
    command = HASHING.command("search", "--serve", "--index", str(folder))
    with (tmp_path / "said").open("wb") as said:
        parent = subprocess.Popen([sys.executable, "-c", program, *command], stdin=subprocess.PIPE, stdout=said)
        wait_until(lambda: b"ready" in (tmp_path / "said").read_bytes(), 60)
        child = int((tmp_path / "said").read_text().split()[0])
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        wait_until(lambda: gone(child))
        parent.stdin.close()


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_the_screen_s_client_asks_it_and_leaves_nothing_behind(world, folder):
    client = SearchClient(Settings.load({"MLHUB_HOME": str(world.home)}).to_home())
    client.ask(Query("red", folder, k=2))
    wait_until(lambda: client.answer, 60)
    child = client.pid
    assert {hit.id for hit in client.answer.hits} == {"red-disc", "red-square"}
    client.ask(Query(str(world.picture("blue-disc")), folder, k=1))
    wait_until(lambda: client.answer.query.k == 1)
    assert (client.answer.modality, client.answer.hits[0].id, client.pid) == ("image", "blue-disc", child)
    client.close()
    started = time.monotonic()
    while not gone(child) and time.monotonic() < started + 10:
        time.sleep(0.02)
    assert gone(child)
