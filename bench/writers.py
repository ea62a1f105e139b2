"""Writers of metrics, ours and the peers', behind one protocol; `bench/log_call.py` runs it in each environment.

    python bench/writers.py NAME        reads commands on stdin, answers each with one line of JSON
        flat N FOLDER                   N calls on end, with the close:  {"us": …, "bytes": …}
        paced N RATE FOLDER             N calls at RATE a second:        {"p50": …, "p99": …}  µs a call
        live RATE FOLDER COUNTER        calls at RATE until killed; the number of those that returned is in COUNTER
        count FOLDER                    records that a reader finds there: {"found": …}

Only the standard library here; what is measured is imported by its writer.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import struct
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    #: log(values, step) and close()
    Writer = tuple[Callable[[dict[str, float], int], Any], Callable[[], Any]]

NAMES = ("train/loss", "train/accuracy", "train/lr", "val/map_64", "speed")
_chance = random.Random(1)
#: numbers with all their digits, as a training has them
VALUES = [{name: _chance.random() for name in NAMES} for _ in range(5003)]


def raw(folder: Path) -> Writer:
    fd = os.open(folder / "raw.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    line = json.dumps({"step": 1234, "time": 1763848800.123456, **VALUES[0]}, separators=(",", ":")).encode() + b"\n"
    return lambda _values, _step: os.write(fd, line), lambda: os.close(fd)


def json_flush(folder: Path) -> Writer:
    file = (folder / "json.jsonl").open("a", encoding="utf-8")

    def log(values: dict[str, float], step: int) -> None:
        file.write(json.dumps({"step": step, "time": time.time(), **values}) + "\n")
        file.flush()

    return log, file.close


def orjson_write(folder: Path) -> Writer:
    import orjson

    fd = os.open(folder / "orjson.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    newline = orjson.OPT_APPEND_NEWLINE

    def log(values: dict[str, float], step: int) -> None:
        os.write(fd, orjson.dumps({"step": step, "time": time.time(), **values}, option=newline))

    return log, lambda: os.close(fd)


def mlhub_log(folder: Path) -> Writer:
    import mlhub

    os.environ["MLHUB_RUN_DIR"] = str(folder)
    mlhub._writer = None  # noqa: SLF001 - one process has one run; here it has many
    return lambda values, step: mlhub.log(values, step=step), lambda: mlhub._writer.close()  # noqa: PLW0108, SLF001


def mlhub_json(folder: Path) -> Writer:
    sys.modules["msgspec.json"] = None  # type: ignore[assignment]  # as in an environment without it
    return mlhub_log(folder)


def mlhub_logger(folder: Path) -> Writer:
    from mlhub.lightning import MlhubLogger

    logger = MlhubLogger(folder / "metrics.jsonl")
    return logger.log_metrics, lambda: logger.finalize("success")


def csv_logger(folder: Path) -> Writer:
    from lightning.pytorch.loggers import CSVLogger

    logger = CSVLogger(str(folder), name="csv", version=0)
    return logger.log_metrics, lambda: logger.finalize("success")


def tensorboard(folder: Path) -> Writer:
    from torch.utils.tensorboard import SummaryWriter  # noqa: TID251

    writer = SummaryWriter(str(folder / "events"))

    def log(values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)

    return log, writer.close


def trackio(folder: Path) -> Writer:
    os.environ["TRACKIO_DIR"] = str(folder)
    import trackio
    from trackio import utils

    utils.TRACKIO_DIR = folder
    for module in list(sys.modules.values()):  # a constant of import time, in several modules
        if getattr(module, "__name__", "").startswith("trackio") and hasattr(module, "TRACKIO_DIR"):
            module.TRACKIO_DIR = folder
    trackio.init(project="bench", name=folder.name, embed=False)
    return lambda values, step: trackio.log(values, step=step), trackio.finish


def wandb(folder: Path) -> Writer:
    import wandb

    settings = wandb.Settings(silent=True, console="off", x_disable_stats=True, x_save_requirements=False)
    run = wandb.init(project="bench", mode="offline", dir=str(folder), settings=settings)
    return lambda values, step: run.log(values, step=step), run.finish


def mlflow_files(folder: Path) -> Writer:
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    return _mlflow((folder / "mlruns").as_uri())


def mlflow_sqlite(folder: Path) -> Writer:
    return _mlflow(f"sqlite:///{folder}/mlflow.db")


def _mlflow(uri: str) -> Writer:
    import mlflow

    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("bench")
    mlflow.start_run()
    return lambda values, step: mlflow.log_metrics(values, step=step), mlflow.end_run


def aim(folder: Path) -> Writer:
    from aim import Run

    run = Run(repo=str(folder), system_tracking_interval=None, capture_terminal_logs=False)

    def log(values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            run.track(value, name=name, step=step)

    return log, run.close


# what a reader finds


def count_lines(folder: Path) -> int:
    """Whole lines of JSON."""
    found = 0
    for path in folder.rglob("*.jsonl"):
        for line in path.read_bytes().splitlines(keepends=True):
            found += line.endswith(b"\n") and b'"step"' in line
    return found


def count_csv(folder: Path) -> int:
    return sum(max(0, len(path.read_text().splitlines()) - 1) for path in folder.rglob("metrics.csv"))


def count_events(folder: Path) -> int:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    events = (event for path in folder.rglob("events.out*") for event in EventFileLoader(str(path)).Load())
    return sum(len(event.summary.value) for event in events) // len(NAMES)


def count_trackio(folder: Path) -> int:
    return _count_sql(folder, "SELECT count(*) FROM metrics")


def count_wandb(folder: Path) -> int:
    from wandb.proto import wandb_internal_pb2

    found = 0
    for path in folder.rglob("*.wandb"):
        for data in _logged(path.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            found += record.WhichOneof("record_type") == "history"
    return found


def _logged(data: bytes, block: int = 32768) -> Iterator[bytes]:
    """The records of a log in LevelDB's format, behind wandb's header of 7 bytes; a torn one at the end is none."""
    at, parts = 7, b""
    while at + 7 <= len(data):
        if block - at % block < 7:  # no header fits into the rest of a block
            at += block - at % block
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        if not kind or at + 7 + length > len(data):
            return
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


def count_mlflow_files(folder: Path) -> int:
    files = [path for path in folder.rglob("metrics/**/*") if path.is_file()]
    return sum(len(path.read_text().splitlines()) for path in files) // len(NAMES)


def count_mlflow_sqlite(folder: Path) -> int:
    return _count_sql(folder, "SELECT count(*) FROM metrics") // len(NAMES)


def _count_sql(folder: Path, query: str) -> int:
    import sqlite3

    found = 0
    for path in folder.rglob("*.db"):
        connection = sqlite3.connect(path)
        try:
            found += connection.execute(query).fetchone()[0]
        except sqlite3.OperationalError:  # another table's file
            pass
        finally:
            connection.close()
    return found


def count_aim(folder: Path) -> int:
    from aim import Repo

    repo = Repo.from_path(str(folder))
    return sum(len(metric.values.values_list()) for run in repo.iter_runs() for metric in run.metrics()) // len(NAMES)


WRITERS: dict[str, tuple[Callable[[Path], Writer], Callable[[Path], int]]] = {
    "raw": (raw, count_lines),
    "json": (json_flush, count_lines),
    "orjson": (orjson_write, count_lines),
    "mlhub.log": (mlhub_log, count_lines),
    "mlhub.log/json": (mlhub_json, count_lines),
    "MlhubLogger": (mlhub_logger, count_lines),
    "CSVLogger": (csv_logger, count_csv),
    "tensorboard": (tensorboard, count_events),
    "trackio": (trackio, count_trackio),
    "wandb": (wandb, count_wandb),
    "mlflow-files": (mlflow_files, count_mlflow_files),
    "mlflow-sqlite": (mlflow_sqlite, count_mlflow_sqlite),
    "aim": (aim, count_aim),
}


def flat(name: str, count: int, folder: Path) -> dict[str, float]:
    log, close = WRITERS[name][0](folder)
    begin = time.perf_counter()
    for step in range(count):
        log(VALUES[step % 5003], step)
    close()
    took = time.perf_counter() - begin
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {"us": took / count * 1e6, "bytes": size}


def paced(name: str, count: int, rate: float, folder: Path) -> dict[str, float]:
    log, close = WRITERS[name][0](folder)
    found = []
    for step in _beat(rate, count):
        begin = time.perf_counter()
        log(VALUES[step % 5003], step)
        found.append((time.perf_counter() - begin) * 1e6)
    close()
    found = sorted(found[count // 10 :])  # the first are of caches that are cold
    return {"p50": found[len(found) // 2], "p99": found[int(len(found) * 0.99)]}


def live(name: str, rate: float, folder: Path, counter: Path) -> None:
    log, _ = WRITERS[name][0](folder)
    counter.write_bytes(bytes(8))
    with counter.open("r+b") as file, mmap.mmap(file.fileno(), 8) as shared:
        for step in _beat(rate, 1 << 40):
            log(VALUES[step % 5003], step)
            shared[:] = struct.pack("q", step + 1)


def _beat(rate: float, count: int) -> Iterator[int]:
    begin = time.monotonic()
    for step in range(count):
        time.sleep(max(0.0, begin + step / rate - time.monotonic()))
        yield step


def main() -> None:
    name = sys.argv[1]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what peers print is none of the answers
    for line in sys.stdin:
        command, *words = json.loads(line)
        if command == "flat":
            found: object = flat(name, words[0], Path(words[1]))
        elif command == "paced":
            found = paced(name, words[0], words[1], Path(words[2]))
        elif command == "live":
            found = live(name, words[0], Path(words[1]), Path(words[2]))
        else:
            found = {"found": WRITERS[name][1](Path(words[0]))}
        print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    main()
