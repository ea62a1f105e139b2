"""Why it ended, in plain words: from the code or signal, who asked, evidence of the OOM killer, and the log's tail.

Pure but for reading the tail. Text from a log is data: control characters are taken out and it is cut short. What to
do about it is `mlhub.runner.advice`'s.
"""

from __future__ import annotations

import os
import re
import signal
import stat
from typing import NamedTuple

from mlhub.runner import record
from mlhub.text import one_line

_TAIL = 1 << 16
_LONGEST = 240
_TRACEBACK = "Traceback (most recent call last):"
_CHAINED = ("direct cause of the following exception", "During handling of the above exception")
_EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Warning|Failure)\b(?::|$)")
_RANK = re.compile(r"^\[rank\d+\]: ?", re.MULTILINE)
#: what gloo and NCCL say on a rank that another has left alone: not the cause
_PEER = re.compile(r"by peer|remote (?:worker|process|peer)|ncclRemoteError|Broken pipe|Socket Timeout")
#: an exception of a rank, as torch prints it
_OF_RANK = re.compile(
    r"^\[rank(\d+)\]: ([A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Failure)\b(?::.*)?)$", re.MULTILINE
)
#: which rank went first, as Lightning's launcher and torchrun say it
_DEAD = re.compile(
    r"^\[rank: (\d+)\] Child process with PID \d+ terminated with code (-?\d+)|Root Cause \(first observed failure\):\n"
    r"\[\d+\]:\n(?:  (?!rank)[^\n]*\n)*  rank +: (\d+)[^\n]*\n  exitcode +: (-?\d+)",
    re.MULTILINE,
)
_WORDS = {
    "SIGSEGV": "segmentation fault",
    "SIGBUS": "bus error, often a full /dev/shm",
    "SIGABRT": "aborted",
    "SIGILL": "illegal instruction",
    "SIGFPE": "arithmetic error",
    "SIGXCPU": "CPU time limit",
    "SIGXFSZ": "file size limit",
    "SIGHUP": "terminal closed",
}
#: a shell says 128 + N of what died of signal N; only these, as programs use others of such codes themselves
_BY_SHELL = {
    128 + getattr(signal, name): name for name in ("SIGKILL", "SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE")
}

#: in an attempt's folder: the pids of those that have done a fit, a line each
TRAINED = "trained"
#: how the reason of a run begins that ended with 0 before its training did
TRAINING, STOPPED = "training", " stopped before its end"
_STAGES = {"validate": "validation", "test": "test", "predict": "prediction"}

GPU_MEMORY, HOST_MEMORY, DISK_FULL = "out of memory (GPU)", "out of memory (host)", "disk full"
IMPORT, SHARED_MEMORY, WORKER = "import error", "shared memory full", "data loader worker killed"
NCCL, NO_KERNEL, OLD_DRIVER, CUDA = "NCCL error", "GPU not supported", "GPU driver too old", "CUDA error"
#: kinds of error by what programs and libraries print of them, the first that is found counts: PyTorch's own words as
#: of 2.0 to 2.15, Python's, NCCL's `ncclGetErrorString`
_KINDS = {
    GPU_MEMORY: r"torch\.(?:cuda\.)?OutOfMemoryError|CUDA (?:error: )?out of memory|CUBLAS_STATUS_ALLOC_FAILED",
    SHARED_MEMORY: r"out of shared memory|unable to (?:allocate|write to|mmap|resize|open) (?:file <|shared|\d+ bytes)",
    DISK_FULL: r"\[Errno 28\]|No space left on device|ENOSPC",
    HOST_MEMORY: r"^MemoryError\b|std::bad_alloc|\[Errno 12\]|DefaultCPUAllocator: (?:can't|not enough)",
    IMPORT: r"^(?:ModuleNotFound|Import)Error\b",
    WORKER: r"DataLoader worker \(pid",
    NCCL: r"NCCL error|\bnccl[A-Z]\w+(?:Error|Argument|Usage)\b|NCCL communicator was|Watchdog caught collective",
    NO_KERNEL: r"no kernel image is available",
    OLD_DRIVER: r"driver on your system is too old|driver version is insufficient",
    CUDA: r"CUDA error|CUDNN_STATUS_\w+|CUBLAS_STATUS_\w+|No CUDA GPUs are available|CUDA-capable device",
}
#: where Python's faulthandler says it crashed: the innermost frame of the thread that did
_CRASH = re.compile(r'^Current thread [^\n]*\n  File "([^"\n]+)", line (\d+) in ([^\n]+)', re.MULTILINE)


class Ending(NamedTuple):
    """What is known of an end. `who` asked for it, `ours` if by `mlhub stop`; `forced`: the seconds of grace given.

    `why`: a request of ours that names a fault, as --stop-on-nan makes it, is no user's wish: the run has failed.
    `error`, `outcome` ("completed", "failed", "running") and `note` (why it completed before its time, as by early
    stopping) are what the trainer itself noted in `outcome.json`; see `with_word`. `stage`: what it was at (fit, test);
    `trained`: a fit had been done before; `another`: by another process than the one that says this, which is not the
    command's own; `uncaught`: the exception ended the program; `place`: where it was, in words.
    """

    exit_code: int | None = None
    signal: str | None = None
    who: str = ""
    ours: bool = False
    forced: float | None = None
    evidence: tuple[str, ...] = ()
    error: str = ""
    why: str = ""
    outcome: str = ""
    note: str = ""
    stage: str = ""
    trained: bool = False
    another: bool = False
    uncaught: bool = False
    place: str = ""


