"""Pictures as cells of a terminal: two pixels a cell, as half blocks. Needs Pillow (`mlhub[images]`).

`read` gives the pixels, whoever draws them; `grid` is what `mlhub search` prints. Files are outside data: one that is
missing, torn, huge or no file at all is told in words, never an accident.
"""

from __future__ import annotations

import os
import stat
from bisect import bisect

from mlhub.errors import MlhubError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from PIL.Image import Image

Pixel = tuple[int, int, int]

#: a tile's picture in cells, about square on a screen, and the space between tiles
WIDTH, HEIGHT, GAP = 14, 7, 2
#: what shows through a transparent picture: most are drawn for paper
_PAPER = (244, 244, 244, 255)
#: pixels of the largest picture that is decoded: 200 MB
_LARGEST = 50_000_000
#: what xterm and all after it show for the steps of the cube, and where one step is as near as the next
_LEVELS = (0, 95, 135, 175, 215, 255)
_BETWEEN = (48, 115, 155, 195, 235)


def grid(tiles: list[tuple[Path, str]], columns: int) -> list[str]:
    """Lines of a grid of pictures, each with its caption below, as many beside each other as `columns` hold."""
    from mlhub.text import fit, one_line, pad

    beside = max(1, (columns + GAP) // (WIDTH + GAP))
    lines: list[str] = []
    for start in range(0, len(tiles), beside):
        row = tiles[start : start + beside]
        drawn = [half_blocks(path, WIDTH, HEIGHT) for path, _ in row]
        lines += [(" " * GAP).join(parts) for parts in zip(*drawn, strict=True)]
        lines.append((" " * GAP).join(pad(fit(one_line(text), WIDTH), WIDTH) for _, text in row).rstrip())
    return lines


def half_blocks(path: Path, width: int, height: int) -> list[str]:
    """`height` lines of `width` cells showing the image; blank lines if it can't be shown."""
    try:
        rows = read(path, width, 2 * height)
    except MlhubError:
        return [" " * width] * height
    return [
        "".join(_cell(upper, lower) for upper, lower in zip(rows[2 * row], rows[2 * row + 1], strict=True)) + "\x1b[0m"
        for row in range(height)
    ]


def read(path: Path, width: int, height: int, *, whole: bool = False) -> list[list[Pixel]]:
    """Rows of pixels of the image, scaled to `width` x `height`, or (`whole`) as large as fits with its sides' ratio.

    Raises MlhubError with a reason of a few words.
    """
    small = load(path, width, height, whole=whole)
    data = small.tobytes()
    line = 3 * small.width
    return [
        [(data[i], data[i + 1], data[i + 2]) for i in range(start, start + line, 3)]
        for start in range(0, len(data), line)
    ]


def load(path: Path, width: int, height: int, *, whole: bool = False) -> Image:
    """The same as an image of Pillow's."""
    pillow = _pillow()
    try:
        return _scaled(pillow, path, width, height, whole=whole)
    except MlhubError:
        raise
    except FileNotFoundError:
        raise MlhubError("missing") from None
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning):
        raise MlhubError("too large") from None
    except OSError as error:
        raise MlhubError(error.strerror or "damaged") from None
    except Exception:  # what decoders raise for a torn file is anybody's guess: SyntaxError, struct.error, …
        raise MlhubError("damaged") from None


def _scaled(pillow: ModuleType, path: Path, width: int, height: int, *, whole: bool) -> Image:
    if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would keep us waiting
        raise MlhubError("not a file")
    with pillow.open(path) as image:
        if image.width * image.height > _LARGEST:
            raise MlhubError(f"too large: {image.width}x{image.height}")
        size = fitting(image.width, image.height, width, height) if whole else (width, height)
        image.thumbnail((max(256, 2 * size[0]), max(256, 2 * size[1])))
        flat = pillow.new("RGBA", image.size, _PAPER)
        flat.alpha_composite(image.convert("RGBA"))
        small: Image = flat.convert("RGB").resize(size, pillow.Resampling.BOX)
    return small


def fitting(width: int, height: int, columns: int, rows: int) -> tuple[int, int]:
    """The largest size within `columns` x `rows` that has the sides' ratio of `width` x `height`; at least 1x1."""
    scale = min(columns / max(1, width), rows / max(1, height))
    return max(1, min(columns, round(width * scale))), max(1, min(rows, round(height * scale)))


def cube(pixel: Pixel) -> int:
    """The number of the nearest of 256 colours: their 6x6x6 cube, or their ramp of greys."""
    at = [bisect(_BETWEEN, channel) for channel in pixel]
    grey = max(0, min(23, round((sum(pixel) / 3 - 8) / 10)))
    off = sum((channel - _LEVELS[place]) ** 2 for channel, place in zip(pixel, at, strict=True))
    if sum((channel - 8 - 10 * grey) ** 2 for channel in pixel) < off:
        return 232 + grey
    return 16 + 36 * at[0] + 6 * at[1] + at[2]


def true_colour() -> bool:
    """Whether the terminal says that it shows 24 bits."""
    return os.environ.get("COLORTERM") in ("truecolor", "24bit")


def _pillow() -> ModuleType:
    try:
        from PIL import Image
    except ImportError:
        raise MlhubError("Pillow is not installed", "pip install 'mlhub[images]'") from None
    import warnings

    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)  # caught, and not on the user's screen
    return Image


def _cell(upper: Pixel, lower: Pixel) -> str:
    return f"\x1b[38;{_colour(upper)};48;{_colour(lower)}m▀"


def _colour(pixel: Pixel) -> str:
    """24-bit where the terminal says it can, else the nearest of the 6x6x6 cube."""
    return "2;{};{};{}".format(*pixel) if true_colour() else f"5;{cube(pixel)}"
