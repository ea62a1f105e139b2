"""What tests of the screen share: the app over a real home, driven by Textual's pilot, and what it shows as text."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from mlhub.settings import Settings
from mlhub.tui.app import Top
from mlhub.tui.feed import Feed
from mlhub.tui.start import open_model

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from textual.pilot import Pilot


def screen_text(app: Top) -> str:
    """What the terminal shows now, line by line, without styles."""
    compositor = app.screen._compositor
    strips = compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


@asynccontextmanager
async def open_top(root: Path, size: tuple[int, int] = (160, 45), **more: Any) -> AsyncIterator[Pilot[None]]:
    """The running app over the home at `root`, its rows read; `pilot.app` is it."""
    settings = Settings.load({"MLHUB_HOME": str(root)})
    home = settings.to_home()
    feed = Feed(home, settings)
    model = open_model(home, settings, feed)
    app = Top(model, **more)
    try:
        feed.ready.wait(30)
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: model.runs.settled)
            yield pilot
    finally:
        for reader in (model.search, model.series, model.machine, feed):
            await asyncio.to_thread(reader.close)


async def until(pilot: Pilot[None], condition: Callable[[], Any], seconds: float = 20) -> Any:
    """What `condition` gives once it is true, the app going on meanwhile; the test fails if it isn't in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        await pilot.pause(0.02)
    pytest.fail(f"not in {seconds} s: {condition}\n{screen_text(pilot.app)}")
