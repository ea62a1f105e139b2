from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlhub.paths import RunPaths
from mlhub.runner.alerts import Alerts, NotFinite, Reading, read_active

LOSS = NotFinite("train/loss", "NaN", 120)
NORM = NotFinite("grad_norm", "infinite", 7)
#: conditions just met, and just no longer met
CASES = [
    ("disk", "warn", Reading(disk_free=1_999_999_999, disk_folder="/home"), Reading(disk_free=2_200_000_001)),
    ("disk", "fail", Reading(disk_free=499_999_999, disk_folder="/home"), Reading(disk_free=2_200_000_001)),
    ("gpu-hot", "warn", Reading(temperature=85), Reading(temperature=80)),
    ("gpu-hot", "fail", Reading(temperature=95, gpu=3), Reading(temperature=80)),
    ("nan", "fail", Reading(not_finite=(LOSS,)), Reading()),
    ("nan", "warn", Reading(not_finite=(NORM,)), Reading()),
    ("stalled", "warn", Reading(silent=1200, silent_limit=1200), Reading(silent=0, silent_limit=1200)),
    ("gpu-idle", "warn", Reading(gpu_idle=120), Reading(gpu_idle=0)),
    ("memory", "warn", Reading(memory_left=0.049), Reading(memory_left=0.07)),
    ("memory", "warn", Reading(memory_left=0.079, memory_least=0.08), Reading(memory_left=0.11, memory_least=0.08)),
    ("log", "warn", Reading(log_size=700, log_limit=640), Reading(log_size=1, log_limit=640)),
]


def states(alerts: Alerts, *readings: Reading) -> list[str]:
    return [f"{change.name} {change.severity} {change.state}" for one in readings for change in alerts.evaluate(one)]


@pytest.mark.parametrize(("name", "severity", "met", "over"), CASES)
def test_an_alert_is_raised_once_and_cleared_once(name: str, severity: str, met: Reading, over: Reading) -> None:
    seen = states(Alerts(), met, met, over, over)
    assert seen == [f"{name} {severity} raised", f"{name} {severity} cleared"]


@pytest.mark.parametrize("reading", [Reading(disk_free=2_000_000_001), Reading(temperature=84), Reading(gpu_idle=119),
                                     Reading(memory_left=0.051), Reading(silent=1199, silent_limit=1200)])  # fmt: skip
def test_just_below_the_limit_nothing_is_raised(reading: Reading) -> None:
    assert states(Alerts(), reading) == []


def test_a_value_that_wavers_about_the_limit_is_told_once() -> None:
    assert states(Alerts(), *(Reading(temperature=t) for t in (85, 84, 86, 81, 85))) == ["gpu-hot warn raised"]


def test_an_alert_that_becomes_worse_is_news_and_one_that_becomes_milder_is_not() -> None:
    alerts = Alerts()
    changes = [change for t in (86, 96, 89) for change in alerts.evaluate(Reading(temperature=t))]
    assert [(change.severity, change.news) for change in changes] == [("warn", True), ("fail", True), ("warn", False)]


def test_what_is_not_known_changes_no_alert() -> None:
    assert states(Alerts(), Reading(temperature=90), Reading(temperature=None)) == ["gpu-hot warn raised"]


def test_a_loss_is_named_before_other_metrics() -> None:
    (change,) = Alerts().evaluate(Reading(not_finite=(NORM, LOSS)))
    assert change.text == "train/loss is NaN at step 120"


def test_at_the_end_only_what_was_in_the_numbers_stays() -> None:
    alerts = Alerts({"nan": "fail", "disk": "warn", "stalled": "warn"})
    assert [change.name for change in alerts.end()] == ["disk", "stalled"]


def test_a_metric_s_name_is_data() -> None:
    assert LOSS._replace(metric="\x1b[31mloss\nx").text == "loss x is NaN at step 120"


def line(name: str = "disk", state: str = "raised", **more: Any) -> str:
    return json.dumps({"time": 1.0, "name": name, "severity": "warn", "text": "words", "state": state} | more) + "\n"


def active(tmp_path: Path, text: str | bytes) -> list[dict[str, Any]]:
    (tmp_path / "alerts.jsonl").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_active(RunPaths(tmp_path))


def test_the_record_tells_what_is_raised_and_since_when(tmp_path: Path) -> None:
    text = line("disk") + line("nan") + line("disk", "cleared", time=2) + line("nan", time=3, severity="fail")
    assert active(tmp_path, text) == [
        {"name": "nan", "severity": "fail", "text": "words", "at": "1970-01-01T00:00:01.000Z"}
    ]


def test_a_run_without_a_record_has_no_alerts(tmp_path: Path) -> None:
    assert read_active(RunPaths(tmp_path)) == []


@pytest.mark.parametrize(
    "garbage",
    ["{", "[]\n", '{"name":1}\n', line(severity="worse"), line(time="now"), line(time=1e300), line(text=None),
     "[" * 100_000 + "\n", line()[:-1], b"\xff\xfe\n", b"\0" * 5000],
)  # fmt: skip
def test_garbage_in_the_record_is_passed_over(tmp_path: Path, garbage: str | bytes) -> None:
    assert active(tmp_path, garbage) == []
    whole = garbage if isinstance(garbage, bytes) else garbage.encode()
    assert [one["name"] for one in active(tmp_path, line("nan").encode() + whole)] == ["nan"]


def test_words_in_the_record_are_cleaned_and_cut(tmp_path: Path) -> None:
    (found,) = active(tmp_path, line("na\nme", text="\x1b]0;x\x07\ud800" + "y" * 5000))
    assert found["name"] == "na me"
    assert found["text"] == "?" + "y" * 239


def test_of_a_huge_record_the_end_is_read_and_few_alerts_are_kept(tmp_path: Path) -> None:
    found = active(tmp_path, "".join(line(f"alert-{number}") for number in range(20_000)))
    assert (len(found), found[0]["name"]) == (32, "alert-19999")


def test_a_record_that_is_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(line())
    (tmp_path / "alerts.jsonl").symlink_to(tmp_path / "elsewhere")
    assert read_active(RunPaths(tmp_path)) == []
