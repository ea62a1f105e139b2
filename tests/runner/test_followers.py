"""What a program prints, as metrics: live, exactly once, through deaths of the sampler, rotation and torn lines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mlhub.records import current_records
from mlhub.runner import follow, follow_lines, lock, record, segments
from mlhub.runner.follow import Follower, catch_up
from mlhub.runner.sample import LOCK
from tests.conftest import wait_until
from tests.runner.conftest import Sandbox, eventually, kill

if TYPE_CHECKING:
    from tests.conftest import Cli


def read(line: bytes) -> dict[str, Any] | None:
    found = list(follow_lines.records(line + b"\n", 7.0))
    return found[0] if found else None


@pytest.mark.parametrize("line", [
    b'{"step": 3, "loss": 0.5}', b'  {"step":3,"loss":0.5}  ', b'\x1b[32m{"step":3,"loss":0.5}\x1b[0m',
    b' 10%|#  | 1/10 [00:00<00:01, 4.99it/s]\r{"step":3,"loss":0.5}', b'{"step":3.0,"loss":0.5}\r',
    b'Epoch 1: 50%|##   | 5/10 [00:00<00:01, 4.99it/s, loss=0.1]{"step":3,"loss":0.5}',
    b'{"step":3,"loss":0.5,"epoch":null,"note":"text","flag":true,"list":[1],"time":12.5}',
    b'{"step":3,"loss":0.5,"huge":9' + b"9" * 5000 + b',"epoch":1e300}',
])  # fmt: skip
def test_such_a_line_is_a_record(line: bytes) -> None:
    assert read(line) == {"step": 3, "time": 7.0, "loss": 0.5}


@pytest.mark.parametrize("line", [
    b'INFO {"step":3,"loss":0.5}', b'{"step":3,"loss":0.5', b'"step"', b'[{"step":3,"loss":1}]', b'{"step":3}',
    b'{"step":true,"loss":1}', b'{"step":"3","loss":1}', b'{"step":3.5,"loss":1}', b'{"step":1e999,"loss":1}',
    b'{"step":null,"loss":1}', b'{"step":3,"attempt":2,"time":1700000000.5}', b'{"step":3,"\\ud800":1}',
    b'{"step":3,"":1,"a":{"":2}}',
    b'{"step":99999999999999999999,"a":1}', b'{"step":1,"a":' + b"[" * 50_000 + b"}", b'{"step":1,"a":"\xff"}',
    b'{"step":1,"a":1' + b"0" * 5000 + b"}", b'{"step":1,"x":"' + b"x" * (1 << 20) + b'","a":1}',
])  # fmt: skip
def test_such_a_line_is_none(line: bytes) -> None:
    assert read(line) is None


def test_nan_and_infinities_nested_names_epochs_and_times_are_kept() -> None:
    line = b'{"step":-1,"epoch":1.0,"time":1700000000.5,"a":NaN,"b":"Infinity","c":{"d":{"e":-Infinity}}}'
    assert json.dumps(read(line)) == (
        '{"step": -1, "epoch": 1, "time": 1700000000.5, "a": NaN, "b": "Infinity", "c.d.e": -Infinity}'
    )
    assert read(b'{"step":1,"epoch":0.5,"time":1700000000500,"a":1}') == {
        "step": 1, "epoch": 0.5, "time": 1700000000.5, "a": 1,
    }  # fmt: skip


class Printer:
    """A run whose command prints what the test puts into a file, when it says so; without a sampler unless asked."""

    def __init__(self, box: Sandbox) -> None:
        self.box = box
        self.environment = {**os.environ, "MLHUB_SAMPLE_SECONDS": "0.2"}

    def start(self, *, sampler: bool = False, attempt: int = 1) -> Any:
        environment = self.environment | ({} if sampler else {"MLHUB_SAMPLER": "0"})
        return self.box.launch("sh", "-c", self.box.wait_open("true"), env=environment, attempt=attempt)

    def print(self, *lines: str, end: str = "\n") -> None:
        with open(self.box.paths.log, "a", encoding="utf-8") as file:
            file.write("\n".join(lines) + end)

    def steps(self) -> list[int]:
        return [entry["step"] for entry in current_records(self.box.paths.metrics)]  # type: ignore[misc]

    def end(self, attempt: int = 1) -> None:
        self.box.go()
        self.box.over(attempt)


@pytest.fixture
def run(box: Sandbox) -> Printer:
    return Printer(box)


def said(*steps: int) -> list[str]:
    return [json.dumps({"step": step, "loss": 0.5}) for step in steps]


def test_lines_come_as_they_are_printed_and_a_torn_one_when_it_is_whole(run: Printer) -> None:
    run.start()
    follower = Follower(run.box.paths, 1)
    assert not follower.look()
    run.print(*said(1, 2), '{"step":3,"lo', end="")
    assert follower.look()
    assert run.steps() == [1, 2]
    assert not follower.look()
    run.print('ss":1}', *said(4))
    assert follower.look()
    assert run.steps() == [1, 2, 3, 4]


def test_the_last_line_needs_no_end_when_the_program_has_ended(run: Printer) -> None:
    run.start()
    run.print(*said(1, 2), end="")
    Follower(run.box.paths, 1).look()
    assert run.steps() == [1]
    run.end()
    assert catch_up(run.box.paths, 1)
    assert catch_up(run.box.paths, 1)
    assert run.steps() == [1, 2]


def test_steps_that_go_back_and_two_clocks_are_kept_as_they_were_said(run: Printer) -> None:
    run.start()
    run.print('{"step":9,"a":1,"time":1700000000}', '{"step":3,"a":2,"time":1600000000}', '{"step":3,"b":2}')
    Follower(run.box.paths, 1).look()
    found = list(current_records(run.box.paths.metrics))
    assert [(entry["step"], entry["time"]) for entry in found[:2]] == [(9, 1700000000.0), (3, 1600000000.0)]
    assert found[2]["time"] == pytest.approx(run.box.paths.log.stat().st_mtime, abs=0.001)


def test_a_line_of_many_megabytes_is_passed_over_and_what_follows_is_not(run: Printer) -> None:
    run.start()
    run.print('{"step":1,"a":1,"x":"' + "x" * 3_000_000)
    follower = Follower(run.box.paths, 1)
    follower.look()
    run.print("y" * 2_000_000 + '"}', *said(5))
    while not follower.done or run.steps() != [5]:
        follower.look()
    run.print("z" * 2_500_000, end="")
    follower.look()
    run.print('{"step":6,"a":1}', *said(7))
    follower.look()
    assert run.steps() == [5, 7]


def test_names_of_10_kb_and_a_hundred_thousand_names(run: Printer) -> None:
    run.start()
    long = "n" * 10_000
    run.print(json.dumps({"step": 1, long: 1}), json.dumps({"step": 2} | {f"m{i}": i for i in range(50_000)}))
    catch_up(run.box.paths, 1, wait=True, final=False)
    first, second = current_records(run.box.paths.metrics)
    assert (first[long], len(second)) == (1, 50_002)


DIES = """
import os, signal, sys
from pathlib import Path
from mlhub.paths import RunPaths
from mlhub.runner import follow, record
from mlhub import records

