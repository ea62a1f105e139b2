"""A comparison as a sheet: subjects over seeds, lines that differ, the best of means; and what it comes to."""

from __future__ import annotations

import math

from mlhub.compare.comparison import compare
from mlhub.compare.fold import fold
from mlhub.compare.sheet import make_sheet, places_by, sort_keys
from mlhub.compare.verdict import judge
from tests.compare.conftest import make_run


def _took(_run):
    return 62.0


def _runs(*settings):
    """`lr, seed, accuracy` of each."""
    return [
        make_run(index, config={"lr": lr, "seed": seed}, metrics={"val/acc": acc})
        for index, (lr, seed, acc) in enumerate(settings, 1)
    ]


SEEDS = _runs((0.1, 1, 0.50), (0.3, 1, 0.60), (0.1, 2, 0.54), (0.3, 2, 0.62))


def _sheet(runs, **more):
    found = compare(runs, baseline=more.pop("baseline", None))
    return found, make_sheet(found, _took, **more)


def test_groups_over_seeds_stand_where_their_first_run_stood():
    _, sheet = _sheet(SEEDS)
    assert [(one.name, one.ids) for one in sheet.subjects] == [("run-1 +1", (1, 3)), ("run-2 +1", (2, 4))]


def test_the_best_is_the_best_of_the_means():
    _, sheet = _sheet(_runs((0.1, 1, 0.9), (0.3, 1, 0.7), (0.1, 2, 0.1), (0.3, 2, 0.7)))
    line = next(line for line in sheet.lines if line.section == "metric")
    assert [cell.best for cell in line.cells] == [False, True]


def test_runs_that_would_all_become_one_stay_apart_unless_together_is_asked_for():
    two = SEEDS[::2]
    assert len(_sheet(two)[1].subjects) == 2
    assert len(_sheet(two, together=True)[1].subjects) == 1


def test_seeds_that_are_the_same_in_each_group_are_no_line():
    assert [line.name for line in _sheet(SEEDS)[1].lines if line.section == "config"] == ["lr"]


def test_facts_that_are_the_same_are_left_out_but_a_failure_is_shown():
    runs = _runs((0.1, 1, 0.5), (0.2, 1, 0.6))
    assert [line.name for line in _sheet(runs)[1].lines if line.section == "run"] == ["took"]
    runs = [make_run(1, status="failed"), make_run(2, status="failed")]
    assert "status" in [line.name for line in _sheet(runs)[1].lines]


def test_long_fractions_are_short_as_long_as_they_differ():
    def texts(*values):
        _, sheet = _sheet([make_run(i, config={"p": value}) for i, value in enumerate(values)])
        return [cell.text for cell in next(line for line in sheet.lines if line.name == "p").cells]

    assert texts(0.12345678901, 0.5) == ["0.123457", "0.5"]
    assert texts(0.12345678901, 0.12345678902) == ["0.12345678901", "0.12345678902"]


def test_sorting_by_a_metric_has_the_best_first_and_what_is_missing_last():
    runs = [make_run(1, metrics={"val/acc": 0.5}), make_run(2), make_run(3, metrics={"val/acc": 0.9}),
            make_run(4, metrics={"val/acc": "NaN"})]  # fmt: skip
    found, sheet = _sheet(runs)
    keys = sort_keys(sheet, found, "val/acc", _took)
    assert places_by(sheet, "val/acc", keys, reverse=False) == [2, 0, 1, 3]
    assert places_by(sheet, "val/acc", keys, reverse=True) == [0, 2, 1, 3]
    assert sort_keys(sheet, found, "nothing", _took) is None


# what it comes to


def _verdict(runs, **more):
    found, sheet = _sheet(runs)
    return judge(sheet, found, **more)


def test_the_best_is_said_with_its_lead_and_what_it_did_otherwise():
    verdict = _verdict(_runs((0.1, 1, 0.5), (0.3, 1, 0.6), (0.2, 1, 0.55)))
    assert verdict.run == 2
    assert verdict.sentences == (
        "best: run-2, val/acc 0.6 (+0.05, +9.1 % over run-3)",
        "differs from run-3 by lr 0.2 → 0.3",
    )


