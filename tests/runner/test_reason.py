from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mlhub.runner import record
from mlhub.runner.reason import Ending, by_word, exceptions, explain, name_error, read_tail, with_word

from .conftest import Sandbox, eventually

TRACEBACK = 'Traceback (most recent call last):\n  File "train.py", line 3, in <module>\n    fit()\n'


def log_of(code: str) -> str:
    """What a Python program that ends by an exception leaves in its log."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        (Ending(exit_code=0), ("completed", None)),
        (Ending(exit_code=3), ("failed", "exit code 3")),
        (Ending(signal="SIGKILL"), ("failed", "killed by SIGKILL")),
        (Ending(signal="SIGSEGV"), ("failed", "killed by SIGSEGV (segmentation fault)")),
        (Ending(signal="SIGTERM", who="alice", ours=True), ("cancelled", "stopped by alice")),
        (Ending(exit_code=0, who="alice", ours=True), ("cancelled", "stopped by alice")),
        (Ending(who="alice", ours=True, forced=10.0), ("cancelled", "stopped by alice, forced after 10 s")),
        (Ending(who="alice", ours=True, forced=0.0), ("cancelled", "stopped by alice, forced at once")),
        (Ending(who="sampler", ours=True, why="loss is NaN\n"), ("failed", "loss is NaN")),
        (Ending(ours=True), ("cancelled", "stopped by an unknown user")),
        (Ending(signal="SIGKILL", evidence=("oom_kill +1",)), ("failed", "out of memory (host): oom_kill +1")),
        (Ending(exit_code=137, evidence=("oom_kill +1",)), ("failed", "out of memory (host): oom_kill +1")),
        (Ending(exit_code=1, evidence=("oom_kill +1",)), ("failed", "exit code 1")),
    ],
)
def test_ending_in_words(ending: Ending, expected: tuple[str, str | None]) -> None:
    assert explain(ending, "") == expected


def test_exception_of_a_real_program_is_named() -> None:
    assert exceptions(log_of("def f(): raise ValueError('bad input')\nf()")) == ["ValueError: bad input"]


def test_syntax_error_is_named() -> None:
    assert exceptions(log_of("def f(:"))[-1].startswith("SyntaxError: ")


def test_missing_module_is_named() -> None:
    _, reason = explain(Ending(exit_code=1), log_of("import nosuchmodule"))
    assert reason == "import error: ModuleNotFoundError: No module named 'nosuchmodule'"


def test_last_of_chained_exceptions_is_named_and_all_are_known() -> None:
    log = log_of("try: 1 / 0\nexcept Exception as error: raise RuntimeError('while averaging') from error")
    assert exceptions(log) == ["ZeroDivisionError: division by zero", "RuntimeError: while averaging"]


def test_exception_that_was_handled_before_is_not_part_of_the_chain() -> None:
    assert exceptions(f"{TRACEBACK}KeyError: 'a'\ngoing on\n{TRACEBACK}ValueError: b\n") == ["ValueError: b"]


@pytest.mark.parametrize(
    "line",
    [
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
        "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB",
        "RuntimeError: CUDA error: out of memory",
    ],
)
def test_gpu_out_of_memory(line: str) -> None:
    assert explain(Ending(exit_code=1), f"{TRACEBACK}{line}\n") == ("failed", f"out of memory (GPU): {line}")


def test_gpu_out_of_memory_that_was_survived_is_not_blamed() -> None:
    log = f"{TRACEBACK}torch.OutOfMemoryError: CUDA out of memory.\nhalving the batch\n{TRACEBACK}ValueError: b\n"
    assert explain(Ending(exit_code=1), log)[1] == "exit code 1: ValueError: b"


GLOO = "RuntimeError: [/gloo/transport/tcp/pair.cc:561] Connection closed by peer [127.0.0.1]:43676."
TORCHRUN = """Root Cause (first observed failure):
[0]:
  time      : 2026-11-24_00:04:51
  host      : localhost
  rank      : 1 (local_rank: 1)
  exitcode  : -9 (pid: 25077)
  error_file: <N/A>
