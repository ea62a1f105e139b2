"""A log of any length: lines by seeking, search, colours, and the view."""
