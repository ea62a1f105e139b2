"""Listing and comparing 1,000 runs of 20 parameters and 10 metrics: whole commands, ours beside the peers'.

    python bench/listing.py [--quick] [--runs N]

Each tool has its own store of the same runs, made here: ours as folders and rows by our own code, mlflow's through its
client, guild's as copies of one real run, dvc's as experiments committed to git the way `dvc exp save` does. Stores of
peers are kept below `~/.cache/mlhub-bench/stores`. Medians of rounds in turn, wall and CPU time of the whole command.

The budget: ours first, in both.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import peers
import stream

PARAMETERS, METRICS = 20, 10


@dataclass
class Command:
    """A command, where and with what it runs, and its times."""

    label: str
    words: list[str]
    folder: Path
    more: dict[str, str] = field(default_factory=dict)
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    why_not: str = ""
    size: int = 0

    def run(self) -> None:
        before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            self.words, cwd=self.folder, env=_environment() | self.more, capture_output=True, check=False
        )
        took, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
        self.wall.append(took)
        self.cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        self.size = len(done.stdout)
        if done.returncode:
            said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
            self.why_not = f"exit status {done.returncode}: {said[-1] if said else ''}"


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLHUB_", "MLFLOW_", "DVC_"))}
    quiet = {
        "PYTHONWARNINGS": "ignore",
        "DO_NOT_TRACK": "1",
        "DVC_NO_ANALYTICS": "1",
        "MLFLOW_ALLOW_FILE_STORE": "true",
    }
    names = {f"GIT_{who}_{what}": "bench@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return kept | quiet | names | {"COLUMNS": "160"}


def parameters(number: int) -> dict[str, float]:
    """Three of them differ from run to run, as in a sweep."""
    chance = random.Random(number)
    own = {"lr": chance.choice((1e-4, 3e-4, 1e-3)), "seed": number % 5, "width": 2 ** (number % 6 + 4)}
    return own | {f"option_{index}": index / 10 for index in range(PARAMETERS - len(own))}


def metrics(number: int) -> dict[str, float]:
    chance = random.Random(number)
    return {f"val/score_{index}": chance.random() for index in range(METRICS)}


# ours


def ours(root: Path, runs: int) -> list[Command]:
    home = root / "home"
    stream.fill(home, runs, records=5, own=lambda number: (parameters(number), metrics(number)))
    more = stream.environment(home, COLUMNS="160")
    mlhub, five = [sys.executable, "-m", "mlhub"], [str(runs - back) for back in range(5)]
    return [
        Command("mlhub ls", [*mlhub, "ls"], root, more),
        Command(f"mlhub ls -n {runs}", [*mlhub, "ls", "-n", str(runs)], root, more),
        Command("mlhub ls --filter", [*mlhub, "ls", "--filter", "val/score_3>0.5 lr<1e-3"], root, more),
        Command("mlhub compare, five", [*mlhub, "compare", *five], root, more),
        Command(f"mlhub compare, {runs}, --csv", [*mlhub, "compare", "--filter", "id>0", "--csv"], root, more),
    ]


# peers


def mlflow(stores: Path, runs: int, store: str) -> list[Command]:
    python = peers.python("mlflow")
    folder = stores / f"mlflow-{store}-{runs}"
    uri = f"sqlite:///{folder}/mlflow.db" if store == "sqlite" else (folder / "mlruns").as_uri()
    code = (
        "import json, sys, mlflow; from mlflow.entities import Metric, Param, RunStatus\n"
        "client = mlflow.MlflowClient(sys.argv[1]); where = client.create_experiment('bench')\n"
        "for number, line in enumerate(sys.stdin):\n"
        "    params, metrics = json.loads(line)\n"
        "    run = client.create_run(where, run_name=f'bench-{number}').info.run_id\n"
        "    client.log_batch(run, [Metric(k, v, 1, 1) for k, v in metrics.items()],\n"
        "                     [Param(k, str(v)) for k, v in params.items()])\n"
        "    client.set_terminated(run)\n"
        "print(where)"
    )
    if not (folder / "experiment").exists():
        _begin(folder, f"{runs} runs into mlflow's {store} store")
        lines = "".join(json.dumps([parameters(number), metrics(number)]) + "\n" for number in range(runs))
        done = subprocess.run(
            [python, "-c", code, uri], input=lines, capture_output=True, text=True, check=True, env=_environment()
        )
        (folder / "experiment").write_text(done.stdout.split()[-1])
    experiment = (folder / "experiment").read_text()
    words, more = [str(python.with_name("mlflow"))], {"MLFLOW_TRACKING_URI": uri}
    return [
        Command(f"mlflow runs list ({store})", [*words, "runs", "list", "--experiment-id", experiment], folder, more),
        Command(f"mlflow experiments csv ({store})", [*words, "experiments", "csv", "-x", experiment], folder, more),
    ]


def guild(stores: Path, runs: int) -> list[Command]:
    python = peers.python("guildai")
    folder = stores / f"guild-{runs}"
    words, home = [str(python.with_name("guild")), "-H", str(folder / "home")], folder / "home" / "runs"
    if not (folder / "made").exists():
        _begin(folder, f"{runs} runs into guild's home")
        (folder / "home").mkdir()
        flags = "".join(f"{name} = {value!r}\n" for name, value in parameters(0).items())
        prints = "".join(f"print('score_{index}: {value}')\n" for index, value in enumerate(metrics(0).values()))
        (folder / "train.py").write_text(flags + prints)
        subprocess.run(
            [*words, "run", "train.py", "-y"], cwd=folder, check=True, capture_output=True, env=_environment()
        )
        (first,) = home.iterdir()
        for number in range(1, runs):
            copy = home / f"{number:032x}"
            shutil.copytree(first, copy, symlinks=True)
            (copy / ".guild/attrs/id").write_text(copy.name + "\n")
            text = "".join(f"{name}: {value!r}\n" for name, value in parameters(number).items())
            (copy / ".guild/attrs/flags").write_text(text)
        (folder / "made").touch()
    return [
        Command("guild runs (20)", [*words, "runs"], folder),
        Command("guild runs --all", [*words, "runs", "--all"], folder),
        Command("guild compare --csv", [*words, "compare", "--csv", "-"], folder),
    ]


def dvc(stores: Path, runs: int) -> list[Command]:
    python = peers.python("dvc")
    folder = stores / f"dvc-{runs}"
    words = [str(python.with_name("dvc"))]
    if not (folder / ".git" / "made").exists():
        _begin(folder, f"{runs} experiments into dvc's git")
        _call(folder, "git", "init", "-q", "-b", "main")
        _call(folder, *words, "init", "-q")
        (folder / "dvc.yaml").write_text("params: [params.yaml]\nmetrics: [metrics.json]\n")
        (folder / "params.yaml").write_text(_yaml(parameters(0)))
        (folder / "metrics.json").write_text(json.dumps(metrics(0)))
        _call(folder, "git", "add", "-A")
        _call(folder, "git", "commit", "-qm", "base")
        base = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=folder, text=True).strip()
        stream_ = "".join(_experiment(base, number) for number in range(1, runs + 1))
        subprocess.run(["git", "fast-import", "--quiet"], cwd=folder, input=stream_.encode(), check=True)
        (folder / ".git" / "made").touch()
    return [
        Command("dvc exp list", [*words, "exp", "list"], folder),
        Command("dvc exp show --csv", [*words, "exp", "show", "--csv"], folder),
    ]


def _experiment(base: str, number: int) -> str:
    """A commit upon `base` under the name that `dvc exp save` gives one."""
    files = {"params.yaml": _yaml(parameters(number)), "metrics.json": json.dumps(metrics(number))}
    text = f"commit refs/exps/{base[:2]}/{base[2:]}/bench-{number}\n"
    text += f"committer bench <bench@localhost> {1763848800 + number} +0000\n"
    text += f"data 5\nbench\nfrom {base}\n"
    return text + "".join(f"M 644 inline {name}\ndata {len(body)}\n{body}\n" for name, body in files.items())


def _yaml(tree: dict[str, float]) -> str:
    return "".join(f"{key}: {value!r}\n" for key, value in tree.items())


def _call(folder: Path, *words: str) -> None:
    subprocess.run(words, cwd=folder, check=True, capture_output=True, env=_environment())


def _begin(folder: Path, what: str) -> None:
    print(f"  {what} …", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def gather(root: Path, runs: int) -> list[Command]:
    """All commands; those of a peer that is not there say why."""
    print(f"  {runs} runs of ours …", file=sys.stderr, flush=True)
    found, stores = ours(root, runs), peers.CACHE / "stores"
    makers = {
        "mlflow (sqlite)": lambda: mlflow(stores, runs, "sqlite"),
        "mlflow (files)": lambda: mlflow(stores, runs, "files"),
        "guild": lambda: guild(stores, runs),
        "dvc": lambda: dvc(stores, runs),
    }
    for name, make in makers.items():
        try:
            found += make()
        except peers.NotInstalledError as error:
            found.append(Command(name, [], root, why_not=f"not installed: {error}"))
        except subprocess.CalledProcessError as error:
            said = (error.stderr or str(error)) if isinstance(error.stderr, str) else (error.stderr or b"").decode()
            said = said.strip().splitlines() or [str(error)]
            found.append(Command(name, [], root, why_not=f"its store could not be made: {said[-1]}"))
    return found


def measure(commands: list[Command], rounds: int, seconds: float) -> None:
    """Rounds in turn; a slow command is left out of further ones when it has had its seconds."""
    for number in range(rounds + 1):
        for command in commands:
            if command.why_not or sum(command.wall) >= seconds:
                continue
            command.run()
            if not number and command.wall[0] < seconds:  # the first warms caches, the peers' own too
                command.wall.clear()
                command.cpu.clear()
        print(f"  round {number} of {rounds}", file=sys.stderr, flush=True)


def report(commands: list[Command]) -> list[str]:
    """Print the table; what is over its budget."""
    rows = [command for command in commands if not command.why_not]
    unit = statistics.median(rows[0].wall)
    print(f"\n{'command':<36}{'wall s':>8}{'CPU s':>8}{'× mlhub ls':>11}{'stdout kB':>11}")
    for command in commands:
        if command.why_not:
            print(f"{command.label:<36}{command.why_not[:100]}")
            continue
        wall, cpu = statistics.median(command.wall), statistics.median(command.cpu)
        print(f"{command.label:<36}{wall:8.3f}{cpu:8.3f}{wall / unit:11.1f}{command.size / 1000:11.0f}")
    slowest = max(statistics.median(one.wall) for one in rows if one.label.startswith("mlhub"))
    others = [one for one in rows if not one.label.startswith("mlhub")]
    faster = [one.label for one in others if statistics.median(one.wall) < slowest]
    return [f"{label} is faster than the slowest of ours ({slowest:.3f} s)" for label in faster]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--runs", type=int, default=1000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mlhub-bench-", ignore_cleanup_errors=True) as folder:
        commands = gather(Path(folder), asked.runs)
        measure(commands, 2 if asked.quick else 7, 6 if asked.quick else 15)
        over = report(commands)
    print("\n" + ("ours first" if not over else "over budget:\n  " + "\n  ".join(over)))


if __name__ == "__main__":
    main()