def explain(ending: Ending, tail: str) -> tuple[str, str | None]:
    """The final status and the reason; none if it just completed. `tail` is the end of the log."""
    if ending.ours:
        return ("failed", _cut(one_line(ending.why))) if ending.why else ("cancelled", _stopped(ending))
    if ending.who:
        return "failed", f"ended by SIGTERM to its supervisor from {ending.who}"
    if ending.exit_code == 0:
        return _by_itself(ending)
    killer = ending.signal or _BY_SHELL.get(ending.exit_code or 0)
    if killer == "SIGKILL" and ending.evidence:
        return "failed", _cut(f"{HOST_MEMORY}: {'; '.join(ending.evidence)}")
    if killer:
        return "failed", _cut(_from_signal(ending, killer, tail))
    return "failed", _cut(_from_error(ending, tail))


def _by_itself(ending: Ending) -> tuple[str, str | None]:
    """Exit code 0: completed, unless the last that the trainer said of its training is that it was not done.

    So ends a script that leaves amid a fit, or that catches what the fit raised and goes on to its end. One whose own
    child did so, as of a search that kills its bad trials, knows of it: if others of its children trained, it is done.
    """
    if ending.outcome not in ("running", "failed"):
        early = ending.note if ending.outcome == "completed" else ""
        return "completed", _cut(one_line(early)) or None
    text = _STAGES.get(ending.stage, f"another {TRAINING}" if ending.another else TRAINING)
    code = "" if ending.exit_code is None else ", exit code 0"
    if ending.outcome == "failed":
        text = text if ending.stage else "the script"
        text += f" failed{ending.place}{code}: {name_error(ending.error) or 'it did not say of what'}"
    else:
        text += f"{STOPPED}{ending.place}{code}"
    done = ending.trained or ending.another
    return ("completed", _cut(f"trained; then {text}")) if done else ("failed", _cut(text))


def by_word(ending: Ending) -> tuple[str, str | None] | None:
    """Status and reason where nobody saw how the command ended, by what the trainer said; None if it told of no end."""
    if ending.outcome not in ("completed", "failed"):
        return None
    if ending.outcome == "completed" or ending.another or (ending.trained and not ending.uncaught):
        return _by_itself(ending)
    return "failed", name_error(ending.error) or "failed"


def _stopped(ending: Ending) -> str:
    text = f"stopped by {one_line(ending.who) or 'an unknown user'}"
    if ending.forced is None:
        return text
    return f"{text}, forced after {ending.forced:g} s" if ending.forced else f"{text}, forced at once"


def _from_signal(ending: Ending, killer: str, tail: str) -> str:
    words = _WORDS.get(killer)
    text = f"killed by {killer}" + (f" ({words})" if words else "")
    if ending.exit_code is not None:
        text = f"exit code {ending.exit_code}: {text}"
    if killer == "SIGKILL":  # it had no last word, whatever its log ends with; but a launcher kills itself so
        dead = _dead_rank(tail)
        return f"{text}: {one_line(ending.error) if ending.error.startswith('rank ') else dead}" if dead else text
    if ending.outcome == "completed":
        return f"{text} after it had said that it was done"
    if killer == "SIGABRT" and (kind := kind_of(tail)):  # by NCCL's watchdog, or C++ without a handler
        return f"{kind[0]}: {kind[1]} ({killer})"
    if "Fatal Python error: " in tail and (crash := _CRASH.search(tail)):
        file, line, function = (one_line(word) for word in crash.groups())
        return f"{text} in {function}, {os.path.basename(file)} line {line}"
    return f"{text}: {one_line(ending.error)}" if ending.error else text


def _from_error(ending: Ending, tail: str) -> str:
    chain = [one_line(ending.error)] if ending.error else exceptions(tail)
    if chain and _PEER.search(chain[-1]):
        chain = [_cause(tail) or chain[-1]]
    last = chain[-1] if chain else ""
    kind, line = kind_of("\n".join(chain) if chain else tail[-4096:]) or (f"exit code {ending.exit_code}", "")
    if ending.evidence and (kind == WORKER or last.endswith("was killed by SIGKILL")):
        return f"{HOST_MEMORY}: {'; '.join(ending.evidence)}; {last or line}"
    return f"{kind}: {last or line}" if last or line else kind


def _cause(tail: str) -> str:
    """What became of the rank that others complain of: its exception, or how it died; "" if that is unknown."""
    found = (f"rank {rank}: {one_line(said)}" for rank, said in _OF_RANK.findall(tail) if not _PEER.search(said))
    return next(found, "") or _dead_rank(tail)


