"""The table of keys, and the user's own."""

from __future__ import annotations

import tomllib

import pytest

from mlhub.errors import ConfigError
from mlhub.tui import keys
from mlhub.tui.app import Top
from mlhub.tui.keys import KEYS, VIEWS, clashes, keys_beside, load, shown_key
from tests.tui.conftest import open_top, screen_text, until


@pytest.fixture
def cli(cli):
    """The command, in a home that is there: with or without runs."""
    cli("ls")
    return cli


def _own(tmp_path, text):
    (tmp_path / "keys.toml").write_text(text)
    return load(tmp_path / "keys.toml")


def test_no_key_means_two_things_at_one_place():
    assert clashes({}) == []


def test_every_id_is_there_once():
    ids = [key.full_id for key in KEYS]
    assert len(ids) == len(set(ids))


def test_every_id_can_be_in_one_file():
    tomllib.loads("".join(f'{key.full_id} = "f5"\n' for key in KEYS))


@pytest.mark.parametrize("key", [key for key in KEYS if key.where == "app"], ids=lambda key: key.id)
def test_every_key_of_everywhere_has_its_action(key):
    assert hasattr(Top, f"action_{key.action.partition('(')[0]}")


def test_without_a_file_there_are_no_own_keys(tmp_path):
    assert load(tmp_path / "none.toml") == {}


def test_a_key_of_a_view_is_named_with_it(tmp_path):
    assert _own(tmp_path, '[charts]\nsmooth = "f2"') == {"charts.smooth": "f2"}
    assert _own(tmp_path, 'charts.smooth = "f2"') == {"charts.smooth": "f2"}


@pytest.mark.parametrize(
    ("written", "found"),
    [("?", "question_mark"), ("X, ctrl+k", "X,ctrl+k"), ("+", "plus"), ("ctrl+/", "ctrl+slash"), ("comma", "comma"),
     ("full_stop", "full_stop"), ("f12", "f12"), ("shift+f2", "shift+f2")],
)  # fmt: skip
def test_keys_are_written_as_they_are_on_the_keyboard_or_by_name(tmp_path, written, found):
    assert _own(tmp_path, f'stop = "{written}"') == {"stop": found}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('stopp = "x"', "unknown key id 'stopp'"),
        ("stop = 3", "stop: expected keys as text"),
        ('stop = ""', "no key is called ''"),
        ('stop = "x,,y"', "no key is called ''"),
        ('stop = "hyperspace"', "no key is called 'hyperspace'"),
        ('stop = "cmd+x"', "no key is called 'cmd+x'"),
        ('stop = "\\u001b"', "no key is called ''"),
        ("stop =", "keys.toml: "),
        ('"\\u001b[31mx" = "y"', "unknown key id 'x'"),
    ],
)
def test_what_is_no_key_map_is_named(tmp_path, text, words):
    with pytest.raises(ConfigError) as raised:
        _own(tmp_path, text)
    assert words in raised.value.message
    assert "\x1b" not in raised.value.message


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "keys.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError):
        load(tmp_path / "keys.toml")


def test_two_things_on_one_key_are_a_clash():
    assert clashes({"stop": "question_mark"}) == ["? is both stop and help"]


def test_keys_may_be_exchanged():
    assert clashes({"stop": "R", "resume": "S"}) == []


@pytest.mark.parametrize(
    ("own", "found"),
    [
        ({"charts.smooth": "question_mark"}, "? is both charts.smooth and help"),
        ({"log.wrap": "f5,q"}, "q is both log.wrap and quit"),
        ({"queue.hold": "escape"}, "esc is both queue.hold and back"),
        ({"pause": "w"}, "w is both log.wrap and pause"),
        ({"stop": "f4", "runs.sort": "f4"}, "f4 is both runs.sort and stop"),
    ],
)
def test_a_view_takes_no_key_from_what_is_everywhere(own, found):
    assert clashes(own) == [found]


def test_what_a_view_does_in_its_own_way_may_be_on_the_same_key():
    assert clashes({"filter": "f4", "charts.filter": "f4", "runs.filter": "f4"}) == []
    assert clashes({"mark": "m", "compare.mark": "f4", "compare.use": "f6", "system.meters": "f6"}) == []


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", ["quit", "help", "back", "palette"])
def test_the_way_out_and_the_help_are_everywhere(view, name):
    assert next(key.keys for key in keys_beside(view) if key.id == name) == next(
        key.keys for key in KEYS if key.full_id == name
    )


