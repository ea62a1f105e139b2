"""What the user does to runs from the screen: each asks where it can hurt, works in a thread, and says what came of it."""

from __future__ import annotations


class Acting:
    """The actions of the app that change runs; mixed into `mlhub.tui.app.Top`."""
