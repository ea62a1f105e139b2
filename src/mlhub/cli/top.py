"""`mlhub top`: the live screen, or what it shows as text or JSON. What is shown is `mlhub.tui`'s."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.cli.hub import Hub
    from mlhub.tui.words.outline import Outline

#: columns of the ids, the keys and the words in the table of keys
_IDS, _KEYS, _TEXT = 19, 20, 37


def top(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", show_default=False)] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="One picture as text, then only changes, a line each.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="One picture as text, and no more.")] = False,
    every: Annotated[
        float, typer.Option(metavar="SECONDS", help="Between two lines of a run's progress.", min=0, max=86_400)
    ] = 30.0,
    keys: Annotated[bool, typer.Option("--keys", help="Print the keys and their ids, for keys.toml.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print everything, once, as JSON.")] = False,
) -> int:
    """Watch runs live. RUN: that one alone (in the screen: its curves first).

    Where stdout is no terminal, or TERM is dumb, it is --plain by itself; a pipe gets the changes too, unless --once.
    --plain suits screen readers: whole lines, no colours. It goes on until Ctrl-C, with RUN until that has ended.

    \b
    mlhub top                         the screen; ? shows its keys, q leaves
    mlhub top calm-otter              with this run's curves
    mlhub top --once                  what runs, waits and ended; the machine
    mlhub top --plain --every 300     a line in five minutes; all that happens
    mlhub top --json | jq .alerts
    mlhub top --keys                  ids for keys.toml: stop = "ctrl+k"
    """
    from mlhub.cli.hub import open_hub
    from mlhub.errors import UsageError

    if not every >= 0:  # "nan"
        raise UsageError(f"--every {every}: not a time to wait", "Give 0 to 86400 seconds.")
    hub = open_hub()
    if keys:
        return _print_keys(hub, json)
    focus = hub.store.find(run).id if run else None
    hub.store.close()
    if json or once or plain or not _has_screen():
        return _tell(hub, focus, json=json, once=once, every=every)
    if not sys.stdin.isatty():
        raise UsageError(
            "the screen takes keys from a terminal, and stdin is none", "Use mlhub top --plain, or --once; or no `<`."
        )
    from mlhub.tui.start import start

    start(hub.home, hub.settings, focus)
    return 0


def _has_screen() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _tell(hub: Hub, focus: int | None, *, json: bool, once: bool, every: float) -> int:
    """The forms without a screen; each begins with a picture of everything."""
    from mlhub.cli.out import emit_json, tell
    from mlhub.tui.words.outline import Outline, Readers

    readers = Readers(hub.home, hub.settings, focus)
    try:
        readers.wait()
        outline = Outline.of(readers)
        if json:
            emit_json(outline.document())
            return 0
        sys.stdout.write("".join(f"{line}\n" for line in picture(outline)))
        sys.stdout.flush()
        if not once:
            from mlhub.tui.words.plain import follow

            tell("changes follow; Ctrl-C ends the watching, not the runs")
            follow(readers, every)
    except KeyboardInterrupt:
        return 0
    finally:
        readers.close()
    return 0


def picture(outline: Outline) -> list[str]:
    """An outline as lines."""
    from mlhub.cli.out import Column, columns, table
    from mlhub.text import fit

    wide = columns()
    lines = [fit(f"{name:<8} {words}", max(wide, 40)) for name, words in outline.facts()]
    for one in outline.tables():
        heads = [Column(head.lstrip("<>~"), right=head[0] == ">", flex=head[0] == "~") for head in one.heads]
        lines += ["", one.title, *(f"  {line}" for line in table(heads, one.rows, total=wide - 2))]
    return lines


def _print_keys(hub: Hub, json: bool) -> int:
    """The table that bindings, footer and help are made of, the user's own keys in it."""
    import itertools
    import textwrap
    from dataclasses import asdict

    from mlhub.cli.out import emit_json, say
    from mlhub.text import pad
    from mlhub.tui.keys import VIEWS, keys_of, load

    path = hub.home.root / "keys.toml"
    own = load(path)
    if json:
        found = [key for where in ("app", *VIEWS) for key in keys_of(where, own)]
        emit_json([asdict(key) | {"id": key.full_id} for key in found])
        return 0
    for where in ("app", *VIEWS):
        say("everywhere" if where == "app" else where)
        for key in keys_of(where, own):
            lines = textwrap.wrap(key.text, _TEXT) or [""]
            words = textwrap.wrap(key.keys.replace(",", " "), _KEYS) or [""]
            for id_, word, line in itertools.zip_longest([key.full_id], words, lines, fillvalue=""):
                say(f"  {pad(id_, _IDS)} {pad(word, _KEYS)} {line}".rstrip())
    say(f'your own: {path}, a line each, e.g.  stop = "ctrl+k"')
    return 0
