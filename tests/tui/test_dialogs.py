"""Dialogs by keys and by mouse, at 80x24; what is said in them is never markup and never a control code."""

from __future__ import annotations

import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from textual.app import App
from textual.events import Paste

from mlhub.errors import MlhubError
from mlhub.tui import theme
from mlhub.tui.acting.dialogs import Ask, Choice, Confirm, Editor, Notice, Prompt, names_of
from tests.tui.conftest import screen_text, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from textual.pilot import Pilot

NOTHING = object()


class Host(App[None]):
    """The least that dialogs need."""

    CSS_PATH = None
    look = theme.BY_NAME["night"]
    given: Any = NOTHING


@asynccontextmanager
async def shown(make: Callable[[], Any], size: tuple[int, int] = (80, 24), look: str = "night") -> AsyncIterator[Pilot]:
    app = Host()
    app.look = theme.BY_NAME[look]
    async with app.run_test(size=size) as pilot:
        app.push_screen(make(), lambda value: setattr(app, "given", value))
        await until(pilot, lambda: len(app.screen_stack) == 2 and app.screen.focused)
        yield pilot


def at(pilot: Pilot, words: str) -> tuple[int, int]:
    """Where these words stand."""
    lines = screen_text(pilot.app).splitlines()
    return next((line.index(words) + 1, y) for y, line in enumerate(lines) if words in line)


async def given(pilot: Pilot) -> Any:
    await until(pilot, lambda: pilot.app.given is not NOTHING)
    return pilot.app.given


def confirm() -> Confirm:
    return Confirm("Stop 2 runs?", ["  calm-otter", "  [/] [@click=quit]x[/] 강아지"], "stop", "let run")


@pytest.mark.parametrize(
    ("keys", "answer"),
    [(["y"], "yes"), (["n"], None), (["enter"], None), (["escape"], None), (["left", "enter"], "yes")],
)
async def test_a_question_is_answered_by_keys_and_enter_is_the_safe_one(keys: list[str], answer: str | None) -> None:
    async with shown(confirm) as pilot:
        assert "[/] [@click=quit]x[/] 강아지" in screen_text(pilot.app)
        await pilot.press(*keys)
        assert await given(pilot) == answer


@pytest.mark.parametrize(("words", "answer"), [("y stop", "yes"), ("n let run", None), ("let run", None)])
async def test_a_question_is_answered_by_a_click(words: str, answer: str | None) -> None:
    async with shown(confirm) as pilot:
        await pilot.click(offset=at(pilot, words))
        assert await given(pilot) == answer


async def test_other_keys_answer_nothing() -> None:
    async with shown(confirm) as pilot:
        await pilot.press("S", "q", "x", "space", "Y")
        assert pilot.app.given is NOTHING


async def test_more_runs_than_fit_are_counted() -> None:
    lines = names_of([f"run-{n}" for n in range(100)])
    assert (len(lines), lines[-1]) == (8, "  and 93 more")


async def test_a_long_question_scrolls_and_its_answers_stay_in_sight() -> None:
    async with shown(lambda: Ask("many", [f"line {n}" for n in range(99)], [Choice("n", "leave it", None)])) as pilot:
        assert "leave it" in screen_text(pilot.app)


async def test_a_line_is_checked_and_nothing_of_it_is_lost() -> None:
    def check(text: str) -> None:
        if "bad" in text:
            raise MlhubError("[bold]not that[/]", "Another one.")

    async with shown(lambda: Prompt("Tag", ["[/]"], check=check)) as pilot:
        await pilot.press(*"bad", "enter")
        await until(pilot, lambda: "[bold]not that[/]. Another one." in screen_text(pilot.app))
        await pilot.press("backspace", "backspace", "backspace", *"good", "enter")
        assert await given(pilot) == "good"


async def test_a_line_has_completion_and_a_history() -> None:
    async with shown(lambda: Prompt("Tag", known=["paper", "fast"], history=["one", "two"])) as pilot:
        await pilot.press("up", "up")
        assert "one" in screen_text(pilot.app)
        await pilot.press("down", "down", *"fast -p")
        await until(pilot, lambda: "fast -paper" in screen_text(pilot.app))
        await pilot.press("right", "enter")
        assert await given(pilot) == "fast -paper"


