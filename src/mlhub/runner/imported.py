"""Whether a run was imported, and from where: `imported` in its spec.json. Such a run is read, and removed, no more.

How runs are imported: `mlhub.runner.importing`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mlhub.errors import MlhubError
from mlhub.runner import record
from mlhub.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.paths import RunPaths
    from mlhub.store.runs import Run


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a run came from: as `mlhub.foreign.source.Source`, when it was last read."""

    kind: str
    path: str
    id: str
    fingerprint: str
    size: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def origin(paths: RunPaths) -> Origin | None:
    """Where the run in a folder was imported from; None if it is one of ours."""
    from mlhub.runner.folder import read_spec

    found = record.part(read_spec(paths), "imported")
    if found is None:
        return None
    kind, path, key, print_ = (record.text(found, name) for name in ("kind", "path", "id", "fingerprint"))
    return Origin(kind, path, key, print_, record.whole(found, "size") or 0)


def check_ours(paths: RunPaths, run: Run) -> None:
    """Raises MlhubError if the run was imported, so that there is nothing to stop or to start again."""
    found = origin(paths)
    if found is not None:
        raise MlhubError(
            f"run {run.id} ({one_line(run.name)}) was imported from {one_line(found.kind)}: it can only be read",
            f"Its source: mlhub show {run.id}. Start the program itself: mlhub run -- CMD ARG …",
        )
