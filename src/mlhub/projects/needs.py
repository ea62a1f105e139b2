"""What a project says it needs: requirements.txt, pyproject.toml or setup.py, else the pip part of a conda file."""

from __future__ import annotations

import hashlib
import os
import re

import msgspec

from mlhub.files import read_regular
from mlhub.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

_LARGEST = 1 << 20


class Needs(msgspec.Struct, frozen=True):
    """What a project says it needs: pip's words for it, the files that say so, and what nobody here can install."""

    words: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    digest: str = ""


def needs_of(folder: Path) -> Needs:
    """What requirements.txt, pyproject.toml or setup.py, or else the pip part of a conda file ask for."""
    words: list[str] = []
    sources: dict[str, str] = {}
    left_out: tuple[str, ...] = ()
    if (folder / "requirements.txt").is_file():
        words += ["-r", str(folder / "requirements.txt")]
        _follow(folder / "requirements.txt", folder, sources)
    if _is_package(folder):
        words += ["-e", str(folder)]
        for name in ("pyproject.toml", "setup.py", "setup.cfg"):
            if (folder / name).is_file():
                sources[name] = text_of(folder / name)
    if not words:
        for name in ("environment.yml", "environment.yaml", "conda.yaml", "conda.yml"):
            if (folder / name).is_file():
                sources[name] = text_of(folder / name)
                pip, left_out = _conda(sources[name], name)
                words += pip
                break
    said = hashlib.sha256(repr((words, sorted(sources.items()))).encode(errors="replace")).hexdigest()
    return Needs(tuple(words), tuple(sources), left_out, said)


def _is_package(folder: Path) -> bool:
    """Whether pip can install the folder: not where pyproject.toml only sets up tools."""
    if (folder / "setup.py").is_file():
        return True
    import tomllib

    try:
        table = tomllib.loads(text_of(folder / "pyproject.toml"))
    except (ValueError, RecursionError):
        return True  # pip says what is wrong with it
    return "project" in table or "build-system" in table


def _follow(file: Path, folder: Path, sources: dict[str, str]) -> None:
    """A requirements file and those that it names, each once."""
    name = os.path.relpath(file, folder)
    if name in sources or len(sources) > 50:
        return
    sources[name] = text_of(file)
    for other in re.findall(r"(?m)^\s*(?:-r|-c|--requirement|--constraint)[ =]\s*([^\s#]+)", sources[name]):
        if "://" not in other:
            _follow(file.parent / other, folder, sources)


def _conda(text: str, name: str) -> tuple[list[str], tuple[str, ...]]:
    """The pip part of a conda file as words, and what only conda could install."""
    from mlhub.errors import ConfigError
    from mlhub.yaml12 import parse

    try:
        tree = parse(text, name)
    except ConfigError:
        return [], (f"{name} (not valid YAML)",)
    listed = tree.get("dependencies") if isinstance(tree, dict) else None
    listed = listed if isinstance(listed, list) else []
    pip = [one for part in listed if isinstance(part, dict) for one in part.get("pip") or [] if isinstance(one, str)]
    conda = [part for part in listed if isinstance(part, str) and not re.match(r"(?:python|pip)\b", part)]
    return [one for one in pip if not one.startswith("-")], tuple(map(one_line, conda))


def text_of(file: Path) -> str:
    """A file's text, or nothing: what can't be read is said by the installer, which reads it again."""
    try:
        return read_regular(file)[:_LARGEST].decode(errors="replace")
    except OSError:
        return ""
