"""Runs beside each other: what differs between their configurations, whose metrics are best. Pure: reads no file.

`comparison.compare(runs)` is the way in; `direction` knows which way a metric is good, `configs` what differs,
`render` gives the contract's JSON, Markdown and CSV. Not a place for reading runs (`mlhub.store`) or for drawing.
"""
