"""Real repositories and projects, made once."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

TRAIN = """\
import argparse, json, os, yaml
parser = argparse.ArgumentParser()
parser.add_argument("--config")
parser.add_argument("--epochs", type=int, default=1)
arguments = parser.parse_args()
config = yaml.safe_load(open(arguments.config)) if arguments.config else {}
seen = {"config": config, "cwd": os.getcwd(), "file": arguments.config, "epochs": arguments.epochs}
print(json.dumps(seen | {"named": os.environ.get("MLHUB_CONFIG"), "attempt": os.environ["MLHUB_ATTEMPT"]}))
if config.get("crash") and os.environ["MLHUB_ATTEMPT"] == "1":
    raise SystemExit(3)
"""
CONFIG = """\
# how it is trained
optimizer: {lr: 1e-3, name: "no"}
seed: 1
crash: false
"""


def git(folder: Path, *words: str) -> str:
    """git, with an author of its own and none of the user's settings."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    env |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *who, *words], cwd=folder, env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def write_project(folder: Path) -> Path:
    """A script that reads --config, and a config."""
    (folder / "configs").mkdir(parents=True)
    (folder / "train.py").write_text(TRAIN)
    (folder / "configs" / "base.yaml").write_text(CONFIG)
    return folder


def commit(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", name)


def make_bare(folder: Path) -> Path:
    """A bare repository with `main` and `dev`; `work` beside it is a clone to commit in."""
    bare, work = folder / "model.git", folder / "work"
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--bare", str(bare))
    git(folder, "init", "--quiet", str(work))
    write_project(work)
    commit(work, "README", "one\n")
    git(work, "remote", "add", "origin", str(bare))
    git(work, "push", "--quiet", "origin", "main", "main:dev")
    return bare


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare repository that no test changes."""
    return make_bare(tmp_path_factory.mktemp("repository"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project's folder, not in git."""
    return write_project(tmp_path / "model")