def _dead_rank(tail: str) -> str:
    """Which rank went first and how, as its launcher says in the log; "" if none does."""
    found = next(reversed(list(_DEAD.finditer(tail))), None)
    if found is None:
        return ""
    rank, code = found[1] or found[3], int(found[2] or found[4])
    if code >= 0:
        return f"rank {rank} ended with exit code {code}"
    try:
        return f"rank {rank} was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"rank {rank} was killed by signal {-code}"


def with_word(ending: Ending, outcome: record.Tree | None, folder: str, child: int | None) -> Ending:
    """`ending` with what the trainer itself noted. `folder`: the attempt's; `child`: the pid of the command itself.

    Where it did not say at which step it was, the last record of the metrics does. A test that is done after a fit that
    is not leaves the word to the fit.
    """
    fit = outcome.get("fit") if outcome is not None else None
    if isinstance(fit, dict) and (ending.exit_code == 0 or record.text(outcome, "outcome") == "completed"):
        outcome = fit  # where the program failed of something later, that is what is told
    word, pid = record.text(outcome, "outcome"), record.whole(outcome, "pid")
    metrics = os.path.join(folder, "..", "..", "metrics.jsonl")
    return ending._replace(
        error=record.text(outcome, "error"), outcome=word, note=record.text(outcome, "note"),
        stage=record.text(outcome, "stage"), trained=outcome is not None and outcome.get("trained") is True,
        another=pid not in (None, child) and not _of_rank(outcome) and _has_trained_beside(folder, pid),
        uncaught=outcome is not None and outcome.get("uncaught") is True,
        place=_place(outcome, metrics) if word in ("running", "failed") else "",
    )  # fmt: skip


def _of_rank(outcome: record.Tree | None) -> bool:
    """Whether one of several ranks says it: of the very training that the others are at."""
    return record.text(outcome, "error").startswith("rank ")


def _has_trained_beside(folder: str, pid: int) -> bool:
    """Whether another process of the attempt than `pid` has done a fit: each that has left its pid there."""
    return any(line.isdecimal() and line != str(pid) for line in read_tail(os.path.join(folder, TRAINED)).splitlines())


def _place(outcome: record.Tree | None, metrics: str) -> str:
    """` at step 5 of 12`: the step as the trainer said it, else that of the last record. "" if nobody did."""
    step, total = record.whole(outcome, "step"), record.whole(outcome, "of")
    if record.text(outcome, "stage") != "fit":
        return ""
    words = " at step" if step is not None else ", its last record at step"
    if step is None:
        found = (record.parse(line.encode()) for line in reversed(read_tail(metrics).splitlines()))
        step = next((number for tree in found if (number := record.whole(tree, "step")) is not None), None)
    if step is None:
        return f" (of {total} steps)" if total else ""
    return f"{words} {step} of {total}" if total and step <= total else f"{words} {step}"


def name_error(error: str) -> str:
    """An exception's one line with its kind before it, if it is of a known kind; clean text."""
    error = one_line(error)
    kind = kind_of(error)
    return _cut(f"{kind[0]}: {error}" if kind else error)


def kind_of(text: str) -> tuple[str, str] | None:
    """The kind of error that `text` tells of and its last line that does, clean; None for no known kind."""
    for kind, pattern in _KINDS.items():
        found = [match.start() for match in re.finditer(pattern, text, re.MULTILINE)]
        if found:
            start = text.rfind("\n", 0, found[-1]) + 1
            return kind, one_line(text[start:].partition("\n")[0])
    return None


def exceptions(tail: str) -> list[str]:
    """The first line of the last exception in a log and of those that led to it, the last one last; clean text."""
    text = _RANK.sub("", tail.replace("\r", "\n"))
    blocks = text.split(_TRACEBACK)
    if len(blocks) == 1:  # a syntax error in the program itself has no traceback
        found = [line for line in text.splitlines() if _EXCEPTION.match(line)]
        return [one_line(found[-1])] if found else []
    names = [_raised(block) for block in blocks[1:]]
    chain = [names[-1]]
    for name, block in zip(reversed(names[:-1]), reversed(blocks[1:-1]), strict=True):
        # torchrun's own exception says only that some rank failed
        if not any(words in block for words in _CHAINED) and not chain[0].startswith("torch.distributed.elastic"):
            break
        chain.insert(0, name)
    if len(chain) > 1 and chain[-1].startswith("torch.distributed.elastic"):
        chain.pop()
    return [one_line(name) for name in chain if name]


def _raised(block: str) -> str:
    """The line after the frames of a traceback: frames are indented, the exception's first line is not."""
    for line in block.splitlines():
        if line.strip() and not line[0].isspace():
            return line
    return ""


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def read_tail(path: str, start: int = 0) -> str:
    """The last 64 KiB of a log, nothing before byte `start` (an earlier attempt's). "" if it can't be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return ""
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return ""
        first = start if start <= found.st_size else 0  # the log was cut since
        return os.pread(descriptor, _TAIL, max(first, found.st_size - _TAIL)).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)
