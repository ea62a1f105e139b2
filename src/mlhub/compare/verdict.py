"""What a comparison comes to, in one or two plain sentences: who is best, by how much, and what it did differently.

Claims no more than the values say: over seeds, whether the difference is greater than the deviation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from mlhub.compare.configs import canonical, is_seed
from mlhub.compare.render import spread_text, value_text
from mlhub.store.runs import step_of
from mlhub.text import first_few, fit, number, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlhub.compare.comparison import Comparison, Metric
    from mlhub.compare.sheet import Sheet

#: differences that are so many times greater are told without a percentage
_TELLING = 5


@dataclass(frozen=True)
class Verdict:
    """`run`: the best one's id (of a group over seeds the first), None: there is none. `sentences` are clean."""

    metric: str | None
    run: int | None
    sentences: tuple[str, ...]


def judge(sheet: Sheet, found: Comparison, *, metric: str | None = None, against: bool = False) -> Verdict:
    """Who is best by `metric`, else by the first that has a direction and that two subjects have.

    `against`: over the baseline, which was chosen; else over the second best. Where the table says differences to the
    baseline, as it does of two, so does the sentence.
    """
    if found.only_seeds:
        return _of_seeds(found, metric)
    chosen = _metric(sheet, metric)
    if chosen is None or len(sheet.subjects) < 2:
        return Verdict(None, None, (_why_none(sheet, metric),) if len(sheet.subjects) > 1 else ())
    name = _name(chosen.name)
    ranking = sorted(
        (place for place, value in chosen.values.items() if math.isfinite(value)),
        key=lambda place: (place not in chosen.best, place not in (chosen.completed or ()), -_lead(chosen, place)),
    )
    if len(ranking) < 2:
        who = _who(sheet, ranking[0]) if ranking else ""
        only = f"only {who} has a finite {name}" if who else f"no run has a finite {name}"
        return Verdict(chosen.name, None, (only,))
    top, value = ranking[0], chosen.values[ranking[0]]
    ties = chosen.best
    if len(ties) > 1:
        names = ", ".join(_who(sheet, place) for place in ties[:3]) + (", …" if len(ties) > 3 else "")
        return Verdict(chosen.name, None, (f"a tie: {len(ties)} have {name} {number(value)} ({names})",))
    rival = ranking[1]
    if against and sheet.baseline in chosen.values and sheet.baseline != top:
        rival = sheet.baseline  # type: ignore[assignment]  # it is a key of values
    ahead = [place for place in ranking if _lead(chosen, place) > _lead(chosen, top)]
    alone = rival in ahead and rival != sheet.baseline
    turned = top == sheet.baseline and (against or len(sheet.subjects) == 2)
    first = _best(sheet, found, chosen, top, None if alone else rival, turned=turned)
    sentences = (first, *_ahead(sheet, found, chosen, top, ahead), *_differs(sheet, found, top, rival))
    return Verdict(chosen.name, sheet.subjects[top].ids[0], sentences)


def _lead(metric: Metric, place: int) -> float:
    """Its value, turned so that more is better."""
    return metric.values[place] if metric.direction == "max" else -metric.values[place]


def _of_seeds(found: Comparison, asked: str | None) -> Verdict:
    """Of runs that differ in their seed alone none is best: what they come to together, and how far they scatter."""
    known = [one for one in found.metrics if any(map(math.isfinite, one.values.values()))]
    chosen = next((one for one in known if one.name == asked), None)
    chosen = chosen or next((one for one in known if one.direction), known[0] if known else None)
    head = f"{len(found.runs)} seeds of one configuration"
    spread = chosen.spread([run.id for run in found.runs]) if chosen else None
    if chosen is None or spread is None:
        return Verdict(None, None, (f"{head}, and no metric with a finite value",))
    names = {run.id: fit(one_line(run.name), 40) for run in found.runs}
    ends = sorted((value, run_id) for run_id, value in chosen.values.items() if math.isfinite(value))
    low, high = (f"{number(value)} ({names[run_id]})" for value, run_id in (ends[0], ends[-1]))
    words = f"{head}: {_name(chosen.name)} {spread_text(spread)}, {low} to {high}"
    if spread.n > 1:
        words += "; a difference between them is the seed's, so none is best"
    return Verdict(chosen.name, None, (words,))


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


def _state(sheet: Sheet, found: Comparison, place: int) -> str:
    """` (failed at step 300)`, where not all of its runs completed."""
    ids = frozenset(sheet.subjects[place].ids)
    own = [run for run in found.runs if run.id in ids and run.status != "completed"]
    steps = [step for run in own if (step := step_of(run)) is not None]
    words = ", ".join(sorted({run.status for run in own}))
    at = f" at step {number(max(steps))}" if steps and len(own) == 1 else ""
    return f" ({words}{at})" if own else ""


def _ahead(sheet: Sheet, found: Comparison, metric: Metric, top: int, ahead: Sequence[int]) -> tuple[str, ...]:
    """Who has a better value and did not complete: that may be worth another start, and is no result."""
    if not ahead:
        return ()
    place = max(ahead, key=lambda place: _lead(metric, place))
    who = f"{_who(sheet, place)}{_state(sheet, found, place)}"
    more = f"; so {'have' if len(ahead) > 2 else 'has'} {len(ahead) - 1} more" if len(ahead) > 1 else ""
    change = metric.values[place] - metric.values[top]
    return (
        f"not completed but better: {who}, {_name(metric.name)} {number(metric.values[place])} ({change:+.3g}){more}",
    )


def _best(sheet: Sheet, found: Comparison, metric: Metric, top: int, rival: int | None, *, turned: bool) -> str:
    """`best: calm-otter, val/map_64 0.5521 (+0.012 over b)`; over seeds, whether that is more than they deviate.

    `rival`: None where it is said elsewhere who comes next. `turned`: the best is the baseline, so that the difference
    is the rival's.
    """
    spreads = sheet.spreads[metric.name]
    spread = spreads[top]
    value = metric.values[top]
    shown = number(value)
    if spread is not None and spread.sd is not None:
        shown += f" ± {spread.sd:.2g} (n={spread.n})"
    shown = f"{_who(sheet, top)}{_state(sheet, found, top)}, {_name(metric.name)} {shown}"
    if rival is None:
        return f"best that completed: {shown}"
    other = metric.values[rival]
    change = value - other
    if turned:
        text = f"best: {shown} ({_who(sheet, rival)} {_difference(-change, value)} against it)"
    else:
        over = "over" if _lead(metric, top) > _lead(metric, rival) else "against"
        text = f"best: {shown} ({_difference(change, other)} {over} {_who(sheet, rival)})"
    deviations = [one.sd for one in (spread, spreads[rival]) if one is not None and one.sd is not None]
    if deviations:
        sd = max(deviations)
        within = abs(change) <= sd
        text += (
            f"; {'within' if within else 'more than'} one sd ({sd:.2g}) {'– no clear winner' if within else 'apart'}"
        )
    return text


def _difference(change: float, base: float) -> str:
    """`+0.129, +15.7 %`; not in percent of a base that is near zero, or on its other side."""
    telling = (base + change) * base > 0 and abs(change) < _TELLING * abs(base)
    return f"{change:+.3g}, {100 * change / abs(base):+.1f} %" if telling else f"{change:+.3g}"


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
    return (f"differs from {_who(sheet, rival)} by {first_few(words)}",)


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
