"""Runs as processes and folders: submitted, supervised, read, stopped. Rows about them are `mlhub.store`'s."""
