"""Retrieval: the resident process, pictures, and the view."""
