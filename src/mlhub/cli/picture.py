"""Small pictures made of half blocks: two pixels a cell, 24-bit or 256 colours. Needs Pillow (`mlhub[images]`)."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

_Pixel = tuple[int, int, int]

#: a tile's picture in cells, about square on a screen, and the space between tiles
_WIDTH, _HEIGHT, _GAP = 14, 7, 2
#: what shows through a transparent picture: most are drawn for paper
_PAPER = (244, 244, 244, 255)


def grid(tiles: list[tuple[Path, str]], columns: int) -> list[str]:
    """Lines of a grid of pictures, each with its caption below, as many beside each other as `columns` hold."""
    from mlhub.text import fit, one_line, pad

    beside = max(1, (columns + _GAP) // (_WIDTH + _GAP))
    lines: list[str] = []
    for start in range(0, len(tiles), beside):
        row = tiles[start : start + beside]
        drawn = [half_blocks(path, _WIDTH, _HEIGHT) for path, _ in row]
        lines += [(" " * _GAP).join(parts) for parts in zip(*drawn, strict=True)]
        lines.append((" " * _GAP).join(pad(fit(one_line(text), _WIDTH), _WIDTH) for _, text in row).rstrip())
    return lines


def half_blocks(path: Path, width: int, height: int) -> list[str]:
    """`height` lines of `width` cells showing the image; blank lines if it can't be shown."""
    blank = [" " * width] * height
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        return blank
    try:
        with Image.open(path) as image:
            image.thumbnail((256, 256))
            flat = Image.new("RGBA", image.size, _PAPER)
            flat.alpha_composite(image.convert("RGBA"))
            small = flat.convert("RGB").resize((width, 2 * height), Image.Resampling.BOX)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError):
        return blank
    pixels = list(_rgb(small.tobytes()))
    return [
        "".join(
            _cell(pixels[2 * row * width + column], pixels[(2 * row + 1) * width + column]) for column in range(width)
        )
        + "\x1b[0m"
        for row in range(height)
    ]


def _rgb(data: bytes) -> list[_Pixel]:
    return [(data[i], data[i + 1], data[i + 2]) for i in range(0, len(data), 3)]


def _cell(upper: _Pixel, lower: _Pixel) -> str:
    return f"\x1b[38;{_colour(upper)};48;{_colour(lower)}m▀"


def _colour(pixel: _Pixel) -> str:
    """24-bit where the terminal says it can, else the nearest of the 6x6x6 cube."""
    if os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        return "2;{};{};{}".format(*pixel)
    red, green, blue = (round(channel / 51) for channel in pixel)
    return f"5;{16 + 36 * red + 6 * green + blue}"
