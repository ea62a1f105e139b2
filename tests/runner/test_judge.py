from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlhub import monitor
from mlhub.runner.judge import Judge, Progress
from mlhub.runner.vitals import Measured


def log(path: Path, **values: Any) -> None:
    with open(path, "a") as file:
        file.write(json.dumps({"step": 1, "time": 1.0} | values) + "\n")


def card(utilization: int | None = 0, *, unified: bool = False, temperature: int | None = 40, index: int = 0) -> Any:
    memory = monitor.GpuMemory(total=80, used=0, unified=unified)
    return monitor.Gpu(index, "H100", memory, utilization, temperature, None, ())


def measured(*gpus: monitor.Gpu, on_gpu: bool = True, run_cpu: float = 100.0) -> Measured:
    return Measured(record={}, memory=monitor.Memory(100, 50), gpus=gpus, on_gpu=on_gpu, run_cpu=run_cpu,
                    disk_free=5, disk_folder="/")  # fmt: skip


def started(path: Path) -> Progress:
    log(path, loss=1.0)
    progress = Progress(path, skip=False)
    assert progress.look()
    return progress


def test_new_metrics_are_progress_once(tmp_path: Path) -> None:
    progress = started(tmp_path / "m")
    assert not progress.look()
    log(tmp_path / "m", loss=0.5)
    assert progress.look()


def test_half_a_line_is_not_yet_progress(tmp_path: Path) -> None:
    (tmp_path / "m").write_text('{"step":1,"loss":')
    progress = Progress(tmp_path / "m", skip=False)
    assert not progress.look()
    with open(tmp_path / "m", "a") as file:
        file.write('"NaN"}\n')
    assert progress.look()
    assert [one.text for one in progress.not_finite] == ["loss is NaN at step 1"]


def test_what_an_earlier_attempt_logged_does_not_count(tmp_path: Path) -> None:
    log(tmp_path / "m", loss="NaN")
    progress = Progress(tmp_path / "m", skip=True)
    assert (progress.look(), progress.seen, progress.not_finite) == (False, False, ())


def test_a_run_that_has_no_metrics_yet_makes_none(tmp_path: Path) -> None:
    assert not Progress(tmp_path / "none", skip=False).look()


def test_a_single_nan_is_seen_though_finite_values_came_at_once(tmp_path: Path) -> None:
    progress = started(tmp_path / "m")
    for value in ("NaN", 1.0, 1.0, 1.0):
        log(tmp_path / "m", loss=value)
    progress.look()
    assert len(progress.not_finite) == 1
    progress.look()
    assert progress.not_finite == ()


def test_a_metric_is_well_after_three_finite_values(tmp_path: Path) -> None:
    progress = started(tmp_path / "m")
    counts = []
    for value in ("-Infinity", 1.0, 1.0, 1.0, 1.0):
        log(tmp_path / "m", norm=value)
        progress.look()
        counts.append(len(progress.not_finite))
    assert counts == [1, 1, 1, 1, 0]


def test_text_that_only_says_nan_is_no_number(tmp_path: Path) -> None:
    progress = started(tmp_path / "m")
    log(tmp_path / "m", note="NaN?", other=None)
    assert progress.look()
    assert progress.not_finite == ()


def test_a_line_longer_than_a_look_is_passed_over(tmp_path: Path) -> None:
    progress = started(tmp_path / "m")
    with open(tmp_path / "m", "a") as file:
        file.write("x" * (9 << 20) + "\n")
    log(tmp_path / "m", loss="NaN")
    while progress.look():
        pass
    assert len(progress.not_finite) == 1


def test_a_gpu_that_idles_while_the_run_works_is_timed(tmp_path: Path) -> None:
    judge, progress = Judge(20, 0.0), started(tmp_path / "m")
    idle = [judge.read(measured(card(3)), progress, False, now).gpu_idle for now in (10.0, 70.0, 130.0)]
    assert idle == [0.0, 60.0, 120.0]
    assert judge.read(measured(card(50)), progress, False, 140.0).gpu_idle == 0.0


def test_a_run_that_waits_as_well_does_not_keep_its_gpu_waiting(tmp_path: Path) -> None:
    judge, progress = Judge(20, 0.0), started(tmp_path / "m")
    calm = measured(card(0), run_cpu=5.0)
    assert [judge.read(calm, progress, False, now).gpu_idle for now in (1.0, 200.0)] == [0.0, 0.0]
    assert [judge.read(calm, progress, True, now).gpu_idle for now in (201.0, 211.0)] == [0.0, 10.0]


def test_gpus_that_may_not_be_the_run_s_are_not_timed(tmp_path: Path) -> None:
    judge, progress = Judge(20, 0.0), started(tmp_path / "m")
    other = measured(card(0), on_gpu=False)
    assert [judge.read(other, progress, True, now).gpu_idle for now in (1.0, 200.0)] == [0.0, 0.0]


def test_before_its_first_metric_a_run_may_prepare_data(tmp_path: Path) -> None:
    judge, progress = Judge(20, 0.0), Progress(tmp_path / "none", skip=False)
    assert [judge.read(measured(card(0)), progress, False, now).gpu_idle for now in (1.0, 200.0)] == [0.0, 0.0]


def test_silence_is_counted_from_the_last_metric(tmp_path: Path) -> None:
    judge, progress = Judge(0.5, 0.0), started(tmp_path / "m")
    judge.read(measured(), progress, True, 10.0)
    reading = judge.read(measured(), progress, False, 45.0)
    assert (reading.silent, reading.silent_limit) == (35.0, 30.0)


def test_a_run_that_never_logged_is_not_silent(tmp_path: Path) -> None:
    judge = Judge(0.5, 0.0)
    assert judge.read(measured(), Progress(tmp_path / "none", skip=False), False, 1e6).silent == 0.0


def test_where_memory_is_shared_more_of_it_must_be_left(tmp_path: Path) -> None:
    judge, progress = Judge(20, 0.0), started(tmp_path / "m")
    least = [judge.read(measured(card(unified=word)), progress, True, 1.0).memory_least for word in (False, True)]
    assert least == [0.05, 0.08]


def test_the_hottest_gpu_counts(tmp_path: Path) -> None:
    cards = (card(temperature=None), card(temperature=70, index=1), card(temperature=90, index=2))
    reading = Judge(20, 0.0).read(measured(*cards), started(tmp_path / "m"), True, 1.0)
    assert (reading.gpu, reading.temperature) == (2, 90)
