"""One line of what to do next about a run that ended badly or is in trouble: by its reason, condition and files.

Pure but for bounded reads of the run's folder; it changes nothing. Why a run ended is found in `mlhub.runner.reason`.
"""

from __future__ import annotations

import re
import shlex

from mlhub.runner import reason as reasons
from mlhub.runner import record
from mlhub.runner.imported import origin
from mlhub.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.paths import RunPaths
    from mlhub.store.runs import Run

_SPEC_LIMIT = 8 << 20
_LAST_WORDS = "; the last exception in its log: "
#: what the package is called where that is not the module's own name
_PACKAGES = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "faiss": "faiss-cpu",
    "open_clip": "open_clip_torch",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
_MODULE = re.compile(r"No module named '([A-Za-z_]\w*)")
_LIBRARY = re.compile(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object")

_GO_ON = "mlhub resume {name} goes on from its last checkpoint"
_ANEW = "mlhub resume {name} starts it again from the beginning: no checkpoint of it is known"
_LOSS = "Try a lower learning rate, or bf16 for fp16; what came before: mlhub metrics {name}"
#: what a reason begins with when nothing is wrong with the run itself, or the cause is in how it was called
_BEGINNINGS = {
    "reboot": _GO_ON,
    "lost:": _GO_ON,
    "stopped by": _GO_ON,
    "ended by SIGTERM": _GO_ON,
    "killed by SIGTERM": _GO_ON,
    "killed by SIGHUP": _GO_ON,
    reasons.TRAINING + reasons.STOPPED: "Its script ended it. " + _GO_ON,
    "never started": "Start it again: mlhub resume {name}",
    "dependency:": "Once that run is done: mlhub resume {name}",
    "cannot start": "Check the command's name and that it is executable",
    "cannot enter": "Start it from a folder that exists",
}
#: by what the reason holds, the first that is found
_ADVICE = {
    reasons.HOST_MEMORY: "Have fewer data loader workers or less data in memory, then: mlhub rerun {name}{workers}",
    reasons.DISK_FULL: "Make room (mlhub gc says what can go), then: mlhub resume {name}",
    reasons.SHARED_MEMORY: "Look at df -h /dev/shm: fewer data loader workers, or in a container --shm-size=8g",
    reasons.WORKER: "Without workers the worker's own error shows: mlhub rerun {name}{workers}",
    reasons.NCCL: "Another rank may have failed first: see mlhub logs {name}; then NCCL_DEBUG=INFO mlhub rerun {name}",
    reasons.NO_KERNEL: "This PyTorch was not built for this GPU: install one that was (https://pytorch.org)",
    reasons.OLD_DRIVER: "Update the NVIDIA driver (nvidia-smi shows it), or install a PyTorch for an older CUDA",
    "device-side assert": "Often a label out of range; CUDA_LAUNCH_BLOCKING=1 mlhub rerun {name} shows the line",
    "No CUDA GPUs": "mlhub gpu shows what there is; CUDA_VISIBLE_DEVICES may hide it",
    reasons.CUDA: "CUDA_LAUNCH_BLOCKING=1 mlhub rerun {name} shows the line that did it",
    "SIGSEGV": "PYTHONFAULTHANDLER=1 mlhub rerun {name} prints where it crashed",
    "SIGBUS": "Look at df -h /dev/shm and at the disk; have fewer data loader workers",
    "SIGABRT": "The library that aborted says why in the last lines of mlhub logs {name}",
    "SIGILL": "A library was built for another processor: install it anew for this one",
    "SIGKILL": "Somebody or the kernel killed it: see dmesg, journalctl -u systemd-oomd. " + _GO_ON,
    "is NaN": _LOSS,
    "is infinite": _LOSS,
}
_CONDITIONS = {
    "supervisor stalled": "kill -CONT {supervisor} wakes its supervisor; mlhub stop {name} works all the same",
    "unsupervised": "Its supervisor was killed, so its exit code will not be known; mlhub stop {name} still works",
    "unknown: other host": "It runs on {host}: look at it and stop it there",
}


def advice(run: Run, paths: RunPaths) -> str | None:
    """What to do next, in one clean line; None if there is nothing to say: it runs well, waits, or completed."""
    if run.active:
        found = _first(_CONDITIONS, run.condition or "")
    elif run.orphans:
        found = "Processes of it are still there ({orphans}); mlhub doctor --fix ends them"
    elif run.status == "completed" or not run.reason or (run.pid is None and origin(paths) is not None):
        found = None  # what was imported can't be started again
    else:
        found = _after_end(run, paths, run.reason)
        if _GO_ON in found and not _can_continue(paths):
            found = found.replace(_GO_ON, _ANEW)
    return found and found.format(
        name=shlex.quote(one_line(run.name)),
        host=one_line(run.host),
        supervisor=run.supervisor_pid,
        orphans=", ".join(map(str, run.orphans[:8])),
        workers=" data.num_workers=0" if record.whole(record.part(run.config, "data"), "num_workers") else "",
    )


def _after_end(run: Run, paths: RunPaths, reason: str) -> str:
    error = reason.partition(_LAST_WORDS)[2] or reason  # of a lost run
    if reasons.GPU_MEMORY in error:
        return _smaller_batch(run, paths)
    if error.startswith(reasons.IMPORT):
        return _missing(paths, error)
    for beginning, line in _BEGINNINGS.items():
        if error.startswith(beginning):
            return line
    known = _first(_ADVICE, error)
    if known is None and error != reason:
        return _GO_ON
    return known or "Its last words: mlhub logs {name}. Mended, it starts again: mlhub rerun {name}"


def _can_continue(paths: RunPaths) -> bool:
    from mlhub.runner.captured import can_continue

    return can_continue(paths)


def _first(lines: dict[str, str], text: str) -> str | None:
    return next((line for words, line in lines.items() if words in text), None)


def _smaller_batch(run: Run, paths: RunPaths) -> str:
    """Half of the batch size in use: what the trainer noted for this very start, else what the configuration says."""
    token = record.text(record.read_json(str(paths.attempt(run.attempt).launch)), "token")
    noted = record.whole(record.read_outcome(str(paths.root), token), "batch_size")
    size = noted or record.whole(record.part(run.config, "training"), "batch_size")
    if size is None:
        return "Halve its batch size and start it again: mlhub rerun {name}"
    if size < 4:  # our trainer takes no fewer than 2
        return "The batch can't be smaller: try smaller pictures, or mlhub rerun {name} training.precision=bf16-mixed"
    return f"Try half the batch, {size // 2} for {size}: mlhub rerun {{name}} training.batch_size={size // 2}"


def _missing(paths: RunPaths, reason: str) -> str:
    """How to get a module, in the Python the run was started with, or a system's library."""
    if library := _LIBRARY.search(reason):
        return f"A library of the system is missing: install the package that has {library.group(1)}"
    module = _MODULE.search(reason)
    if module is None:
        return "Two packages don't fit each other, or a file of yours has a module's name: mlhub logs {name}"
    spec = record.parse(record.read_bytes(str(paths.spec), _SPEC_LIMIT))
    python = shlex.quote(one_line(record.text(spec, "python")) or "python").replace("{", "{{").replace("}", "}}")
    return f"{python} -m pip install {_PACKAGES.get(module.group(1), module.group(1))}, then: mlhub rerun {{name}}"
