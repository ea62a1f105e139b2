"""What is seen in a project by reading it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlhub.projects.detect import MOST_FILES, configs, look, read_script

CALL = "import sys\nprint(sys.argv)\n"


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        file = folder / name.replace("__", "/").replace("_py", ".py").replace("_yaml", ".yaml").replace(
            "_json", ".json"
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.mark.parametrize(
    ("text", "adapter", "uses"),
    [
        ("from lightning.pytorch.cli import LightningCLI\nLightningCLI()", "lightning", {"LightningCLI"}),
        ("import pytorch_lightning as pl\npl.Trainer().fit(1)", "lightning", {"Trainer"}),
        ("from transformers import Trainer, TrainingArguments\nTrainer()", "huggingface", {"Trainer"}),
        ("from transformers import AutoModel\nAutoModel()", "command", set()),
        ("import hydra\n@hydra.main()\ndef f(c): ...\nf()", "hydra", {"hydra"}),
        (
            "import argparse\np = argparse.ArgumentParser()\np.add_argument('--config')\np.parse_args()",
            "command",
            {"--config"},
        ),
        ("if __name__ == '__main__':\n    go()", "command", {"go"}),
        ("for i in range(3):\n    step(i)", "command", {"step"}),
    ],
)
def test_a_script_is_known_by_its_text(tmp_path: Path, text: str, adapter: str, uses: set[str]) -> None:
    (tmp_path / "a.py").write_text(text)
    script = read_script(tmp_path, "a.py")
    assert script is not None
    assert script.adapter == adapter
    assert uses <= script.uses


@pytest.mark.parametrize(
    "text", ["def f(): ...", "X = 1", "", "print(", "\0", "(" * 5000, "x = " + "-" * 20_000 + "1", "'''doc'''"]
)
def test_what_does_nothing_or_can_not_be_read_is_no_script(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.py").write_text(text)
    assert read_script(tmp_path, "a.py") is None


def test_links_out_of_the_project_are_neither_listed_nor_read(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    write(clone, train_py=CALL, conf__mine_yaml="a: 1")
    (tmp_path / "secret.yaml").write_text("token: hunter2")
    (tmp_path / "other.py").write_text(CALL)
    (clone / "conf" / "out.yaml").symlink_to(tmp_path / "secret.yaml")
    (clone / "conf" / "in.yaml").symlink_to("mine.yaml")
    (clone / "run.py").symlink_to(tmp_path / "other.py")
    found = look(clone)
    assert found.configs == ("conf/in.yaml", "conf/mine.yaml")
    assert found.configs == tuple(configs(clone))
    assert [script.path for script in found.scripts] == ["train.py"]


def test_options_without_a_value_are_known(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--amp', action='store_true')\n"
        "p.add_argument('--fast', action=argparse.BooleanOptionalAction)\n"
        "p.add_argument('-l', '--lr')\np.parse_args()\n"
    )
    script = read_script(tmp_path, "a.py")
    assert script is not None
    assert script.flags == {"--amp", "--fast", "--no-fast"}
    assert "--lr" in script.options


def test_configs_are_found_where_they_usually_lie(tmp_path: Path) -> None:
    write(
        tmp_path, configs__a_yaml="", src__conf__model__b_yaml="", base_yaml="", train_args_json="{}",
        environment_yaml="", mkdocs_yaml="", package_json="{}", other__c_yaml="", wandb__configs__x_yaml="",
    )  # fmt: skip
    (tmp_path / ".github" / "configs").mkdir(parents=True)
    (tmp_path / ".github" / "configs" / "ci.yaml").write_text("")
    assert look(tmp_path).configs == ("base.yaml", "configs/a.yaml", "src/conf/model/b.yaml", "train_args.json")


def test_the_script_that_trains_comes_first(tmp_path: Path) -> None:
    write(
        tmp_path,
        tools__convert_py=CALL,
        plot_py=CALL,
        train_py=CALL,
        src__train_py=CALL,
        lit_py="import lightning\nlightning.x()",
    )
    assert [script.path for script in look(tmp_path).scripts][:2] == ["train.py", "src/train.py"]


def test_environments_and_links_are_not_looked_into(tmp_path: Path) -> None:
    write(tmp_path, myenv__train_py=CALL, real__train_py=CALL)
    (tmp_path / "myenv" / "pyvenv.cfg").touch()
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert [script.path for script in look(tmp_path).scripts] == ["real/train.py"]


def test_a_huge_folder_is_looked_at_in_part(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    for number in range(MOST_FILES + 2):
        (tmp_path / "configs" / f"{number}.yaml").touch()
    found = look(tmp_path)
    assert found.cut
    assert len(found.configs) == MOST_FILES


def test_nothing_of_a_project_is_run(tmp_path: Path) -> None:
    write(tmp_path, train_py=f"open({str(tmp_path / 'ran')!r}, 'w').close()\n", conftest_py=CALL)
    look(tmp_path)
    assert not (tmp_path / "ran").exists()
