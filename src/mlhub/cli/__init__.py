"""The command line. `main` is the one place that turns errors into two lines on stderr and an exit status."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Entry point of `mlhub`."""
    from mlhub.errors import MlhubError

    try:
        sys.exit(_run())
    except MlhubError as error:
        if os.environ.get("MLHUB_DEBUG"):
            raise
        _tell(error.message, error.hint)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _tell("interrupted", "Nothing was left half-made; a run that was started goes on: mlhub ls")
        sys.exit(130)
    except BrokenPipeError:  # `mlhub ls | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)
    except OSError as error:
        if os.environ.get("MLHUB_DEBUG"):
            raise
        where = f"{error.filename}: " if error.filename else ""
        _tell(f"{where}{error.strerror or error}", "MLHUB_DEBUG=1 shows where this happened.")
        sys.exit(1)


def _run() -> int:
    import typer

    from mlhub.cli.app import app

    try:
        return app(standalone_mode=False, prog_name="mlhub") or 0
    except typer.Abort:
        return 130
    except typer.TyperException as error:  # wrong usage: it has its own words
        error.show()  # type: ignore[attr-defined]  # every error of usage has it
        return error.exit_code


def _tell(message: str, hint: str) -> None:
    from mlhub.text import one_line

    print(f"error: {one_line(message)}", file=sys.stderr)  # noqa: T201
    if hint:
        print(f"hint:  {one_line(hint)}", file=sys.stderr)  # noqa: T201
