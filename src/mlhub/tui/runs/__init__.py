"""The table of runs: rows, columns, filter, groups, and the view."""
