"""A run's artifacts: files, texts, pictures and tables kept in `artifacts/`, and `artifacts.jsonl`, which lists them.

What training code calls (`mlhub.log_artifact` and its like) ends here, and so does who shows them: `read`. One record a
line, appended once its file is whole. Standard library only and nothing of ours imported, in the syntax of Python 3.9:
it runs inside other people's training. Not the place where pictures are made beautiful or tables are drawn.

    {"kind":"image","name":"samples","file":"samples-step100.png","step":100,"time":…,"bytes":5120,"caption":"…"}
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import stat
import time
from contextlib import suppress
from typing import Any, NamedTuple, Optional

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Path = str | os.PathLike[str]

INDEX, FOLDER = "artifacts.jsonl", "artifacts"
KINDS = ("file", "text", "image", "table")
#: of a name or caption this much is kept
_LONGEST = 1 << 16
#: a file's name is made of so much of the artifact's
_SLUG = 100
#: a longer index is read to here
_MOST = 64 << 20
_MAGIC = {
    b"\x89PNG\r\n\x1a\n": ".png", b"\xff\xd8\xff": ".jpg", b"GIF87a": ".gif", b"GIF89a": ".gif", b"BM": ".bmp",
}  # fmt: skip
_WORDS = {math.inf: "Infinity", -math.inf: "-Infinity"}


class Artifact(NamedTuple):
    """One artifact of a run. Texts are as logged: `mlhub.text.one_line` before they are shown.

    `kind`: file (a folder too), text (UTF-8), image (PNG, JPEG, GIF, WebP, BMP) or table (JSON: see `read_table`).
    `file`: its name in the run's folder `artifacts`; `path` is where it lies. `time`: seconds since 1970.
    """

    kind: str
    name: str
    file: str
    path: str
    bytes: int
    time: Optional[float] = None  # noqa: UP045 - evaluated at run time by Python 3.9
    step: Optional[int] = None  # noqa: UP045
    caption: Optional[str] = None  # noqa: UP045
    columns: tuple[str, ...] = ()
    rows: Optional[int] = None  # noqa: UP045

    def to_json(self) -> dict[str, object]:
        """Its shape in `mlhub show --json`: what is not known or not of its kind is left out."""
        found = self._asdict() | {"columns": list(self.columns)}
        return {key: value for key, value in found.items() if value is not None and value != []}


def read(folder: Path) -> list[Artifact]:
    """The artifacts of the run whose folder it is, in the order they were logged; then files nobody listed, by name.

    Left out: lines that are torn or no records, and what has been removed since or is a link. Never raises for what
    the folder holds; its files may have been written by anybody.
    """
    inside = os.path.join(folder, FOLDER)
    found = [artifact for line in _lines(os.path.join(folder, INDEX)) if (artifact := _decode(line, inside))]
    known = {artifact.file for artifact in found}
    with suppress(OSError):
        for name in sorted(os.listdir(inside)):
            clean = _plain(name)
            here = _stat(os.path.join(inside, name)) if clean == name and not name.startswith(".") else None
            if here is not None and name not in known:
                path = os.path.join(inside, name)
                found.append(Artifact("file", name, name, path, _size(path, here), here.st_mtime))
    return found


def read_table(path: Path, limit: int = 8 << 20) -> tuple[list[str], list[list[object]]]:
    """Columns and rows of a table; cells are numbers, texts, true, false or None. Raises ValueError, OSError.

    What is longer than `limit` bytes is refused: nobody draws it.
    """
    with open(path, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"a table of more than {limit} bytes")
    tree = json.loads(data)
    columns, rows = (tree.get("columns"), tree.get("rows")) if isinstance(tree, dict) else (None, None)
    if not isinstance(columns, list) or not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise ValueError("no table of ours")
    return [str(column) for column in columns], rows


# what training code calls: `run` is the run's folder


def keep_file(run: Path, path: Path, name: str | None = None, *, step: int | None = None) -> None:
    """Keep a copy of a file or folder as it is now. Raises FileNotFoundError if there is none, TypeError."""
    source = os.fspath(path)
    if _is_folder(source):
        if os.path.realpath(os.path.join(run, FOLDER)).startswith(os.path.realpath(source) + os.sep):
            raise ValueError(f"{source}: the run's own folder is in it")
        write: Callable[[str], object] = lambda to: shutil.copytree(source, to, symlinks=True)  # noqa: E731
    else:
        write = lambda to: shutil.copyfile(source, to)  # noqa: E731
    base = os.path.basename(os.path.abspath(source))
    _keep(run, {"kind": "file", "name": base if name is None else name}, step, os.path.splitext(base)[1], write)


def keep_text(run: Path, name: str, text: str, *, step: int | None = None) -> None:
    """Keep a text, as UTF-8."""
    data = str(text).encode(errors="replace")
    _keep(run, {"kind": "text", "name": name}, step, ".txt", lambda to: _write(to, data))


def keep_image(run: Path, name: str, image: Any, *, step: int | None = None, caption: str | None = None) -> None:  # noqa: ANN401
    """Keep a picture: a path, a PIL image, or a numpy array or torch tensor, which becomes a PNG.

    Arrays are H×W, H×W×C or C×H×W with C = 1, 3 or 4; whole numbers from 0 to 255, floats from 0 to 1, what is beyond
    is cut. Raises ValueError for another shape or a file that is no PNG, JPEG, GIF, WebP or BMP, TypeError, OSError.
    """
    about: dict[str, object] = {"kind": "image", "name": name}
    if caption is not None:
        about["caption"] = _text(caption)
    if isinstance(image, (str, os.PathLike)):
        source = os.fspath(image)
        if _is_folder(source):
            raise ValueError(f"{source}: a folder, and no picture")
        with open(source, "rb") as file:
            suffix = _suffix(file.read(16))
        _keep(run, about, step, suffix, lambda to: shutil.copyfile(source, to))
    elif callable(getattr(image, "save", None)) and hasattr(image, "mode"):
        mode = image.mode if image.mode in ("1", "L", "LA", "P", "RGB", "RGBA") else "RGB"
        picture = image if mode == image.mode else image.convert(mode)
        _keep(run, about, step, ".png", lambda to: picture.save(to, format="PNG"))
    else:
        from mlhub.png import encode

        data = encode(image)
        _keep(run, about, step, ".png", lambda to: _write(to, data))


def keep_table(
    run: Path, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, step: int | None = None
) -> None:
    """Keep a table. Cells are numbers (anything `float` takes), texts, booleans or None; all else becomes text.

    Raises ValueError for a row that has not a cell a column.
    """
    heads = [_text(column) for column in columns]
    cells = [[_cell(value) for value in row] for row in rows]
    for number, row in enumerate(cells):
        if len(row) != len(heads):
            raise ValueError(f"row {number} has {len(row)} cells, and there are {len(heads)} columns")
    data = json.dumps({"columns": heads, "rows": cells}, separators=(",", ":"), allow_nan=False).encode()
    about: dict[str, object] = {"kind": "table", "name": name, "columns": heads, "rows": len(cells)}
    _keep(run, about, step, ".json", lambda to: _write(to, data))


def _is_folder(path: str) -> bool:
    """Whether it is a folder; else it is a file. Raises ValueError for a pipe or device, OSError if it is not there."""
    mode = os.stat(path).st_mode
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise ValueError(f"{path}: neither a file nor a folder")
    return stat.S_ISDIR(mode)


def _keep(run: Path, about: dict[str, object], step: int | None, suffix: str, write: Callable[[str], object]) -> None:
    """Write the file under another name, give it its own, list it. Raises OSError, and leaves nothing."""
    name = _text(about["name"])
    if not name:
        raise ValueError("an artifact without a name")
    number = None if step is None else int(step)
    folder = os.path.join(run, FOLDER)
    temporary = os.path.join(folder, f".{os.getpid()}-{os.urandom(6).hex()}.tmp")
    try:
        with suppress(FileExistsError):
            os.mkdir(folder, 0o700)  # not its parents: a run that was removed stays so
        write(temporary)
        here = os.lstat(temporary)
        file = _settle(temporary, folder, _slug(name, number, suffix), is_folder=stat.S_ISDIR(here.st_mode))
        size = _size(os.path.join(folder, file), here)
        record = about | {"name": name, "file": file, "step": number, "time": time.time(), "bytes": size}
        _append(os.path.join(run, INDEX), {key: value for key, value in record.items() if value is not None})
    except BaseException:
        _remove(temporary)
        raise


def _settle(temporary: str, folder: str, names: Callable[[str], str], *, is_folder: bool) -> str:
    """Give a whole file its name, one that nobody has: never over another's. Raises OSError."""
    while True:
        name = names("")
        for _ in range(100):
            target = os.path.join(folder, name)
            try:
                if is_folder:
                    os.mkdir(target)  # whose it is; renaming takes the place of an empty folder alone
                    os.rename(temporary, target)
                else:
                    os.chmod(temporary, 0o600)
                    _name_file(temporary, target)
            except FileExistsError:
                name = names(f"-{os.urandom(4).hex()}")
            else:
                return name


