"""Pictures as pixels of cells; files that are none are told in words."""

from __future__ import annotations

import os
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from mlhub.errors import MlhubError
from mlhub.picture import cube, fitting, read

if TYPE_CHECKING:
    from pathlib import Path


def reason(path: Path) -> str:
    with pytest.raises(MlhubError) as error:
        read(path, 4, 4)
    return error.value.message


def huge(width: int, height: int) -> bytes:
    """The head of a PNG of this size: what a decompression bomb begins with."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in (head, b"IDAT" + zlib.compress(b""))
    )


def test_rows_of_pixels_from_the_top(tmp_path):
    image = Image.new("RGB", (2, 2), (255, 0, 0))
    image.putpixel((1, 1), (0, 0, 255))
    image.save(tmp_path / "a.png")
    assert read(tmp_path / "a.png", 2, 2) == [[(255, 0, 0), (255, 0, 0)], [(255, 0, 0), (0, 0, 255)]]


def test_what_is_transparent_is_paper(tmp_path):
    Image.new("RGBA", (3, 3), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert read(tmp_path / "a.png", 1, 1) == [[(244, 244, 244)]]


def test_a_whole_picture_keeps_the_ratio_of_its_sides(tmp_path):
    Image.new("RGB", (400, 100)).save(tmp_path / "a.png")
    rows = read(tmp_path / "a.png", 20, 20, whole=True)
    assert (len(rows), len(rows[0])) == (5, 20)


@pytest.mark.parametrize(
    ("size", "room", "fits"),
    [((10, 10), (14, 14), (14, 14)), ((1, 1000), (14, 14), (1, 14)), ((2000, 1), (14, 14), (14, 1))],
)
def test_the_largest_size_that_fits(size, room, fits):
    assert fitting(*size, *room) == fits


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "CMYK", "I;16", "F"])
def test_images_of_every_mode_are_read(tmp_path, mode):
    Image.new(mode, (5, 5)).save(tmp_path / "a.tif" if mode != "LA" else tmp_path / "a.png")
    assert len(read(next(tmp_path.iterdir()), 2, 2)) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "damaged"), (b"no image", "damaged"), (b"\x89PNG\r\n\x1a\n broken", "damaged"),
     (huge(60_000, 60_000), "too large"), (huge(12_000, 12_000), "too large"),
     (huge(8_000, 8_000), "too large: 8000x8000")],
)  # fmt: skip
def test_a_file_that_can_not_be_shown_says_why(tmp_path, content, said):
    (tmp_path / "a.png").write_bytes(content)
    assert reason(tmp_path / "a.png") == said


def test_a_torn_image_is_damaged(tmp_path):
    Image.effect_noise((64, 64), 90).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:900])
    assert reason(tmp_path / "a.png") == "damaged"


def test_a_missing_file_a_folder_and_a_pipe_are_told(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert reason(tmp_path / "a.png") == "missing"
    assert reason(tmp_path) == "not a file"
    assert reason(tmp_path / "pipe") == "not a file"


@pytest.mark.parametrize(
    ("pixel", "number"),
    [((0, 0, 0), 16), ((255, 0, 0), 196), ((255, 255, 255), 231), ((98, 98, 98), 241), ((49, 49, 49), 236),
     ((95, 135, 175), 67), ((244, 244, 244), 255)],
)  # fmt: skip
def test_the_nearest_of_256_colours(pixel, number):
    assert cube(pixel) == number
