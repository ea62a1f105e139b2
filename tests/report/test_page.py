"""What stands in the page and in the Markdown, as text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING

import pytest

from mlhub.report import charts, html
from mlhub.report.contents import Chart, Line
from mlhub.report.pictures import data_uri
from tests.report.conftest import CRAB, HOSTILE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.report.conftest import Reported


def test_nothing_in_the_page_names_another_place(reported: Reported) -> None:
    assert re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', reported.text) == []
    assert "url(" not in reported.text
    assert "@import" not in reported.text


def test_only_our_own_script_and_style_may_run(reported: Reported) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', reported.text)
    assert policy is not None
    assert policy[1].startswith("default-src &#x27;none&#x27;;")
    for kind in ("script", "style"):
        inside = re.search(rf"<{kind}>(.*?)</{kind}>", reported.text, re.DOTALL)
        assert inside is not None
        digest = base64.b64encode(hashlib.sha256(inside[1].encode()).digest()).decode()
        assert f"{kind}-src &#x27;sha256-{digest}&#x27;" in policy[1]
    assert "unsafe" not in policy[1]


def test_hostile_text_is_escaped_wherever_it_stands(reported: Reported) -> None:
    body = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", reported.text, flags=re.DOTALL)
    assert "<script" not in body
    assert "<img src=x" not in body
    assert reported.text.count("&lt;script&gt;document.title=") >= 4
    assert "\x1b" not in reported.text


def test_the_best_is_marked_and_the_summary_says_who_it_is(reported: Reported) -> None:
    assert re.search(r"<p>Best: otter, val/acc 0.75 ", reported.text)
    assert "<b>★ 0.75</b>" in reported.text
    assert f"{html.esc(CRAB)} failed." in reported.text


def test_what_a_run_logged_is_shown(reported: Reported) -> None:
    assert 'src="data:image/' in reported.text
    assert "<td>NaN</td>" in reported.text
    assert "torn.png" in reported.text
    assert "first line" in reported.text


def test_pictures_are_made_small(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "big.png"
    Image.effect_noise((3000, 2000), 100).save(path)
    uri = data_uri(path, 200)
    assert len(uri) < 60_000
    assert path.stat().st_size > 3_000_000


def line(values: list[float | None], **more: object) -> Line:
    common = {"mark": 0, "run": 1, "name": "x", "bad": (), "best": None}
    steps = [float(step) for step in range(len(values))]
    return Line(steps=steps, seconds=steps, values=values, **common | more)  # type: ignore[arg-type]


def test_a_gap_in_a_curve_is_a_gap_in_its_line() -> None:
    drawn = charts.draw(Chart("m", None, [line([1.0, 2.0, None, 1.0, 2.0])], 5), 0).text
    path = re.search(r' d="([^"]+)"', drawn)
    assert path is not None
    assert path[1].count("M") == 2


def test_a_long_name_is_cut_above_its_chart() -> None:
    drawn = charts.draw(Chart("n" * 10_000 + "end", None, [line([1.0, 2.0])], 5), 0).text
    assert len(re.search(r"<b[^>]*>([^<]*)</b>", drawn)[1]) == 120  # type: ignore[index]
    assert "nend</b>" in drawn


@pytest.mark.parametrize(
    "values",
    [[], [None, None], [5.0], [5.0, 5.0], [0.0, 0.0], [1e-300, 2e-300], [-1e150, 1e150], [1e-12, 1.0], [3.0, None]],
)
def test_any_numbers_make_a_chart_of_finite_places(values: list[float | None]) -> None:
    drawn = charts.draw(Chart("m", "max", [line(values, bad=[(2.0, "NaN")])], 5), 0).text
    assert "nan" not in drawn.lower().replace("nan at step", "").replace("nan or infinite", "")
    assert "inf" not in drawn.replace("NaN or infinite", "")


def test_the_scripts_data_can_not_end_its_element() -> None:
    text = charts.data_of([Chart("</script><!--", None, [line([1.5, None], name="&<>")], 2)])
    assert not set(text) & set("<>&")
    assert json.loads(text)["charts"][0]["lines"][0]["y"] == [1.5, None]


def test_an_element_refuses_a_handler_and_escapes_its_attributes() -> None:
    assert html.el("p", "<&>", title='a"b').text == '<p title="a&quot;b">&lt;&amp;&gt;</p>'
    with pytest.raises(ValueError, match="no attribute"):
        html.el("p", onclick="x()")


def test_markdown_has_the_same_tables_and_no_markup_of_others(reported: Reported) -> None:
    text = reported.cli("report", "1", "2", "3", "--md", "-o", "-").stdout
    assert text.startswith("# 3 runs: otter, newt, \\<img src=x onerror=document.title=1\\>\n")
    assert "**0.75**" in text
    assert HOSTILE not in text
    assert "<script" not in text.replace("\\<script", "")
