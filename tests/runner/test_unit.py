"""The systemd unit: the right paths, quoted as systemd reads them, and no secrets."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlhub.paths import Home
from mlhub.runner.unit import unit

HOME = Home(Path("/srv/a home/100% $mine"), Path("/data"))


def test_it_starts_this_interpreter_in_this_home() -> None:
    text = unit(HOME, {}, "/opt/my $env/bin/python")
    assert 'ExecStart="/opt/my $$env/bin/python" -P -m mlhub queue watch\n' in text
    assert 'Environment="MLHUB_HOME=/srv/a home/100%% $mine"\n' in text


def test_what_it_started_outlives_it() -> None:
    assert "KillMode=process\n" in unit(HOME, {})


def test_settings_of_the_shell_are_kept_but_for_secrets() -> None:
    text = unit(HOME, {"MLHUB_MAX_RUNS": "2", "MLHUB_NOTIFY": "slack://secret", "MLHUB_RUN_TOKEN": "x", "PATH": "y"})
    assert 'Environment="MLHUB_MAX_RUNS=2"' in text
    assert "secret" not in text
    assert text.count("Environment=") == 2


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_takes_it(tmp_path: Path) -> None:
    file = tmp_path / "mlhub-queue.service"
    file.write_text(unit(Home(tmp_path, tmp_path), {"MLHUB_MAX_RUNS": "2"}, sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(file)], capture_output=True, text=True, check=False
    )
    assert "mlhub-queue" not in done.stderr, done.stderr
