"""Real processes that are stopped and killed: what they leave, and that the next attempt makes it whole."""

import os
import signal
import subprocess
import sys

import pytest

from mlhub.hashing import checkpoint, state
from mlhub.records import read_records
from tests.conftest import wait_until
from tests.hashing.test_resume import ending, settings
from tests.hashing.test_train import finish, make_home

pytestmark = pytest.mark.slow

#: the program, with something changed before it starts
PROGRAM = """
import sys, time
from pathlib import Path
from mlhub.hashing import callbacks, data, module, program, state, train
{change}
sys.exit(program.run(train.main, []))
"""


def start(run, number=1, change=""):
    (run / "attempts" / str(number)).mkdir(parents=True)
    environment = {
        "MLHUB_HOME": str(run.parents[1]),
        "MLHUB_RUN_DIR": str(run),
        "MLHUB_CONFIG": str(run / "config.yaml"),
        "MLHUB_ATTEMPT": str(number),
    }
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(change=change)],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def steps(run):
    return [record["step"] for record in read_records(run / "metrics.jsonl")[0] if "train/loss" in record]


CONFIG = settings(max_epochs=40)
#: steps slow enough for a signal to come amid an epoch
SLOW = """
step = module.HashingModule.training_step
module.HashingModule.training_step = lambda *arguments: (time.sleep(0.05), step(*arguments))[1]
"""
#: and the state saved at the end of each epoch, however short
OFTEN = SLOW + "callbacks._SHORT, callbacks._DEAR = -1, 0\n"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    run = make_home(tmp_path_factory.mktemp("whole"), CONFIG)
    code, output = finish(start(run))
    assert code == 0, output
    return ending(run)


def test_sigterm_amid_an_epoch_then_to_the_end(tmp_path, whole):
    run = make_home(tmp_path, CONFIG)
    process = start(run, change=SLOW)
    wait_until(lambda: len(steps(run)) >= 7, seconds=90)
    process.send_signal(signal.SIGTERM)
    code, output = finish(process)
    assert code == 143, output
    code, output = finish(start(run, 2))
    assert code == 0, output
    assert "continues from step" in output
    assert ending(run) == whole


def test_sigkill_between_two_saves_then_to_the_end(tmp_path, whole):
    run = make_home(tmp_path, CONFIG)
    process = start(run, change=OFTEN)
    wait_until(lambda: len(steps(run)) >= 7, seconds=90)
    process.kill()
    finish(process)
    saved = steps(run)[-1] // 4 * 4  # at the end of the last epoch; of the one before, if the kill came in between
    code, output = finish(start(run, 2))
    assert code == 0, output
    assert any(f"continues from step {step}, epoch {step // 4 + 1}\n" in output for step in (saved, saved - 4))
    assert ending(run) == whole


def test_a_kill_before_the_first_save_begins_again(tmp_path, whole):
    run = make_home(tmp_path, CONFIG)
    process = start(run, change=SLOW)
    wait_until(lambda: len(steps(run)) >= 7, seconds=90)
    process.kill()
    finish(process)
    code, output = finish(start(run, 2))
    assert code == 0, output
    assert "starts from the beginning: no state was saved" in output
    assert ending(run) == whole


def test_a_second_sigterm_does_not_break_the_saving(tmp_path):
    run = make_home(tmp_path, CONFIG)
    saving, go = tmp_path / "saving", tmp_path / "go"
    change = f"""{SLOW}
save = state.save
def slowly(*arguments):
    Path({str(saving)!r}).touch()
    while not Path({str(go)!r}).exists():
        time.sleep(0.02)
    save(*arguments)
state.save = slowly
"""
    process = start(run, change=change)
    wait_until(lambda: len(steps(run)) >= 3, seconds=90)
    process.send_signal(signal.SIGTERM)
    wait_until(saving.exists, seconds=90)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    go.touch()
    code, output = finish(process)
    assert code == 143, output
    assert "Traceback" not in output
    last = checkpoint.load(run / "checkpoints" / "last.safetensors").sidecar
    saved = state.load(run / "checkpoints" / state.NAME, CONFIG, last.data)
    assert saved["step"] == last.step


@pytest.mark.parametrize("amid", ["data.decode", "data.gather"])
def test_sigterm_before_the_first_step_leaves_at_once(tmp_path, amid):
    run = make_home(tmp_path, CONFIG)
    there = tmp_path / "there"
    change = f"{amid} = lambda *_: (Path({str(there)!r}).touch(), time.sleep(300))"
    process = start(run, change=change)
    wait_until(there.exists, seconds=90)
    process.send_signal(signal.SIGTERM)
    code, output = finish(process)
    assert code == 143, output
    assert output.splitlines()[-1] == "stopped before the first step"
    assert "Traceback" not in output
    assert not (run / "checkpoints").exists()
