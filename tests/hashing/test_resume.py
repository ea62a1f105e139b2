"""A training that was stopped and continued ends as one that was not: to the bit, on a CPU with one thread."""

import json

import msgspec
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from mlhub.config import CheckpointConfig, DataConfig, LoggingConfig, LossConfig, ModelConfig
from mlhub.errors import MlhubError
from mlhub.hashing import backbones, callbacks, checkpoint, module, program, train
from mlhub.paths import RunPaths
from mlhub.records import current_records, find_marks
from tests.hashing.test_backbones import TINY_CLIP
from tests.hashing.test_train import configuration, make_home

CLOCKED = ("time", "train/examples_per_s")


def settings(*, kept=None, **training):
    """Dropout, so that torch's generator matters; four batches an epoch."""
    return msgspec.structs.replace(
        configuration(**({"batch_size": 2} | training)),
        model=ModelConfig(hidden_dim=32, dropout=0.2),
        loss=LossConfig(contrastive=1.0, anchor=1.0, smoothing=0.1),
        checkpoint=CheckpointConfig(**(kept or {})),
        logging=LoggingConfig(1),
    )


@pytest.fixture
def attempt(tmp_path, monkeypatch):
    """One attempt at a run, here and now; its folder. `at` asks for a stop amid a step or a validation."""

    def run(config, number=1, *, name="run", at=None, amid="training_step"):
        home = tmp_path / name
        monkeypatch.setenv("MLHUB_HOME", str(home))
        folder = home / "runs" / "1"
        if number == 1:
            make_home(home, config)
        (folder / "attempts" / str(number)).mkdir(parents=True)
        monkeypatch.setenv("MLHUB_RUN_DIR", str(folder))
        monkeypatch.setenv("MLHUB_ATTEMPT", str(number))
        with monkeypatch.context() as patch:
            if at is not None:
                stop_amid(patch, amid, at)
            train.train(config, RunPaths(folder))
        return folder

    return run


def stop_amid(patch, method, at):
    original = getattr(module.HashingModule, method)
    calls = []

    def step(self, *arguments):
        calls.append(1)
        self.stop.asked = self.stop.asked or len(calls) == at
        return original(self, *arguments)

    patch.setattr(module.HashingModule, method, step)


def ending(run):
    """All that must be the same: the weights of last and best, when the best was, and the metrics that hold."""
    last, best = (checkpoint.load(run / "checkpoints" / f"{name}.safetensors") for name in ("last", "best"))
    records = [
        {key: value for key, value in record.items() if key not in CLOCKED}
        for record in current_records(run / "metrics.jsonl")
    ]
    about = [(one.digest, one.sidecar.step, one.sidecar.epoch, one.sidecar.metrics) for one in (last, best)]
    return about, records, sorted(file.name for file in (run / "checkpoints").iterdir())


def interrupted(attempt, config, **where):
    with pytest.raises(SystemExit) as stopped:
        attempt(config, **where)
    assert stopped.value.code == 143
    return attempt(config, 2)


