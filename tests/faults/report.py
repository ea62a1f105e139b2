"""A pytest plugin: the table of faults, with what the tests of each row really saw. `make faults` loads it."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from tests.faults.table import TABLE

if TYPE_CHECKING:
    import pytest

_HEADS = ("#", "fault", "expected", "seen", "")
_WIDTHS = (2, 18, 20, 26, 10)  # 80 columns with a space between
_MOST_LINES = 9

_reports: dict[str, list[pytest.TestReport]] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what each phase of each test reported."""
    _reports.setdefault(report.nodeid, []).append(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table below pytest's own summary."""
    terminalreporter.section("faults")
    terminalreporter.write_line(_line(_HEADS))
    for number, row in TABLE.items():
        tests = [reports for name, reports in _reports.items() if _row_of(name) == number]
        cells = (str(number), row.fault, row.expected, _seen(tests), _mark(tests))
        columns = [textwrap.wrap(cell, width) or [""] for cell, width in zip(cells, _WIDTHS, strict=True)]
        if len(columns[3]) > _MOST_LINES:
            columns[3] = [*columns[3][: _MOST_LINES - 1], "…"]
        for place in range(max(map(len, columns))):
            terminalreporter.write_line(_line(column[place] if place < len(column) else "" for column in columns))


def _line(cells: object) -> str:
    return " ".join(f"{cell:<{width}}" for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()  # type: ignore[call-overload]


def _row_of(name: str) -> int | None:
    found = re.search(r"::test_(\d+)_", name)
    return int(found.group(1)) if found else None


def _seen(tests: list[list[pytest.TestReport]]) -> str:
    """What the tests saw, each word of it once."""
    said = [str(text) for reports in tests for name, text in reports[-1].user_properties if name == "seen"]
    return "; ".join(dict.fromkeys(said))


def _mark(tests: list[list[pytest.TestReport]]) -> str:
    failed = sum(any(report.failed for report in reports) for reports in tests)
    skipped = sum(any(report.skipped for report in reports) for reports in tests)
    if failed:
        return f"FAILED {failed}/{len(tests)}"
    if not tests:
        return "no test"
    if skipped == len(tests):
        return "skipped"
    return f"ok {len(tests) - skipped}" + (f" skipped {skipped}" if skipped else "")
