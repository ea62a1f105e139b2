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
        ('max_runs = "two"', "max_runs should be int, not 'two'"),
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
