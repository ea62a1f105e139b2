"""How far a run is and how long it will take: of its configuration and its own records. Pure; never a guess.

The total is what the configuration says, in steps or in epochs; epochs become steps by the length of those that were
seen. Without both an end and a speed there is no ETA. Early stopping may end a run sooner.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlhub.store.runs import Run
    from mlhub.tui.charts.series import Sketch

#: where programs keep such keys, and what they call them; the first that is found counts
_PLACES = ("training", "trainer", "train", "")
_STEPS = ("max_steps", "total_steps", "num_training_steps", "total_training_steps", "max_iters")
_EPOCHS = ("max_epochs", "epochs", "num_train_epochs", "num_epochs")
#: in Hugging Face's Trainer steps take precedence over these, elsewhere what comes first ends the run
_OVERRULED = "num_train_epochs"
#: without a record for so many seconds, or so many of its usual intervals, the speed of before says nothing
_STALE, _MISSED = 300.0, 3


class Progress(NamedTuple):
    """`step` of `total`; `eta` in seconds."""

    step: int | None = None
    total: float | None = None
    eta: float | None = None

    @property
    def fraction(self) -> float | None:
        """From 0 to 1."""
        if self.step is None or not self.total:
            return None
        return max(0.0, min(1.0, self.step / self.total))


def total_steps(config: Mapping[str, Any], steps_an_epoch: float | None) -> float | None:
    """The step at which the run ends; None if the configuration doesn't say, or says it in epochs of unknown length."""
    _, steps = _find(config, _STEPS)
    name, epochs = _find(config, _EPOCHS)
    if epochs is None or (steps is not None and name == _OVERRULED):
        return steps
    if not steps_an_epoch or steps_an_epoch <= 0:
        return None  # should there be both, either may come first
    of_epochs = epochs * steps_an_epoch
    return of_epochs if steps is None else min(steps, of_epochs)


def _find(config: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str, float | None]:
    """The first of these keys that holds a positive number: -1 and null mean without end."""
    for place in _PLACES:
        part: Any = config.get(place) if place else config
        for name in names if isinstance(part, dict) else ():
            value = part.get(name)
            if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf:
                return name, float(value)
    return "", None


def progress_of(run: Run, sketch: Sketch | None, step: int | None, now: float) -> Progress:
    """Of a run whose newest known step is `step`; `now`: seconds since 1970."""
    if sketch is None:
        return Progress(step, total_steps(run.config, None))
    step = sketch.step if sketch.step is not None else step
    total = total_steps(run.config, sketch.steps_an_epoch)
    speed = speed_of(run, sketch, now)
    if total is None or step is None or not speed or sketch.time is None:
        return Progress(step, total)
    since = max(0.0, now - sketch.time)  # it went on since, though it hasn't said so yet
    return Progress(step, total, max(0.0, max(0.0, total - step) / speed - since))


def speed_of(run: Run, sketch: Sketch | None, now: float) -> float | None:
    """Steps a second of a run that goes on; None when it is not known, or was long ago."""
    if sketch is None or run.status != "running" or sketch.time is None:
        return None
    lasting = max(_STALE, _MISSED * (sketch.interval or 0.0))
    return sketch.speed if now - sketch.time <= lasting else None


def coarse(seconds: float | None) -> str:
    """A duration that changes seldom: `42s`, `7m`, `1h 02m`, `3d 04h`. Each change is bytes over the line."""
    if seconds is None or not 0 <= seconds < math.inf:
        return "–"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24}d {hours % 24:02d}h"
    if hours:
        return f"{hours}h {minutes:02d}m"
    return f"{minutes}m" if minutes else f"{rest}s"
