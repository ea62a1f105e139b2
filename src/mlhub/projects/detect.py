"""What a project holds, read from its files: configs, scripts, and which adapter fits. Nothing is imported or run."""

from __future__ import annotations

import ast
import os
import re
import warnings
from pathlib import Path, PurePosixPath

import msgspec

from mlhub.files import read_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_SKIP = frozenset((
    "node_modules", "__pycache__", "site-packages", "venv", "env", "build", "dist", "wandb", "mlruns", "outputs",
    "multirun", "lightning_logs", "logs", "checkpoints", "data", "datasets", "docs", "tests", "test",
))  # fmt: skip
_CONFIG_FOLDERS = frozenset((
    "config", "configs", "conf", "confs", "cfg", "cfgs", "experiment", "experiments", "hparams", "recipes", "params",
    "configuration", "configurations",
))  # fmt: skip
#: YAML and JSON at the top that configure something else
_NO_CONFIG = re.compile(
    r"(?:\..*|environment.*|conda.*|docker-compose.*|compose|mkdocs|package(?:-lock)?|tsconfig|.*\.lock|codecov|"
    r"pyrightconfig|action|dvc|meta|openapi|renovate|readthedocs|vercel|uv|pixi|cog|_config)",
    re.IGNORECASE,
)
#: a project with more is listed in part
MOST_FILES = 5000
MOST_FOLDERS = 5000
_DEEPEST = 6
_LARGEST = 1 << 20
#: a script of such a name is meant before others
_USUAL = ("train", "main", "run", "fit", "finetune", "fine_tune", "pretrain", "trainer", "cli", "train_net")


class Script(msgspec.Struct, frozen=True):
    """A program of the project. `uses`: names and options its text uses; `flags`: options that take no value."""

    path: str
    adapter: str
    uses: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()


class Findings(msgspec.Struct, frozen=True):
    """Paths are relative to the project's folder, `/` between their parts. `cut`: there was more than is listed."""

    configs: tuple[str, ...]
    scripts: tuple[Script, ...]
    cut: bool = False

    @property
    def adapter(self) -> str:
        """The adapter of the script that would be taken."""
        return self.scripts[0].adapter if self.scripts else "command"


def look(folder: Path) -> Findings:
    """Read a project. Scripts are sorted: those that train first, then by usual names, then by depth."""
    seen, cut = _files(folder)
    mine = [name for name in seen if name.endswith(".py") and inside(folder, name)]
    scripts = [script for name in mine if (script := read_script(folder, name))]
    found = sorted(name for name in seen if _is_config(name) and inside(folder, name))
    return Findings(tuple(found), tuple(sorted(scripts, key=rank)), cut)


def configs(folder: Path) -> list[str]:
    """The configs alone: no script is opened, so that completion may ask."""
    return sorted(name for name in _files(folder)[0] if _is_config(name) and inside(folder, name))


def inside(folder: Path, name: str) -> bool:
    """Whether a file is the project's own: not a link of a clone to what else this machine has, no `../`."""
    real = os.path.realpath(folder / name)
    return real.startswith(os.path.join(os.path.realpath(folder), ""))


def _files(folder: Path) -> tuple[list[str], bool]:
    """Files that may matter, links to folders not followed; and whether there were more than are looked at."""
    found: list[str] = []
    for count, names in enumerate(_folders(folder)):
        found += names
        if len(found) > MOST_FILES or count == MOST_FOLDERS:
            return found[:MOST_FILES], True
    return found, False


def _folders(folder: Path) -> Iterator[list[str]]:
    """The names of a folder's files that may matter, for each folder."""
    for root, folders, files in os.walk(folder):
        here = os.path.relpath(root, folder)
        before = "" if here == "." else f"{here}/"
        folders[:] = sorted(
            name for name in folders
            if not name.startswith(".") and name not in _SKIP and not name.endswith((".egg-info", ".dist-info"))
            and not os.path.exists(os.path.join(root, name, "pyvenv.cfg"))
        ) if before.count("/") < _DEEPEST else []  # fmt: skip
        found = (f"{before}{name}" for name in sorted(files) if name.endswith((".py", ".yaml", ".yml", ".json")))
        yield [path for path in found if _is_utf8(path)]


def _is_utf8(path: str) -> bool:
    """Whether the name can be written down: in JSON, in a row, on the command line."""
    return not any("\ud800" <= letter <= "\udfff" for letter in path)


