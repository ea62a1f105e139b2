"""The table of rows: what it asks for, what it repaints, where its cursor stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rich.style import Style
from rich.text import Text
from textual.app import App
from textual.geometry import Region

from mlhub.tui import theme
from mlhub.tui.widgets.cells import changed
from mlhub.tui.widgets.table import Banner, Column, Table
from tests.tui.conftest import until

if TYPE_CHECKING:
    from textual.app import ComposeResult

PLAIN = theme.BY_NAME["night"].plain
COLUMNS = (Column("name", "name", 10), Column("step", "step", 6, right=True), Column("note", "note", 8, flex=True))


class TableApp(App[None]):
    """A table alone, and all it said."""

    AUTO_FOCUS = None
    look = theme.BY_NAME["night"]

    def __init__(self, **more: Any) -> None:
        super().__init__()
        self.table = Table(**more)
        self.said: list[Any] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def on_table_moved(self, message: Table.Moved) -> None:
        self.said.append(message.key)

    def on_table_opened(self, message: Table.Opened) -> None:
        self.said.append(f"opened {message.key}")

    def on_table_head_clicked(self, message: Table.HeadClicked) -> None:
        self.said.append(f"head {message.column}")


def rows_of(table: Table) -> list[str]:
    """The lines on the screen."""
    return [table.render_line(y).text for y in range(table.size.height)]


def cells(key: Any) -> list[Any]:
    return [(f"run-{key}", PLAIN), (str(key), PLAIN), Text("note", PLAIN)]


async def test_asks_only_for_the_rows_in_sight() -> None:
    asked = []
    app = TableApp()
    async with app.run_test(size=(40, 10)):
        app.table.show(COLUMNS, range(10_000), lambda key: asked.append(key) or cells(key))
    assert set(asked) == set(range(9))


async def test_a_row_is_laid_out_by_its_columns() -> None:
    app = TableApp()
    async with app.run_test(size=(40, 5)):
        app.table.show(COLUMNS, [7], cells)
        head, row, *_ = rows_of(app.table)
    assert head == "name          step  note                "
    assert row == "run-7            7  note                "


async def test_the_cursor_stays_with_its_row_when_rows_are_sorted_anew() -> None:
    app = TableApp()
    async with app.run_test(size=(40, 10)):
        app.table.show(COLUMNS, [1, 2, 3], cells)
        app.table.move_to_key(3)
        app.table.show(COLUMNS, [3, 2, 1], cells)
        assert app.table.cursor_key == 3
        assert app.table.render_line(1)._segments[0].style.bgcolor.name == app.look.panel


async def test_the_row_under_the_cursor_stays_on_its_line_when_rows_come_above_it() -> None:
    app = TableApp()
    async with app.run_test(size=(40, 10)):
        app.table.show(COLUMNS, list(range(100)), cells)
        app.table.move_to_key(50)
        line = next(y for y, text in enumerate(rows_of(app.table)) if text.startswith("run-50 "))
        app.table.show(COLUMNS, [*range(200, 220), *range(100)], cells)
        assert rows_of(app.table)[line].startswith("run-50 ")


async def test_a_removed_row_hands_the_cursor_to_the_one_that_took_its_place() -> None:
    app = TableApp()
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.show(COLUMNS, [1, 2, 3], cells)
        app.table.move_to_key(2)
        app.table.show(COLUMNS, [1, 3], cells)
        await pilot.pause()
    assert app.said[-1] == 3


async def test_repaints_the_changed_characters_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    app = TableApp()
    steps = {1: 100, 2: 200}
    painted: list[Region] = []
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.show(COLUMNS, [1, 2], lambda key: [(f"run-{key}", PLAIN), (str(steps[key]), PLAIN), ("", PLAIN)])
        await pilot.pause()
        monkeypatch.setattr(app.table, "refresh", lambda *regions: painted.extend(regions))
        steps[2] = 205
        app.table.touch()
    assert painted == [Region(17, 2, 1, 1)]


async def test_the_same_again_repaints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    app = TableApp()
    painted: list[Region] = []
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.show(COLUMNS, list(range(100)), cells)
        await pilot.pause()
        monkeypatch.setattr(app.table, "refresh", lambda *regions: painted.append(regions))
        app.table.show(COLUMNS, list(range(100)), cells)
        assert painted == []


@pytest.mark.parametrize(
    ("key", "wanted"), [("j", 51), ("up", 49), ("g", 0), ("G", 99), ("pagedown", 58), ("pageup", 42), ("end", 99)]
)
async def test_keys_move_the_cursor(key: str, wanted: int) -> None:
    app = TableApp()
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.focus()
        app.table.show(COLUMNS, list(range(100)), cells)
        app.table.move_to_key(50)
        await pilot.press(key)
        assert app.table.cursor_key == wanted


async def test_the_cursor_is_always_in_sight() -> None:
    app = TableApp()
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.show(COLUMNS, list(range(100)), cells)
        app.table.move_to_key(99)
        await pilot.resize_terminal(40, 5)
        assert 99 in app.table.rows_in_sight


async def test_a_click_moves_and_a_double_click_opens() -> None:
    app = TableApp()
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.show(COLUMNS, list(range(100)), cells)
        await pilot.click(app.table, offset=(3, 4), times=2)
        await pilot.pause()
    assert app.said == [0, 3, "opened 3"]


async def test_a_click_on_a_title_says_which() -> None:
    app = TableApp()
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.show(COLUMNS, [1], cells)
        await pilot.click(app.table, offset=(15, 0))
        await pilot.pause()
    assert app.said[-1] == "head step"


async def test_the_first_column_stays_when_the_others_scroll() -> None:
    app = TableApp()
    columns = [Column("name", "name", 8), *(Column(str(n), f"col{n}", 10) for n in range(9))]
    async with app.run_test(size=(40, 4)) as pilot:
        app.table.focus()
        app.table.show(columns, ["x"], lambda _: [("first", PLAIN), *((f"cell{n}", PLAIN) for n in range(9))])
        await pilot.press("right", "l")
        head, row, *_ = rows_of(app.table)
    assert row.split() == ["first", "cell2", "cell3", "cell4"]
    assert head.split() == ["name", "‹col2" if theme.unicode_works() else "<col2", "col3", *head.split()[3:]]


async def test_a_cursor_on_columns_brings_its_column_into_sight() -> None:
    app = TableApp(by_column=True)
    columns = [Column("name", "name", 8), *(Column(str(n), f"col{n}", 10) for n in range(9))]
    async with app.run_test(size=(40, 4)):
        app.table.show(columns, ["x"], lambda _: [("first", PLAIN), *((f"cell{n}", PLAIN) for n in range(9))])
        app.table.move_to_column("8")
        assert "cell8" in rows_of(app.table)[1]


async def test_wide_characters_keep_the_columns_in_line() -> None:
    app = TableApp()
    async with app.run_test(size=(40, 4)):
        app.table.show(
            COLUMNS, [1, 2], lambda key: [("강아지 🐶 산책하기" if key == 1 else "dog", PLAIN), ("5", PLAIN)]
        )
        strips = [app.table.render_line(y) for y in (1, 2)]
    assert [strip.cell_length for strip in strips] == [40, 40]
    assert strips[0].crop(12, 18).text == "     5"


async def test_a_banner_is_one_text_across_the_columns() -> None:
    app = TableApp()
    async with app.run_test(size=(40, 4)):
        app.table.show(COLUMNS, [1], lambda _: Banner((("a group of runs, ", PLAIN), ("five of them", PLAIN))))
        assert rows_of(app.table)[1] == "a group of runs, five of them           "


async def test_a_column_without_width_is_as_wide_as_what_is_in_it() -> None:
    app = TableApp()
    columns = (Column("a", "a"), Column("b", "b"))
    async with app.run_test(size=(40, 4)):
        rows = {1: [("four", PLAIN), ("x", PLAIN)], 2: [("sevenfo", PLAIN), ("y", PLAIN)]}
        app.table.show(columns, [1, 2], rows.__getitem__)
        assert rows_of(app.table)[1].rstrip() == "four     x"


async def test_without_colours_the_cursor_is_reversed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = TableApp()
    async with app.run_test(size=(40, 4)) as pilot:
        app.table.show(COLUMNS, [1], cells)
        app.table.focus()
        await until(pilot, lambda: app.table.has_focus)
        await pilot.pause()
        assert all(segment.style.reverse for segment in app.table.render_line(1))


async def test_where_only_letters_work_there_are_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    app = TableApp()
    async with app.run_test(size=(40, 10)):
        app.table.show(COLUMNS, range(100), lambda _: [("a name that is cut off", PLAIN), ("–", PLAIN)])
        assert all(row.isascii() for row in rows_of(app.table))


async def test_a_click_on_a_cell_goes_to_its_column() -> None:
    app = TableApp(by_column=True)
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.show(COLUMNS, [1, 2], cells)
        await pilot.click(app.table, offset=(15, 2))
        assert (app.table.cursor_key, app.table.cursor_column) == (2, "step")


async def test_markup_in_a_cell_is_text() -> None:
    app = TableApp()
    async with app.run_test(size=(40, 4)):
        app.table.show(COLUMNS, [1], lambda _: [("[/][@click", PLAIN)])
        assert rows_of(app.table)[1].startswith("[/][@click")


def test_close_changes_are_one_and_distant_ones_two() -> None:
    plain = Style()
    assert changed((("abcdef" + " " * 30, plain),), (("aXcXef" + " " * 29 + "y", plain),)) == [(1, 4), (35, 36)]


def test_a_change_never_begins_in_the_middle_of_a_wide_character() -> None:
    plain = Style()
    assert changed((("a강b", plain),), (("abcb", plain),)) == [(1, 3)]
