"""The system view's lines: what stands where there is so much room."""

from __future__ import annotations

import math

import pytest

from mlhub.monitor import Disk, Gpu, GpuMemory, Memory
from mlhub.runner.owners import Owned
from mlhub.text import width
from mlhub.tui.system.gauges import Scene
from mlhub.tui.system.machine import Card, Reading
from mlhub.tui.system.sheet import draw, merge
from mlhub.tui.theme import BY_NAME

GB = 10**9
SIZES = [(80, 21), (160, 42), (220, 57), (60, 17), (49, 13), (60, 12), (66, 17), (20, 5), (1, 1)]


def card(index: int = 0, *processes: Owned, unified: bool = False, **more) -> Card:
    told = {"utilization": 93, "temperature": 74, "power": 654.0, "processes": (), "power_limit": 700.0, "clock": 1980}
    memory = GpuMemory(80 * GB, 71 * GB, unified)
    return Card(Gpu(index=index, name="x", memory=memory, **told | more), "NVIDIA H100 80GB", processes)


def owned(run: int | None = 3, name: str | None = "otter", memory: int | None = 20 * GB, pid: int = 4711) -> Owned:
    return Owned(pid, memory, run, name, "alice", "python train.py")


def reading(*cards: Card, **more) -> Reading:
    told = {"cpu": 41.0, "memory": Memory(512 * GB, 300 * GB), "disk": Disk(2 * 10**12, 8 * 10**11)}
    rates = {"net_rx": 1.2e7, "net_tx": 4e5, "disk_read": 1.2e9, "disk_write": 2e6}
    return Reading(at=1.0, cards=cards, rates=rates, **told | more)


def shown(of: Reading, size: tuple[int, int] = (80, 21), **more) -> list[str]:
    scene = Scene(reading=of, curves=lambda count: {"gpu.0.util": [50.0] * count}, look=BY_NAME["night"], **more)
    return ["".join(text for text, _ in line) for line in draw(scene, *size).lines]


def alerts(count: int):
    raised = [{"name": f"n{at}", "severity": "warn", "text": f"text {at}", "at": f"2026-11-23T14:0{at}:00.000Z"}
              for at in range(count)]  # fmt: skip
    return merge([], [(3, "otter", raised)])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", [0, 1, 2, 8, 16])
@pytest.mark.parametrize("unified", [False, True])
def test_lines_have_exactly_the_width_and_there_are_no_more_than_rows(size, count, unified):
    cards = [card(index, owned(name="한국어 이름"), unified=unified) for index in range(count)]
    lines = shown(reading(*cards, cores=(50.0,) * 96, no_gpu="none"), size, alerts=alerts(3), head="host")
    assert len(lines) <= size[1]
    assert {width(line) for line in lines} == {size[0]}


def test_a_card_tells_of_everything():
    lines = "\n".join(shown(reading(card(0, owned()))))
    for words in ("GPU 0  NVIDIA H100 80GB", "93 %", "71.0/80.0 GB", "74 °C", "654/700 W", "1980 MHz",
                  "20.0 GB  ● otter (3)  4711 python train.py"):  # fmt: skip
        assert words in lines


def test_the_machine_tells_of_everything():
    lines = "\n".join(shown(reading(memory=Memory(512 * GB, 300 * GB, 8 * GB, 2 * GB), cores=(0.0, 100.0))))
    for words in ("CPU     41 %", "cores   2               ▁█", "memory  212/512 GB", "swap    6.0/8.0 GB",
                  "disk    800 GB free", "disk io ↓1200 ↑2.0 MB/s", "network ↓12 ↑0.4 MB/s"):  # fmt: skip
        assert words in lines


def test_without_a_gpu_one_line_says_why():
    assert shown(reading(no_gpu="no NVIDIA driver: not loaded"))[0].rstrip() == " no GPU: no NVIDIA driver: not loaded"


def test_eight_are_lines_with_the_chosen_one_as_a_card():
    lines = shown(reading(*[card(index, owned(run=index, name=f"run-{index}")) for index in range(8)]), chosen=5)
    assert [line[:3] for line in lines[:8]] == [" 0 ", " 1 ", " 2 ", " 3 ", " 4 ", "▸5 ", " 6 ", " 7 "]
    assert all("93%" in line and "71/80G" in line and f"run-{at}" in line for at, line in enumerate(lines[:8]))
    assert lines[8].startswith("▸GPU 5")


def test_more_lines_than_rows_are_those_around_the_chosen_one():
    lines = shown(reading(*[card(index) for index in range(16)]), (60, 12), chosen=12)
    assert any(line.startswith("▸12") for line in lines)
    assert not any(line.startswith(" 0 ") for line in lines)
    assert any("network" in line for line in lines)


def test_cards_stand_beside_each_other_where_there_is_room():
    lines = shown(reading(card(0), card(1)), (160, 42))
    assert any("GPU 0" in line and "GPU 1" in line for line in lines)


