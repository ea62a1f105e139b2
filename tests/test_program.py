import json
import subprocess
import sys

import pytest

from mlhub import program
from mlhub.errors import MlhubError, UsageError
from mlhub.program import run, run_folder, write_json


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MLHUB_RUN_DIR", str(tmp_path))
    return tmp_path


def fails(_):
    raise MlhubError("the index is gone", "mlhub index 1")


def outcome(folder):
    return json.loads((folder / "outcome.json").read_text())


def test_an_error_is_two_lines_and_no_traceback(capsys):
    assert run(fails, []) == 1
    assert capsys.readouterr().err == "error: the index is gone\nhint: mlhub index 1\n"


def test_an_error_shows_its_traceback_when_asked(capsys, monkeypatch):
    monkeypatch.setenv("MLHUB_DEBUG", "1")
    run(fails, [])
    assert "Traceback" in capsys.readouterr().err


def test_wrong_usage_exits_2():
    def main(_):
        raise UsageError("k: expected 1 or more")

    assert run(main, []) == 2


def test_the_arguments_reach_the_program():
    seen = []
    assert run(seen.extend, ["-k", "3"]) == 0
    assert seen == ["-k", "3"]


def test_success_is_noted_in_the_run_s_folder(folder):
    run(lambda _: None, [])
    assert outcome(folder)["outcome"] == "completed"


def test_failure_is_noted_in_the_run_s_folder(folder):
    run(fails, [])
    noted = outcome(folder)
    assert (noted["outcome"], noted["error"]) == ("failed", "the index is gone")


def test_an_outcome_names_the_attempt_it_is_of(folder, monkeypatch):
    monkeypatch.setenv("MLHUB_ATTEMPT", "2")
    monkeypatch.setenv("MLHUB_RUN_TOKEN", "abc")
    run(lambda _: None, [])
    assert (outcome(folder)["attempt"], outcome(folder)["token"]) == (2, "abc")


def test_a_bug_keeps_its_traceback_and_is_noted(folder):
    def main(_):
        raise ZeroDivisionError("division by zero")

    with pytest.raises(ZeroDivisionError):
        run(main, [])
    assert outcome(folder)["error"] == "ZeroDivisionError: division by zero"


def test_outside_a_run_there_is_no_folder(monkeypatch):
    monkeypatch.delenv("MLHUB_RUN_DIR", raising=False)
    assert run_folder() is None


def test_a_document_that_cannot_be_written_leaves_the_old_one_and_no_rest(tmp_path):
    path = tmp_path / "eval.json"
    write_json(path, {"map": 0.5})
    with pytest.raises(TypeError):
        write_json(path, {"map": object()})
    assert [file.name for file in tmp_path.iterdir()] == ["eval.json"]
    assert json.loads(path.read_text()) == {"map": 0.5}


def test_a_program_that_is_no_run_notes_nothing_in_the_run_it_is_started_from(folder):
    run(fails, [], is_run=False)
    run(lambda _: None, [], is_run=False)
    assert not list(folder.iterdir())


def test_an_outcome_that_cannot_be_written_hides_no_error(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MLHUB_RUN_DIR", str(tmp_path / "file" / "run"))
    assert run(fails, []) == 1
    assert capsys.readouterr().err.count("\n") == 2


def test_a_document_in_a_place_that_cannot_be_written_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MlhubError, match=r"eval\.json: can't be written"):
        write_json(tmp_path / "file" / "eval.json", {})


def test_an_outcome_says_what_a_program_had_it_remember(folder, monkeypatch):
    monkeypatch.setattr(program, "_facts", {})
    program.remember(batch_size=64)
    run(fails, [])
    assert (outcome(folder)["batch_size"], outcome(folder)["outcome"]) == (64, "failed")


def test_a_gpu_out_of_memory_is_noted_by_its_line(folder):
    import torch  # noqa: TID251 - the error is its own

    def main(_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    with pytest.raises(torch.OutOfMemoryError):
        run(main, [])
    assert outcome(folder)["error"] == "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."


@pytest.mark.parametrize(("word", "number"), [("3", 3), ("", 1), ("x", 1), ("²", 1), (None, 1)])
def test_the_attempt_is_a_number_whatever_the_environment_holds(monkeypatch, word, number):
    monkeypatch.delenv("MLHUB_ATTEMPT", raising=False)
    if word is not None:
        monkeypatch.setenv("MLHUB_ATTEMPT", word)
    assert program.attempt() == number


def test_a_log_on_a_full_disk_fails_no_program():
    script = "import sys; from mlhub import program; sys.exit(program.run(lambda _: [program.say('x')] * 3, []))"
    with open("/dev/full", "w") as full:
        assert subprocess.run([sys.executable, "-c", script], stdout=full, check=False).returncode == 0
