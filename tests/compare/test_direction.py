"""Which way a metric is good."""

from __future__ import annotations

import pytest

from mlhub.compare.direction import direction_of, directions


@pytest.mark.parametrize(
    "name",
    [
        "val/map_64",
        "mAP@0.5",
        "val_mAP50",
        "acc",
        "valAUC",
        "loss/accuracy",
        "eval/i2t/r5_64",
        "R@10",
        "f1_macro",
        "top5",
        "hit_rate",
        "true_positive_rate",
        "neg_mean_squared_error",
        "log_likelihood",
        "samples_per_second",
        "eval/i2t/map_64_itq",
        "r2",
        "map/val",
    ],
)
def test_more_is_better(name):
    assert direction_of(name) == "max"


@pytest.mark.parametrize(
    "name",
    [
        "loss",
        "train/loss",
        "valLoss",
        "acc_loss",
        "error_rate",
        "top1_err",
        "ppl",
        "cross_entropy",
        "nll",
        "negative_log_likelihood",
        "MSE",
        "val.rmse",
        "false_positive_rate",
        "fid",
        "loss/ce",
        "loss_64",
        "latency_p95",
    ],
)
def test_less_is_better(name):
    assert direction_of(name) == "min"


@pytest.mark.parametrize(
    "name",
    [
        "lr",
        "learning_rate",
        "epoch",
        "loss_scale",
        "loss_weight",
        "grad_norm",
        "entropy",
        "bits",
        "gpu0/temperature",
        "lossmask",
        "x",
        "손실",
        "map_norm",
        "train/step_time",
        "loss/scale",
    ],
)
def test_a_name_that_says_nothing_has_no_direction(name):
    assert direction_of(name) is None


def test_what_a_configuration_says_counts_more_than_the_name():
    config = {"callbacks": [{"monitor": "weird", "mode": "max"}, {"monitor": "loss", "mode": "max"}]}
    assert directions(["weird", "loss", "val/loss", "x"], [config]) == {
        "weird": "max", "loss": "max", "val/loss": "min",
    }  # fmt: skip
