"""The one line to type into that all views have."""

from __future__ import annotations

import pytest

from mlhub.tui.charts.page import MetricLine
from mlhub.tui.log.view import PatternLine
from mlhub.tui.search.queryline import QueryLine
from mlhub.tui.widgets.line import Line


@pytest.mark.parametrize("line", [Line, PatternLine, QueryLine, MetricLine])
def test_every_line_takes_nothing_a_terminal_would_obey(line: type[Line]) -> None:
    assert issubclass(line, Line)
    assert line.validate_value is Line.validate_value
    assert line.validate_value(object.__new__(line), "a\x1b]0;b\x07\nc\u202e ") == "a c "