def _name_file(temporary: str, target: str) -> None:
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links: the name is taken first, then written over
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        os.replace(temporary, target)
    else:
        os.unlink(temporary)


def _slug(name: str, step: int | None, suffix: str) -> Callable[[str], str]:
    """How a file is called for what an artifact is: letters, digits, `-`, `_` and `.`, in a folder of its own."""
    ending = re.sub(r"[^A-Za-z0-9.]", "", suffix)[:16]
    stem = name[: -len(suffix)] if suffix and name.endswith(suffix) else name
    kept = re.sub(r"[^A-Za-z0-9._-]+", "_", stem[:_SLUG]).strip("._-") or "artifact"
    place = "" if step is None else f"-step{step}"
    return lambda more: f"{kept}{place}{more}{ending}"


def _append(path: str, record: dict[str, object]) -> None:
    """One line, in one write; what a killed writer left before it is closed by a line's end. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, b"\n" * torn + json.dumps(record, separators=(",", ":")).encode() + b"\n")
    finally:
        os.close(descriptor)


def _write(path: str, data: bytes) -> None:
    with open(path, "xb") as file:
        file.write(data)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            os.unlink(path)


def _text(value: object) -> str:
    """A text that every JSON parser and every file takes: no half of a surrogate pair, and not without an end."""
    return str(value)[:_LONGEST].encode(errors="replace").decode()


def _cell(value: object) -> object:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    try:
        number = float(value)  # type: ignore[arg-type]  # a tensor or array of one number
    except (TypeError, ValueError):
        return _cell(str(value))
    return number if math.isfinite(number) else _WORDS.get(number, "NaN")


# pictures


def _suffix(head: bytes) -> str:
    """Of which kind a picture is, by its first bytes."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ".webp"
    for magic, suffix in _MAGIC.items():
        if head.startswith(magic):
            return suffix
    raise ValueError("no PNG, JPEG, GIF, WebP or BMP; other files are kept by log_artifact")


