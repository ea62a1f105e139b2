"""Make the README's pictures of the screen anew, from the runs of a home: python docs/pictures.py HOME

HOME has five trainings of `quickstart` or more, the newest still running if curves are to grow, and an index.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style

from mlhub.settings import Settings
from mlhub.tui.app import Top
from mlhub.tui.feed import Feed
from mlhub.tui.start import open_model

if TYPE_CHECKING:
    from collections.abc import Iterator

PICTURES = Path(__file__).parent / "pictures"
#: name -> size, keys (a comma stands for a moment's wait; of a text in quotes each letter is a key), what must be shown
SHOTS: dict[str, tuple[tuple[int, int], str, str]] = {
    "top": ((160, 45), "1 , space down space down space down space up , 2 , ,", "val/map_64"),
    "compare": ((100, 30), "1 , space down space down space down space , 4 , ,", "baseline"),
    "search": ((100, 30), "7 , / '강아지' enter , , , , , , , ,", "강"),
}


async def shoot(home: Path, name: str) -> None:
    """One picture, in `docs/pictures/NAME.svg`."""
    size, keys, shown = SHOTS[name]
    settings = Settings.load({"MLHUB_HOME": str(home)})
    feed = Feed(settings.to_home(), settings)
    model = open_model(settings.to_home(), settings, feed)
    model.prefs.theme, model.prefs.filter = "night", "kind:train"
    app = Top(model)
    async with app.run_test(size=size) as pilot:
        await pilot.pause(3)
        for key in keys.split():
            if key == ",":
                await pilot.pause(1)
            elif key.startswith("'"):
                await pilot.press(*key.strip("'"))
            else:
                await pilot.press("slash" if key == "/" else key)
            await pilot.pause(0.2)
        svg = picture(app, size)
        if shown not in svg:
            raise SystemExit(f"{name}: {shown!r} is not on the picture")
        (PICTURES / f"{name}.svg").write_text(svg, encoding="utf-8")
    for reader in (model.search, model.series, model.machine, feed):
        await asyncio.to_thread(reader.close)


def picture(app: Top, size: tuple[int, int]) -> str:
    """The screen as SVG. Rich takes wide letters for narrow ones: each stands for itself, and gets its room here."""
    width, height = size
    console = Console(
        width=width, height=height, file=io.StringIO(), force_terminal=True, color_system="truecolor", record=True,
        legacy_windows=False,
    )  # fmt: skip
    for strip in app.screen._compositor.render_strips():  # noqa: SLF001 - as Textual's own screenshot does
        console.print(_Line([part for segment in strip for part in _split(segment)] + [Segment.line()]))
    svg = console.export_svg(title="mlhub top")
    return re.sub(r'(<text [^>]*textLength=")([\d.]+)("[^>]*>)([^<]*)', _stretch, svg)


class _Line:
    def __init__(self, segments: list[Segment]) -> None:
        self._segments = segments

    def __rich_console__(self, console: Console, options: object) -> Iterator[Segment]:
        return iter(self._segments)


def _split(segment: Segment) -> Iterator[Segment]:
    """Runs of wide and of narrow letters; what tells them apart keeps Rich from joining them again."""
    for index, run in enumerate(re.findall(r"[^\u1100-\uffff]+|[\u2000-\u2bff]+|[\u1100-\uffff]", segment.text)):
        mark = Style(meta={"run": index}) if cell_len(run) != len(run) else Style()
        yield Segment(run, (segment.style or Style()) + mark)


def _stretch(match: re.Match[str]) -> str:
    head, length, middle, text = match.groups()
    letters = re.sub(r"&#?\w+;", "x", text)
    return f"{head}{float(length) * cell_len(letters) / max(1, len(letters)):.1f}{middle}{text}"


def main() -> None:
    home = Path(sys.argv[1]).absolute()
    os.environ |= {"COLORTERM": "truecolor", "LANG": "C.UTF-8", "MLHUB_HOME": str(home)}
    for variable in ("NO_COLOR", "SSH_CONNECTION", "SSH_TTY", "LC_ALL", "LC_CTYPE"):
        os.environ.pop(variable, None)
    PICTURES.mkdir(exist_ok=True)
    for name in sys.argv[2:] or SHOTS:
        asyncio.run(shoot(home, name))


if __name__ == "__main__":
    main()