@pytest.mark.slow
@pytest.mark.parametrize("at", range(1, 13))
def test_stopped_amid_any_step_it_ends_as_if_it_had_not_been(attempt, at):
    config = settings(max_epochs=3)
    assert ending(interrupted(attempt, config, at=at)) == ending(attempt(config, name="whole"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [
        settings(max_epochs=6, accumulate_grad_batches=2),
        settings(max_epochs=3, val_check_interval=3),
        settings(max_epochs=3, val_check_interval=0.5),
        settings(max_epochs=4, val_check_interval=3, accumulate_grad_batches=2),
        settings(max_epochs=3, kept={"save_top_k": 2}, val_check_interval=0.5),
        settings(max_epochs=4, kept={"every_n_epochs": 2}),
        settings(max_epochs=3, precision="bf16-mixed"),
        settings(max_epochs=30, early_stopping_patience=1),
        settings(max_epochs=3, scheduler="constant", gradient_clip_val=None),
    ],
    ids=["accumulated", "across", "share", "both", "two", "epochs", "half", "early", "constant"],
)
@pytest.mark.parametrize("at", [4, 5, 7])
def test_whatever_the_configuration(attempt, config, at):
    assert ending(interrupted(attempt, config, at=at)) == ending(attempt(config, name="whole"))


@pytest.mark.parametrize("interval", [1.0, 3, 0.5])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_stopped_amid_a_validation_it_validates_first(attempt, at, interval):
    config = settings(max_epochs=3, val_check_interval=interval)
    assert ending(interrupted(attempt, config, at=at, amid="validate")) == ending(attempt(config, name="whole"))


def test_a_stop_amid_a_validation_does_not_wait_for_its_end(attempt):
    with pytest.raises(SystemExit):
        attempt(settings(max_epochs=3), at=1, amid="validate")
    assert not any("val/map_64" in record for record in current_records(program.run_folder().metrics))


def test_stopped_again_and_again(attempt):
    config = settings(max_epochs=3)
    whole = attempt(config, name="whole")
    for number in range(1, 7):
        with pytest.raises(SystemExit):
            run = attempt(config, number, at=2)
    run = attempt(config, 7)
    assert ending(run) == ending(whole)
    assert [mark.attempt for mark in find_marks(run / "metrics.jsonl")[0]] == [2, 3, 4, 5, 6, 7]


@pytest.fixture
def saved(attempt):
    """A run stopped after its sixth step, and its state."""
    with pytest.raises(SystemExit):
        attempt(settings(max_epochs=3), at=6)
    return program.run_folder().checkpoints / "state.pt"


def test_it_says_from_where_it_continues_and_marks_it(attempt, saved, capsys):
    run = attempt(settings(max_epochs=3), 2)
    assert "continues from step 6, epoch 2\n" in capsys.readouterr().out
    assert [(mark.step, mark.attempt) for mark in find_marks(run / "metrics.jsonl")[0]] == [(6, 2)]


def test_the_state_names_the_last_weights_of_its_step(saved):
    last = checkpoint.load(saved.with_name("last.safetensors"))
    tree = torch.load(saved, weights_only=True)
    assert (tree["last"], tree["step"]) == (last.digest, last.sidecar.step) == (last.digest, 6)


def test_it_is_gone_when_the_training_is_complete(attempt, saved):
    attempt(settings(max_epochs=3), 2)
    assert not saved.exists()


def broken(path):
    path.write_bytes(path.read_bytes()[:-1000])


def pickled(path):
    torch.save({"format": Evil()}, path)


class Evil:
    def __reduce__(self):
        return (print, ("unpickled",))


def edited(**changes):
    return lambda path: torch.save(torch.load(path, weights_only=True) | changes, path)


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda path: path.unlink(), "no state was saved"),
        (lambda path: path.write_bytes(b""), "can't be continued from"),
        (lambda path: path.write_bytes(b"\x80\x02}q\x00." * 9), "can't be continued from"),
        (broken, "can't be continued from"),
        (pickled, "can't be continued from"),
        (edited(format=99), "this version of mlhub did not write it"),
        (edited(config="x"), "it is of another configuration"),
        (edited(data="x"), "the data set has changed since"),
        (edited(place="x"), "can't be continued from"),
        (edited(step=None), "can't be continued from"),
        (lambda path: torch.save([1], path), "this version of mlhub did not write it"),
        (lambda path: torch.save(head(path), path), "it has no batch_size, batches"),
    ],
    ids=["none", "empty", "garbage", "torn", "pickle", "format", "config", "data", "place", "step", "list", "head"],
)
def test_without_a_usable_state_it_begins_again_and_says_why(attempt, saved, capsys, harm, why):
    config = settings(max_epochs=3)
    harm(saved)
    again, whole = attempt(config, 2), attempt(config, name="whole")
    assert ending(again) == ending(whole)
    output = capsys.readouterr().out
    assert "starts from the beginning: " in output
    assert why in output
    assert "unpickled" not in output
    assert find_marks(again / "metrics.jsonl")[0][0].step == 0