"""


@pytest.mark.parametrize(
    ("log", "why"),
    [
        (f"[rank1]: ValueError: mine\n[rank0]: {GLOO}\n", "exit code 1: rank 1: ValueError: mine"),
        (f"[rank0]: {GLOO}\n{TORCHRUN}", "exit code 1: rank 1 was killed by SIGKILL"),
        (f"[rank: 3] Child process with PID 5 terminated with code 7. Forcefully\n{GLOO}\n",
         "exit code 1: rank 3 ended with exit code 7"),
        (f"[rank0]: {GLOO}\n", f"exit code 1: {GLOO}"),
    ],
)  # fmt: skip
def test_a_rank_that_was_left_alone_is_not_the_cause(log: str, why: str) -> None:
    assert explain(Ending(exit_code=1, error=GLOO), log) == ("failed", why)


def test_a_launcher_that_kills_itself_says_which_rank_went_first() -> None:
    log = "[rank: 1] Child process with PID 5 terminated with code 1. Forcefully terminating all\n"
    assert explain(Ending(signal="SIGKILL"), log)[1] == "killed by SIGKILL: rank 1 ended with exit code 1"
    ending = Ending(signal="SIGKILL", error="rank 1: ValueError: mine")
    assert explain(ending, log)[1] == "killed by SIGKILL: rank 1: ValueError: mine"
    assert explain(ending, "")[1] == "killed by SIGKILL"


def test_torchruns_own_exception_yields_to_the_ranks() -> None:
    root = "[rank1]: " + TRACEBACK.replace("\n", "\n[rank1]: ") + "torch.OutOfMemoryError: CUDA out of memory.\n"
    log = f"{root}{TRACEBACK}torch.distributed.elastic.multiprocessing.errors.ChildFailedError:\n===\n"
    assert explain(Ending(exit_code=1), log)[1] == "out of memory (GPU): torch.OutOfMemoryError: CUDA out of memory."


def test_error_the_trainer_noted_comes_before_the_log() -> None:
    ending = Ending(exit_code=1, error="CUDA out of memory.\nTried to allocate 2 GiB")
    assert (
        explain(ending, f"{TRACEBACK}ValueError: b\n")[1]
        == "out of memory (GPU): CUDA out of memory. Tried to allocate 2 GiB"
    )


# one line each, as PyTorch 2.x, Python and NCCL 2.2x print them
KINDS = {
    "RuntimeError: CUDA error: device-side assert triggered": "CUDA error",
    "torch.AcceleratorError: CUDA error: an illegal memory access was encountered": "CUDA error",
    "RuntimeError: No CUDA GPUs are available": "CUDA error",
    "RuntimeError: CUDA error: no kernel image is available for execution on the device": "GPU not supported",
    "RuntimeError: The NVIDIA driver on your system is too old (found version 11040).": "GPU driver too old",
    "RuntimeError: CUDA error: CUDA driver version is insufficient for CUDA runtime version": "GPU driver too old",
    "torch.distributed.DistBackendError: NCCL error in: ../NCCLUtils.cpp:268, unhandled system error": "NCCL error",
    "RuntimeError: ncclSystemError: System call (e.g. socket, malloc) or external library call failed": "NCCL error",
    "RuntimeError: DataLoader worker (pid(s) 71) exited unexpectedly": "data loader worker killed",
    "RuntimeError: DataLoader worker (pid 71) is killed by signal: Killed.": "data loader worker killed",
    "RuntimeError: DataLoader worker (pid 71) is killed by signal: Bus error. It is possible that dataloader's workers"
    " are out of shared memory.": "shared memory full",
    "RuntimeError: unable to write to file </torch_71_1_0>: No space left on device (28)": "shared memory full",
    "RuntimeError: unable to mmap 4096 bytes from file </torch_71>: Cannot allocate memory (12)": "shared memory full",
    "RuntimeError: [enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory": "out of memory (host)",
    "ImportError: libGL.so.1: cannot open shared object file: No such file or directory": "import error",
}


@pytest.mark.parametrize(("line", "kind"), KINDS.items())
def test_kind_of_an_exception_is_told(line: str, kind: str) -> None:
    assert explain(Ending(exit_code=1), f"{TRACEBACK}{line}\n")[1] == f"{kind}: {line}"


def test_program_that_could_not_get_memory_says_so() -> None:
    code = "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28)); b'x' * (1 << 30)"
    assert explain(Ending(exit_code=1), log_of(code))[1] == "out of memory (host): MemoryError"


def test_worker_killed_with_evidence_is_the_hosts_memory() -> None:
    line = "RuntimeError: DataLoader worker (pid 71) is killed by signal: Killed."
    reason = explain(Ending(exit_code=1, evidence=("oom_kill +1",)), f"{TRACEBACK}{line}\n")[1]
    assert reason == f"out of memory (host): oom_kill +1; {line}"


def test_watchdog_that_aborts_is_nccl() -> None:
    log = "[rank0]:[E1123 10:00] [Rank 0] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=7)\nterminate\n"
    reason = explain(Ending(signal="SIGABRT"), log)[1] or ""
    assert reason.startswith("NCCL error: [rank0]:[E1123 10:00] [Rank 0] Watchdog caught collective operation timeout")


CRASH = "import ctypes, faulthandler; faulthandler.enable()\ndef dive(): ctypes.string_at(0)\ndive()"


def test_crash_is_placed_by_pythons_faulthandler() -> None:
    reason = explain(Ending(signal="SIGSEGV"), log_of(CRASH))[1] or ""
    assert reason.startswith("killed by SIGSEGV (segmentation fault) in string_at, __init__.py line ")


def test_crash_told_by_a_shell_is_a_crash() -> None:
    assert explain(Ending(exit_code=139), "")[1] == "exit code 139: killed by SIGSEGV (segmentation fault)"


def test_crash_after_the_trainer_was_done_says_so() -> None:
    reason = explain(Ending(signal="SIGSEGV", outcome="completed"), "")[1]
    assert reason == "killed by SIGSEGV (segmentation fault) after it had said that it was done"


def test_kill_without_evidence_is_not_explained_by_what_the_log_ends_with() -> None:
    assert explain(Ending(signal="SIGKILL", error="noted"), f"{TRACEBACK}ValueError: b\n")[1] == "killed by SIGKILL"


@pytest.mark.parametrize(
    ("error", "named"), [("CUDA out of memory.", "out of memory (GPU): CUDA out of memory."), ("b", "b")]
)
def test_error_alone_is_named_by_its_kind(error: str, named: str) -> None:
    assert name_error(error) == named


def test_stop_for_a_fault_is_recorded_as_that_by_the_supervisor(box: Sandbox) -> None:
    started = box.launch("sleep", "1000")
    record.write_stop(str(box.paths.attempt(1).root), "mlhub", 5, "train/loss is NaN at step 7")
    os.kill(started.supervisor_pid, signal.SIGTERM)
    verdict = box.over()
    assert (verdict.status, verdict.signal) == ("failed", "SIGTERM")
    assert verdict.reason == "train/loss is NaN at step 7"


WORKERS = """
import os, signal
from torch.utils.data import DataLoader
class Fatal(list):
    def __getitem__(self, index):
        os.kill(os.getpid(), signal.SIGKILL)
