"""Metrics of a run as curves: read by byte offset and followed, thinned, put on axes, drawn in cells. No screen.

`follower` reads a file of records as `points`; `axes` knows places, ticks and their words; `traces` and `plot` make a
picture of characters, which the live screen and `mlhub compare --plot` show. Loads numpy; nothing here does at import
of the package itself. Not the place of the screen's charts (`mlhub.tui.charts`) or of figures (`mlhub.compare.figure`).
"""
