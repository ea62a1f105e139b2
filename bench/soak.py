"""A soak: many short runs through a small queue while trainers, supervisors, samplers and the command line are killed.

    python bench/soak.py [--runs 200] [--slots 4] [--seed 1]

What is killed, and when, is drawn from the seed beforehand. Each trainer tells by a channel of its own what it logged:
a byte a record, written when `mlhub.log` has returned. At the end every run must have the status that fits what was
done to it, no process may be left, no slot and no record lost, and no run started twice. Prints figures; exits 1 if
anything was violated. It needs two cores and about two minutes, and makes a home of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlhub.records import current_records
from mlhub.runner import identity, record

#: waits for nobody: N records, a byte on its own file after each, E before it exits; ! if an earlier start still lives
TRAINER = """
import json, os, sys, time
import mlhub
side, records, pause, code = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
out = os.open(side, os.O_RDWR | os.O_CREAT | os.O_APPEND)
earlier = [json.loads(line)["pid"] for line in os.pread(out, 1 << 20, 0).decode().splitlines() if line[:1] == "{"]
for pid in earlier:
    try:
        if side.encode() in open(f"/proc/{pid}/cmdline", "rb").read():
            os.write(out, b"!")
    except OSError:
        pass
about = {"pid": os.getpid(), "dir": os.environ["MLHUB_RUN_DIR"], "attempt": int(os.environ["MLHUB_ATTEMPT"])}
os.write(out, b"\\n" + json.dumps(about).encode() + b"\\n")
for step in range(records):
    mlhub.log({"train/loss": 1.0 / (step + 1)}, step=step)
    os.write(out, b".")
    time.sleep(pause)
