"""Runs side by side: the matrix of cells, and the view."""
