"""Settings: the `MLHUB_*` environment over `config.toml` in the home. A run's configuration is `mlhub.config`'s."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path

from mlhub.errors import ConfigError
from mlhub.paths import Home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Settings:
    """Each field is the key in `config.toml` and, in capitals behind `MLHUB_`, the environment variable."""

    home: str = ""
    database_url: str = ""
    data_dir: str = ""
    checkpoint_dir: str = ""
    log_dir: str = ""
    projects_dir: str = ""
    venvs_dir: str = ""
    log_level: str = "info"
    max_runs: int = 0

    @classmethod
    def load(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """`config.toml` of the home, then the environment, which wins. Raises ConfigError for a wrong key or type."""
        root = environment.get("MLHUB_HOME") or _default_home()
        values: dict[str, str | int] = dict(_read_toml(_folder(root) / "config.toml"))
        for field in fields(cls):
            name = f"MLHUB_{field.name.upper()}"
            if text := environment.get(name):
                values[field.name] = _number(name, text) if field.name == "max_runs" else text
        values["home"] = root
        return cls(**values)  # type: ignore[arg-type]  # checked key by key above

    def to_home(self) -> Home:
        """The folders these settings name, absolute, `~` expanded."""
        root = _folder(self.home)
        return Home(
            root=root,
            data=_folder(self.data_dir) if self.data_dir else root / "data",
            checkpoints=_folder(self.checkpoint_dir) if self.checkpoint_dir else None,
            logs=_folder(self.log_dir) if self.log_dir else None,
        )


def _folder(text: str) -> Path:
    return Path(os.path.expanduser(text)).absolute()  # Path's own raises RuntimeError for an unknown ~user


def _default_home() -> str:
    import platformdirs  # 8 ms, and not needed where MLHUB_HOME is set

    return platformdirs.user_data_dir("mlhub")


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigError(
            f"{name}: expected a whole number, got {text!r}", f"Set it to a number or unset {name}."
        ) from None


def _read_toml(path: Path) -> dict[str, str | int]:
    """The keys of `config.toml`, checked; none if there is no such file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: can't be read ({error})", "Make it a readable UTF-8 text file or remove it."
        ) from error
    import tomllib

    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # not all of what it can't read is a TOMLDecodeError
        raise ConfigError(f"{path}: not valid TOML: {error}", "Mend the line it names.") from error
    types = {field.name: int if field.name == "max_runs" else str for field in fields(Settings) if field.name != "home"}
    for key, value in table.items():
        if key not in types:
            raise ConfigError(f"{path}: unknown key {key!r}", f"Known keys: {', '.join(types)}.")
        if not isinstance(value, types[key]) or isinstance(value, bool):
            raise ConfigError(f"{path}: {key} should be {types[key].__name__}, not {value!r}", "Mend the value.")
    return table
