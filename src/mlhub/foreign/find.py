"""Looking for runs of other trackers below a path: what lies there tells whose they are. Nothing is read but heads.

Links are not followed, and folders whose names begin with a dot (MLflow's trash, virtual environments) are passed over.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from mlhub.errors import MlhubError, NotFoundError, UsageError
from mlhub.foreign import lightning_runs, mlflow, tensorboard_runs, wandb
from mlhub.foreign.lightning_csv import METRICS
from mlhub.foreign.source import Facts, Sink, Source  # noqa: TC001 - tables of functions are typed by them

#: told of what can't be read; told how many folders were looked into
Tell = Callable[[str], None]
Progress = Callable[[int], None]

_COPY: dict[str, Callable[[Source, Sink], Facts]] = {
    "tensorboard": tensorboard_runs.copy,
    "lightning": lightning_runs.copy,
    "wandb": wandb.copy,
    "mlflow": mlflow.copy,
}


def copy(source: Source, sink: Sink) -> Facts:
    """Give all records of a run to `sink`; the facts about it. Raises MlhubError, OSError."""
    return _COPY[source.kind](source, sink)


def find(
    path: Path, tell: Tell, progress: Progress, *, kind: str | None = None, leave: Path | None = None
) -> list[Source]:
    """The runs at or below `path` (of `kind`), oldest first; the folder `leave` is not looked into.

    A file stands for the run it belongs to. Raises NotFoundError if there is no such path, UsageError for a device.
    """
    try:
        path = path.resolve(strict=True)
        mode = path.stat().st_mode
    except (OSError, ValueError, RuntimeError) as error:
        raise NotFoundError(f"{path}: {getattr(error, 'strerror', None) or error}", "Name a file or folder.") from None
    if stat.S_ISREG(mode):
        found = _in_folder(path.parent, [path.name], tell, kind)
    elif stat.S_ISDIR(mode):
        found = _below(path, tell, progress, kind, leave)
    else:
        raise UsageError(f"{path}: neither a file nor a folder", "Name the folder of the logs.")
    apart = [source for source in found if source.kind != "tensorboard"]
    found = apart + tensorboard_runs.gather([source for source in found if source.kind == "tensorboard"])
    return sorted(found, key=lambda source: (source.started or 0.0, source.path))


def _below(path: Path, tell: Tell, progress: Progress, kind: str | None, leave: Path | None) -> list[Source]:
    found: list[Source] = []

    def refused(error: OSError) -> None:
        tell(f"{error.filename}: {error.strerror}; not looked into")

    for count, (place, folders, files) in enumerate(os.walk(path, onerror=refused), 1):
        progress(count)
        folder = Path(place)
        here = _in_folder(folder, files, tell, kind)
        found += here
        own = any(source.kind in ("wandb", "mlflow") for source in here)  # what is below is that run's
        folders[:] = [] if own else sorted(n for n in folders if n[:1] != "." and folder / n != leave)
    return found


def _in_folder(folder: Path, files: list[str], tell: Tell, kind: str | None) -> list[Source]:
    """The runs whose files lie in one folder; of what Lightning logged in two ways TensorBoard's, which has times."""
    found: list[Source] = []
    for name in sorted(files):
        of = _kind(name)
        if of is None or (kind is not None and of != kind):
            continue
        if of == "tensorboard" and any(source.kind == of for source in found):
            continue
        try:
            if not stat.S_ISREG(os.lstat(folder / name).st_mode):
                tell(f"{folder / name}: a link or no regular file; left out")
                continue
            source = _FIND[of](folder, name)
        except MlhubError as error:
            tell(error.message)
            continue
        except OSError as error:
            tell(f"{folder / name}: {error.strerror or error}; left out")
            continue
        if source is not None:
            found.append(source)
    if kind is None and {"tensorboard", "lightning"} <= {source.kind for source in found}:
        found = [source for source in found if source.kind != "lightning"]
    return found


def _kind(name: str) -> str | None:
    """Whose a file of that name may be."""
    if name.endswith(".wandb"):
        return "wandb"
    if tensorboard_runs.is_event_file(name):
        return "tensorboard"
    return {METRICS: "lightning", mlflow.META: "mlflow"}.get(name)


_FIND: dict[str, Callable[[Path, str], Source | None]] = {
    "tensorboard": lambda folder, _: tensorboard_runs.find(folder),
    "lightning": lambda folder, _: lightning_runs.find(folder),
    "wandb": lambda folder, name: wandb.find(folder / name),
    "mlflow": lambda folder, _: mlflow.find(folder),
}