def test_against_a_baseline_the_lead_is_over_that():
    runs = _runs((0.1, 1, 0.5), (0.3, 1, 0.6), (0.2, 1, 0.55))
    found, sheet = _sheet(runs, baseline=1)
    assert judge(sheet, found, against=True).sentences[0].endswith("(+0.1, +20.0 % over run-1)")


def test_of_two_runs_the_difference_is_against_the_baseline_as_in_the_table():
    runs = _runs((0.1, 1, 0.5), (0.3, 1, 0.4))
    found, sheet = _sheet(runs)
    assert judge(sheet, found).sentences[0] == "best: run-1, val/acc 0.5 (run-2 -0.1, -20.0 % against it)"
    assert next(line for line in sheet.lines if line.section == "metric").cells[1].delta == "-20.0%"
    found, sheet = _sheet(_runs((0.1, 1, 0.5), (0.3, 1, 0.4), (0.2, 1, 0.3)), baseline=1)
    assert judge(sheet, found, against=True).sentences[0].endswith("(run-2 -0.1, -20.0 % against it)")


def test_a_lead_within_the_deviation_of_seeds_is_none():
    verdict = _verdict(_runs((0.1, 1, 0.50), (0.3, 1, 0.51), (0.1, 2, 0.60), (0.3, 2, 0.61)))
    assert "within one sd (0.071) – no clear winner" in verdict.sentences[0]
    assert "more than one sd (0.028) apart" in _verdict(SEEDS).sentences[0]


def test_a_smaller_loss_is_the_better_one():
    verdict = _verdict([make_run(1, metrics={"loss": 2.0}), make_run(2, metrics={"loss": 1.0})])
    assert verdict.sentences[0] == "best: run-2, loss 1 (-1, -50.0 % over run-1)"


def test_one_that_runs_still_is_called_so():
    runs = [make_run(index, metrics={"acc": index / 10}, status="running") for index in (1, 2)]
    assert _verdict(runs).sentences[0].startswith("best: run-2 (running at step 10), acc 0.2")


def test_the_best_is_one_that_completed_and_a_better_one_that_did_not_is_told_of():
    runs = [
        make_run(1, metrics={"acc": 0.1}), make_run(2, metrics={"acc": 0.2}),
        make_run(3, metrics={"acc": 0.9}, status="failed"), make_run(4, metrics={"acc": 0.3}, status="running"),
    ]  # fmt: skip
    verdict = _verdict(runs)
    assert verdict.run == 2
    assert verdict.sentences[:2] == (
        "best: run-2, acc 0.2 (+0.1, +100.0 % over run-1)",
        "not completed but better: run-3 (failed at step 10), acc 0.9 (+0.7); so has 1 more",
    )
    line = next(line for line in _sheet(runs)[1].lines if line.section == "metric")
    assert [cell.best for cell in line.cells] == [False, True, False, False]


def test_one_that_completed_is_not_said_to_be_over_a_better_one_that_failed():
    runs = [make_run(1, metrics={"acc": 0.1}), make_run(2, metrics={"acc": 0.2}, status="failed")]
    assert _verdict(runs).sentences[:2] == (
        "best that completed: run-1, acc 0.1",
        "not completed but better: run-2 (failed at step 10), acc 0.2 (+0.1)",
    )


def test_of_runs_that_differ_in_their_seed_alone_none_is_best_however_they_are_shown():
    runs = SEEDS[::2]
    found, sheet = _sheet(runs)
    verdict = judge(sheet, found)
    assert verdict.run is None
    assert verdict.sentences[0].startswith(
        "2 seeds of one configuration: val/acc 0.52 ± 0.028 (n=2), 0.5 (run-1) to 0.54 (run-3)"
    )
    assert not any(cell.best for line in sheet.lines for cell in line.cells)
    assert judge(_sheet(runs, together=True)[1], found) == verdict


def test_all_differences_of_a_metric_are_told_in_one_unit():
    runs = [make_run(index, metrics={"acc": acc, "loss": loss})
            for index, (acc, loss) in enumerate(((0.1, 1.0), (0.7, 2.0), (1.5, 1.0004)), 1)]  # fmt: skip
    lines = {line.name: [cell.delta for cell in line.cells] for line in _sheet(runs)[1].lines}
    assert lines["acc"] == ["", "+0.6", "+1.4"]
    assert lines["loss"] == ["", "+100.0%", "+0.04%"]


# what is left out for readers


