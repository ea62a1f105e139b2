from __future__ import annotations

from pathlib import Path

import pytest

from mlhub.errors import ConfigError
from mlhub.settings import Settings


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('log_level = "debug"\nmax_runs = 2\n')
    settings = Settings.load({"MLHUB_HOME": str(tmp_path), "MLHUB_MAX_RUNS": "3"})
    assert (settings.log_level, settings.max_runs) == ("debug", 3)


def test_everything_lies_in_the_home_unless_asked(tmp_path: Path) -> None:
    home = Settings.load({"MLHUB_HOME": str(tmp_path)}).to_home()
    assert home.run(3).metrics == tmp_path / "runs" / "3" / "metrics.jsonl"
    assert home.data == tmp_path / "data"
    other = Settings.load({"MLHUB_HOME": str(tmp_path), "MLHUB_DATA_DIR": "~/sets"}).to_home()
    assert other.data == Path.home() / "sets"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 1", "unknown key 'colour'"),
        ('max_runs = "two"', "max_runs: expected a whole number, got 'two'"),
        ("max_runs = true", "max_runs: expected a whole number, got True"),
        ("max_runs = -1", "max_runs: expected 0 or more, got -1"),
        ("sampler = 1", "sampler: expected true or false, got 1"),
        ("sample_seconds = 0", "sample_seconds: expected 0.1 or more, got 0.0"),
        ("sample_seconds = nan", "sample_seconds: expected 0.1 or more, got nan"),
        ('notify_on = "completed, sometimes"', "notify_on: unknown word 'sometimes'"),
        ("max_runs = ", "not valid TOML"),
        ("max_runs = " + "9" * 5000, "not valid TOML"),
        ("max_runs = " + "[" * 5000, "not valid TOML"),
    ],
)
def test_a_wrong_config_file_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        Settings.load({"MLHUB_HOME": str(tmp_path)})


def test_a_number_that_is_none_is_named_by_its_variable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="MLHUB_MAX_RUNS: expected a whole number, got 'two'"):
        Settings.load({"MLHUB_HOME": str(tmp_path), "MLHUB_MAX_RUNS": "two"})


@pytest.mark.parametrize(("text", "meant"), [("0", False), ("off", False), ("True", True)])
def test_a_switch_is_read_from_the_words_people_use(tmp_path: Path, text: str, meant: bool) -> None:
    assert Settings.load({"MLHUB_HOME": str(tmp_path), "MLHUB_SAMPLER": text}).sampler is meant


def test_a_switch_with_another_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="MLHUB_SAMPLER: expected true or false, got 'maybe'"):
        Settings.load({"MLHUB_HOME": str(tmp_path), "MLHUB_SAMPLER": "maybe"})


def test_a_whole_number_will_do_for_a_number(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("sample_seconds = 2\n")
    assert Settings.load({"MLHUB_HOME": str(tmp_path)}).sample_seconds == 2.0


def test_a_notice_s_url_appears_in_no_message(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('notify = ["slack://secret"]\n')
    with pytest.raises(ConfigError) as caught:
        Settings.load({"MLHUB_HOME": str(tmp_path)})
    assert "secret" not in caught.value.message + caught.value.hint
    assert "secret" not in repr(Settings(notify="slack://secret"))


def test_the_environment_hides_a_wrong_value_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('max_runs = "two"\n')
    assert Settings.load({"MLHUB_HOME": str(tmp_path), "MLHUB_MAX_RUNS": "3"}).max_runs == 3
