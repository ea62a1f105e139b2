from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from mlhub.cli.out import Column, table
from mlhub.picture import grid, half_blocks
from mlhub.text import width


def test_a_table_is_cut_to_its_width_at_the_column_that_may_shrink() -> None:
    lines = table([Column("id", right=True), Column("name", flex=True)], [["1", "x" * 50], ["22", "y"]], total=20)
    assert lines == ["id  name", " 1  " + "x" * 15 + "…", "22  y"]


def test_wide_characters_count_two_columns() -> None:
    lines = table([Column("a"), Column("b")], [["강아지", "1"], ["ab", "2"]])
    assert [width(line) for line in lines[1:]] == [9, 9]


def test_cells_are_cleaned() -> None:
    assert table([Column("a")], [["x\x1b[2J\ny"]]) == ["a", "x y"]


def test_a_picture_is_two_pixels_a_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    image = Image.new("RGB", (1, 2), (255, 0, 0))
    image.putpixel((0, 1), (0, 0, 255))
    image.save(tmp_path / "a.png")
    assert half_blocks(tmp_path / "a.png", 1, 1) == ["\x1b[38;2;255;0;0;48;2;0;0;255m▀\x1b[0m"]


def test_256_colours_where_the_terminal_has_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLORTERM", raising=False)
    Image.new("RGB", (1, 2), (255, 0, 0)).save(tmp_path / "a.png")
    assert half_blocks(tmp_path / "a.png", 1, 1) == ["\x1b[38;5;196;48;5;196m▀\x1b[0m"]


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n broken"])
def test_a_picture_that_can_not_be_shown_is_blank(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    assert half_blocks(tmp_path / "a.png", 2, 2) == ["  ", "  "]


def test_a_grid_has_as_many_beside_each_other_as_fit(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    lines = grid([(tmp_path / "a.png", f"{n} name\x1b[2J") for n in range(3)], 30)
    assert len(lines) == 16
    assert lines[7] == "0 name          1 name"


def test_a_column_that_may_be_spared_goes_before_one_is_cut_below_what_it_needs() -> None:
    heads = [Column("name", flex=True, middle=True, least=10), Column("kind", spare=1), Column("took", spare=2)]
    rows = [["the-first-name", "train", "10s"]]
    assert table(heads, rows, total=30)[1] == "the-first-name  train  10s"
    assert table(heads, rows, total=18)[1] == "the-f…t-name  10s"
    assert table(heads, rows, total=9)[1] == "the-…name"