def _is_config(name: str) -> bool:
    path = PurePosixPath(name)
    if path.suffix == ".py":
        return False
    if any(part in _CONFIG_FOLDERS for part in path.parts[:-1]):
        return True
    if len(path.parts) > 1 or _NO_CONFIG.fullmatch(path.stem):
        return False
    return path.suffix != ".json" or bool(re.search(r"config|args|params|train|hparams", path.stem, re.IGNORECASE))


def read_script(folder: Path, name: str) -> Script | None:
    """What a Python file is, by its syntax tree; None if it is no program (nothing happens when it is run)."""
    text = _text(folder / name)
    if text is None or (name.count("/") > 1 and "__main__" not in text):  # to parse all of a package takes a minute
        return None
    try:
        with warnings.catch_warnings(action="ignore"):  # an invalid escape in somebody else's text
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found = _Reading()
    try:
        found.visit(tree)
    except RecursionError:
        return None
    if not found.main:
        return None
    return Script(name, _adapter(found), frozenset(found.uses), frozenset(found.options), frozenset(found.flags))


def _text(file: Path) -> str | None:
    try:
        if file.stat().st_size > _LARGEST:
            return None
        return read_regular(file).decode()
    except (OSError, UnicodeDecodeError):
        return None


class _Reading(ast.NodeVisitor):
    """What a module imports, calls and declares."""

    def __init__(self) -> None:
        self.uses: set[str] = set()
        self.options: set[str] = set()
        self.flags: set[str] = set()
        self.modules: set[str] = set()
        self.main = False

    def visit_Import(self, node: ast.Import) -> None:
        self.modules |= {alias.name for alias in node.names}
        self.uses |= {alias.name for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module and not node.level:
            self.modules.add(node.module)
            self.uses.add(node.module)
        self.uses |= {alias.name for alias in node.names}

    def visit_Name(self, node: ast.Name) -> None:
        self.uses.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.uses.add(node.attr)
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        self.main = self.main or "__name__" in {sub.id for sub in ast.walk(node.test) if isinstance(sub, ast.Name)}
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in ("add_argument", "option", "Option", "add_class_arguments"):
            self._option(node)
        self.generic_visit(node)

    def visit_Module(self, node: ast.Module) -> None:
        # a script without `if __name__`: it does something when it is run, a call or a loop
        self.main = any(
            isinstance(part, (ast.For, ast.While, ast.With))
            or (isinstance(part, ast.Expr) and isinstance(part.value, ast.Call))
            for part in node.body
        )
        self.generic_visit(node)

    def _option(self, node: ast.Call) -> None:
        names = {
            word.value for word in node.args
            if isinstance(word, ast.Constant) and isinstance(word.value, str) and word.value.startswith("-")
        }  # fmt: skip
        self.options |= names
        self.uses |= names
        said = {key.arg: key.value for key in node.keywords}.get("action")
        action = said.value if isinstance(said, ast.Constant) else getattr(said, "attr", getattr(said, "id", ""))
        if action in ("store_true", "store_false", "BooleanOptionalAction"):
            self.flags |= names
        if action == "BooleanOptionalAction":
            self.flags |= {f"--no-{name.removeprefix('--')}" for name in names}


def _adapter(found: _Reading) -> str:
    roots = {module.partition(".")[0] for module in found.modules}
    if "hydra" in roots:
        return "hydra"
    if roots & {"lightning", "pytorch_lightning", "lightning_fabric"}:
        return "lightning"
    hugging = {"Trainer", "Seq2SeqTrainer", "TrainingArguments", "Seq2SeqTrainingArguments", "HfArgumentParser"}
    if roots & {"transformers", "trl"} and found.uses & (hugging | {"SFTTrainer", "DPOTrainer"}):
        return "huggingface"
    return "command"


def rank(script: Script) -> tuple[bool, int, int, str]:
    """To sort scripts by: the one that is meant for training first, the path last."""
    stem = Path(script.path).stem.lower()
    usual = next((place for place, name in enumerate(_USUAL) if stem == name), len(_USUAL))
    usual = usual if usual < len(_USUAL) or "train" not in stem else len(_USUAL) - 1
    return script.adapter == "command" and usual == len(_USUAL), usual, script.path.count("/"), script.path