async def test_what_is_pasted_into_a_line_is_cleaned() -> None:
    async with shown(lambda: Prompt("Tag")) as pilot:
        pilot.app.screen.focused.post_message(Paste("a\x1b]0;x\x07b\u202ec\nd"))
        await pilot.pause()
        await pilot.press("enter")
        assert await given(pilot) == "abc d"


def editor(submit: Callable[[str], str] = str, **more: Any) -> Editor:
    return Editor("Edit", "first\nsecond [/]", submit=submit, verb="start it", **more)


@pytest.mark.parametrize("key", ["f2", "ctrl+o"])
async def test_a_text_is_edited_and_given_back(key: str) -> None:
    async with shown(editor) as pilot:
        await pilot.press(*" x", key)
        assert await given(pilot) == "first x\nsecond [/]"


async def test_a_text_is_given_back_by_a_click() -> None:
    async with shown(editor) as pilot:
        await pilot.click(offset=at(pilot, "start it"))
        assert await given(pilot) == "first\nsecond [/]"


async def test_letters_and_enter_are_text_in_the_editor() -> None:
    async with shown(editor) as pilot:
        await pilot.press("enter", *"yqS", "f2")
        assert await given(pilot) == "first\nyqS\nsecond [/]"


async def test_an_editor_with_changes_asks_before_it_leaves() -> None:
    async with shown(editor) as pilot:
        await pilot.press("x", "escape")
        await until(pilot, lambda: "Escape once more" in screen_text(pilot.app))
        await pilot.press("y", "escape")
        assert pilot.app.given is NOTHING  # something was changed since it was said
        await pilot.press("escape")
        assert await given(pilot) is None


async def test_an_editor_without_changes_leaves_at_once() -> None:
    async with shown(editor) as pilot:
        await pilot.press("escape")
        assert await given(pilot) is None


async def test_two_presses_start_once_and_nothing_is_left_meanwhile() -> None:
    let_go, calls = threading.Event(), []

    def submit(text: str) -> str:
        calls.append(text)
        let_go.wait(20)
        return "done"

    async with shown(lambda: editor(submit)) as pilot:
        await pilot.press("f2", "f2", "escape", *"typed")
        await until(pilot, lambda: calls)
        assert "working" in screen_text(pilot.app)
        let_go.set()
        assert await given(pilot) == "done"
        assert calls == ["first\nsecond [/]"]


async def test_what_a_text_comes_to_is_said_while_it_is_edited() -> None:
    def watch(text: str) -> str:
        if "bad" in text:
            raise MlhubError("training.lr: no number")
        return f"{len(text)} signs"

    async with shown(lambda: editor(watch=watch)) as pilot:
        await pilot.press("x")
        await until(pilot, lambda: "17 signs" in screen_text(pilot.app))
        await pilot.press(*"bad")
        await until(pilot, lambda: "training.lr: no number" in screen_text(pilot.app))


async def test_what_is_pasted_into_the_editor_is_cleaned() -> None:
    async with shown(editor) as pilot:
        pilot.app.screen.focused.post_message(Paste("\x1b[31m\u202ea\r\nb\tc"))
        await pilot.pause()
        await pilot.press("f2")
        assert await given(pilot) == "firsta\nb c\nsecond [/]"


@pytest.mark.parametrize("look", list(theme.BY_NAME))
@pytest.mark.parametrize("lang", ["C", "en_US.UTF-8"])
async def test_every_dialog_fits_60_by_15_in_each_theme(monkeypatch: Any, look: str, lang: str) -> None:
    monkeypatch.setenv("LC_ALL", lang)
    for make in (confirm, lambda: Prompt("Tag", ["x"] * 3), editor, lambda: Notice("Oh", ["y" * 200])):
        async with shown(make, (60, 15), look) as pilot:
            text = screen_text(pilot.app)
            assert any(words in text for words in ("leave it", "let run", "close"))
            assert lang != "C" or text.replace("강아지", "").isascii()


async def test_dialogs_work_without_colours(monkeypatch: Any) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    for make in (confirm, editor, lambda: Prompt("Tag")):
        async with shown(make) as pilot:
            assert screen_text(pilot.app)
