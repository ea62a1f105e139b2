"""The program of a run of kind `prepare`, which `mlhub data prepare` starts: `python -m mlhub.data NAME [--force]`.

It says how far it is in its log and, in thousandths of the source, in the run's metrics. Killed, it is gone on with by
another attempt of the run, or by another run.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from mlhub import program
from mlhub.data.prepare import make
from mlhub.settings import Settings
from mlhub.text import duration, one_line
from mlhub.writer import MetricWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

#: of a whole preparation, in the run's metrics: what `mlhub top` draws and counts the rest from
STEPS = 1000
#: seconds between two lines of the log
_EVERY = 5.0


class Told:
    """Progress as lines of the log and as records of metrics."""

    def __init__(self) -> None:
        paths = program.run_folder()
        self._writer = MetricWriter(paths.metrics) if paths else None
        self._began = self._said = time.monotonic()
        self._from: int | None = None
        self._step = -1

    def __call__(self, done: int, total: int, text: str) -> None:
        now = time.monotonic()
        if not total:
            program.say(one_line(text))
            return
        self._from = done if self._from is None else self._from
        step = STEPS * done // total
        if self._writer and step > self._step:
            self._step = step
            self._writer.log({"prepare/percent": 100 * done / total}, step=step)
        if now - self._said > _EVERY:
            self._said = now
            ahead = (now - self._began) * (total - done) / max(1, done - self._from)
            program.say(f"{100 * done // total} % of the source read, {one_line(text)}, {duration(ahead)} left")


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m mlhub.data", description="Prepare a registered data set.")
    parser.add_argument("name")
    parser.add_argument("--force", action="store_true", help="from the beginning, whatever is there")
    parser.add_argument("--skip-bad", action="store_true", help="leave out and count what can't be taken")
    parsed = parser.parse_args(arguments)
    told = Told()
    stored = make(
        parsed.name,
        Settings.load().to_home(),
        told,
        force=parsed.force and program.attempt() == 1,
        skip_bad=parsed.skip_bad,
    )
    told(1, 1, "")
    facts = stored.facts()
    captions = ", ".join(f"{one_line(language)} {count}" for language, count in facts.captions.items())
    program.say(f"data set {stored.name}: {facts.items} items, captions {captions or 'none'}, in {stored.folder}")


if __name__ == "__main__":
    sys.exit(program.run(main))
