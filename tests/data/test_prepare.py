"""A data set is made whole or not at all, once, whoever asks."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

from mlhub.data import prepare as module
from mlhub.data.items import ABOUT, ITEMS, About, Item, write_items
from mlhub.data.prepare import find, known, prepare
from mlhub.errors import MlhubError, NotFoundError
from mlhub.paths import Home

PREPARE = """
import pathlib, sys
from mlhub.data.prepare import prepare
from mlhub.paths import Home
root = pathlib.Path(sys.argv[1])
prepare("emoji", Home(root, root / "data"), lambda done, total, text: print(done, flush=True))
"""


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path, tmp_path / "data")


def start(home):
    return subprocess.Popen([sys.executable, "-c", PREPARE, str(home.root)], stdout=subprocess.PIPE, text=True)


def hidden(home):
    return [path.name for path in home.data.iterdir() if path.name.endswith((".tmp", ".preparing"))]


def test_emoji_is_known():
    assert "emoji" in known()


def test_a_missing_set_names_the_command_that_makes_it(home):
    with pytest.raises(NotFoundError) as caught:
        find("emoji", home)
    assert caught.value.hint == "Type: mlhub data prepare emoji"


def test_a_set_of_the_users_own_is_found(home):
    home.dataset("pets").mkdir(parents=True)
    write_items(home.dataset("pets"), About("pets"), (Item("dog", "dog.png", {"en": ("a dog",)}),))
    assert find("pets", home).items[0].id == "dog"


def test_a_set_nobody_can_make_says_what_is_needed(home):
    with pytest.raises(NotFoundError) as caught:
        prepare("birds", home)
    assert str(home.dataset("birds")) in caught.value.hint


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "a\0b"])
def test_a_name_that_is_a_path_is_refused(home, name):
    with pytest.raises(MlhubError, match="not the name of a data set"):
        find(name, home)


def test_a_builder_that_fails_leaves_nothing(home, monkeypatch):
    def build(folder, _progress):
        (folder / ITEMS).write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(module._BUILDERS, "emoji", build)
    with pytest.raises(MlhubError, match="could not be written"):
        prepare("emoji", home)
    assert hidden(home) == []
    assert not home.dataset("emoji").exists()


def test_missing_packages_name_the_extra(home, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(MlhubError) as caught:
        prepare("emoji", home)
    assert "mlhub[quickstart]" in caught.value.hint
    assert not home.dataset("emoji").exists()


def test_two_at_once_make_it_once(home):
    both = [start(home), start(home)]
    drawn = [process.communicate(timeout=100)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(bool(lines) for lines in drawn) == [False, True]
    assert hidden(home) == []


def test_killed_midway_it_leaves_no_set_and_the_next_one_cleans_up(home):
    process = start(home)
    assert process.stdout.readline() == "0\n"
    process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
    process.stdout.close()
    assert not home.dataset("emoji").exists()
    assert len(hidden(home)) == 1
    prepare("emoji", home)
    assert hidden(home) == []


def test_a_broken_set_is_made_anew(home):
    folder = home.dataset("emoji")
    folder.mkdir(parents=True)
    (folder / ABOUT).write_text("{")
    assert len(prepare("emoji", home).items) > 2000
    assert hidden(home) == []


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    prepare("emoji", Home(root, root / "data"))
    return root / "data" / "emoji"


@pytest.fixture
def emoji(made, home):
    """A prepared emoji set of one's own."""
    home.data.mkdir()
    return shutil.copytree(made, home.dataset("emoji"))


@pytest.mark.parametrize("harm", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:-9])])
def test_a_missing_or_damaged_image_is_made_anew_and_told(home, emoji, harm):
    image = next((emoji / "images" / "twemoji").iterdir())
    whole, told = image.read_bytes(), []
    harm(image)
    prepare("emoji", home, lambda _done, total, text: None if total else told.append(text))
    assert image.read_bytes() == whole
    assert len(told) == 1
    assert told[0].startswith("data set emoji is damaged and made anew")
    assert image.name in told[0]


def test_a_whole_set_is_left_alone(home, emoji):
    before = emoji.stat().st_ino
    prepare("emoji", home)
    assert emoji.stat().st_ino == before


def test_force_makes_a_whole_set_anew(home, emoji):
    before = emoji.stat().st_ino
    prepare("emoji", home, force=True)
    assert emoji.stat().st_ino != before


def test_force_does_not_touch_a_set_of_the_users_own(home):
    home.dataset("pets").mkdir(parents=True)
    write_items(home.dataset("pets"), About("pets"), (Item("dog", "dog.png", {"en": ("a dog",)}),))
    with pytest.raises(MlhubError, match="mlhub did not make data set pets"):
        prepare("pets", home, force=True)
    assert home.dataset("pets").is_dir()


def test_a_set_named_unlike_its_folder_is_refused(home):
    home.dataset("pets").mkdir(parents=True)
    write_items(home.dataset("pets"), About("birds"), (Item("dog", "dog.png", {"en": ("a dog",)}),))
    with pytest.raises(MlhubError, match="names the data set 'birds', and its folder 'pets'"):
        find("pets", home)


def test_the_hub_can_look_at_data_without_heavy_imports():
    heavy = "('numpy', 'PIL', 'emoji', 'torch')"
    code = f"import sys, mlhub.data.prepare, mlhub.data.weights; print([m for m in sys.modules if m in {heavy}])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