@pytest.mark.parametrize(("view", "there"), [("runs", True), ("queue", False), ("compare", False), ("system", False)])
async def test_the_row_of_keys_offers_to_filter_what_can_be_filtered(cli, view, there):
    async with open_top(cli.home, (160, 24)) as pilot:
        await pilot.press(shown_key(f"go-{view}"))
        await until(pilot, lambda: pilot.app.active == view)
        await until(pilot, lambda: screen_text(pilot.app).splitlines()[-1].rstrip().endswith("? help  q quit"))
        assert ("/ filter" in screen_text(pilot.app).splitlines()[-1]) is there


def test_a_key_of_lists_can_not_be_anything_else():
    assert clashes({"stop": "j"}) == ["j moves in lists, and can't be stop"]


def test_keys_are_shown_as_people_write_them(monkeypatch):
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert [keys._shown(key) for key in ("question_mark", "ctrl+k", "enter", "full_stop", "up", "S", "tab")] == [
        "?", "^k", "⏎", ".", "↑", "S", "tab",
    ]  # fmt: skip


def test_keys_are_shown_in_letters_where_there_is_nothing_else(monkeypatch):
    monkeypatch.setenv("LC_ALL", "C")
    assert all(keys._shown(one).isascii() for key in KEYS for one in key.keys.split(","))


async def test_own_keys_do_what_they_are_for_and_the_old_ones_nothing(cli):
    cli("run", "--name", "one", "--wait", "--", "true")
    async with open_top(cli.home, (80, 24), own_keys={"zoom": "f5", "compare.use": "f6"}) as pilot:
        await pilot.press("f5")
        assert pilot.app.zoomed
        await pilot.press("z")
        assert pilot.app.zoomed
        await pilot.press("4", "f6")
        await until(pilot, lambda: pilot.app.model.prefs.compare_use == "best")
        await pilot.press("m")
        assert pilot.app.model.prefs.compare_use == "best"


async def test_exchanged_keys_are_exchanged(cli):
    async with open_top(cli.home, (80, 24), own_keys={"zoom": "p", "pause": "z"}) as pilot:
        await pilot.press("p")
        assert (pilot.app.zoomed, pilot.app.held) == (True, False)
        await pilot.press("z")
        assert (pilot.app.zoomed, pilot.app.held) == (True, True)


async def test_the_row_of_keys_and_the_help_show_the_own_ones(cli):
    async with open_top(cli.home, (80, 24), own_keys={"compare.use": "f6", "help": "f9"}) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: "f6 best" in screen_text(pilot.app))
        assert "f9 help" in screen_text(pilot.app)
        await pilot.press("f9")
        await until(pilot, lambda: "everywhere" in screen_text(pilot.app))
        assert "f6" in screen_text(pilot.app)


@pytest.mark.parametrize("view", VIEWS)
async def test_help_and_the_way_out_are_in_every_row_of_keys(cli, view):
    async with open_top(cli.home, (60, 15)) as pilot:
        await pilot.press(shown_key(f"go-{view}"))
        await until(pilot, lambda: pilot.app.active == view)
        await until(pilot, lambda: screen_text(pilot.app).splitlines()[-1].rstrip().endswith("? help  q quit"))


async def test_a_click_on_a_key_presses_it(cli):
    async with open_top(cli.home, (80, 24)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: "m best" in screen_text(pilot.app))
        x = screen_text(pilot.app).splitlines()[-1].index("m best")
        await pilot.click("#keys", offset=(x, 0))
        assert pilot.app.model.prefs.compare_use == "best"
        x = screen_text(pilot.app).splitlines()[-1].index("? help")
        await pilot.click("#keys", offset=(x, 0))
        await until(pilot, lambda: "everywhere" in screen_text(pilot.app))


async def test_a_file_of_keys_that_clash_stops_the_screen_before_it_starts(cli):
    cli("run", "--name", "one", "--wait", "--", "true")
    (cli.home / "keys.toml").write_text('stop = "?"\n')
    from mlhub.errors import MlhubError
    from mlhub.settings import Settings
    from mlhub.tui.start import start

    settings = Settings.load({"MLHUB_HOME": str(cli.home)})
    with pytest.raises(MlhubError, match=r"\? is both stop and help"):
        start(settings.to_home(), settings)
