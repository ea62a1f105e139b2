"""Runs in the folders of Lightning's CSVLogger: `metrics.csv` and `hparams.yaml`. What a row says: `lightning_csv`.

These logs have no times: a run's dates are its files', from the oldest to the last change of `metrics.csv`.
"""

from __future__ import annotations

import json
import os

from mlhub.foreign.hparams import NAME, read_hparams
from mlhub.foreign.lightning_csv import METRICS, START, Place, read
from mlhub.foreign.source import Facts, Source, digest, fingerprint, measure, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from mlhub.foreign.source import Sink


def find(folder: Path) -> Source | None:
    """The run in a folder with a `metrics.csv` that has steps; None if nothing was written yet. Raises OSError."""
    records, _ = read(folder / METRICS)
    if not records or "step" not in records[0]:
        return None
    file = folder / METRICS
    first = json.dumps(records[0], sort_keys=True).encode()
    return Source(
        kind="lightning",
        path=folder,
        id=digest(os.fsencode(folder), first),  # two trainings with one seed begin alike: the place tells them apart
        name=name_of(folder),
        started=_oldest(folder),
        size=measure(file)[0],
        fingerprint=fingerprint([file, folder / NAME]),
    )


def _oldest(folder: Path) -> float:
    """Seconds since 1970 of the oldest change in a folder."""
    with os.scandir(folder) as entries:
        return min(entry.stat(follow_symlinks=False).st_mtime for entry in entries)


def copy(source: Source, sink: Sink) -> Facts:
    """Give the run's metrics to `sink`; the facts about it. Raises OSError."""
    place: Place = START
    while True:
        records, after = read(source.path / METRICS, place)
        if after == place:
            break
        place = after
        for record in records:
            sink.metric(record)
    return Facts(
        config=read_hparams(source.path, sink),
        started=source.started,
        ended=measure(source.path / METRICS)[1] / 1e9,
    )
