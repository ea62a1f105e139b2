"""The systemd user unit that looks after the queue, as text. Nothing is installed, systemd is not asked."""

from __future__ import annotations

import os
import sys
from dataclasses import fields

from mlhub.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlhub.paths import Home

NAME = "mlhub-queue.service"


def has_user_manager() -> bool:
    """Whether a systemd of this user runs."""
    folder = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    return os.path.exists(os.path.join(folder, "systemd", "private"))


def how_to_enable() -> list[str]:
    """What to type, a command each; the unit's text goes into the file that the first one names."""
    return [
        "mkdir -p ~/.config/systemd/user",
        f"mlhub doctor --unit > ~/.config/systemd/user/{NAME}",
        f"systemctl --user daemon-reload && systemctl --user enable --now {NAME}",
        "loginctl enable-linger",
    ]


def unit(home: Home, environment: Mapping[str, str] = os.environ, python: str = sys.executable) -> str:
    """The unit, with this interpreter, this home and the settings of this shell but for secrets."""
    # KillMode: what the watcher started outlives it, as with any other command of mlhub
    words = [f"MLHUB_HOME={home.root}"]
    for setting in fields(Settings):
        name = f"MLHUB_{setting.name.upper()}"
        if name in environment and setting.repr and name != "MLHUB_HOME":
            words.append(f"{name}={environment[name]}")
    lines = [
        "[Unit]",
        "Description=mlhub: start what waits in the queue",
        "",
        "[Service]",
        f"ExecStart={_quoted(python, command=True)} -P -m mlhub queue watch",
        *(f"Environment={_quoted(word)}" for word in words),
        "Restart=on-failure",
        "RestartSec=10",
        "KillMode=process",
        "",
        "[Install]",
        "WantedBy=default.target",
    ]
    return "\n".join(lines) + "\n"


def _quoted(word: str, *, command: bool = False) -> str:
    """A word as systemd reads it back: its specifiers, quotes and, in a command, variables mean themselves."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("\n", "\\n")
    return f'"{text.replace("$", "$$") if command else text}"'