def test_shared_memory_is_two_lines_and_the_machine_s_is_not_told_again():
    lines = [line.split() for line in shown(reading(card(0, unified=True)))]
    assert [line[:2] for line in lines if line and line[0] in ("on", "machine", "memory")] == [
        ["on", "GPU"], ["machine", "212/512"]
    ]  # fmt: skip


def test_what_the_driver_does_not_tell_is_a_dash():
    lacking = card(utilization=None, temperature=None, power=None, clock=None, processes_known=False)
    lines = shown(reading(lacking, cpu=None, disk=None, memory=Memory(0, 0)))
    assert [line.split()[1] for line in lines if line.split()[:1] in (["busy"], ["temp"], ["power"], ["clock"])] == [
        "–"
    ] * 4
    assert any("the driver does not tell who is on it" in line for line in lines)


def test_the_greatest_processes_are_told_and_the_others_counted():
    many = [owned(memory=at * GB, pid=at) for at in range(1, 8)]
    lines = [line for line in shown(reading(card(0, *many)), (80, 13)) if "otter" in line]
    assert lines[0].split()[0] == "7.0"
    assert f"and {7 - len(lines)} more" in lines[-1]


def test_a_strangers_process_has_its_user():
    assert any("alice  4711" in line for line in shown(reading(card(0, owned(run=None, name=None)))))


def test_a_claim_is_told_before_its_process_is_there():
    claimed = Card(card().gpu, "H100", (), (7,))
    assert "claimed by run 7" in shown(reading(claimed))[0]


def test_lost_cards_are_told():
    assert any("GPU1 H100 no longer answers" in line for line in shown(reading(card(), lost=("GPU1 H100",))))
    assert shown(reading(lost=("GPU0 H100",), no_gpu="driver gone"))[0].startswith(" the GPUs are gone: driver gone")


def test_alerts_that_have_no_row_are_counted():
    lines = shown(reading(*[card(index) for index in range(8)]), alerts=alerts(5))
    assert "and" in lines[-1]
    assert "more" in lines[-1]


def test_letters_take_the_place_of_blocks():
    cards = [card(index, owned()) for index in range(8)]
    lines = shown(reading(*cards, cores=(50.0,) * 4), (80, 24), unicode=False, alerts=alerts(2))
    assert all(line.isascii() for line in lines)


def test_a_hot_card_has_its_colour():
    scene = Scene(reading=reading(card(temperature=97)), curves=lambda _: {}, look=BY_NAME["night"])
    styles = {style.color.name for line in draw(scene, 80, 21).lines for text, style in line if "97 °C" in text}
    assert styles == {BY_NAME["night"].bad}


def test_a_run_has_its_own_colour_and_the_one_looked_at_stands_out():
    look = BY_NAME["night"]
    scene = Scene(reading=reading(card(0, owned())), curves=lambda _: {}, look=look, focus=3)
    (style,) = (style for line in draw(scene, 80, 21).lines for text, style in line if "otter" in text)
    assert (style.color.name, style.bold) == (look.run_colour(3), True)


def test_a_curve_of_two_rates_is_their_sum():
    asked = {"net_rx": [1e6], "net_tx": [math.nan], "disk_read": [1e6], "disk_write": [1e6]}

    def curves(count):
        return {name: values * count for name, values in asked.items()}

    scene = Scene(reading=reading(), curves=curves, look=BY_NAME["night"])
    lines = ["".join(text for text, _ in line) for line in draw(scene, 80, 6).lines]
    assert next(line for line in lines if "disk io" in line).count("█") > 30
    assert not any("█" in line for line in lines if "network" in line)


def entry(name: str, at: int, text: str = "x", severity: str = "warn") -> dict[str, str]:
    return {"name": name, "severity": severity, "text": text, "at": f"2026-11-23T14:0{at}:00.000Z"}


def test_what_runs_and_the_machine_say_of_the_one_disk_is_told_once_by_the_first():
    found = merge([entry("disk", 5)], [(1, "a", [entry("disk", 3)]), (2, "b", [entry("disk", 4)])])
    assert [(alert.who, alert.at[14:16], alert.run) for alert in found] == [("machine", "03", None)]


def test_two_hot_cards_are_two_alerts():
    hot = [entry("gpu-hot", 1, "GPU 0 at 86 °C")]
    found = merge(
        hot, [(1, "a", [entry("gpu-hot", 2, "GPU 0 at 88 °C")]), (2, "b", [entry("gpu-hot", 3, "GPU 1 at 90 °C")])]
    )
    assert [alert.text for alert in found] == ["GPU 1 at 90 °C", "GPU 0 at 86 °C"]


def test_the_worse_alerts_come_first_then_the_newer():
    found = merge(
        [], [(1, "a", [entry("nan", 1, severity="fail"), entry("stalled", 3)]), (2, "b", [entry("stalled", 4)])]
    )
    assert [(alert.who, alert.severity) for alert in found] == [("a", "fail"), ("b", "warn"), ("a", "warn")]
