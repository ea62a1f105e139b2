"""What is kept of a training, and when: driven by real trainings of a few steps, two steps an epoch."""

import msgspec
import pytest

from mlhub.config import CheckpointConfig, LoggingConfig, LossConfig
from mlhub.errors import MlhubError
from mlhub.hashing import callbacks, checkpoint, train
from mlhub.paths import RunPaths
from mlhub.records import read_records
from tests.hashing.test_train import configuration, make_home


@pytest.fixture
def fit(tmp_path, monkeypatch):
    """Train here and now; the run's folder."""
    monkeypatch.setenv("MLHUB_HOME", str(tmp_path))

    def run(*, kept=None, **training):
        config = msgspec.structs.replace(
            configuration(**training),
            loss=LossConfig(contrastive=1.0, anchor=1.0),
            checkpoint=CheckpointConfig(**(kept or {})),
            logging=LoggingConfig(1),
        )
        folder = make_home(tmp_path, config)
        train.train(config, RunPaths(folder))
        return folder

    return run


@pytest.fixture
def saves(monkeypatch):
    """Name and sidecar of every checkpoint that is written, at every chance there is."""
    found = []
    original = callbacks.save
    monkeypatch.setattr(callbacks, "_SHORT", -1)
    monkeypatch.setattr(callbacks, "_DEAR", 0)
    monkeypatch.setattr(
        callbacks, "save", lambda path, *rest: (found.append((path.stem, rest[1])), original(path, *rest))
    )
    return found


def steps(run, metric):
    return [record["step"] for record in read_records(run / "metrics.jsonl")[0] if metric in record]


def sidecar(run, name):
    return checkpoint.load(run / "checkpoints" / f"{name}.safetensors").sidecar


def test_a_training_shorter_than_the_interval_of_checkpoints_has_a_best(fit):
    assert sidecar(fit(max_epochs=2, kept={"every_n_epochs": 3}), "best").step == 4


def test_early_stopping_between_checkpoints_has_a_best(fit):
    run = fit(max_epochs=50, early_stopping_patience=0, kept={"every_n_epochs": 49})
    assert sidecar(run, "best").step == sidecar(run, "last").step < 98


def test_the_last_steps_are_validated_once(fit):
    assert steps(fit(max_epochs=3, val_check_interval=4), "val/map_64") == [4, 6]


def test_a_share_of_an_epoch_is_whole_steps(fit):
    run = fit(max_epochs=2, batch_size=2, accumulate_grad_batches=2, val_check_interval=0.5)
    assert steps(run, "val/map_64") == [1, 2, 3, 4]


def test_last_is_kept_every_n_epochs_and_at_the_end(fit, saves):
    fit(max_epochs=5, kept={"every_n_epochs": 2})
    assert [(about.epoch, about.step) for name, about in saves if name == "last"] == [(1, 4), (3, 8), (4, 10)]


def test_a_long_epoch_keeps_last_on_its_way(fit, saves, monkeypatch):
    monkeypatch.setattr(callbacks, "_LONG", -1)
    fit(max_epochs=1)
    assert [about.step for name, about in saves if name == "last"] == [1, 2, 2]


def test_saving_at_epochs_ends_waits_a_hundred_times_what_it_took(fit, saves, monkeypatch):
    monkeypatch.setattr(callbacks, "_DEAR", 1e6)
    fit(max_epochs=4)
    assert [about.step for name, about in saves if name == "last"] == [2, 8]


def test_only_the_very_weights_that_were_measured_carry_metrics(fit, saves):
    fit(max_epochs=4, val_check_interval=4)
    measured = {about.step: bool(about.metrics) for name, about in saves if name == "last"}
    assert measured == {2: False, 4: True, 6: False, 8: True}


def test_an_epoch_s_line_shows_validation_only_if_there_was_one(fit, capsys):
    fit(max_epochs=5, val_check_interval=4)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch ")]
    assert ["val/map_64" in line for line in lines] == [False, True, False, True, True]


def test_accumulated_batches_are_one_step_with_one_record(fit):
    run = fit(max_epochs=4, batch_size=2, accumulate_grad_batches=2, val_check_interval=3)
    assert steps(run, "train/loss") == [1, 2, 3, 4, 5, 6, 7, 8]
    assert steps(run, "val/map_64") == [3, 6, 8]


def test_rates_that_differ_from_the_heads_are_recorded_beside_it(fit):
    run = fit(max_epochs=1, table_lr=1e-2, anchor_lr=1e-3)
    record = read_records(run / "metrics.jsonl")[0][0]
    assert record["train/lr_table"] == pytest.approx(10 * record["train/lr"])
    assert "train/lr_anchor" not in record


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_mixed_precision_trains_and_what_it_kept_is_float32(fit, precision):
    run = fit(max_epochs=2, precision=precision)
    model = checkpoint.load(run / "checkpoints" / "best.safetensors").model
    assert {str(parameter.dtype) for parameter in model.parameters()} == {"torch.float32"}
    assert steps(run, "val/map_64") == [2, 4]


def test_a_best_for_which_there_is_no_room_is_not_taken_for_kept(fit, monkeypatch, capsys):
    original = callbacks.save

    def full(path, net, about):
        if path.stem == "best" and about.step == 2:
            raise MlhubError("best.safetensors: can't be written: No space left on device")
        return original(path, net, about)

    monkeypatch.setattr(callbacks, "save", full)
    assert sidecar(fit(max_epochs=2), "best").step == 4
    assert "warning: best.safetensors: can't be written: No space left on device; training goes on" in (
        capsys.readouterr().out
    )
