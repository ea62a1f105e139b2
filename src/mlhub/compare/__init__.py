"""Runs beside each other: what differs between them, whose metrics are best, and how that is shown. Reads no run.

`comparison.compare(runs)` is the way in; `direction` knows which way a metric is good, `configs` what differs, `place`
the words of `--at`. From a comparison `sheet` makes texts and decides who is best over seeds, `verdict` says what it
comes to; `layout` puts a sheet on a terminal, `tables` and `render` into JSON, CSV, Markdown and HTML, `panels` and
`figure` draw curves. Not a place for reading runs (`mlhub.store`) or their files (`mlhub.curves`).
"""
