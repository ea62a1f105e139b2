"""The machine in the status row."""

from __future__ import annotations

import pytest

from mlhub import monitor
from mlhub.monitor import Gpu, GpuMemory, Memory
from mlhub.tui.system.machine import Card, Reading
from mlhub.tui.system.meters import Meters

GIB = 1 << 30


def card(index: int = 0, busy: int = 93, heat: int = 74, used: float = 71, unified: bool = False) -> Card:
    memory = GpuMemory(80 * GIB, int(used * GIB), unified)
    return Card(Gpu(index, "NVIDIA H100", memory, busy, heat, 600.0, ()), "NVIDIA H100")


def reading(*cards: Card, cpu: float | None = 41, left: float = 0.38, **more) -> Reading:
    return Reading(at=1.0, cards=cards, cpu=cpu, memory=Memory(100 * GIB, int(left * 100 * GIB)), **more)


def said(meters: Meters, of: Reading, room: int = 200) -> str:
    return " | ".join(text for text, _ in meters.words(of, room))


def test_a_gpu_the_processor_and_memory():
    assert said(Meters(), reading(card())) == "GPU0 93% 71/80G 74C | CPU 41 RAM 62"


def test_eight_are_one_where_they_have_no_room():
    eight = [card(index, busy=index * 10, heat=60 + index) for index in range(8)]
    assert said(Meters(), reading(*eight), 60) == "8 GPU 35% 568/640G max 67C | CPU 41 RAM 62"
    assert said(Meters(), reading(*eight), 30) == "8 GPU 35% 568/640G max 67C"
    assert said(Meters(), reading(*eight), 10) == ""
    assert said(Meters(), reading(*eight)).startswith("GPU0  0% 71/80G 60C | GPU1 10%")


def test_shared_memory_is_told_of_once():
    assert said(Meters(), reading(card(unified=True))) == "GPU0 93% 74C | CPU 41 RAM 62"


def test_without_a_gpu_none_is_told_of():
    assert said(Meters(), reading(no_gpu="no NVIDIA driver")) == "CPU 41 RAM 62"


def test_what_is_not_known_is_a_dash():
    lacking = Card(Gpu(0, "X", GpuMemory(None, None, unified=False), None, None, None, ()), "X")
    assert said(Meters(), reading(lacking, cpu=None)) == "GPU0  –% – | CPU  – RAM 62"


def test_numbers_that_tremble_change_no_cell():
    meters = Meters()
    first = said(meters, reading(card(busy=50, heat=40, used=10.1), cpu=3.0, left=0.5))
    assert said(meters, reading(card(busy=51, heat=41, used=10.9), cpu=6.9, left=0.495)) == first
    assert (
        said(meters, reading(card(busy=52, heat=42, used=11.2), cpu=7.1, left=0.48))
        == "GPU0 52% 11/80G 42C | CPU  7 RAM 52"
    )


def test_nothing_and_everything_are_told_at_once():
    meters = Meters()
    said(meters, reading(card(busy=1)))
    assert "GPU0  0%" in said(meters, reading(card(busy=0)))
    said(meters, reading(card(busy=99)))
    assert "GPU0 100%" in said(meters, reading(card(busy=100)))


@pytest.mark.parametrize(("heat", "colour"), [(84, "text"), (85, "warn"), (95, "bad")])
def test_heat_has_the_colour_of_its_alert(heat, colour):
    assert Meters().words(reading(card(heat=heat)), 200)[0][1] == colour


def test_a_full_disk_and_lost_cards_are_told_also_where_room_is_short():
    low = {"name": "disk", "severity": "fail", "text": "", "at": ""}
    full = reading(card(), lost=("GPU1 X",), alerts=(low,), disk=monitor.Disk(10**12, 4 * 10**8))
    assert said(Meters(), full, 40) == "1 GPU lost | disk 400 MB"
    assert said(Meters(), reading(lost=("GPU0 X",), no_gpu="gone")) == "CPU 41 RAM 62 | GPUs gone"
