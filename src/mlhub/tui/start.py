"""Starts the screen, and ends it so that the terminal is as it was, whatever happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlhub.errors import MlhubError

if TYPE_CHECKING:
    from mlhub.paths import Home
    from mlhub.settings import Settings
    from mlhub.tui.feed import Feed
    from mlhub.tui.model import Model


def start(home: Home, settings: Settings, focus: int | None = None) -> None:
    """Show the screen until the user leaves it. Raises MlhubError if it crashed, naming its report."""
    from mlhub.tui import keys
    from mlhub.tui.feed import Feed

    own = keys.load(home.root / "keys.toml")
    if found := keys.clashes(own):
        raise MlhubError(f"{home.root / 'keys.toml'}: {found[0]}", "Give one of them another key.")
    feed = Feed(home, settings)  # reads while Textual is being loaded
    model = open_model(home, settings, feed)
    try:
        from mlhub.tui.app import Top
        from mlhub.tui.search import graphics

        graphics.load()  # it asks the terminal, which nobody can while the screen reads the keys
        app = Top(model, own, focus)
        feed.ready.wait(0.5)  # rows on the first picture, where that costs no patience
        app.run()
    finally:
        for reader in (model.search, model.series, model.machine, feed):
            reader.close()
    if app.return_code:
        where = f"The report is in {app.report}" if app.report else "MLHUB_DEBUG=1 shows where this happened."
        words = f"the screen failed: {_reason(app)}; runs are not touched by that"
        raise MlhubError(words, where) from getattr(app, "_exception", None)


def _reason(app: object) -> str:
    error = getattr(app, "_exception", None)
    return f"{type(error).__name__}: {error}" if error else "unknown"


def open_model(home: Home, settings: Settings, feed: Feed) -> Model:
    """The readers, none of which reads before it is asked, but for the rows."""
    from mlhub.tui import prefs
    from mlhub.tui.charts.series import SeriesBook
    from mlhub.tui.model import Model
    from mlhub.tui.search.client import SearchClient
    from mlhub.tui.system.machine import Machine

    kept = prefs.load(home)
    return Model(
        home=home, settings=settings, prefs=kept, feed=feed, series=SeriesBook(home),
        machine=Machine(home, kept, feed), search=SearchClient(home),
    )  # fmt: skip
