"""The training program: what it leaves in a run's folder, how it stops, how it fails."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from mlhub.config import (
    CheckpointConfig,
    DataConfig,
    LoggingConfig,
    LossConfig,
    ModelConfig,
    RunConfig,
    TrainingConfig,
)
from mlhub.hashing import checkpoint
from mlhub.hashing.preset import validation_names
from mlhub.records import read_records
from tests.hashing.conftest import make_dataset


def configuration(**training):
    return RunConfig(
        model=ModelConfig(hidden_dim=32),
        data=DataConfig(dataset="shapes", image_size=24),
        training=TrainingConfig(**({"batch_size": 4, "max_epochs": 3, "warmup_steps": 2} | training)),
        loss=LossConfig(contrastive=1.0, anchor=1.0, label=0.3, distillation=0.5, quantization=0.1),
        checkpoint=CheckpointConfig(),
        logging=LoggingConfig(log_every_n_steps=2),
    )


def make_home(home, config):
    folder = home / "data" / "shapes"
    make_dataset(folder)
    (folder / "items.jsonl").write_text((folder / "items.jsonl").read_text().replace('"test"', '"val"'))
    run = home / "runs" / "1"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(config.to_yaml())
    return run


def start(run, **environment):
    known = {"MLHUB_HOME": str(run.parents[1]), "MLHUB_RUN_DIR": str(run), "MLHUB_CONFIG": str(run / "config.yaml")}
    command = [sys.executable, "-m", "mlhub.hashing.train"]
    return subprocess.Popen(
        command, env=os.environ | known | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def has_stepped(run):
    """The file alone says nothing: it is opened before the first step."""
    records, _ = read_records(run / "metrics.jsonl")
    return any(record.get("step") for record in records)


def finish(process):
    output, _ = process.communicate(timeout=100)
    return process.returncode, output


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of three epochs, once for all that only look."""
    run = make_home(tmp_path_factory.mktemp("home"), configuration())
    code, output = finish(start(run))
    assert code == 0, output
    return run, output


def test_last_and_best_are_kept_and_can_be_loaded(trained):
    run, _ = trained
    for name in ("last", "best"):
        encoder = checkpoint.load(run / "checkpoints" / f"{name}.safetensors")
        assert encoder.sidecar.dataset == "shapes"
        assert encoder.sidecar.metrics["val/map_64"] is not None


def test_the_outcome_says_completed(trained):
    run, _ = trained
    assert json.loads((run / "outcome.json").read_text())["outcome"] == "completed"


def test_steps_record_loss_parts_shares_rate_and_speed(trained):
    run, _ = trained
    records = [record for record in read_records(run / "metrics.jsonl")[0] if "train/loss" in record]
    assert [record["step"] for record in records] == [2, 4, 6]
    parts = ("contrastive", "anchor", "label", "distillation", "quantization")
    for record in records:
        assert record["train/loss"] == pytest.approx(sum(record[f"train/loss_{part}"] for part in parts), rel=1e-4)
        assert sum(record[f"train/share_{part}"] for part in parts) == pytest.approx(1)
        assert record["train/lr"] > 0
        assert record["train/examples_per_s"] > 0


def test_every_validation_records_both_directions_at_every_length(trained):
    run, _ = trained
    record = next(record for record in reversed(read_records(run / "metrics.jsonl")[0]) if "val/map_64" in record)
    expected = set(validation_names(configuration()))
    assert expected == {name for name in record if name.startswith("val/")}
    assert all(0 <= record[name] <= 1 for name in expected)


def test_the_log_has_a_line_an_epoch_and_no_bars(trained):
    _, output = trained
    lines = [line for line in output.splitlines() if line.startswith("epoch ")]
    assert [line.split()[1] for line in lines] == ["1/3", "2/3", "3/3"]
    assert all("loss" in line and "val/map_64" in line and "steps/s" in line for line in lines)
    assert "\r" not in output
    assert "\x1b" not in output


@pytest.mark.slow
def test_one_seed_gives_one_model(trained, tmp_path):
    run = make_home(tmp_path, configuration())
    assert finish(start(run))[0] == 0
    digests = {checkpoint.load(folder / "checkpoints" / "last.safetensors").digest for folder in (trained[0], run)}
    assert len(digests) == 1