if __name__ == "__main__":
    list(DataLoader(Fatal([1, 2]), num_workers=1))
"""


@pytest.mark.slow
def test_pytorchs_own_words_for_a_killed_worker_are_known(box: Sandbox) -> None:
    (box.root / "workers.py").write_text(WORKERS)
    box.launch(sys.executable, str(box.root / "workers.py"))
    reason = eventually(lambda: (verdict := box.inspect()).final and verdict, 90).reason or ""
    assert reason.startswith("data loader worker killed: RuntimeError: DataLoader worker (pid")


def test_full_disk() -> None:
    log = f"{TRACEBACK}OSError: [Errno 28] No space left on device\n"
    assert explain(Ending(exit_code=1), log)[1] == "disk full: OSError: [Errno 28] No space left on device"


def test_control_characters_of_a_log_do_not_reach_the_reason() -> None:
    log = f"{TRACEBACK}ValueError: \x1b[31mred\x1b[0m \x9b2J\x07 \u202eevil\r\n"
    assert explain(Ending(exit_code=1), log)[1] == "exit code 1: ValueError: red evil"


def test_reason_is_short_however_long_the_exception() -> None:
    assert len(explain(Ending(exit_code=1), f"{TRACEBACK}ValueError: {'x' * 10_000}\n")[1] or "") == 240


def test_name_of_who_stopped_it_is_data() -> None:
    assert explain(Ending(who="ali\x1b[31mce\n", ours=True), "")[1] == "stopped by alice"


def test_tail_begins_where_the_attempt_began(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("old\nnew\n")
    assert read_tail(str(tmp_path / "log"), 4) == "new\n"


def test_tail_of_a_huge_log_is_bounded(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        file.truncate(1 << 40)
        file.seek(0, os.SEEK_END)
        file.write(b"the end")
    assert read_tail(str(tmp_path / "log")).endswith("the end")
    assert len(read_tail(str(tmp_path / "log"))) == 1 << 16


def test_log_that_is_missing_or_no_file_is_empty(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert [read_tail(str(path)) for path in (tmp_path, tmp_path / "none", tmp_path / "pipe")] == ["", "", ""]


STOPPED_HERE = "training stopped before its end, its last record at step 1, exit code 0"


@pytest.mark.parametrize(
    ("told", "records", "ended"),
    [
        ({"outcome": "completed", "stage": "fit", "step": 12, "of": 12}, 0, ("completed", None)),
        ({"outcome": "completed", "stage": "fit", "note": "early stopping: x"}, 0, ("completed", "early stopping: x")),
        (
            {"outcome": "running", "stage": "fit", "of": 12},
            5,
            ("failed", "training stopped before its end, its last record at step 4 of 12, exit code 0"),
        ),
        (
            {"outcome": "running", "stage": "fit", "of": 12},
            0,
            ("failed", "training stopped before its end (of 12 steps), exit code 0"),
        ),
        (
            {"outcome": "running", "stage": "fit", "step": 5},
            9,
            ("failed", "training stopped before its end at step 5, exit code 0"),
        ),
        (
            {"outcome": "failed", "stage": "fit", "step": 5, "of": 12, "error": "ValueError: \x1b[2Jx"},
            0,
            ("failed", "training failed at step 5 of 12, exit code 0: ValueError: x"),
        ),
        (
            {"outcome": "failed", "stage": "test", "step": 0, "trained": True, "error": "ValueError: x"},
            0,
            ("completed", "trained; then test failed, exit code 0: ValueError: x"),
        ),
        (
            {"outcome": "failed", "stage": "", "trained": True, "error": "ValueError: x"},
            0,
            ("completed", "trained; then the script failed, exit code 0: ValueError: x"),
        ),
        (
            {"outcome": "failed", "stage": "", "error": "ValueError: x"},
            0,
            ("failed", "the script failed, exit code 0: ValueError: x"),
        ),
        (
            {
                "outcome": "completed",
                "stage": "test",
                "fit": {"outcome": "failed", "stage": "fit", "step": 3, "error": "E: x"},
            },
            0,
            ("failed", "training failed at step 3, exit code 0: E: x"),
        ),
        ({"outcome": "completed", "stage": "test", "fit": ["x"]}, 0, ("completed", None)),
        ({"outcome": "running", "stage": "validate"}, 0, ("failed", "validation stopped before its end, exit code 0")),
        ({"outcome": ["running"], "stage": 5, "of": "x"}, 0, ("completed", None)),
    ],
)
def test_exit_code_0_does_not_outweigh_the_trainers_own_word(
    told: dict[str, object], records: int, ended: tuple[str, str | None], tmp_path: Path
) -> None:
    folder = attempt_in(tmp_path, records)
    assert explain(with_word(Ending(exit_code=0), told, str(folder), 5), "") == ended


def attempt_in(tmp_path: Path, records: int) -> Path:
    """The folder of an attempt, of a run with so many records of metrics and half of one."""
    folder = tmp_path / "attempts" / "1"
    folder.mkdir(parents=True)
    records_of = "".join(f'{{"step":{step},"loss":1}}\n' for step in range(records)) + '{"step":99,"lo'
    (tmp_path / "metrics.jsonl").write_text(records_of)
    return folder


@pytest.mark.parametrize(
    ("told", "trained", "ended"),
    [
        (
            {"outcome": "running", "pid": 9, "of": 12},
            "8\n",
            (
                "completed",
                "trained; then another training stopped before its end, its last record at step 1 of 12, exit code 0",
            ),
        ),
        (
            {"outcome": "failed", "pid": 9, "step": 1, "error": "ValueError: x"},
            "9\n8\n",
            ("completed", "trained; then another training failed at step 1, exit code 0: ValueError: x"),
        ),
        # by the command itself; with nobody else who trained
        ({"outcome": "running", "pid": 5}, "8\n", ("failed", STOPPED_HERE)),
        ({"outcome": "running", "pid": 9}, "9\n", ("failed", STOPPED_HERE)),
        ({"outcome": "running", "pid": 9}, "", ("failed", STOPPED_HERE)),
        ({"outcome": "running", "pid": "9"}, "8\n", ("failed", STOPPED_HERE)),
        ({"outcome": "running", "pid": 9}, "9\n\x00\n-8\n²\n", ("failed", STOPPED_HERE)),
    ],
)
def test_a_program_whose_child_was_ended_amid_training_has_trained_if_another_child_had(
    told: dict[str, object], trained: str, ended: tuple[str, str | None], tmp_path: Path
) -> None:
    folder = attempt_in(tmp_path, 2)
    (folder / "trained").write_text(trained)
    assert explain(with_word(Ending(exit_code=0), {"stage": "fit", **told}, str(folder), 5), "") == ended


@pytest.mark.parametrize(
    ("told", "ended"),
    [
        ({"outcome": "completed"}, ("completed", None)),
        ({"outcome": "failed", "error": "ValueError: x"}, ("failed", "ValueError: x")),
        ({"outcome": "failed"}, ("failed", "failed")),
        (
            {"outcome": "failed", "stage": "test", "trained": True, "error": "ValueError: x"},
            ("completed", "trained; then test failed: ValueError: x"),
        ),
        (
            {"outcome": "failed", "stage": "test", "trained": True, "error": "ValueError: x", "uncaught": True},
            ("failed", "ValueError: x"),
        ),
        (
            {"outcome": "completed", "stage": "test", "fit": {"outcome": "failed", "stage": "fit", "error": "E: x"}},
            ("failed", "E: x"),
        ),
        ({"outcome": "completed", "stage": "test", "fit": {"outcome": "running", "stage": "fit"}}, None),
        ({"outcome": "running", "stage": "fit"}, None),
        ({"outcome": "running", "stage": "test", "trained": True}, None),
    ],
)
def test_what_the_trainer_said_means_the_same_where_no_exit_code_was_seen(
    told: dict[str, object], ended: tuple[str, str | None] | None, tmp_path: Path
) -> None:
    assert by_word(with_word(Ending(), told, str(attempt_in(tmp_path, 2)), None)) == ended


def test_a_stop_is_a_stop_whatever_the_trainer_said_last(tmp_path: Path) -> None:
    ending = with_word(Ending(exit_code=0, who="me", ours=True), {"outcome": "running", "stage": "fit"}, "/none", 5)
    assert explain(ending, "") == ("cancelled", "stopped by me")
