"""The page in a real browser: it says nothing, asks for nothing, draws its curves, and runs nobody's text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import wait_until
from tests.report.conftest import CRAB

if TYPE_CHECKING:
    from pathlib import Path

    from tests.report.browser import Browser, Page
    from tests.report.conftest import Reported


@pytest.fixture
def page(chromium: Browser, reported: Reported) -> Page:
    return chromium.open(reported.path)


def click(page: Page, selector: str) -> None:
    page.eval(f"document.querySelector({selector!r}).click()")


def count(page: Page, selector: str) -> int:
    return int(page.eval(f"document.querySelectorAll({selector!r}).length"))


def test_the_console_stays_empty_and_nothing_is_asked_of_the_network(page: Page, reported: Reported) -> None:
    for button in ("#log-y", "#by-time", ".legend button"):
        click(page, button)
    assert page.console == []
    assert [url for url in page.asked if not url.startswith("data:")] == [reported.path.as_uri()]


def test_curves_are_drawn_of_every_run_that_has_points(page: Page) -> None:
    assert count(page, "figure.chart svg") == 3
    assert count(page, "figure.chart path.line") == 6
    assert count(page, "figure.chart text.bad") == 1
    longest = "Math.min(...[...document.querySelectorAll('figure.chart path.line')].map((p) => p.getTotalLength()))"
    assert page.eval(longest) > 300


def test_hostile_text_is_seen_and_does_not_run(page: Page) -> None:
    assert page.eval("document.title") == f"3 runs: otter, newt, {CRAB}"
    assert "<script>document.title='owned'</script>" in page.eval("document.body.innerText")
    assert count(page, "img[src=x]") == 0
    assert count(page, "script") == 2


def test_a_run_can_be_hidden_and_shown_again(page: Page) -> None:
    click(page, ".legend button")
    assert count(page, "figure.chart path.line[data-run='1']") == 0
    assert count(page, "figure.chart path.line[data-run='2']") == 3
    click(page, ".legend button")
    assert count(page, "figure.chart path.line[data-run='1']") == 3


def test_values_are_shown_where_the_pointer_is(page: Page) -> None:
    box = page.eval(
        "(() => { const svg = document.querySelector('figure.chart svg'); svg.scrollIntoView({block: 'center'});"
        " const b = svg.getBoundingClientRect();"
        " return [b.left + b.width * 0.9, b.top + b.height / 2] })()"
    )
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=box[0], y=box[1])
    text = page.eval("document.querySelector('.tip:not([hidden])').innerText")
    assert "step 1" in text
    assert "otter" in text


def test_smoothing_keeps_the_recorded_curve_behind(page: Page) -> None:
    page.eval(
        "(() => { const s = document.getElementById('smooth'); s.value = 90;"
        " s.dispatchEvent(new Event('input', {bubbles: true})) })()"
    )
    assert count(page, "figure.chart path.raw") == 6
    assert page.eval("document.getElementById('smooth-words').textContent") == "0.90"


def test_the_script_draws_what_the_page_was_written_with(page: Page) -> None:
    lengths = "[...document.querySelectorAll('figure.chart path.line')].map((p) => p.getTotalLength())"
    before = page.eval(lengths)
    click(page, "#log-y")
    assert page.eval(lengths) != pytest.approx(before, rel=0.01)
    click(page, "#log-y")
    assert page.eval(lengths) == pytest.approx(before, rel=0.01)


def test_it_is_readable_without_a_script(chromium: Browser, reported: Reported) -> None:
    page = chromium.open(reported.path)
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.call("Page.reload")
    wait_until(lambda: count(page, "figure.chart path.line") == 6)
    assert count(page, "figure.chart path.line") == 6
    assert count(page, "html.live") == 0
    assert page.eval("getComputedStyle(document.querySelector('.tools')).display") == "none"


@pytest.mark.parametrize("width", [360, 768, 1400])
def test_it_fits_the_width_of_a_phone_and_of_a_screen(page: Page, width: int) -> None:
    page.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
    assert page.eval("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_the_paper_in_both_schemes(chromium: Browser, reported: Reported, scheme: str) -> None:
    page = chromium.open(reported.path, prefers_color_scheme=scheme)
    colours = page.eval("['color', 'backgroundColor'].map((k) => getComputedStyle(document.body)[k])")
    ink, paper = (sum(map(int, colour[4:-1].split(","))) for colour in colours)
    assert abs(ink - paper) > 400
    assert (ink < paper) == (scheme == "light")


def test_the_watch_on_the_console_sees_what_a_page_does_wrong(chromium: Browser, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text(
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'\">"
        "<script>document.title = 'owned'</script><img src='http://127.0.0.1:9/x.png'>"
    )
    page = chromium.open(path)
    assert len(page.console) >= 2
    assert page.eval("document.title") == ""