@pytest.mark.slow
def test_sigterm_keeps_the_last_checkpoint(tmp_path):
    run = make_home(tmp_path, configuration(max_epochs=100_000))
    process = start(run)
    deadline = time.monotonic() + 90
    while not has_stepped(run) and time.monotonic() < deadline:
        time.sleep(0.05)  # paces the poll
    process.send_signal(signal.SIGTERM)
    code, output = finish(process)
    assert code == 143, output
    assert "Traceback" not in output
    assert checkpoint.load(run / "checkpoints" / "last.safetensors").sidecar.step > 0


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda data: (data / "images" / "red-disc.png").unlink(), "red-disc.png: no such image"),
        (lambda data: (data / "images" / "red-disc.png").write_bytes(b"x"), "red-disc.png: not a readable image"),
        (
            lambda data: add(data, '{"id":"x","image":"x.png","captions":{"en":[""]}}'),
            "items.jsonl:17: x: an empty caption",
        ),
    ],
    ids=["missing", "broken", "mute"],
)
def test_wrong_data_stops_it_with_two_lines(tmp_path, harm, message):
    run = make_home(tmp_path, configuration())
    harm(tmp_path / "data" / "shapes")
    code, output = finish(start(run))
    assert code == 1
    assert message in output
    assert "hint: " in output
    assert "Traceback" not in output
    assert json.loads((run / "outcome.json").read_text())["outcome"] == "failed"


def add(data, line):
    with (data / "items.jsonl").open("a") as file:
        file.write(line + "\n")


def test_a_monitor_that_nothing_measures_is_named(tmp_path):
    config = configuration()
    text = config.to_yaml().replace("val/map_64", "val/nothing")
    run = make_home(tmp_path, config)
    (run / "config.yaml").write_text(text)
    code, output = finish(start(run))
    assert code == 1
    assert "validation measures no val/nothing" in output
    assert "data set" not in output
    assert "Traceback" not in output


def test_no_configuration_is_wrong_usage(tmp_path):
    code, output = finish(start(tmp_path / "home" / "runs" / "1", MLHUB_CONFIG=""))
    assert code == 2
    assert "no configuration" in output


def test_a_run_shorter_than_the_validation_interval_is_validated_at_its_end(tmp_path):
    run = make_home(tmp_path, configuration(max_epochs=1, val_check_interval=500))
    code, output = finish(start(run))
    assert code == 0, output
    assert checkpoint.load(run / "checkpoints" / "best.safetensors").sidecar.step == 2


def test_the_best_two_are_kept(tmp_path):
    config = configuration(max_epochs=4)
    run = make_home(tmp_path, config)
    (run / "config.yaml").write_text(config.to_yaml().replace("save_top_k: 1", "save_top_k: 2"))
    code, output = finish(start(run))
    assert code == 0, output
    names = sorted(path.stem for path in (run / "checkpoints").glob("*.safetensors"))
    kept = [name for name in names if name.startswith("step-")]
    assert len(kept) == 2
    best = checkpoint.load(run / "checkpoints" / "best.safetensors").sidecar
    assert f"step-{best.step}" in kept
    scores = [
        checkpoint.load(run / "checkpoints" / f"{name}.safetensors").sidecar.metrics["val/map_64"] for name in kept
    ]
    assert best.metrics["val/map_64"] == max(scores)


def test_half_precision_accumulation_and_early_stopping_are_heeded(tmp_path):
    run = make_home(
        tmp_path,
        configuration(precision="bf16-mixed", accumulate_grad_batches=2, early_stopping_patience=0, max_epochs=50),
    )
    code, output = finish(start(run))
    assert code == 0, output
    sidecar = checkpoint.load(run / "checkpoints" / "last.safetensors").sidecar
    assert sidecar.epoch < 49
    assert sidecar.step == len([line for line in output.splitlines() if line.startswith("epoch ")])


def test_a_loss_that_is_not_finite_stops_it(tmp_path):
    run = make_home(tmp_path, configuration(learning_rate=1e30, gradient_clip_val=None, max_epochs=20))
    code, output = finish(start(run))
    assert code == 1
    assert "Traceback" not in output
    assert "hint: " in output
