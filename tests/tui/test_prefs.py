"""What the screen remembers."""

from __future__ import annotations

import os

import pytest

from mlhub.tui import prefs


def test_what_was_kept_is_there_again(home):
    prefs.save(home, prefs.Prefs(theme="day", columns=["name", "loss"], smoothing=0.9))
    found = prefs.load(home)
    assert (found.theme, found.columns, found.smoothing) == ("day", ["name", "loss"], 0.9)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"theme": "da', "\x00\x01", "[" * 10000])
def test_a_file_that_is_torn_costs_its_settings_alone(home, text):
    (home.root / "top.json").write_text(text)
    assert prefs.load(home) == prefs.Prefs()


def test_one_wrong_value_does_not_cost_the_others(home):
    (home.root / "top.json").write_text('{"theme": "day", "columns": 3, "smoothing": "much", "of_tomorrow": 1}')
    assert prefs.load(home) == prefs.Prefs(theme="day")


def test_defaults_are_not_shared(home):
    prefs.load(home).columns.append("x")
    assert prefs.load(home).columns == []


def test_a_home_that_can_not_be_written_disturbs_nobody(home):
    home.root.chmod(0o500) if os.getuid() else (home.root / "top.json").mkdir()
    prefs.save(home, prefs.Prefs())
    home.root.chmod(0o700)
    assert prefs.load(home) == prefs.Prefs()


@pytest.mark.parametrize(("name", "slow"), [("SSH_CONNECTION", True), ("SSH_TTY", True), ("TERM", False)])
def test_over_ssh_the_line_is_slow(monkeypatch, name, slow):
    for one in ("SSH_CONNECTION", "SSH_TTY"):
        monkeypatch.delenv(one, raising=False)
    monkeypatch.setenv(name, "x")
    assert prefs.slow_line() is slow
