"""Why it ended, in plain words: from the code or signal, who asked, evidence of the OOM killer, and the log's tail.

Pure but for reading the tail. Text from a log is data: control characters are taken out and it is cut short.
"""

from __future__ import annotations

import os
import re
import stat
from typing import NamedTuple

from mlhub.text import one_line

_TAIL = 1 << 16
_LONGEST = 240
_TRACEBACK = "Traceback (most recent call last):"
_CHAINED = ("direct cause of the following exception", "During handling of the above exception")
_GPU = re.compile(
    r"torch\.(?:cuda\.)?OutOfMemoryError|CUDA out of memory|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED"
)
_FULL = re.compile(r"\[Errno 28\]|No space left on device|ENOSPC")
_EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Warning|Failure)\b(?::|$)")
_RANK = re.compile(r"^\[rank\d+\]: ?", re.MULTILINE)
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


class Ending(NamedTuple):
    """What is known of an end. `who` asked for it, `ours` if by `mlhub stop`; `forced`: the seconds of grace given.

    `why`: a request of ours that names a fault, as --stop-on-nan makes it, is no user's wish: the run has failed.
    `error` is what the trainer itself noted in `outcome.json`.
    """

    exit_code: int | None = None
    signal: str | None = None
    who: str = ""
    ours: bool = False
    forced: float | None = None
    evidence: tuple[str, ...] = ()
    error: str = ""
    why: str = ""


def explain(ending: Ending, tail: str) -> tuple[str, str | None]:
    """The final status and the reason; no reason if it completed."""
    if ending.ours:
        return ("failed", _cut(one_line(ending.why))) if ending.why else ("cancelled", _stopped(ending))
    if ending.who:
        return "failed", f"ended by SIGTERM to its supervisor from {ending.who}"
    if ending.exit_code == 0:
        return "completed", None
    if ending.evidence and (ending.signal == "SIGKILL" or ending.exit_code == 137):  # 137: a shell's word for SIGKILL
        return "failed", f"out of memory (host): {'; '.join(ending.evidence)}"
    if ending.signal:
        words = _WORDS.get(ending.signal)
        return "failed", f"killed by {ending.signal}" + (f" ({words})" if words else "")
    return "failed", _from_error(ending, tail)


def _stopped(ending: Ending) -> str:
    text = f"stopped by {one_line(ending.who) or 'an unknown user'}"
    if ending.forced is None:
        return text
    return f"{text}, forced after {ending.forced:g} s" if ending.forced else f"{text}, forced at once"


def _from_error(ending: Ending, tail: str) -> str:
    chain = [one_line(ending.error)] if ending.error else exceptions(tail)
    last = chain[-1] if chain else ""
    told = "\n".join(chain) if chain else tail[-4096:]
    if _GPU.search(told):
        return _cut("out of memory (GPU)" + (f": {last}" if last else ""))
    if _FULL.search(told):
        return _cut("disk full" + (f": {last}" if last else ""))
    return _cut(f"exit code {ending.exit_code}" + (f": {last}" if last else ""))


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
