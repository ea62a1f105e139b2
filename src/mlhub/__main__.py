"""`python -m mlhub`: the command line, where no `mlhub` command is on the path."""

from __future__ import annotations

from mlhub.cli import main

if __name__ == "__main__":
    main()