def _folded(runs, **more):
    found, sheet = _sheet(runs)
    return fold(sheet, found, judge(sheet, found).metric, **more)


def test_of_many_metrics_those_that_lead_are_shown_and_the_others_counted():
    def metrics(value):
        own = {f"val/map_{bits}{kind}": value for bits in (8, 16, 32, 64) for kind in ("", "_itq", "_pca", "_lsh")}
        return own | {"val/loss": value, "train/loss": value, "train/map_8": value, "noise": value}

    folded = _folded([make_run(1, metrics=metrics(1.0)), make_run(2, metrics=metrics(2.0))])
    names = [line.name for line in folded.sheet.lines if line.section == "metric"]
    assert len(names) == 12
    assert {"val/map_8", "train/map_8", "val/loss", "train/loss"} <= set(names)
    assert "noise" not in names
    assert folded.left == ("8 more metrics: --all-metrics, or -m NAME",)
    assert _folded([make_run(1, metrics=metrics(1.0))], every_metric=True).left == ()


def test_what_one_run_alone_has_is_a_line_of_its_own():
    runs = [
        make_run(1, config={"lr": 1, "a": 1, "b": "x"}, metrics={"m": 1}),
        make_run(2, config={"lr": 2}, metrics={f"own{i}": i for i in range(9)}),
    ]
    folded = _folded(runs)
    assert [line.name for line in folded.sheet.lines] == ["took", "lr"]
    assert folded.own == (
        "only run-1 sets: a 1, b x",
        "only run-1 has: m 1",
        "only run-2 has: own0 0, own1 1, own2 2, own3 3, own4 4, own5 5 and 3 more (--all-metrics)",
    )


def test_a_parameter_that_is_also_a_metric_is_called_so():
    _, sheet = _sheet([make_run(lr, config={"lr": lr}, metrics={"lr": lr}) for lr in (1, 2)])
    assert [line.name for line in sheet.lines][1:] == ["lr (parameter)", "lr"]


def test_a_tie_has_no_winner():
    verdict = _verdict([make_run(1, metrics={"acc": 0.5}), make_run(2, metrics={"acc": 0.5})])
    assert (verdict.run, verdict.sentences) == (None, ("a tie: 2 have acc 0.5 (run-1, run-2)",))


def test_runs_without_a_common_metric_are_not_ranked():
    assert _verdict([make_run(1, metrics={"acc": 1.0}), make_run(2, metrics={"bleu": 1.0})]).sentences == (
        "the runs share no metric",
    )
    assert _verdict([make_run(1), make_run(2)]).sentences == ("no run has metrics",)
    assert (
        "isn't known"
        in _verdict([make_run(1, metrics={"x": 1.0}), make_run(2, metrics={"x": 2.0})], metric="x").sentences[0]
    )


def test_nan_is_never_best():
    verdict = _verdict([make_run(1, metrics={"loss": "NaN"}), make_run(2, metrics={"loss": 3.0})])
    assert verdict.sentences == ("only run-2 has a finite loss",)
    verdict = _verdict([make_run(1, metrics={"loss": math.inf}), make_run(2, metrics={"loss": "NaN"})])
    assert verdict.sentences == ("no run has a finite loss",)


def test_keys_that_only_the_best_has_changed_are_named_first():
    runs = [
        make_run(1, config={"a": 1, "b": 1}, metrics={"acc": 0.5}),
        make_run(2, config={"a": 2, "b": 1}, metrics={"acc": 0.4}),
        make_run(3, config={"a": 2, "b": 3}, metrics={"acc": 0.9}),
    ]
    assert _verdict(runs).sentences[1] == "differs from run-1 by b 1 → 3, a 1 → 2"


# protocols


def test_metrics_of_several_protocols_are_several_metrics():
    runs = [make_run(index, kind="eval", metrics={"eval/i2t/r1": index / 10}) for index in (1, 2, 3)]
    found = compare(runs, protocols={1: "v1", 2: "v1", 3: "v2"})
    assert {metric.name: dict(metric.values) for metric in found.metrics} == {
        "eval/i2t/r1 [v1]": {1: 0.1, 2: 0.2},
        "eval/i2t/r1 [v2]": {3: 0.3},
    }
    assert compare(runs, protocols=dict.fromkeys((1, 2, 3), "v1")).metrics[0].name == "eval/i2t/r1"
