"""What tests of data sets share: a home, a few real pictures, and a set that is registered."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from mlhub.paths import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home", tmp_path / "home" / "data")


def draw(path: Path, number: int = 0, size: tuple[int, int] = (24, 20)) -> Path:
    """A picture unlike those of other numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size, ((37 * number) % 256, (91 * number + 40) % 256, 120))
    ImageDraw.Draw(image).ellipse((number % 9, 2, 9 + number % 9, 13), fill=(250, (53 * number) % 256, 10))
    image.save(path)
    return path
