"""The system view in the running screen, over a real home and GPUs that a file describes."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.style import Style

from mlhub.tui.glass import PLAIN_SIGNS
from mlhub.tui.system.view import changes
from tests.nvml import GIB, FakeNvml, h100
from tests.tui.conftest import open_top, screen_text, until

RED, BLUE = Style(color="red"), Style(color="blue")


@pytest.fixture
def nvml(tmp_path, monkeypatch):
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.delenv("LC_ALL", raising=False)
    fake = FakeNvml(tmp_path, h100(utilization=93, temperature=61))
    fake.install(monkeypatch)
    return fake


@pytest.fixture
def ran(cli):
    cli("run", "--name", "first", "--wait", "--", "true")
    return cli


async def shows(pilot, *words: str) -> str:
    return await until(pilot, lambda: all(word in screen_text(pilot.app) for word in words) and screen_text(pilot.app))


def lines_of(pilot) -> list[str]:
    sheet = pilot.app.active_view._sheet
    return ["".join(text for text, _ in line) for line in sheet.drawn.lines]


def raise_alert(folder: str, text: str) -> None:
    line = f'{{"time":1.5,"name":"nan","severity":"fail","text":"{text}","state":"raised"}}\n'
    Path(folder, "alerts.jsonl").write_text(line)


async def test_beside_the_runs_it_shows_card_and_machine(ran, nvml):
    async with open_top(ran.home, (160, 45)) as pilot:
        await shows(pilot, "GPU 0  NVIDIA H100", "93 %", "61 °C", "CPU  ", "memory", "disk", "network", "history 5 min")


async def test_without_a_gpu_it_says_why(ran):
    async with open_top(ran.home, (80, 24)) as pilot:
        await pilot.press("6")
        await shows(pilot, "no GPU: no NVIDIA driver", "CPU  ", "disk io")


async def test_numbers_follow_the_machine(ran, nvml):
    async with open_top(ran.home, (80, 24)) as pilot:
        await pilot.press("6")
        await shows(pilot, "61 °C")
        nvml.set(h100(temperature=70))
        await shows(pilot, "70 °C")


async def test_the_run_on_a_card_is_named_and_enter_opens_its_charts(cli, nvml):
    run = cli.json("run", "--name", "otter", "--", "sleep", "1000")
    cli.json("run", "--name", "other", "--", "sleep", "1000")
    nvml.set(h100(processes=[{"pid": run["pid"], "memory": GIB}]))
    async with open_top(cli.home, (80, 24)) as pilot:
        await pilot.press("6")
        await shows(pilot, "otter (1)")
        await pilot.press("enter")
        assert pilot.app.active == "charts"
        assert pilot.app.model.selection.focus == 1


async def test_brackets_and_a_click_choose_among_eight(ran, nvml):
    nvml.set(*[h100()] * 8)
    async with open_top(ran.home, (80, 24)) as pilot:
        await pilot.press("6")
        await shows(pilot, "GPU 0", "8 GPU")
        await pilot.press("right_square_bracket", "right_square_bracket")
        await until(pilot, lambda: any(line.startswith("▸GPU 2") for line in lines_of(pilot)))
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: any(line.startswith("▸GPU 1") for line in lines_of(pilot)))
        row = next(at for at, line in enumerate(lines_of(pilot)) if line.startswith(" 7 "))
        await pilot.click("Sheet", offset=(5, row))
        await until(pilot, lambda: any(line.startswith("▸GPU 7") for line in lines_of(pilot)))


async def test_the_key_to_the_next_card_is_offered_where_there_is_one(ran, nvml):
    async with open_top(ran.home, (80, 24)) as pilot:
        await pilot.press("6")
        assert "] GPU" not in await shows(pilot, "GPU 0", "s span")
        nvml.set(h100(), h100())
        await shows(pilot, "] GPU")


async def test_cards_that_vanish_leave_a_view_that_works(ran, nvml):
    nvml.set(*[h100()] * 8)
    async with open_top(ran.home, (80, 24)) as pilot:
        await pilot.press("6")
        await shows(pilot, "8 GPU")
        await pilot.press("left_square_bracket")
        nvml.set(driver=False)
        await shows(pilot, "the GPUs are gone", "GPUs gone")
        await pilot.press("right_square_bracket", "enter")
        nvml.set(h100())
        await shows(pilot, "GPU 0")


async def test_s_shows_more_history(ran, nvml):
    async with open_top(ran.home, (80, 24)) as pilot:
        await pilot.press("6")
        await shows(pilot, "history 5 min")
        await pilot.press("s")
        await shows(pilot, "history 1 h")
        await pilot.press("s")
        await shows(pilot, "(all)")


async def test_m_turns_the_meters_off_and_says_how_they_come_back(ran, nvml):
    async with open_top(ran.home, (80, 24)) as pilot:
        await pilot.press("6")
        await shows(pilot, "GPU0 93%")
        await pilot.press("m")
        assert "GPU0" not in await shows(pilot, "the meters are off: m turns them on")
        assert pilot.app.model.prefs.meters is False
        await pilot.press("m")
        await shows(pilot, "GPU0 93%", "61 °C")


async def test_alerts_of_runs_are_told_with_their_time_and_name(cli, nvml):
    run = cli.json("run", "--name", "otter", "--", "sleep", "1000")
    raise_alert(run["dir"], "[red]loss is NaN\\u001b[2J")
    async with open_top(cli.home, (80, 24)) as pilot:
        await pilot.press("6")
        said = await shows(pilot, "otter  [red]loss is NaN")
        assert "\x1b" not in said


async def test_alerts_are_told_while_the_meters_are_off(cli):
    run = cli.json("run", "--name", "otter", "--", "sleep", "1000")
    raise_alert(run["dir"], "loss is NaN")
    async with open_top(cli.home, (80, 24)) as pilot:
        await pilot.press("6", "m")
        await shows(pilot, "the meters are off", "otter  loss is NaN")


async def test_the_span_is_kept_for_the_next_time(ran, nvml):
    async with open_top(ran.home, (80, 24)) as pilot:
        await pilot.press("6", "s")
        await shows(pilot, "history 1 h")
    async with open_top(ran.home, (80, 24)) as pilot:
        await pilot.press("6")
        await shows(pilot, "history 1 h")


async def test_a_hostile_card_and_command_reach_the_screen_as_text(cli, nvml):
    run = cli.json("run", "--", "sh", "-c", "sleep 990; : \x1b]0;x\x07 [@click=quit] next")
    nvml.set(h100(name="\x1b[31m[bold]H\u202e100\u200d", processes=[{"pid": run["pid"], "memory": GIB}]))
    async with open_top(cli.home, (120, 30)) as pilot:
        await pilot.press("6")
        said = await shows(pilot, "[bold]H100", "[@click=quit]")
        assert not any(character in said for character in "\x1b\x07\u202e\u200d")


async def test_only_what_changed_is_repainted(ran, nvml, monkeypatch):
    monkeypatch.setattr("mlhub.tui.system.view._host_words", lambda: "host")  # it tells the time
    async with open_top(ran.home, (80, 24)) as pilot:
        await pilot.press("6")
        await shows(pilot, "61 °C")
        view, machine = pilot.app.active_view, pilot.app.model.machine
        machine.close()  # no reading comes between
        view.pull()
        await pilot.pause()
        regions = []
        view._sheet.refresh = view.title.refresh = lambda *some: regions.extend(some or ["all"])
        view.pull()
        assert regions == []
        machine.version += 1
        view.pull()
        assert regions == []
        view.action_span()
        regions.remove("all")  # the title's
        assert "all" not in regions
        assert sum(region.area for region in regions) < 80 * 21


async def test_letters_do_where_the_terminal_has_no_unicode(ran, nvml, monkeypatch):
    monkeypatch.setenv("LANG", "C")
    async with open_top(ran.home, (80, 24)) as pilot:
        await pilot.press("6")
        await until(pilot, lambda: any("93 %" in line for line in lines_of(pilot)))
        assert all(line.translate(PLAIN_SIGNS).isascii() for line in lines_of(pilot))


async def test_without_colours_it_is_drawn_too(ran, nvml, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_top(ran.home, (80, 24)) as pilot:
        await pilot.press("6")
        await shows(pilot, "61 °C")


async def test_another_theme_draws_anew(ran, nvml):
    async with open_top(ran.home, (80, 24)) as pilot:
        await pilot.press("6")
        await shows(pilot, "61 °C")
        pilot.app.use_theme("ssh")
        sheet = pilot.app.active_view._sheet
        assert sheet.drawn.lines[0][0][1] == pilot.app.look.quiet


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ([("busy 93 %", RED)], [("busy 94 %", RED)], [(6, 1)]),
        ([("ab", RED), ("cd", RED)], [("ax", RED), ("cy", RED)], [(1, 1), (3, 1)]),
        ([("ab", RED)], [("ab", BLUE)], [(0, 2)]),
        ([("ab", RED), ("c", RED)], [("a", RED), ("bc", RED)], [(0, 3)]),
        ([("한a", RED)], [("국a", RED)], [(0, 2)]),
        ([("aab", RED)], [("aaa", RED)], [(2, 1)]),
        ([("aa", RED)], [("aa", RED)], []),
    ],
)
def test_two_lines_differ_where_their_characters_do(old, new, found):
    assert list(changes(old, new)) == found
