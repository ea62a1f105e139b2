"""Alembic's folder: each change of the schema is one file in `versions/`. Run by `mlhub.store.migrate` alone."""
