"""`mlhub project` and `mlhub run PROJECT:…`, as a user types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from mlhub.errors import ConfigError, UsageError
from mlhub.projects import registry
from mlhub.projects.add import add
from mlhub.settings import Settings
from mlhub.store.store import Store
from mlhub.tui.acting.rerun import changes, form_of, start
from tests.projects.conftest import git

if TYPE_CHECKING:
    from mlhub.paths import Home
    from tests.conftest import Cli


LIGHTNING = """\
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LightningCLI
from torch.utils.data import DataLoader


class Model(LightningModule):
    def __init__(self, lr: float = 0.1) -> None:
        super().__init__()
        self.lr = lr
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch, index):
        self.log("train_loss", self.lr, on_step=False, on_epoch=True)
        return self.layer(batch).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)

    def train_dataloader(self):
        return DataLoader(torch.ones(8, 2), batch_size=2)


if __name__ == "__main__":
    LightningCLI(Model, seed_everything_default=1)
"""


@pytest.fixture
def project(cli: Cli, folder: Path) -> Path:
    """The folder, added as `model`, run with the Python of these tests."""
    cli("project", "add", str(folder), "--venv", sys.prefix)
    return folder


def printed(cli: Cli, run: dict[str, Any]) -> dict[str, Any]:
    """The JSON line that the script printed."""
    log = Path(run["dir"], "output.log").read_text()
    return json.loads(next(line for line in log.splitlines() if line.startswith("{")))


def test_a_config_is_resolved_given_to_the_script_and_kept(cli: Cli, project: Path) -> None:
    run = cli.json("run", "model:configs/base.yaml", "optimizer.lr=0.5", "--wait")
    seen = printed(cli, run)
    assert seen["config"] == {"optimizer": {"lr": 0.5, "name": "no"}, "seed": 1, "crash": False}
    assert seen["file"] == seen["named"] == f"{run['dir']}/config.yaml"
    assert seen["cwd"] == str(project)
    assert (run["kind"], run["project"], run["adapter"]) == ("train", "model", "command")
    assert run["config"] == seen["config"]
    assert run["preset"] == str(project / "configs" / "base.yaml")
    assert (project / "configs" / "base.yaml").read_text().startswith("# how")


def test_words_behind_the_dashes_go_to_the_script(cli: Cli, project: Path) -> None:
    assert printed(cli, cli.json("run", "model:base", "--wait", "--", "--epochs", "7"))["epochs"] == 7
    run = cli.json("run", "model:train.py", "--wait", "--", "--epochs", "5")
    assert printed(cli, run)["epochs"] == 5
    assert run["config"] == {}


def test_a_command_runs_in_the_projects_folder_with_its_python(cli: Cli, project: Path) -> None:
    code = "import sys, os; print(repr([sys.prefix, os.getcwd()]))"
    run = cli.json("run", "model:", "--wait", "--", "python", "-c", code)
    assert Path(run["dir"], "output.log").read_text().strip() == repr([sys.prefix, str(project)])
    assert (run["kind"], run["project"]) == ("command", "model")


def test_rerun_changes_keys_also_when_the_project_is_forgotten(cli: Cli, project: Path) -> None:
    first = cli.json("run", "model:base", "--wait")
    cli("project", "rm", "model")
    (project / "configs" / "base.yaml").unlink()
    again = cli.json("rerun", first["name"], "optimizer.lr=0.25", "+new.key=1", "--wait")
    seen = printed(cli, again)
    assert seen["config"] == first["config"] | {"optimizer": {"lr": 0.25, "name": "no"}, "new": {"key": 1}}
    assert seen["file"] == f"{again['dir']}/config.yaml"
    assert again["project"] == "model"
    assert "no such key" in cli("rerun", first["name"], "optimzer.lr=1", code=2).stderr


def test_rerun_of_a_script_keeps_its_arguments_and_takes_no_keys(cli: Cli, project: Path) -> None:
    first = cli.json("run", "model:train.py", "--wait", "--", "--epochs", "5")
    assert printed(cli, cli.json("rerun", first["name"], "--wait"))["epochs"] == 5
    assert "was given no config" in cli("rerun", first["name"], "seed=2", code=2).stderr


def test_resume_starts_the_same_with_the_same_config(cli: Cli, project: Path) -> None:
    first = cli.json("run", "model:base", "crash=true", "--wait", code=1)
    again = cli.json("resume", first["name"], "--wait")
    assert (again["status"], again["attempt"]) == ("completed", 2)
    lines = [json.loads(line) for line in Path(again["dir"], "output.log").read_text().splitlines() if line[0] == "{"]
    assert [line["attempt"] for line in lines] == ["1", "2"]
    assert lines[0]["config"] == lines[1]["config"]


def test_a_dry_run_shows_all_and_starts_nothing(cli: Cli, project: Path) -> None:
    plan = cli.json("run", "model:base", "seed=3", "--dry-run")
    assert plan["config"]["seed"] == 3
    assert plan["command"] == [f"{sys.prefix}/bin/python", "train.py", "--config", f"{plan['dir']}/config.yaml"]
    assert (plan["cwd"], plan["venv"], plan["project"], plan["adapter"]) == (
        str(project),
        sys.prefix,
        "model",
        "command",
    )
    assert "seed: 3" in cli("run", "model:base", "seed=3", "--dry-run").stdout
    assert not (cli.home / "mlhub.db").exists()


@pytest.mark.parametrize(
    "words", [("--venv", ".", "--no-venv"), ("--python", "3", "--no-venv"), ("--python", "3", "--venv", ".")]
)
def test_what_excludes_each_other_is_refused_by_add_and_set_alike(cli: Cli, project: Path, words: list[str]) -> None:
    added = cli("project", "add", str(project), "--name", "other", *words, code=2).stderr
    assert added.startswith("error: both --")
    assert cli("project", "set", "model", *words, code=2).stderr == added


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["modle:base"], "did you mean model?"),
        (["model:bse"], "There are: configs/base.yaml"),
        (["model:"], "what is to be run?"),
        (["model:nothing.py"], "no script 'nothing.py'; did you mean"),
        (["model:base", "sede=2"], "did you mean seed?"),
        (["model:base", "lr=2"], "did you mean optimizer.lr?"),
        (["model:base", "zzz=2"], "It has optimizer.lr, optimizer.name, seed, crash; +zzz=… adds"),
        (["model:base", "seed"], "expected KEY=VALUE"),
        (["model:base", "optimizer=3"], "Its keys: optimizer.lr, optimizer.name"),
        (["model:base", "--venv", "/x"], "has its own"),
        (["model:../../../etc/passwd"], "no config"),
    ],
)
def test_a_mistake_is_told_in_two_lines(cli: Cli, project: Path, words: list[str], said: str) -> None:
    done = cli("run", *words, code=None)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert done.stderr.count("\n") == 2, done.stderr
    assert not (cli.home / "mlhub.db").exists() or cli.json("ls") == []


def test_a_config_that_leads_out_of_the_project_is_refused(cli: Cli, project: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text("token: hunter2\n")
    (project / "configs" / "out.yaml").symlink_to(tmp_path / "secret.yaml")
    said = cli("run", "model:configs/out.yaml", code=2).stderr
    assert "leads out of the project's folder" in said
    assert "hunter2" not in said
    assert "out.yaml" not in cli("run", "model:nothing", code=1).stderr


def test_commit_and_branch_are_recorded(cli: Cli, bare: Path) -> None:
    cli("project", "add", bare.as_uri(), "--branch", "dev", "--no-venv", "--name", "cloned")
    run = cli.json("run", "cloned:", "--wait", "--", "true")
    facts = json.loads(Path(run["dir"], "spec.json").read_text())
    work = cli.home / "projects" / "cloned"
    assert facts["git"]["commit"] == git(work, "rev-parse", "HEAD")
    assert facts["git"]["branch"] == "dev"
    for file in cli.home.glob("mlhub.db*"):
        file.unlink()
    made_anew = cli.json("ls")[0]
    assert (made_anew["project"], made_anew["adapter"]) == ("cloned", "command")


def test_a_secret_in_a_config_reaches_the_script_and_no_list(cli: Cli, project: Path) -> None:
    (project / "configs" / "base.yaml").write_text("api_key: abcdefgh123\npad_token: <pad>\n")
    run = cli.json("run", "model:base", "--wait")
    assert printed(cli, run)["config"]["api_key"] == "abcdefgh123"
    assert run["config"] == {"api_key": "***", "pad_token": "<pad>"}
    assert "abcdefgh123" not in Path(run["dir"], "spec.json").read_text()


def test_a_program_that_reads_json_gets_json(cli: Cli, project: Path) -> None:
    adapters = cli.home / "adapters"
    adapters.mkdir()
    (adapters / "own.yaml").write_text(
        "programs: {train: [{command: ['{python}', '{script}', --config, '{config}'], config: json}]}\nshows: [score]\n"
        "metrics: [{name: score, better: min}]\n"
    )
    cli("project", "set", "model", "--adapter", "own")
    run = cli.json("run", "model:base", "seed=2", "--wait")
    assert printed(cli, run)["file"] == f"{run['dir']}/config.json"
    assert json.loads(Path(run["dir"], "config.json").read_text()) == run["config"]
    assert yaml.safe_load(Path(run["dir"], "config.yaml").read_text()) == run["config"]
    (adapters / "own.yaml").write_text("broken: [")  # what was started with it can still be listed and started again
    assert cli.json("ls")[0]["adapter"] == "own"
    assert cli.json("rerun", "@last", "--wait")["status"] == "completed"


def test_the_metric_of_the_adapter_stands_in_the_list(cli: Cli, project: Path) -> None:
    (cli.home / "adapters").mkdir()
    (cli.home / "adapters" / "own.yaml").write_text(
        "programs: {train: ['{python}', '{script}']}\nshows: ['quality/*']\n"
    )
    (project / "score.py").write_text("import mlhub\nmlhub.log({'val/loss': 2.0, 'quality/odd': 0.25}, step=1)\n")
    cli("project", "set", "model", "--adapter", "own")
    cli("run", "model:score.py", "--wait")
    head, row = cli("ls").stdout.splitlines()
    assert "quality/odd" in head
    assert " 0.25 " in row


def test_add_tells_what_was_found(cli: Cli, folder: Path) -> None:
    found = cli.json("project", "add", str(folder), "--no-venv")
    assert found["detected"]["configs"] == ["configs/base.yaml"]
    assert [script["path"] for script in found["detected"]["scripts"]] == ["train.py"]
    assert found["environment"]["folder"] is None
    assert cli.json("project", "show", "model") == found
    assert "exists already" in cli("project", "add", str(folder), code=2).stderr
    assert [row["name"] for row in cli.json("project", "ls")] == ["model"]


def test_an_environment_that_lies_in_the_folder_is_used_and_never_removed(cli: Cli, folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / ".venv")], check=True)
    found = cli.json("project", "add", str(folder))
    assert found["environment"] == found["environment"] | {
        "own": False,
        "state": "ready",
        "folder": str(folder / ".venv"),
    }
    cli("project", "env", "model", code=2)
    cli("project", "rm", "model")
    assert (folder / ".venv" / "bin" / "python").exists()
    assert (folder / "train.py").exists()


def test_rm_takes_a_clone_only_if_nothing_in_it_would_be_lost(cli: Cli, bare: Path) -> None:
    cli("project", "add", bare.as_uri(), "--no-venv")
    clone = cli.home / "projects" / "model"
    (clone / "mine.txt").write_text("mine")
    assert "not committed" in cli("project", "rm", "model", code=1).stderr
    assert (clone / "mine.txt").exists()
    assert cli.json("project", "rm", "model", "--force")["removed"] == [str(clone)]
    assert not clone.exists()


def test_a_damaged_entry_is_named_and_keeps_nobody_from_the_others(cli: Cli, project: Path) -> None:
    (cli.home / "registry" / "torn.json").write_text('{"name": "to')
    (cli.home / "registry" / "liar.json").write_text('{"name": "model", "folder": "/etc"}')
    done = cli("project", "ls", "--json")
    assert [row["name"] for row in json.loads(done.stdout)] == ["model"]
    assert "torn.json: damaged" in done.stderr
    assert "liar.json: damaged" in done.stderr
    assert "rm " in cli("project", "show", "torn", code=1).stderr


@pytest.mark.parametrize("name", ["../x", "a/b", "", "-x", "a b", "x" * 65, "a:b", ".hidden", "x.git", "a\x1b[2J"])
def test_a_name_that_is_none_is_refused(home: Home, folder: Path, name: str) -> None:
    with pytest.raises(UsageError) as error:
        add(home, str(folder), name=name)
    assert "\x1b" not in error.value.message
    assert registry.names(home) == []


def test_a_folder_whose_name_is_hostile_is_shown_clean(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "a\x1b[31m b"
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "x\x1b[2J\n.yaml").write_text("a: 1\n")
    cli("project", "add", str(folder), "--no-venv", "--name", "odd")
    for words in (["show", "odd"], ["ls"]):
        done = cli("project", *words)
        assert "\x1b" not in done.stdout + done.stderr


def test_hostile_names_of_files_are_shown_clean_and_quoted_where_a_shell_may_get_them(cli: Cli, folder: Path) -> None:
    for name in ("$(id).yaml", "new\nline.yaml", "z\x1b[31mred.yaml", "-rf.yaml"):
        (folder / "configs" / name).write_text("a: 1\n")
    (folder / os.fsdecode(b"\xff.yaml")).write_text("a: 1\n")  # which no JSON can hold
    cli("project", "add", str(folder), "--no-venv")
    shown = cli("project", "show", "model").stdout
    assert "mlhub run 'model:configs/$(id).yaml'\n" in shown
    assert "\x1b" not in shown
    assert "configs/new line.yaml" in shown
    assert "configs/new\nline.yaml" in cli.json("project", "show", "model")["detected"]["configs"]
    assert "mlhub run 'model:configs/$(id).yaml'," in cli("run", "model:", code=2).stderr


def test_a_folder_that_is_gone_is_said(cli: Cli, project: Path, tmp_path: Path) -> None:
    project.rename(tmp_path / "moved")
    cli("project", "set", "model", "--python", "3")
    for words in (("run", "model:base"), ("project", "update", "model"), ("project", "env", "model")):
        assert "its folder is gone" in cli(*words, code=1).stderr
    assert "(gone)" in cli("project", "ls").stdout


def test_which_script_is_asked_where_two_could_be_meant(cli: Cli, project: Path) -> None:
    (project / "train.py").rename(project / "one.py")
    (project / "two.py").write_text((project / "one.py").read_text())
    assert "which script takes the config? one.py, two.py" in cli("run", "model:base", code=2).stderr
    cli("project", "set", "model", "--script", "two.py")
    assert cli.json("run", "model:base", "--dry-run")["command"][1] == "two.py"
    assert "no such file" in cli("project", "set", "model", "--script", "../x.py", code=2).stderr


def test_the_screens_form_takes_other_values_and_new_keys(cli: Cli, project: Path) -> None:
    run = cli.json("run", "model:base", "--wait")
    settings = Settings.load({"MLHUB_HOME": str(cli.home)})
    store = Store.open(settings.to_home())
    form = form_of(store, store.find(run["name"]))
    text = form.text.replace("seed: 1\n", "seed: 9\n  extra: {deep: 2}\n")
    assert {"seed 1 → 9", "+extra.deep null → 2"} <= set(changes(form, text).split(", "))
    start(store, settings, form, text)
    again = cli.json("wait", "@last", code=None)
    started = again[0] if isinstance(again, list) else again
    assert printed(cli, started)["config"] == run["config"] | {"seed": 9, "extra": {"deep": 2}}
    with pytest.raises(ConfigError, match="is missing"):
        changes(form, form.text.replace("  seed: 1\n", ""))
    store.close()


@pytest.mark.slow
def test_a_lightning_cli_gets_its_config_and_its_loss_is_compared(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "lit"
    (folder / "configs").mkdir(parents=True)
    (folder / "fit.py").write_text(LIGHTNING)
    (folder / "configs" / "base.yaml").write_text(
        "trainer: {max_epochs: 1, accelerator: cpu, logger: false, enable_progress_bar: false}\nmodel: {lr: 1e-2}\n"
    )
    cli("project", "add", str(folder), "--venv", sys.prefix)
    run = cli.json("run", "lit:base", "model.lr=0.5", "+trainer.limit_train_batches=3", "--wait")
    assert run["status"] == "completed", Path(run["dir"], "output.log").read_text()
    assert run["adapter"] == "lightning"
    assert run["config"]["model"] == {"lr": 0.5}
    assert run["summary"]["train_loss"]["last"] == 0.5  # which is what the model logs: its lr, as it got it
    assert "train_loss" in cli("ls").stdout.splitlines()[0]
