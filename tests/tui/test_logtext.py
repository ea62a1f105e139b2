"""The log as it is drawn: what is repainted, what follows, what hostile lines do."""

from __future__ import annotations

import pytest

from mlhub.text import _CONTROL
from mlhub.tui.log.logtext import LogText, _skip, _take
from tests.tui.conftest import open_top, screen_text, until

HOSTILE = [
    b"[red]markup[/] [@click=app.quit]x[/] [/]",
    b"\x1b]0;title\x07\x1b]52;c;aGk=\x07osc",
    b"\x1b[2J\x1b[H\x1b[?1049lcsi",
    b"\x9b31m\xc2\x9b31mc1",
    "\u202ebidi\u202c \u200d zwj 👩‍💻".encode(),
    b"\x00nul\x00 \xff\xfe invalid",
    "한국어 😀 wide".encode() * 40,
    b"x" * 10_000,
    b"\x1b[31mred for ever",
    b"\t\ttabs",
]


@pytest.fixture
def quiet(cli):
    """A run that has ended, whose log is the test's."""
    cli("run", "--name", "quiet", "--wait", "--", "true")
    return cli.home / "runs" / "1" / "output.log"


async def shown(pilot, text):
    await until(pilot, lambda: text in screen_text(pilot.app))


async def open_log(pilot):
    await pilot.press("3")
    await until(pilot, lambda: pilot.app.query(LogText))
    return pilot.app.query_one(LogText)


async def test_hostile_lines_are_shown_as_text(cli, quiet):
    quiet.write_bytes(b"\n".join(HOSTILE) + b"\nlast line\n")
    async with open_top(cli.home, (80, 24), focus=1) as pilot:
        await open_log(pilot)
        await shown(pilot, "last line")
        text = screen_text(pilot.app)
        assert "[red]markup[/] [@click=app.quit]x[/] [/]" in text
        assert "title" not in text
        assert not any(_CONTROL.search(line) for line in text.splitlines())
        assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize("wrap", [False, True])
async def test_hostile_lines_can_be_scrolled_and_searched(cli, quiet, wrap):
    quiet.write_bytes(b"\n".join(HOSTILE * 30) + b"\nlast line\n")
    async with open_top(cli.home, (80, 24), focus=1) as pilot:
        await open_log(pilot)
        await shown(pilot, "last line")
        await pilot.press(*(["w"] if wrap else []), "g", "pagedown", "l", "l", "j", "h", "k", "e", "E", "h", "G")
        await shown(pilot, "last line")


async def test_only_rows_that_changed_are_repainted(cli, quiet):
    quiet.write_bytes(b"one\ntwo\n 10%")
    async with open_top(cli.home, (80, 24), focus=1) as pilot:
        log = await open_log(pilot)
        await shown(pilot, " 10%")
        painted = []
        log.refresh = lambda *regions, **_: painted.extend(regions)
        with quiet.open("ab") as file:
            file.write(b"\r 20%")
        await until(pilot, lambda: painted)
        assert [(region.y, region.height) for region in painted] == [(2, 1)]


async def test_a_log_of_many_lines_a_second_is_drawn_once_a_pull(cli, quiet):
    async with open_top(cli.home, (80, 24), focus=1) as pilot:
        quiet.write_bytes(b"first\n")
        log = await open_log(pilot)
        await shown(pilot, "first")
        draws = []
        draw = log.draw
        log.draw = lambda: (draws.append(1), draw())
        for number in range(2000):
            with quiet.open("ab") as file:
                file.write(b"line %d\n" % number * 10)
        await shown(pilot, "line 1999")
        assert len(draws) <= 10


async def test_without_colour_there_is_none(cli, quiet, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    quiet.write_bytes(b"\x1b[1;31mred\x1b[0m\n")
    async with open_top(cli.home, (80, 24), focus=1) as pilot:
        log = await open_log(pilot)
        await shown(pilot, "red")
        assert log.page.lines[0].spans == ()


async def test_without_colour_the_text_can_be_read_whichever_theme_was_chosen(cli, quiet, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    (cli.home / "top.json").write_text('{"theme":"ssh"}')
    async with open_top(cli.home, (80, 24), focus=1) as pilot:
        for _ in range(5):
            assert not pilot.app.look.ansi
            await pilot.press("t")


async def test_colours_are_kept(cli, quiet):
    quiet.write_bytes(b"\x1b[38;5;208morange\x1b[0m plain\n")
    async with open_top(cli.home, (80, 24), focus=1) as pilot:
        log = await open_log(pilot)
        await shown(pilot, "orange plain")
        first, second, *_ = log.render_line(0)
        assert (first.text, first.style.color.number) == ("orange", 208)
        assert second.style == log.look.plain


def test_a_wide_letter_across_an_edge_is_a_space():
    assert _skip("한국어", 0, 3, 3) == (2, 1)
    assert _skip("abc", 0, 3, 2) == (2, 0)
    assert _take("한국어", 0, 3, 5) == (0, 2, 4)
    assert _take("abc", 1, 3, 9) == (1, 3, 2)
