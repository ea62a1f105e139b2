"""`mlhub notify`: whether the notices that MLHUB_NOTIFY asks for arrive. URLs hold secrets and are never printed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Notices of failed runs and alerts, through apprise URLs (Slack, Discord, mail …).

\b
mlhub notify test    whether they arrive
""",
    epilog='MLHUB_NOTIFY="URL URL" or notify = "URL" in config.toml; notify_on adds completed, cancelled and warn.',
)


@app.command("test")
def check(json: Annotated[bool, typer.Option("--json", help="Print how it went as JSON.")] = False) -> int:
    """Send a notice to every service and say how it went. Exit 1 if one of them did not take it.

    \b
    MLHUB_NOTIFY=slack://TOKEN_A/TOKEN_B/TOKEN_C mlhub notify test
    mlhub notify test         with notify = "…" in config.toml of the home
    """
    import os

    from mlhub.cli.out import Column, emit_json, say, table
    from mlhub.errors import ConfigError
    from mlhub.runner.notify import Message, send, split_urls
    from mlhub.settings import Settings

    urls = Settings.load().notify
    if not split_urls(urls):
        raise ConfigError(
            "no service is set to send notices to",
            'Set MLHUB_NOTIFY, or notify = "…" in config.toml, to URLs as on https://appriseit.com/services/',
        )
    host = os.uname().nodename
    deliveries = send(urls, Message("mlhub: a test", f"Notices of runs on {host} come here.", "info"))
    if json:
        emit_json({"ok": all(one.sent for one in deliveries), "services": [asdict(one) for one in deliveries]})
    else:
        rows = [[one.service, "sent" if one.sent else "failed", one.detail] for one in deliveries]
        for line in table([Column("service"), Column("notice"), Column("why", flex=True)], rows):
            say(line)
    return 0 if all(one.sent for one in deliveries) else 1
