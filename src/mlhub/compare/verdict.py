"""What a comparison comes to, in one or two plain sentences: who is best, by how much, and what it did differently.

Claims no more than the values say: over seeds, whether the difference is greater than the deviation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from mlhub.compare.configs import canonical, is_seed
from mlhub.compare.render import value_text
from mlhub.text import fit, number, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlhub.compare.comparison import Comparison, Metric
    from mlhub.compare.sheet import Sheet

#: so many keys are named, the others counted
_KEYS = 3


@dataclass(frozen=True)
class Verdict:
    """`run`: the best one's id (of a group over seeds the first), None: there is none. `sentences` are clean."""

    metric: str | None
    run: int | None
    sentences: tuple[str, ...]


def judge(sheet: Sheet, found: Comparison, *, metric: str | None = None, against: bool = False) -> Verdict:
    """Who is best by `metric`, else by the first that has a direction and that two subjects have.

    `against`: over the baseline, which was chosen; else over the second best.
    """
    chosen = _metric(sheet, metric)
    if chosen is None or len(sheet.subjects) < 2:
        return Verdict(None, None, (_why_none(sheet, metric),) if len(sheet.subjects) > 1 else ())
    name = _name(chosen.name)
    ranking = sorted(
        (place for place, value in chosen.values.items() if math.isfinite(value)),
        key=lambda place: -chosen.values[place] if chosen.direction == "max" else chosen.values[place],
    )
    if len(ranking) < 2:
        who = _who(sheet, ranking[0]) if ranking else ""
        only = f"only {who} has a finite {name}" if who else f"no run has a finite {name}"
        return Verdict(chosen.name, None, (only,))
    top, value = ranking[0], chosen.values[ranking[0]]
    ties = [place for place in ranking if chosen.values[place] == value]
    if len(ties) > 1:
        names = ", ".join(_who(sheet, place) for place in ties[:3]) + (", …" if len(ties) > 3 else "")
        return Verdict(chosen.name, None, (f"a tie: {len(ties)} have {name} {number(value)} ({names})",))
    rival = ranking[1]
    if against and sheet.baseline in chosen.values and sheet.baseline != top:
        rival = sheet.baseline  # type: ignore[assignment]  # it is a key of values
    sentences = (_best(sheet, found, chosen, top, rival), *_differs(sheet, found, top, rival))
    return Verdict(chosen.name, sheet.subjects[top].ids[0], sentences)


def _name(text: str, most: int = 60) -> str:
    """A name of a metric or a key, of which the end matters most, no longer than a sentence bears."""
    return fit(one_line(text), most, keep_end=True)


def _who(sheet: Sheet, place: int) -> str:
    return fit(sheet.subjects[place].name, 40)


def _metric(sheet: Sheet, asked: str | None) -> Metric | None:
    if asked is not None:
        found = sheet.values.get(asked)
        return found if found is not None and found.direction else None
    good = [one for one in sheet.values.values() if one.direction and len(one.values) > 1]
    return next((one for one in good if one.winners), good[0] if good else None)


def _why_none(sheet: Sheet, asked: str | None) -> str:
    if asked is not None and asked in sheet.values:
        return f"whether more or less of {_name(asked)} is better isn't known"
    if not any(one.values for one in sheet.values.values()):
        return "no run has metrics"
    if not any(len(one.values) > 1 for one in sheet.values.values()):
        return "the runs share no metric"
    return "of no metric that the runs share is it known whether more or less is better"


def _best(sheet: Sheet, found: Comparison, metric: Metric, top: int, rival: int) -> str:
    """`best: calm-otter, val/map_64 0.5521 (+0.012 over b)`; over seeds, whether that is more than they deviate."""
    value, other = metric.values[top], metric.values[rival]
    spreads = sheet.spreads[metric.name]
    spread = spreads[top]
    shown = number(value)
    if spread is not None and spread.sd is not None:
        shown += f" ± {spread.sd:.2g} (n={spread.n})"
    change = value - other
    share = f", {100 * change / abs(other):+.1f} %" if other and abs(change) < 10 * abs(other) else ""
    status = {run.id: run.status for run in found.runs}
    states = sorted({status[run_id] for run_id in sheet.subjects[top].ids} - {"completed"})
    state = f" ({', '.join(states)})" if states else ""
    text = f"best: {_who(sheet, top)}{state}, {_name(metric.name)} {shown}"
    text += f" ({change:+.3g}{share} over {_who(sheet, rival)})"
    deviations = [one.sd for one in (spread, spreads[rival]) if one is not None and one.sd is not None]
    if deviations:
        sd = max(deviations)
        within = abs(change) <= sd
        text += (
            f"; {'within' if within else 'more than'} one sd ({sd:.2g}) {'– no clear winner' if within else 'apart'}"
        )
    return text


def _differs(sheet: Sheet, found: Comparison, top: int, rival: int) -> tuple[str, ...]:
    """`differs from b by training.lr 0.001 -> 0.003`: the keys of which the best has another value than its rival."""
    best, other = sheet.subjects[top].ids[0], sheet.subjects[rival].ids[0]
    changed = [
        key
        for key, values in found.config.items()
        if _value(values, best) != _value(values, other) and not (is_seed(key) and len(sheet.subjects[top].ids) > 1)
    ]
    changed.sort(key=lambda key: (is_seed(key), not _alone(found.config[key], sheet, top)))
    if not changed:
        return (f"{_who(sheet, top)} and {_who(sheet, rival)} have the same configuration",)
    words = [f"{_name(key)} {_change(found.config[key], other, best)}" for key in changed]
    more = f" and {len(words) - _KEYS} more" if len(words) > _KEYS else ""
    return (f"differs from {_who(sheet, rival)} by {', '.join(words[:_KEYS])}{more}",)


def _alone(values: Mapping[int, Any], sheet: Sheet, top: int) -> bool:
    """Whether nobody else has the best one's value: that key tells most."""
    own = _value(values, sheet.subjects[top].ids[0])
    others: Sequence[int] = [one.ids[0] for place, one in enumerate(sheet.subjects) if place != top]
    return all(_value(values, run_id) != own for run_id in others)


def _value(values: Mapping[int, Any], run_id: int) -> object:
    return canonical(values[run_id]) if run_id in values else None


def _change(values: Mapping[int, Any], old: int, new: int) -> str:
    """`0.001 → 0.003`: four digits, or all of them, where the difference is behind those."""
    before, after = (_shown(values[run_id], short=True) if run_id in values else "unset" for run_id in (old, new))
    if before == after and old in values and new in values:
        before, after = _shown(values[old], short=False), _shown(values[new], short=False)
    return f"{before} → {after}"


def _shown(value: Any, *, short: bool) -> str:  # noqa: ANN401 - whatever JSON holds
    return fit(number(value) if short and isinstance(value, float) else value_text(value), 32)