os.write(out, b"E")
sys.exit(code)
"""

#: how many submitters work at once, how often somebody looks at the list, and how long all may take, in seconds
SUBMITTERS, LOOK_SECONDS, MOST_SECONDS = 3, 1.0, 900
#: what is killed: the share of runs; one run may lose several
SHARES = {"trainer": 0.25, "supervisor": 0.2, "sampler": 0.1, "cli": 0.1}
TICK_SHARE, RETRY_SHARE = 0.15, 0.2


@dataclass
class Plan:
    """One run: what it does, what is done to it and after how many of its records, and what was really done."""

    name: str
    records: int
    pause: float
    code: int
    victims: list[str]
    after: int
    cli_after: float  # of what a submission usually takes
    retries: int
    #: the attempt each was killed in
    killed: dict[str, int] = field(default_factory=dict)
    cli: subprocess.Popen[bytes] | None = None
    born: float = 0.0
    took: float = 0.0

    def side(self, root: Path) -> Path:
        return root / "side" / self.name


@dataclass
class Told:
    """What a trainer said by its own channel: the newest start, how many there were, and whether two lived at once."""

    starts: int = 0
    dir: str = ""
    attempt: int = 0
    records: int = 0
    done: bool = False
    overlap: bool = False

    @classmethod
    def read(cls, file: Path) -> Told:
        text = file.read_text() if file.exists() else ""
        lines = [line for line in text.splitlines() if line.startswith("{")]
        if not lines or not text.endswith((".", "E", "\n")):
            return cls()
        last = json.loads(lines[-1])
        said = text.rpartition("\n")[2]
        return cls(len(lines), last["dir"], last["attempt"], said.count("."), said.endswith("E"), "!" in text)


def draw(chance: random.Random, count: int) -> list[Plan]:
    """The whole of the soak, from the seed."""
    plans = []
    for number in range(count):
        victims = [name for name, share in SHARES.items() if chance.random() < share]
        # the sampler comes a second after the command
        pause = chance.uniform(0.03, 0.06) if "sampler" in victims else chance.uniform(0.005, 0.02)
        records = chance.randint(40, 60) if "sampler" in victims else chance.randint(5, 60)
        code = 3 if chance.random() < 0.15 else 0
        after = records - 8 if "sampler" in victims else chance.randint(0, records - 1)
        retries = int(chance.random() < RETRY_SHARE)
        plans.append(Plan(f"soak-{number}", records, pause, code, victims, after, chance.uniform(0.1, 1.2), retries))
    return plans


class Soak:
    """The driver: submits, looks, kills; one thread, a turn every few milliseconds."""

    def __init__(self, root: Path, plans: list[Plan], slots: int, chance: random.Random) -> None:
        self.root, self.plans, self.slots, self.chance = root, plans, slots, chance
        self.trainer = root / "trainer.py"
        self.trainer.write_text(TRAINER)
        (root / "side").mkdir()
        #: what all commands said that went wrong
        self.errors = (root / "errors").open("ab")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MLHUB_")}
        self.environment = environment | {"MLHUB_HOME": str(root / "home"), "MLHUB_MAX_RUNS": str(slots)}
        self.most_at_once = 0
        self.ticks_killed = 0
        #: by pid, when it is to be killed, if ever
        self.ticks: dict[int, float] = {}
        #: how long a submission took that was left alone, in seconds: the latest
        self.submission = 0.5
        self.looking: subprocess.Popen[bytes] | None = None
        self.looked = 0.0

    def mlhub(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "mlhub", *arguments], env=self.environment, cwd=self.root,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.errors,
        )  # fmt: skip

    def json(self, *arguments: str) -> Any:  # noqa: ANN401 - a document
        command = [sys.executable, "-m", "mlhub", *arguments, "--json"]
        return json.loads(subprocess.check_output(command, env=self.environment, cwd=self.root))

    def run(self) -> None:
        """Until all are submitted and have ended. Raises TimeoutError."""
        self.json("ls")
        waiting, deadline = list(self.plans), time.monotonic() + MOST_SECONDS
        while time.monotonic() < deadline:
            busy = sum(self.is_submitting(plan) for plan in self.plans)
            while waiting and busy < SUBMITTERS:
                self.submit(waiting.pop(0))
                busy += 1
            self.look_at_processes()
            self.kill_due()
            if time.monotonic() > self.looked + LOOK_SECONDS and (
                self.looking is None or self.looking.poll() is not None
            ):
                self.looking, self.looked = self.mlhub("ls"), time.monotonic()
                if not waiting and not busy and self.over():
                    return
            time.sleep(0.005)
        raise TimeoutError(f"not all had ended after {MOST_SECONDS} s")

    def submit(self, plan: Plan) -> None:
        words = [str(plan.side(self.root)), str(plan.records), str(plan.pause), str(plan.code)]
        queue = ["--retries", "1"] if plan.retries else ["--queue"] if self.chance.random() < 0.5 else []
        plan.born = time.monotonic()
        plan.cli = self.mlhub("run", *queue, "--name", plan.name, "--", sys.executable, str(self.trainer), *words)

    def is_submitting(self, plan: Plan) -> bool:
        """Whether its command line is still at work; killed if it is time."""
        if plan.cli is None or "cli" in plan.killed or plan.took:
            return False
        age = time.monotonic() - plan.born
        if plan.cli.poll() is not None:
            plan.took = self.submission = age
            return False
        if "cli" in plan.victims and age > plan.cli_after * self.submission:
            plan.cli.kill()
            plan.cli.wait()
            plan.killed["cli"] = 0
        return True

    def look_at_processes(self) -> None:
        """Count the trainers alive at this moment, and now and then kill a tick of the queue."""
        trainers = 0
        for pid, words in command_lines():
            if str(self.trainer).encode() in words[:2]:
                trainers += 1
            elif b"mlhub.runner.tick" in words and pid not in self.ticks and is_ours(pid, self.root):
                when = self.chance.uniform(0.0, 0.4) if self.chance.random() < TICK_SHARE else MOST_SECONDS
                self.ticks[pid] = time.monotonic() + when
            elif pid in self.ticks and time.monotonic() > self.ticks[pid] and b"mlhub.runner.tick" in words:
                self.ticks_killed += kill(pid)
        self.most_at_once = max(self.most_at_once, trainers)

    def kill_due(self) -> None:
        for plan in self.plans:
            due = [victim for victim in plan.victims if victim != "cli" and victim not in plan.killed]
            if not due:
                continue
            told = Told.read(plan.side(self.root))
            if told.starts and told.records >= plan.after and not told.done:
                for victim in due:
                    if attempt := self.kill_part(victim, told):
                        plan.killed[victim] = attempt

    def kill_part(self, victim: str, told: Told) -> int:
        """Kill one part of a run, if it is certainly that; the attempt it belonged to, or 0."""
        tree = record.read_json(os.path.join(told.dir, "process.json"))
        attempt = record.whole(tree, "attempt") or 0
        if victim == "sampler":
            found = [
                pid for pid, words in command_lines() if b"mlhub.runner.sample" in words and told.dir.encode() in words
            ]
            return attempt if any([kill(pid) for pid in found]) else 0  # noqa: C419 - all of them
        known = record.part(tree, "child" if victim == "trainer" else "supervisor")
        pid, start = record.whole(known, "pid"), record.whole(known, "start")
        if pid is None or start is None or (process := identity.find_same(pid, start)) is None or process.dead:
            return 0
        return attempt if identity.send(process, signal.SIGKILL) else 0

    def over(self) -> bool:
        return not any(run["status"] in ("queued", "running") for run in self.json("ls", "-n", "100000"))


def command_lines() -> list[tuple[int, list[bytes]]]:
    """Every process's argument list; a zombie has none."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                words = Path("/proc", name, "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            found.append((int(name), words))
    return found


def is_ours(pid: int, root: Path) -> bool:
    return f"MLHUB_HOME={root / 'home'}".encode() in (identity.read_environment(pid) or [])


def kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def check(soak: Soak) -> tuple[list[str], dict[str, int]]:
    """What is wrong, in words; and what there was, counted."""
    runs = {run["name"]: run for run in soak.json("ls", "-n", "100000")}
    wrong: list[str] = []
    counts = dict.fromkeys(("runs", "completed", "failed", "lost", "never started", "retried", "records"), 0)
    for plan in soak.plans:
        run, told = runs.get(plan.name), Told.read(plan.side(soak.root))
        if run is None:
            if "cli" not in plan.killed or told.starts:
                wrong.append(f"{plan.name}: no row, {told.starts} starts")
            continue
        counts["runs"] += 1
        counts["records"] += told.records
        counts["completed"] += run["status"] == "completed"
        counts["failed"] += run["status"] == "failed"
        counts["lost"] += (run["reason"] or "").startswith("lost")
        counts["never started"] += not told.starts
        counts["retried"] += told.starts > 1
        wrong += [f"{plan.name} (run {run['id']}): {word}" for word in look_at(plan, run, told)]
    if soak.most_at_once > soak.slots:
        wrong.append(f"{soak.most_at_once} ran at once in {soak.slots} slots")
    return wrong, counts


def look_at(plan: Plan, run: dict[str, Any], told: Told) -> list[str]:
    """What is wrong with one run."""
    wrong = []
    if not told.starts:
        if "cli" not in plan.killed or not (run["reason"] or "").startswith("never started"):
            wrong.append(f"never started: {run['status']}, {run['reason']}, killed: {plan.killed}")
        return wrong
    if told.starts > 1 + plan.retries or told.overlap:
        wrong.append(f"started {told.starts} times" + (", twice at once" if told.overlap else ""))
    said = (run["status"], run["reason"])
    if not any(said[0] == status and (said[1] or "").startswith(reason) for status, reason in allowed(plan, run, told)):
        wrong.append(f"{said} does not fit what was killed: {sorted(plan.killed)}, {told}")
    # what an attempt has superseded is not read; a retry of ours begins at step 0
    steps = [entry["step"] for entry in current_records(Path(run["dir"]) / "metrics.jsonl") if "train/loss" in entry]
    if len(steps) not in (told.records, told.records + (not told.done)) or steps != list(range(len(steps))):
        wrong.append(f"{told.records} records were logged, {len(steps)} read")
    elif steps and run["summary"].get("train/loss", {}).get("step") != steps[-1]:
        wrong.append(f"its summary ends at {run['summary'].get('train/loss')}, its records at step {steps[-1]}")
    return wrong


def allowed(plan: Plan, run: dict[str, Any], told: Told) -> list[tuple[str, str]]:
    """Status and beginning of the reason, each that may be."""
    if record.read_exit(os.path.join(run["dir"], "attempts", str(run["attempt"]))) is None:
        # only the death of its supervisor leaves no record
        return [("failed", "lost")] if plan.killed.get("supervisor") == run["attempt"] else []
    ends = []
    if plan.killed.get("trainer") == run["attempt"]:
        ends.append(("failed", "killed by SIGKILL"))
    if told.done:
        ends.append(("failed", f"exit code {plan.code}") if plan.code else ("completed", ""))
    return ends


def leftovers(root: Path, seconds: float = 15) -> list[str]:
    """Processes of this home that are still there after a while: there should be none."""
    deadline = time.monotonic() + seconds
    while True:
        found = [(pid, words) for pid, words in command_lines() if pid != os.getpid() and is_ours(pid, root)]
        if not found or time.monotonic() > deadline:
            return [f"process {pid} is left: {b' '.join(words).decode(errors='replace')[:120]}" for pid, words in found]
        time.sleep(0.1)


def check_slots(soak: Soak) -> list[str]:
    """One run more than there are slots: all but one must start."""
    for number in range(soak.slots + 1):
        soak.mlhub("run", "--name", f"last-{number}", "--", "sleep", "1000").wait()
    runs = [run for run in soak.json("ls") if run["name"].startswith("last-")]
    states = sorted(run["status"] for run in runs)
    soak.mlhub("stop", "--grace", "0", *[run["name"] for run in reversed(runs)]).wait()
    wanted = ["queued"] + ["running"] * soak.slots
    return [] if states == wanted else [f"a slot is lost: {states} of {soak.slots} slots and one more"]


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill what can be killed, and count what is lost.")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="leave the home for a look")
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="mlhub-soak-"))
    chance = random.Random(given.seed)
    soak = Soak(root, draw(chance, given.runs), given.slots, chance)
    began = time.monotonic()
    try:
        soak.run()
        took = time.monotonic() - began
        wrong, counts = check(soak)
        wrong += check_slots(soak)
        wrong += leftovers(root)
        said = (root / "errors").read_text()
    finally:
        for pid, _ in command_lines():
            if pid != os.getpid() and is_ours(pid, root):
                kill(pid)
        if not given.keep:
            shutil.rmtree(root, ignore_errors=True)
    killed = {name: sum(name in plan.killed for plan in soak.plans) for name in SHARES}
    print(f"seed {given.seed}: {given.runs} runs asked for in {given.slots} slots, {took:.0f} s")
    print("killed: " + ", ".join(f"{count} {name}" for name, count in killed.items()) + f", {soak.ticks_killed} tick")
    print(
        "ended:  "
        + ", ".join(f"{count} {name}" for name, count in counts.items())
        + f"; at most {soak.most_at_once} at once"
    )
    for line in wrong:
        print(f"WRONG   {line}")
    for line in said.splitlines():
        print(f"stderr  {line}")
    print(f"{len(wrong)} violations" + (f"; home: {root}" if given.keep else ""))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
