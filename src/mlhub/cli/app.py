"""The table of commands. Each family has a file; only typer and the standard library are imported at the top of any."""

from __future__ import annotations

import typer

from mlhub import __version__
from mlhub.cli import data, house, jobs, labels, logs, machine, metrics, notify, queue, resume, run, runs, search, top

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

app = typer.Typer(
    name="mlhub",
    no_args_is_help=True,
    rich_markup_mode=None,  # Typer's rich help alone costs 16 times an empty Python
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="RUN is an id, a name or @last. Every command that reads has --json. `mlhub COMMAND --help` has examples.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"mlhub {__version__}")  # noqa: T201
        raise typer.Exit


@app.callback()
def mlhub(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    """Start, watch, compare and search training runs from the terminal."""


def _add(name: str, function: Callable[..., object], cls: type | None = None) -> None:
    app.command(name, cls=cls)(function)


_add("run", run.run, run.RunCommand)
_add("ls", runs.ls)
_add("top", top.top)
_add("show", runs.show)
_add("logs", logs.logs)
_add("metrics", metrics.metrics)
_add("stop", runs.stop)
_add("resume", resume.resume)
_add("rerun", resume.rerun)
_add("tag", labels.tag)
_add("note", labels.note)
_add("rm", house.rm)
_add("gc", house.gc)
_add("eval", jobs.evaluate)
_add("index", jobs.index)
_add("search", search.search)
_add("gpu", machine.gpu)
_add("doctor", machine.doctor)
app.add_typer(data.app, name="data")
app.add_typer(queue.app, name="queue")
app.add_typer(notify.app, name="notify")
