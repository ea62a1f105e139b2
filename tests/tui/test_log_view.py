"""The log view: follows, is searched, jumps to errors, and says where one stands."""

from __future__ import annotations

import pytest

from mlhub.tui.log.logtext import LogText
from mlhub.tui.log.view import LogView, PatternLine
from tests.tui.conftest import open_top, screen_text, until

NUMBERS = "for number in range(3000): print('line', number, 'Error: boom' if number in (100, 2000) else '')"


@pytest.fixture
def numbered(cli):
    cli("run", "--name", "numbered", "--wait", "--", "python3", "-c", NUMBERS)
    return cli


async def shown(pilot, *words):
    await until(pilot, lambda: all(word in screen_text(pilot.app) for word in words))


async def press(pilot, *keys):
    await pilot.press(*keys)
    await pilot.pause()


async def open_log(pilot, word):
    await pilot.press("3")
    await shown(pilot, word)
    return pilot.app.query_one(LogView)


async def test_a_live_log_is_followed_until_one_scrolls_up_and_again_on_f(cli):
    script = "import time\nfor i in range(9999): print('line', i, flush=True); time.sleep(0.05)"
    cli("run", "--name", "live", "--", "python3", "-c", script)
    async with open_top(cli.home, (80, 24), focus=1) as pilot:
        view = await open_log(pilot, "line 30")
        assert "follows" in view.title.words
        await press(pilot, "up", "up")
        assert not view.text.following
        top = view.text.place.top
        size = view.text.page.size
        await until(pilot, lambda: view.text.page.size > size + 100)
        assert view.text.place.top == top
        await press(pilot, "f")
        await until(pilot, lambda: view.text.page.ends and "follows" in view.title.words)


async def test_the_ends_of_a_log_are_one_key_away(numbered):
    async with open_top(numbered.home, (80, 24), focus=1) as pilot:
        view = await open_log(pilot, "line 2999")
        await pilot.press("g")
        await shown(pilot, "line 0\n", "0%")
        await pilot.press("pagedown")
        await shown(pilot, "line 19\n")
        await pilot.press("G")
        await shown(pilot, "line 2999", "end")
        assert view.text.following


async def test_keys_do_not_wait_for_what_is_read(numbered):
    async with open_top(numbered.home, (80, 24), focus=1) as pilot:
        await open_log(pilot, "line 2999")
        await pilot.press("g", *["pagedown"] * 3, "down")
        await shown(pilot, "\nline 58\n", "line 77\n")


async def test_search_goes_along_as_one_types_and_wraps_around(numbered):
    async with open_top(numbered.home, (80, 24), focus=1) as pilot:
        view = await open_log(pilot, "line 2999")
        await press(pilot, "/", *"LINE 1")
        await shown(pilot, "/LINE 1 none")
        await press(pilot, "ctrl+u", *"line 15")
        await shown(pilot, "/line 15 1 of 111", "line 15\n")
        await press(pilot, "enter")
        assert view.text.has_focus
        await press(pilot, "N")
        await shown(pilot, "/line 15 111 of 111", "line 1599")
        await press(pilot, "n", "n")
        await shown(pilot, "2 of 111", "line 150\n")


async def test_escape_goes_back_to_where_the_search_began(numbered):
    async with open_top(numbered.home, (80, 24), focus=1) as pilot:
        view = await open_log(pilot, "line 2999")
        await press(pilot, "/", *"line 15")
        await shown(pilot, "1 of 111")
        await press(pilot, "escape")
        await shown(pilot, "line 2999")
        assert view.text.following
        assert view.text.pattern is None
        assert not view.query_one(PatternLine).display


async def test_the_errors_are_one_key_away(numbered):
    async with open_top(numbered.home, (80, 24), focus=1) as pilot:
        await open_log(pilot, "line 2999")
        await press(pilot, "e")
        await shown(pilot, "line 2000 Error: boom", "errors 2 of 2")
        await press(pilot, "E")
        await shown(pilot, "line 100 Error: boom", "errors 1 of 2")


