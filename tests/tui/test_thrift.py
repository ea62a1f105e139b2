"""What goes to the terminal when parts of the screen have changed."""

from __future__ import annotations

from itertools import pairwise

from rich.console import Console
from rich.segment import Segment
from textual.strip import Strip

from mlhub.tui.thrift import Parts


def written(line: str, *spans: tuple[int, int], cuts: tuple[int, ...] = ()) -> str:
    edges = [0, *cuts, len(line)]
    chops = {left: Strip([Segment(line[left:right])]) for left, right in pairwise(edges)}
    return Parts([chops], [(0, *span) for span in spans], [edges[1:]]).render_segments(Console(color_system=None))


def test_a_change_is_written_without_what_stands_left_of_it():
    assert written("busy    93 %", (8, 10)) == "\x1b[1;9H93"


def test_two_changes_of_a_line_are_written_each_once():
    assert written("busy    93 %   71G", (8, 10), (15, 17)) == "\x1b[1;9H93\x1b[1;16H71"


def test_a_change_across_two_widgets_needs_no_second_move():
    assert written("leftright", (2, 7), cuts=(4,)) == "\x1b[1;3Hftrig"


def test_a_part_that_another_screen_covers_is_left_out():
    update = Parts([{0: None}], [(0, 0, 3)], [[5]])
    assert update.render_segments(Console()) == ""
