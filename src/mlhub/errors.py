"""The errors a user may see. Not a place for handling them: `mlhub.cli` turns them into two lines and an exit status.

MlhubError              exit 1   it failed
├── UsageError          exit 2   the command line is wrong
├── ConfigError         exit 1   a preset or setting is wrong
├── NotFoundError       exit 1   no such run, data set, preset, checkpoint, index
└── StoreError          exit 1   the database or the home can't be used
    └── DamagedError    exit 1   the database is none any more: it may be made anew
"""

from __future__ import annotations


class MlhubError(Exception):
    """What happened, in one line, and what to do about it, in another."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(MlhubError):
    """The command line itself is wrong."""

    exit_code = 2


class ConfigError(MlhubError):
    """A preset, an override's value or `config.toml` is wrong."""


class NotFoundError(MlhubError):
    """A thing the user named does not exist."""


class StoreError(MlhubError):
    """The home or its database can't be read or written."""


class DamagedError(StoreError):
    """The file is no database of ours any more. A busy, newer or unreachable one is not damaged."""
