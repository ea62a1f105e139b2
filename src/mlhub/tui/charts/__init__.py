"""Curves: metrics read and followed as points, drawn in dots, and the view."""
