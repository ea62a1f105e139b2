"""The command line. `main` is the one place that turns errors into two lines on stderr and an exit status."""

from __future__ import annotations

import io
import os
import sys


def main() -> None:
    """Entry point of `mlhub`."""
    from mlhub.errors import MlhubError

    _prepare_streams()
    try:
        code = _run()
        sys.stdout.flush()  # here, where a closed pipe is caught, and not as the interpreter ends
        sys.exit(code)
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
    except UnicodeEncodeError as error:
        if os.environ.get("MLHUB_DEBUG"):
            raise
        _tell(f"not UTF-8 text: {error.object!r}", "Use names and folders whose names are UTF-8.")
        sys.exit(1)
    except OSError as error:
        if os.environ.get("MLHUB_DEBUG"):
            raise
        if isinstance(error, FileNotFoundError) and error.filename is None:  # os.getcwd's
            _tell("the current folder is gone", "cd to one that exists.")
            sys.exit(1)
        where = f"{error.filename}: " if error.filename else ""
        _tell(f"{where}{error.strerror or error}", "MLHUB_DEBUG=1 shows where this happened.")
        sys.exit(1)


def _prepare_streams() -> None:
    """A closed stream (`>&-`) becomes /dev/null; what a stream's encoding has no letter for is printed as `?`."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8", errors="replace"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper) and mode == "w":
            stream.reconfigure(errors="replace")


def _run() -> int:
    if "_MLHUB_COMPLETE" in os.environ:  # a shell asks what may stand here
        from mlhub.cli import complete

        complete.main()
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