where, paths = sys.argv[2], RunPaths(Path(sys.argv[1]))
die = lambda: os.kill(os.getpid(), signal.SIGKILL)
write, append = record.write_json, records.MetricWriter._append
count = 0

def writing(path, tree, **more):
    global count
    write(path, tree, **more)
    count += 1
    if where == f"write{count}":
        die()

def appending(self, data):
    if where == "before":
        die()
    if where == "torn":
        os.write(self._fd, data[: len(data) // 2])
        die()
    done = append(self, data)
    if where == "after":
        die()
    return done

follow.record.write_json, records.MetricWriter._append = writing, appending
follow.Follower(paths, 1).look()
"""


@pytest.mark.parametrize("where", ["write1", "before", "torn", "after", "write2"])
def test_a_kill_at_any_line_loses_nothing_and_doubles_nothing(run: Printer, where: str) -> None:
    run.start()
    run.print(*said(*range(50)))
    done = subprocess.run([sys.executable, "-c", DIES, str(run.box.paths.root), where], check=False)
    assert done.returncode == -signal.SIGKILL
    with open(run.box.paths.metrics, "a") as file:  # meanwhile the training itself logs
        file.write('\n{"step":1000,"own":1}\n')
    run.print(*said(50, 51))
    assert catch_up(run.box.paths, 1, final=False)
    assert sorted(run.steps()) == [*range(52), 1000]


@pytest.mark.root
@pytest.mark.skipif(os.getuid() != 0, reason="mounts a small tmpfs")
def test_a_full_disk_is_made_up_for_when_there_is_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)], check=True)
    run = Printer(Sandbox(disk))
    try:
        run.start()
        run.print(*said(*range(1000)))
        (disk / "fill").write_bytes(b"x" * ((os.statvfs(disk).f_bavail - 10) * os.statvfs(disk).f_frsize))
        assert not catch_up(run.box.paths, 1, final=False)
        (disk / "fill").unlink()
        assert catch_up(run.box.paths, 1, final=False)
        assert run.steps() == [*range(1000)]
        run.end()
    finally:
        run.box.clear()
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_two_followers_at_once_take_a_line_once(run: Printer) -> None:
    run.start()
    script = (
        "import sys, time; from pathlib import Path; from mlhub.paths import RunPaths;"
        "from mlhub.runner.follow import Follower; f = Follower(RunPaths(Path(sys.argv[1])), 1)\n"
        "for _ in range(200): f.look(); time.sleep(0.002)"
    )
    others = [subprocess.Popen([sys.executable, "-c", script, str(run.box.paths.root)]) for _ in range(3)]
    for step in range(0, 400, 4):
        run.print(*said(step, step + 1, step + 2, step + 3))
    assert [other.wait() for other in others] == [0, 0, 0]
    assert catch_up(run.box.paths, 1, wait=True, final=False)
    assert run.steps() == [*range(400)]


def test_a_rotated_log_is_read_on_across_its_segments(run: Printer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT", 1 << 17)
    monkeypatch.setattr(segments, "KEEP", 1 << 16)
    run.start()
    run.print(*(line + " " * 100 for line in said(*range(10_000))))
    Follower(run.box.paths, 1).look()
    known = len(run.steps())
    run.print(*(line + " " * 100 for line in said(*range(10_000, 20_000))))
    segments.rotate(run.box.paths, None, 1 << 17)
    assert len(segments.find(segments.folder_of(run.box.paths.log))) > 3
    assert catch_up(run.box.paths, 1, wait=True, final=False)
    assert known
    assert run.steps() == [*range(20_000)]


def test_a_log_that_somebody_truncates_begins_anew(run: Printer) -> None:
    run.start()
    run.print(*said(*range(10)))
    follower = Follower(run.box.paths, 1)
    follower.look()
    os.truncate(run.box.paths.log, 0)
    run.print(*said(10))
    follower.look()
    assert run.steps() == [*range(11)]


def test_what_the_next_attempt_prints_supersedes_what_was_beyond_it(run: Printer) -> None:
    run.start()
    run.print(*said(1, 2, 3, 4))
    run.end()
    (run.box.root / "go").unlink()
    run.start(attempt=2)  # which takes in what the first left
    run.print(*said(3), '{"step":4,"loss":9}')
    assert not Follower(run.box.paths, 1).look(final=True)
    catch_up(run.box.paths, 2, final=False)
    found = list(current_records(run.box.paths.metrics))
    assert [(entry["step"], entry["loss"]) for entry in found] == [(1, 0.5), (2, 0.5), (3, 0.5), (4, 9)]


def test_a_program_of_ours_is_not_followed(run: Printer) -> None:
    run.box.launch("sh", "-c", run.box.wait_open("true"), "mlhub.hashing.train", env=run.environment)
    run.print(*said(1))
    assert catch_up(run.box.paths, 1, final=False)
    assert not run.box.paths.metrics.exists()


def test_metrics_that_were_compacted_stay_so(run: Printer) -> None:
    run.start()
    run.print(*said(1))
    run.end()
    run.box.paths.metrics.with_suffix(".parquet").write_bytes(b"")
    assert catch_up(run.box.paths, 1)
    assert not run.box.paths.metrics.exists()


def test_a_garbled_state_stops_nobody(run: Printer) -> None:
    run.start()
    run.print(*said(1))
    for text in ("[]", '{"sources":[],"pending":3}', '{"sources":{"log":{"offset":-5}},"pending":{"lines":[1]}}', "{"):
        (run.box.paths.root / follow.STATE).write_text(text)
        assert catch_up(run.box.paths, 1, final=False)
    assert set(run.steps()) == {1}


# the whole way


def sampler_of(run: Printer) -> int:
    lock_file = run.box.paths.attempt(1).root / LOCK
    eventually(lambda: lock.held(str(lock_file)))
    from mlhub.runner import identity

    return eventually(lambda: identity.with_token(f"sampler:{run.box.token()}"))[0].pid


def test_the_sampler_follows_dies_and_another_goes_on(run: Printer) -> None:
    run.start(sampler=True)
    pid = sampler_of(run)
    run.print(*said(1, 2))
    eventually(lambda: run.steps() == [1, 2])
    kill(pid)
    run.print(*said(3, 4))
    command = [sys.executable, "-P", "-m", "mlhub.runner.sample", str(run.box.paths.root), "1"]
    with subprocess.Popen(command, env=run.environment) as second:
        eventually(lambda: run.steps() == [1, 2, 3, 4])
        run.print(*said(5), end="")
        run.end()
        assert second.wait(30) == 0
    assert run.steps() == [1, 2, 3, 4, 5]


SCRIPT = """
import json, math, os, sys, time
for step in range(5):
    sys.stderr.write(f"\\r 10%|#   | {step}/5 [00:00<00:01,  4.99it/s]")
    sys.stderr.flush()
    print(json.dumps({"step": step, "loss": math.nan if step == 2 else 1 / (step + 1)}))
if os.fork() == 0:
    print(json.dumps({"step": 5, "forked": 1}))
    os._exit(0)
os.wait()
print('{"step": 6, "loss": 0.1}', end="")
"""


def test_a_command_of_a_moment_is_taken_in_by_who_reads_it_first(cli: Cli) -> None:
    cli("run", "--wait", "--", sys.executable, "-c", SCRIPT)
    assert [entry["step"] for entry in cli.json("metrics")] == [0, 1, 2, 3, 4, 5, 6]
    summary = cli.json("show")["summary"]
    assert (summary["loss"]["last"], summary["loss"]["max"], summary["forked"]["step"]) == (0.1, 1.0, 5)
    assert len(cli.json("metrics")) == 7


def test_without_a_sampler_who_reads_follows_too(cli: Cli, tmp_path: Path) -> None:
    script = f"echo '{said(1)[0]}'; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo '{said(2)[0]}'"
    cli("run", "--", "sh", "-c", script, MLHUB_SAMPLER="0")
    wait_until(lambda: cli.json("ls")[0]["summary"].get("loss", {}).get("step") == 1)
    (tmp_path / "go").touch()
    wait_until(lambda: cli.json("ls")[0]["status"] == "completed")
    assert [entry["step"] for entry in cli.json("metrics")] == [1, 2]
    state = record.read_json(str(cli.home / "runs" / "1" / follow.STATE)) or {}
    assert "pending" not in state
