"""Wheels bring manual pages, made of the commands as the wheel is built: none lies in the tree to grow stale."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManualPages(BuildHookInterface):
    """Puts `mlhub.1` and its like under share/man/man1 of the environment that the wheel is installed in."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        sys.path.insert(0, str(Path(self.root) / "src"))
        from mlhub.cli.man import pages

        self._folder = tempfile.TemporaryDirectory()
        for name, text in pages().items():
            file = Path(self._folder.name) / name
            file.write_text(text + "\n", encoding="utf-8")
            build_data["shared_data"][str(file)] = f"share/man/man1/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        if version != "editable":
            self._folder.cleanup()
