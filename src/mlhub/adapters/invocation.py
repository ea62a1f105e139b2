"""How a project's config and script became a command line: all that `rerun` needs, whatever became of the project.

Kept in the run's folder (`invocation.json`). Not who runs it: that is `mlhub.runner`.
"""

from __future__ import annotations

import msgspec

from mlhub.adapters import Program  # noqa: TC001 - msgspec reads it
from mlhub.adapters.template import RUN_DIR, Blanks, Declared, fill, words_of
from mlhub.errors import MlhubError
from mlhub.files import read_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mlhub.adapters.plain import PlainConfig


class Invocation(msgspec.Struct, frozen=True):
    """`script` and `config_file` are as the project's folder names them; `options` and `flags` are the script's own."""

    project: str
    adapter: str
    program: Program
    folder: str
    python: str
    script: str
    config_file: str = ""
    arguments: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    @property
    def as_json(self) -> bool:
        """Whether the program reads its config as JSON."""
        form = self.program.config
        return form == "json" or (form == "file" and self.config_file.endswith(".json"))

    @property
    def composes(self) -> bool:
        """Whether the program itself makes the config from its parts, so that a key may be one we don't see."""
        return self.program.config == "hydra"

    def command(self, config: PlainConfig | None) -> tuple[str, ...]:
        """The argument list; where the run's folder stands in it, it holds `RUN_DIR` until there is one."""
        declared = Declared(frozenset(self.options), frozenset(self.flags))
        values = config.tree() if config is not None else {}
        blanks = Blanks(
            python=self.python,
            script=self.script,
            config=f"{RUN_DIR}/config.{'json' if self.as_json else 'yaml'}" if config is not None else "",
            config_file=f"{self.folder}/{self.config_file}" if self.config_file else "",
            project=self.folder,
            arguments=self.arguments,
            settings=words_of(values, self.program.config, declared),
            overrides=self.overrides,
        )
        return fill(self.program.command, blanks)

    def changed(self, overrides: Sequence[str]) -> Invocation:
        """The same with further overrides."""
        return msgspec.structs.replace(self, overrides=(*self.overrides, *overrides))


def read_invocation(file: Path) -> Invocation | None:
    """What a run's folder keeps; None if it is a run of no project. Raises MlhubError for a damaged file."""
    try:
        return msgspec.json.decode(read_regular(file), type=Invocation)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise MlhubError(f"{file}: can't be read ({error})", "Start it anew: mlhub run PROJECT:…") from error