async def test_each_run_keeps_its_place(numbered):
    numbered("run", "--name", "other", "--wait", "--", "echo", "from the other")
    async with open_top(numbered.home, (80, 24), focus=1) as pilot:
        await open_log(pilot, "line 2999")
        await pilot.press("g")
        await shown(pilot, "line 0\n")
        pilot.app.model.selection.choose(2)
        await shown(pilot, "from the other")
        pilot.app.model.selection.choose(1)
        await shown(pilot, "line 0\n")


async def test_long_lines_are_wrapped_or_scrolled(cli):
    cli("run", "--wait", "--", "python3", "-c", "print('a' * 100 + 'b' * 60)")
    async with open_top(cli.home, (80, 24), focus=1) as pilot:
        await open_log(pilot, "a" * 80)
        await pilot.press("l", "l")
        await shown(pilot, "\n" + "a" * 68 + "b" * 12)
        await pilot.press("w")
        await shown(pilot, "a" * 20 + "b" * 60)
        assert pilot.app.model.prefs.wrap


@pytest.mark.parametrize(
    ("command", "words"), [(["true"], "It printed nothing."), (["sleep", "60"], "No output yet.")]
)  # fmt: skip
async def test_an_empty_log_says_why(cli, command, words):
    cli("run", *(["--wait"] if command == ["true"] else []), "--", *command)
    async with open_top(cli.home, (80, 24), focus=1) as pilot:
        await open_log(pilot, words)
        await press(pilot, "e", "n", "escape", "G", "g", "w")
        await shown(pilot, words)


async def test_no_run_says_how_to_start_one(cli):
    cli("ls")
    async with open_top(cli.home, (80, 24)) as pilot:
        await open_log(pilot, "mlhub run quickstart")


async def test_a_run_that_waits_says_for_what(cli):
    cli("run", "--name", "first", "--", "sleep", "60")
    cli("run", "--after", "first", "--", "true")
    async with open_top(cli.home, (80, 24), focus=2) as pilot:
        await open_log(pilot, "It waits: waits for run 1 (first)")


async def test_a_run_that_is_removed_is_left_in_peace(numbered):
    async with open_top(numbered.home, (80, 24), focus=1) as pilot:
        await open_log(pilot, "line 2999")
        numbered("rm", "numbered")
        pilot.app.model.feed.poke()
        await shown(pilot, "removed")
        await press(pilot, "g", "e", "G", "/", "x", "enter")
        assert pilot.app.query_one(LogText)


async def test_a_gigabyte_is_never_read_whole(numbered, monkeypatch):
    from mlhub.runner.segments import LogReader

    log = numbered.home / "runs" / "1" / "output.log"
    with log.open("r+b") as file:
        file.truncate(1 << 30)
        file.seek(1 << 29)
        file.write(b"\nin the middle\n" + b"more\n" * 1000)
        file.seek(0, 2)
        file.write(b"\nthe end\n")
    read, count = LogReader.read, []
    monkeypatch.setattr(LogReader, "read", lambda *args: (count.append(len((got := read(*args))[0])), got)[1])
    async with open_top(numbered.home, (80, 24), focus=1) as pilot:
        await open_log(pilot, "the end")
        await pilot.press("g")
        await shown(pilot, "line 0\n")
        await pilot.press("pagedown", "pagedown", "G")
        await shown(pilot, "can't be read", "the end")
        await pilot.press("pageup")
        await shown(pilot, "more\nmore", "50%")
        assert sum(count) < 16 << 20


async def test_the_lines_to_be_seen_are_copied(numbered):
    async with open_top(numbered.home, (80, 24), focus=1) as pilot:
        await open_log(pilot, "line 2999")
        await press(pilot, "y")
        assert pilot.app.clipboard.splitlines()[-1].strip() == "line 2999"
        await press(pilot, "e")
        await shown(pilot, "errors 2 of 2")
        await press(pilot, "y")
        assert pilot.app.clipboard == "line 2000 Error: boom"


async def test_beside_others_it_has_the_newest_lines(numbered):
    async with open_top(numbered.home, (160, 45), focus=1) as pilot:
        await shown(pilot, "line 2999", "Log")