# reading


def _lines(path: str) -> list[bytes]:
    """The whole lines of the index; none if it is missing or not a regular file."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                data = file.read(_MOST)
                return data[: data.rfind(b"\n") + 1].splitlines()
    return []


def _decode(line: bytes, inside: str) -> Artifact | None:
    try:
        tree = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(tree, dict) or tree.get("kind") not in KINDS:
        return None
    name, file, columns = tree.get("name"), tree.get("file"), tree.get("columns")
    if not isinstance(name, str) or not isinstance(file, str) or _plain(file) != file or file.startswith("."):
        return None
    path = os.path.join(inside, file)
    here = _stat(path)
    if here is None or (stat.S_ISDIR(here.st_mode) and tree["kind"] != "file"):
        return None
    caption = tree.get("caption")
    return Artifact(
        tree["kind"], _text(name), file, path, _size(path, here), _real(tree.get("time")), _whole(tree.get("step")),
        _text(caption) if isinstance(caption, str) else None,
        tuple(_text(column) for column in columns) if isinstance(columns, list) else (), _whole(tree.get("rows")),
    )  # fmt: skip


def _plain(name: str) -> str:
    """`name` if it is that of an entry of a folder and every encoding takes it; else something else."""
    return os.path.basename(name).encode(errors="replace").decode().replace("\0", "")


def _stat(path: str) -> os.stat_result | None:
    try:
        here = os.lstat(path)
    except (OSError, ValueError):
        return None
    return here if stat.S_ISREG(here.st_mode) or stat.S_ISDIR(here.st_mode) else None


def _size(path: str, here: os.stat_result) -> int:
    """Bytes of a file; of a folder those of all its files, as far as they can be read."""
    if not stat.S_ISDIR(here.st_mode):
        return here.st_size
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size
    return total


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63 else None


def _real(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < 1e18 else None
