"""Themes: readable, and of one table."""

from __future__ import annotations

import pytest

from mlhub.tui import theme
from mlhub.tui.theme import LOOKS, colours_of
from tests.tui.conftest import open_top, screen_text, until


@pytest.fixture
def cli(cli):
    """The command, in a home that is there: with or without runs."""
    cli("ls")
    return cli


painted = [look for look in LOOKS if not look.ansi]


def _light(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one, other):
    """As WCAG 2 defines it: 4.5 is what text needs, 3 what a drawing needs."""
    more, less = sorted((_light(one), _light(other)), reverse=True)
    return (more + 0.05) / (less + 0.05)


@pytest.mark.parametrize("look", painted, ids=lambda look: look.name)
@pytest.mark.parametrize("colour", ["text", "dim", "accent", "good", "bad", "warn", "info"])
def test_words_can_be_read_on_both_grounds(look, colour):
    assert min(_contrast(getattr(look, colour), ground) for ground in (look.back, look.panel)) >= 4.5


@pytest.mark.parametrize("look", painted, ids=lambda look: look.name)
def test_the_row_under_the_cursor_can_be_read(look):
    assert _contrast(look.cursor_text, look.cursor) >= 4.5


@pytest.mark.parametrize("look", painted, ids=lambda look: look.name)
def test_curves_can_be_seen(look):
    assert min(_contrast(colour, look.back) for colour in look.runs) >= 3


def test_the_palette_of_okabe_and_ito_is_theirs():
    published = {"#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"}
    runs = set(theme.BY_NAME["okabe"].runs)
    assert published <= runs
    assert runs - published == {"#ffffff"}  # in place of black, which is the ground


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_runs_seen_together_differ_and_keep_their_own_colour_where_they_can(look):
    count = len(look.runs)
    assert colours_of(look, [7]) == {7: look.run_colour(7)}
    assert colours_of(look, range(count)) == dict(enumerate(look.runs))
    found = colours_of(look, [count + 1, 2, 1])
    assert found == {1: look.runs[1], 2: look.runs[2], count + 1: look.runs[3]}
    assert colours_of(look, [1, 2, count + 1]) == found
    assert len(set(colours_of(look, range(1, 1 + count * count, count)).values())) == count


def test_more_runs_than_colours_repeat_their_own():
    look = LOOKS[0]
    found = colours_of(look, range(len(look.runs) + 3))
    assert set(found.values()) == set(look.runs)
    assert found[len(look.runs) + 2] == look.runs[2]


def test_over_ssh_colours_are_the_terminals_own():
    look = theme.BY_NAME["ssh"]
    assert not any(colour.startswith("#") for colour in (look.text, look.back, look.good, *look.runs))


@pytest.mark.parametrize(
    ("words", "works"), [("C", False), ("en_US.UTF-8", True), ("POSIX", False), ("ko_KR.utf8", True)]
)
def test_glyphs_are_drawn_where_the_terminal_has_them(monkeypatch, words, works):
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_CTYPE", raising=False)
    monkeypatch.setenv("LANG", words)
    assert theme.unicode_works() is works


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_every_view_the_help_and_the_palette_are_drawn_in_it(cli, look):
    cli("run", "--name", "one", "--wait", "--", "true")
    async with open_top(cli.home, (80, 24)) as pilot:
        pilot.app.use_theme(look.name)
        for key in ("1", "2", "3", "4", "5", "6", "7", "escape", "question_mark", "escape", "ctrl+p", "escape"):
            await pilot.press(key)
            screen_text(pilot.app)
        assert pilot.app.theme == look.name


async def test_the_next_theme_is_kept_for_the_next_time(cli):
    cli("run", "--name", "one", "--wait", "--", "true")
    async with open_top(cli.home, (80, 24)) as pilot:
        before = pilot.app.look.name
        await pilot.press("t")
        after = pilot.app.look.name
        assert after != before
    async with open_top(cli.home, (80, 24)) as pilot:
        await until(pilot, lambda: pilot.app.look.name == after)