def head(path):
    return {
        key: value for key, value in torch.load(path, weights_only=True).items() if key in ("format", "config", "data")
    }


@pytest.mark.parametrize(
    "change", [{"weights": {}}, {"optimizer": {}}, {"random": {}}, {"batches": 3}, {"schedule": None}]
)
def test_a_state_of_another_model_stops_it_with_what_to_do(attempt, saved, change):
    edited(**change)(saved)
    with pytest.raises(MlhubError, match=r"checkpoints/state\.pt does not fit this training") as error:
        attempt(settings(max_epochs=3), 2)
    assert error.value.hint == "Remove it to start from the beginning."


def test_the_batch_size_that_was_chosen_is_kept(attempt, monkeypatch):
    config = settings(max_epochs=3, batch_size="auto")
    monkeypatch.setattr(train, "_batch_size", lambda _: 2)
    with pytest.raises(SystemExit):
        attempt(config, at=6)
    monkeypatch.setattr(train, "_batch_size", lambda _: 4)
    run = attempt(config, 2)
    monkeypatch.setattr(train, "_batch_size", lambda _: 2)
    assert ending(run) == ending(attempt(config, name="whole"))


def test_a_failed_write_leaves_the_state_of_before_and_the_training_goes_on(attempt, monkeypatch, capsys, tmp_path):
    config = settings(max_epochs=3)
    monkeypatch.setattr(callbacks, "_LONG", -1)
    original = torch.save

    def full(tree, file):
        if tree["step"] == 7:
            file.write(b"half")
            raise RuntimeError("PytorchStreamWriter failed writing file data/3: file write failed")
        if tree["step"] == 8:
            assert torch.load(path, weights_only=True)["step"] == 6
        original(tree, file)

    path = tmp_path / "whole" / "runs" / "1" / "checkpoints" / "state.pt"
    monkeypatch.setattr(torch, "save", full)
    whole = attempt(config, name="whole")
    assert "state.pt: can't be written: the disk is full?; training goes on" in capsys.readouterr().out
    assert ending(whole)[0][0][1] == 12


def test_what_a_killed_writer_left_is_swept_away(attempt, saved):
    rests = [saved.with_name(name) for name in (".state.pt.12", ".last.safetensors.12", ".best.json.12")]
    for rest in rests:
        rest.write_bytes(b"half")
    attempt(settings(max_epochs=3), 2)
    assert not any(rest.exists() for rest in rests)


@pytest.fixture
def clip(tmp_path):
    """A very small model of open_clip, and weights of it in a file."""
    path = tmp_path / "mlhub-test-clip.json"
    path.write_text(json.dumps(TINY_CLIP))
    open_clip.add_model_config(path)
    torch.manual_seed(7)
    model = backbones.build(ModelConfig(backbone="mlhub-test-clip"), 32, texts=["a"])
    save_file(model.clip.state_dict(), tmp_path / "clip.safetensors")
    return str(tmp_path / "clip.safetensors")


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("at", [3, 6])
def test_a_model_of_open_clip_too(attempt, clip, frozen, at):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    config = msgspec.structs.replace(
        settings(max_epochs=3),
        model=ModelConfig(backbone="mlhub-test-clip", pretrained=clip, freeze_backbone=frozen, dropout=0.2),
        data=DataConfig(dataset="shapes", image_size=32),
    )
    assert ending(interrupted(attempt, config, at=at)) == ending(attempt(config, name="whole"))
    torch.set_num_threads(threads)


def test_frozen_weights_are_not_in_the_state(attempt, clip):
    config = msgspec.structs.replace(
        settings(max_epochs=3),
        model=ModelConfig(backbone="mlhub-test-clip", pretrained=clip, freeze_backbone=True),
        data=DataConfig(dataset="shapes", image_size=32),
    )
    with pytest.raises(SystemExit):
        attempt(config, at=6)
    tree = torch.load(program.run_folder().checkpoints / "state.pt", weights_only=True)
    assert not [name for name in tree["weights"] if "clip" in name]
