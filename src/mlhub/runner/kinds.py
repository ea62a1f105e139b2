"""Of which kind a run is, by one rule, and which trainings are those of mlhub's own programs.

`eval`, `index` and `prepare` are mlhub's jobs. `train`: a preset's, a project's config or script, an imported run, or a
command in which capture saw a Trainer fit (`training` in its capture.json). `command`: whatever else is behind `--`.
"""

from __future__ import annotations

from mlhub.adapters import HASHING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlhub.store.runs import Run
    from mlhub.store.store import Store


def kind_of(started_as: str, captured: Mapping[str, object]) -> str:
    """The kind of a run that was started as one, by its `capture.json` (empty: there is none)."""
    return "train" if started_as == "command" and captured.get("training") is True else started_as


def is_hashing(run: Run) -> bool:
    """Whether it is a training of mlhub's own programs, which can evaluate, index and continue it."""
    by_preset = run.adapter is None and run.preset is not None  # recorded before there were adapters
    return run.kind == "train" and (run.adapter == HASHING.name or by_preset)


def find_hashing(store: Store, ref: str) -> Run:
    """The run that `ref` names; `@last` is the newest of mlhub's own trainings. Raises NotFoundError."""
    return store.find(ref, kind="train", adapter=HASHING.name)
