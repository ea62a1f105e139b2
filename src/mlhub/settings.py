"""Settings: the `MLHUB_*` environment over `config.toml` in the home. A run's configuration is `mlhub.config`'s."""

from __future__ import annotations

import os
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from mlhub.errors import ConfigError
from mlhub.files import read_regular
from mlhub.paths import Home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Value = str | int | float | bool

_TYPES: dict[object, Any] = {"str": str, "int": int, "float": float, "bool": bool}
_TYPE_NAMES = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}
_TRUTH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
#: what may be told by a notice beside failed runs and alerts of severity `fail`
NOTIFY_ON = ("completed", "cancelled", "warn")


@dataclass(frozen=True, slots=True)
class Settings:
    """Each field is the key in `config.toml` and, in capitals behind `MLHUB_`, the environment variable.

    `notify`: apprise URLs, spaces between them; they hold secrets and appear in no message. `notify_on`: words of
    NOTIFY_ON. `log_limit_mb`: a longer log is compressed but for its newest part. Ages in days: removed runs stay in
    the trash, metrics of ended runs become a compact file, their logs are compressed. `aliases` is a table of the file
    alone: words for longer command lines, which are `mlhub.cli.alias`'s.
    """

    home: str = ""
    database_url: str = field(default="", repr=False)
    data_dir: str = ""
    checkpoint_dir: str = ""
    log_dir: str = ""
    projects_dir: str = ""
    venvs_dir: str = ""
    log_level: str = "info"
    max_runs: int = field(default=0, metadata={"least": 0})
    sampler: bool = True
    sample_seconds: float = field(default=5.0, metadata={"least": 0.1})
    stall_minutes: float = field(default=20.0, metadata={"least": 0})
    log_limit_mb: int = field(default=64, metadata={"least": 2})
    notify: str = field(default="", repr=False, metadata={"secret": True})
    notify_on: str = field(default="", metadata={"words": NOTIFY_ON})
    trash_days: int = field(default=7, metadata={"least": 0})
    compact_days: int = field(default=30, metadata={"least": 0})
    compress_log_days: int = field(default=7, metadata={"least": 0})
    aliases: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """`config.toml` of the home, then the environment, which wins. Raises ConfigError for a wrong key or type."""
        root = environment.get("MLHUB_HOME") or _default_home()
        path = _folder(root) / "config.toml"
        values: dict[str, Value] = {}
        table = _read_toml(path)
        for key in _known():
            name = f"MLHUB_{key.name.upper()}"
            if text := environment.get(name):
                values[key.name] = _check(name, _parse(key, text), key, f"Mend it or unset {name}.")
            elif key.name in table:
                values[key.name] = _check(f"{path}: {key.name}", table[key.name], key, "Mend the value.")
        values["home"] = root
        return cls(**values, aliases=_aliases(path, table.get("aliases", {})))  # type: ignore[arg-type]  # checked key by key above

    def to_home(self) -> Home:
        """The folders these settings name, absolute, `~` expanded."""
        root = _folder(self.home)
        return Home(
            root=root,
            data=_folder(self.data_dir) if self.data_dir else root / "data",
            checkpoints=_folder(self.checkpoint_dir) if self.checkpoint_dir else None,
            logs=_folder(self.log_dir) if self.log_dir else None,
            projects=_folder(self.projects_dir) if self.projects_dir else None,
            venvs=_folder(self.venvs_dir) if self.venvs_dir else None,
        )


def _folder(text: str) -> Path:
    return Path(os.path.expanduser(text)).absolute()  # Path's own raises RuntimeError for an unknown ~user


def _default_home() -> str:
    import platformdirs  # 8 ms, and not needed where MLHUB_HOME is set

    return platformdirs.user_data_dir("mlhub")


def _known() -> list[Field[Value]]:
    """The keys that file and environment may name."""
    return [key for key in fields(Settings) if key.name not in ("home", "aliases")]


def _aliases(path: Path, table: object) -> dict[str, str]:
    """Raises ConfigError if it is no table of texts; what they mean is not looked at here."""
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: aliases: expected a table", 'For example: [aliases], and below it: l = "ls -n 5"')
    for name, words in table.items():
        if not isinstance(words, str):
            raise ConfigError(f"{path}: aliases.{name}: expected text, got {words!r}", 'For example: l = "ls -n 5"')
    return table


def home_root(environment: Mapping[str, str] = os.environ) -> Path:
    """The home's folder, which `config.toml` lies in and can't name."""
    return _folder(environment.get("MLHUB_HOME") or _default_home())


def mentions_aliases(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether config.toml may have a table of aliases: a look at its bytes, where reading TOML would take too long."""
    try:
        return b"aliases" in read_regular(home_root(environment) / "config.toml")
    except OSError:
        return False


def _parse(key: Field[Value], text: str) -> object:
    """The value an environment variable means; the text itself where it means none, for `_check` to refuse."""
    try:
        return _TRUTH.get(text.lower(), text) if key.type == "bool" else _TYPES[key.type](text)
    except ValueError:
        return text


def _check(name: str, value: Any, key: Field[Value], hint: str) -> Value:  # noqa: ANN401 - anything TOML holds
    """`value` if `key` may have it. Raises ConfigError, which tells no secret."""
    if key.type == "float" and isinstance(value, int) and not isinstance(value, bool):
        value = float(min(value, 1 << 60))  # TOML's integers have no limit
    if not isinstance(value, _TYPES[key.type]) or (isinstance(value, bool) and key.type != "bool"):
        what = "something else" if key.metadata.get("secret") else repr(value)
        raise ConfigError(f"{name}: expected {_TYPE_NAMES[str(key.type)]}, got {what}", hint)
    least = key.metadata.get("least")
    if least is not None and not least <= value < 1e9:  # not NaN either
        raise ConfigError(f"{name}: expected {least} or more, got {value!r}", hint)
    words = key.metadata.get("words")
    if words and (wrong := [word for word in str(value).replace(",", " ").split() if word not in words]):
        raise ConfigError(f"{name}: unknown word {wrong[0]!r}", f"Known words: {', '.join(words)}.")
    return value  # type: ignore[no-any-return]  # as the first test says


def _read_toml(path: Path) -> dict[str, object]:
    """The table in `config.toml`, all of its keys known; empty if there is no such file."""
    try:
        text = read_regular(path).decode()
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
    known = [*(key.name for key in _known()), "aliases"]
    for name in table:
        if name not in known:
            raise ConfigError(f"{path}: unknown key {name!r}", f"Known keys: {', '.join(known)}.")
    return table
