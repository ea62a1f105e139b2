"""The runs view over real runs: what it shows, what its keys do, what it keeps."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from mlhub.tui import prefs
from mlhub.tui.widgets.table import Table
from tests.tui.conftest import open_top, screen_text, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.pilot import Pilot

    from mlhub.tui.runs.view import RunsView
    from tests.conftest import Cli

PROGRAM = """
import mlhub, sys
for step in range(20):
    mlhub.log({"val/map_64": float(sys.argv[1]) * step / 19, "train/loss": 2 / (step + 1)}, step=step)
"""


@pytest.fixture
def runs(cli: Cli) -> Cli:
    """Three runs of a group that ended well, and one that failed."""
    for number, value in enumerate(("0.2", "0.4", "0.6"), 1):
        words = ("--group", "seeds", "--tag", f"t{number}", "--name", f"seed-{number}")
        cli("run", "--wait", *words, "--", sys.executable, "-c", PROGRAM, value)
    cli("run", "--wait", "--name", "broken", "--", "false", code=1)
    return cli


def view_of(pilot: Pilot[None]) -> RunsView:
    return pilot.app._views["runs"]  # type: ignore[attr-defined, no-any-return]


def names(pilot: Pilot[None]) -> list[str]:
    """The rows from top to bottom, runs by name."""
    model = pilot.app.model  # type: ignore[attr-defined]
    return [key if isinstance(key, str) else model.runs.by_id[key].name for key in view_of(pilot)._table.keys]


@asynccontextmanager
async def opened(cli: Cli, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Pilot[None]]:
    """The screen with the table in focus, its rows there."""
    async with open_top(cli.home, size) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.focused, Table) and names(pilot))
        yield pilot


async def type_in(pilot: Pilot[None], text: str) -> None:
    await pilot.press(*({" ": "space", ":": "colon", "/": "slash"}.get(letter, letter) for letter in text))


async def test_an_empty_home_names_the_next_command(cli: Cli) -> None:
    cli("ls")
    async with open_top(cli.home, (80, 24)) as pilot:
        await until(pilot, lambda: "no runs yet; start one: mlhub run quickstart" in screen_text(pilot.app))


async def test_rows_show_state_name_step_metric_and_trend(runs: Cli) -> None:
    async with opened(runs) as pilot:
        await until(pilot, lambda: "seed-3" in screen_text(pilot.app) and "█" in screen_text(pilot.app))
        row = next(line for line in screen_text(pilot.app).splitlines() if "seed-3" in line).split()
    assert row[:6] == ["✔", "ok", "seed-3", "19", "0.6", "▁▂▃▄▅▆▇█"]


async def test_the_curve_of_the_focused_run_is_below_the_table(runs: Cli) -> None:
    async with opened(runs) as pilot:
        await pilot.press("j")
        await until(pilot, lambda: "val/map_64 seed-3" in screen_text(pilot.app))


async def test_the_cursor_chooses_for_all_views_and_enter_opens_the_charts(runs: Cli) -> None:
    async with opened(runs) as pilot:
        await pilot.press("j", "j")
        await until(pilot, lambda: pilot.app.model.selection.focus == 2)
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.active == "charts")


async def test_a_run_focused_from_elsewhere_is_under_the_cursor(runs: Cli) -> None:
    async with open_top(runs.home, (160, 45), focus=2) as pilot:
        await until(pilot, lambda: "runs" in pilot.app._views and view_of(pilot)._table.cursor_key == 2)
        pilot.app.model.selection.choose(1)
        await until(pilot, lambda: view_of(pilot)._table.cursor_key == 1)


async def test_names_have_room_beside_their_states(cli: Cli) -> None:
    cli("run", "--wait", "--name", "quickstart-seed-1", "--", "true")
    async with opened(cli) as pilot:
        await until(pilot, lambda: "✔ ok   quickstart-seed-1 " in screen_text(pilot.app))


@pytest.mark.parametrize("size", [(80, 24), (160, 45), (220, 60)])
async def test_states_are_words_too_and_without_colours(
    cli: Cli, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    cli("run", "--wait", "--name", "well", "--", "true")
    cli("run", "--wait", "--name", "broken", "--", "false", code=1)
    async with opened(cli, size) as pilot:
        lines = await until(pilot, lambda: [line for line in screen_text(pilot.app).splitlines() if "well" in line])
        assert any("✔ ok" in line for line in lines)
        assert any("✖ fail" in line and "broken" in line for line in screen_text(pilot.app).splitlines())


async def test_what_is_being_done_to_a_run_stands_in_its_row(runs: Cli) -> None:
    async with opened(runs) as pilot:
        pilot.app.model.feed.mark({3: "resuming"})
        await until(
            pilot, lambda: any("resuming" in line and "seed-3" in line for line in screen_text(pilot.app).splitlines())
        )
        pilot.app.model.feed.unmark([3])
        await until(pilot, lambda: "resuming" not in screen_text(pilot.app))


async def test_the_keys_of_the_columns_are_all_to_be_read(runs: Cli) -> None:
    async with opened(runs) as pilot:
        await pilot.press("o")
        await until(pilot, lambda: "esc cancel" in screen_text(pilot.app))
        await pilot.press("slash")
        await type_in(pilot, "map_64")
        lines = await until(
            pilot, lambda: [line for line in screen_text(pilot.app).splitlines() if "best value of val/map_64" in line]
        )
        assert "val/map_64 max" in lines[0]


async def test_space_marks_the_run(runs: Cli) -> None:
    async with opened(runs) as pilot:
        await pilot.press("j", "space")
        await until(
            pilot, lambda: any("◆✔ ok" in line and "seed-3" in line for line in screen_text(pilot.app).splitlines())
        )


async def test_a_filter_works_while_it_is_typed_and_is_kept(runs: Cli) -> None:
    async with opened(runs) as pilot:
        await pilot.press("slash")
        await type_in(pilot, "tag:t2")
        await until(pilot, lambda: names(pilot) == ["seed-2"] and "1 of 4" in screen_text(pilot.app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.focused, Table))
    async with opened(runs) as pilot:
        await until(pilot, lambda: names(pilot) == ["seed-2"])


async def test_a_wrong_filter_says_where_and_leaves_the_rows(runs: Cli) -> None:
    async with opened(runs) as pilot:
        await pilot.press("slash")
        await type_in(pilot, "status:xyz")
        await until(pilot, lambda: "no status x" in screen_text(pilot.app))
        assert len(names(pilot)) == 4


async def test_escape_clears_the_filter(runs: Cli) -> None:
    async with opened(runs) as pilot:
        await pilot.press("slash")
        await type_in(pilot, "broken")
        await until(pilot, lambda: names(pilot) == ["broken"])
        await pilot.press("escape")
        await until(pilot, lambda: len(names(pilot)) == 4 and isinstance(pilot.app.focused, Table))
        assert pilot.app.model.prefs.filter == ""


async def test_slash_in_another_view_filters_the_runs(runs: Cli) -> None:
    async with opened(runs) as pilot:
        pilot.app.action_view("system")
        await pilot.pause()
        pilot.app.action_find()
        await until(pilot, lambda: pilot.app.active == "runs" and view_of(pilot)._line._input.has_focus)


async def test_r_sorts_by_the_next_column_and_v_turns_it_round(runs: Cli) -> None:
    async with opened(runs) as pilot:
        await pilot.press("r", "r")  # by state, by name
        await until(pilot, lambda: names(pilot) == ["broken", "seed-1", "seed-2", "seed-3"])
        await pilot.press("v")
        await until(pilot, lambda: names(pilot) == ["seed-3", "seed-2", "seed-1", "broken"])
        await pilot.press("v", "r", "r")  # by step, by metric
        await until(pilot, lambda: names(pilot) == ["seed-3", "seed-2", "seed-1", "broken"])
        assert "↓map_64" in screen_text(pilot.app)


async def test_a_click_on_a_title_sorts_and_a_second_turns_round(runs: Cli) -> None:
    async with opened(runs) as pilot:
        table = view_of(pilot)._table
        await pilot.click(table, offset=(12, 0))
        await until(pilot, lambda: names(pilot)[0] == "broken")
        await pilot.pause(0.6)
        await pilot.click(table, offset=(12, 0))
        await until(pilot, lambda: names(pilot)[0] == "seed-3")


async def test_a_group_says_how_many_the_best_and_the_mean_over_its_runs(runs: Cli) -> None:
    async with opened(runs, (100, 24)) as pilot:
        await pilot.press("b")
        await until(pilot, lambda: "▾ seeds" in screen_text(pilot.app))
        row = next(line for line in screen_text(pilot.app).splitlines() if "▾ seeds" in line)
    assert " ".join(row.split()) == "▾ seeds ✔3 val/map_64 best 0.6 0.4 ± 0.2 (n=3)"


async def test_a_group_folds_by_f_and_unfolds_by_enter(runs: Cli) -> None:
    async with opened(runs) as pilot:
        await pilot.press("b", "j", "j", "f")
        await until(pilot, lambda: names(pilot) == ["broken", "seeds"])
        assert (view_of(pilot)._table.cursor_key, pilot.app.model.selection.focus) == ("seeds", None)
        await pilot.press("enter")
        await until(pilot, lambda: len(names(pilot)) == 5)


async def test_space_on_a_group_marks_its_runs_and_unmarks_them(runs: Cli) -> None:
    async with opened(runs) as pilot:
        await pilot.press("b", "j", "space")
        await until(pilot, lambda: set(pilot.app.model.selection.marks) == {1, 2, 3})
        await pilot.press("space")
        await until(pilot, lambda: not pilot.app.model.selection.marks)


async def test_columns_are_chosen_ordered_and_kept(runs: Cli) -> None:
    async with opened(runs) as pilot:
        await pilot.press("o")
        await until(pilot, lambda: "what it shows" in screen_text(pilot.app))
        await pilot.press("slash")
        await type_in(pilot, "train/loss")
        await pilot.press("enter", "space", "escape")
        await pilot.press("home", "space", "space", "enter")  # neither step nor metric
        await until(pilot, lambda: len(pilot.app.screen_stack) == 1)
        await until(pilot, lambda: " train/loss" in screen_text(pilot.app))
    kept = prefs.load(pilot.app.model.home).columns
    assert ("last:train/loss" in kept, "step" in kept, "metric" in kept) == (True, False, False)


async def test_nothing_new_repaints_nothing(runs: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(runs) as pilot:
        await until(pilot, lambda: "▁" in screen_text(pilot.app))
        await pilot.pause(0.5)
        painted: list[Any] = []
        monkeypatch.setattr(view_of(pilot)._table, "refresh", lambda *regions: painted.append(regions))
        for _ in range(5):
            pilot.app.pull()
        assert painted == []


async def test_a_running_run_goes_on_in_its_row(cli: Cli) -> None:
    program = "import mlhub, time\nfor i in range(10000): mlhub.log({'loss': 1 / (i + 1)}, step=i); time.sleep(0.02)"
    cli("run", "--name", "long", "--", sys.executable, "-c", program)
    async with open_top(cli.home, (80, 24)) as pilot:

        def step() -> int:
            row = next((line for line in screen_text(pilot.app).splitlines() if " long " in line), "").split()
            return int(row[3]) if len(row) > 3 and row[3].isdigit() else -1

        first = await until(pilot, lambda: step() if step() > 0 else None)
        await until(pilot, lambda: step() > first)
        await until(pilot, lambda: any("●" in line and "long" in line for line in screen_text(pilot.app).splitlines()))
