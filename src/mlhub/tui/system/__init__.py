"""The machine: read over time, drawn as gauges and cards, and the view."""
