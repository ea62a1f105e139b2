"""A rerun as a text: what is in it, what its changes come to, and what can't be taken."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mlhub.config import load_config
from mlhub.errors import MlhubError
from mlhub.runner.submit import Request, submit
from mlhub.settings import Settings
from mlhub.store.store import Store
from mlhub.tui.acting import rerun
from tests.conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.paths import Home

PRESET = Path("configs/quickstart.yaml")


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    from mlhub.runner.ending import stop_all

    store = Store.open(home)
    yield store
    stop_all(store, store.active(), 0.0)
    store.close()


def ended(store: Store, **more: Any) -> Any:
    """A run that was started and has ended."""
    from mlhub.runner.reconcile import refresh

    run = submit(store, Request(**({"command": ("true",)} | more)))
    return wait_until(lambda: (now := refresh(store, store.reload(run))).status == "completed" and now)


def trained(store: Store, **more: Any) -> rerun.Form:
    """Of a run that was made from a preset; its program is another one here."""
    return rerun.form_of(store, ended(store, kind="train", config=load_config(PRESET), preset=PRESET, **more))


def test_only_changed_leaves_are_overrides(store: Store) -> None:
    form = trained(store)
    old = form.request.config.training
    text = form.text.replace(f"batch_size: {old.batch_size}", "batch_size: 32").replace("name:", "name: b")
    wanted = rerun.read(form, text)
    assert (wanted.overrides, wanted.name) == ({"training.batch_size": 32}, "b")
    assert f"training.batch_size {old.batch_size} → 32" in rerun.changes(form, text)


def test_what_is_left_as_it_is_changes_nothing(store: Store) -> None:
    form = trained(store, tags=("a", "b"), group="seeds")
    assert rerun.read(form, form.text).overrides == {}
    assert rerun.changes(form, form.text) == "nothing is changed: the same once more"


def test_a_key_that_was_removed_is_its_default(store: Store) -> None:
    form = trained(store)
    lines = [line for line in form.text.split("\n") if not line.startswith("    max_epochs:")]
    assert rerun.read(form, "\n".join(lines)).overrides == {"training.max_epochs": 30}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("max_epochs:", "max_epoch:", "did you mean training.max_epochs"),
        ("max_epochs:", "max_epochs: many #", "training.max_epochs: expected int"),
        ("config:", "config", "not valid YAML"),
        ("config:", "confi:", "config: is missing"),
        ("queue: false", "queue: maybe", "queue: expected true or false"),
        ("gpus: 0", "gpus: -1", "gpus: expected a number"),
        ("\nname:", "\nname: a/b", "not usable"),
        ("\nname:", "\nname: 12", "read as a run's id"),
        ("after:", "after: nobody", "no run 'nobody'"),
        ("group:", "groop:", "groop: unknown key"),
    ],
)
def test_what_can_not_be_taken_names_its_key(store: Store, old: str, new: str, words: str) -> None:
    form = trained(store)
    assert old in form.text
    with pytest.raises(MlhubError) as caught:
        rerun.start(store, Settings(), form, form.text.replace(old, new, 1))
    assert words in str(caught.value)
    assert len(store.newest(9)) == 1


def test_the_new_run_has_the_edited_configuration(store: Store, monkeypatch: Any) -> None:
    from mlhub import adapters
    from mlhub.runner import preflight

    monkeypatch.setattr(preflight, "check", lambda *_: None)
    monkeypatch.setattr(adapters.Adapter, "command", lambda *_: ("true",))
    form = trained(store, group="seeds")
    text = form.text.replace("languages:", "languages: [ko]\n    text_was:", 1)
    lines, skip = [], False
    for line in text.split("\n"):
        skip = line.startswith("    text_was:") or (skip and line.startswith("    -"))
        lines += [] if skip else [line]
    rerun.start(store, Settings(), form, "\n".join(lines).replace("tags: []", "tags: [new, 강아지]"))
    run = store.find("@last")
    assert (run.id, run.group, run.tags, run.config["data"]["languages"]) == (2, "seeds", ["new", "강아지"], ["ko"])
    wait_until(lambda: store.reload(run).status == "completed")


def test_an_odd_group_of_old_may_stay(store: Store) -> None:
    form = rerun.form_of(store, ended(store, group="a/b, \x1b[1m", tags=("x,y",)))
    wanted = rerun.read(form, form.text)
    assert (wanted.group, wanted.tags) == ("a/b, \x1b[1m", ("x,y",))


def command_form(store: Store, *argv: str) -> rerun.Form:
    return rerun.form_of(store, ended(store, command=argv))


@pytest.mark.parametrize(
    "words",
    [
        ("--flag", "two words", "", "'\"", "a\\b", "$HOME", "#x", "k: v", "- x"),
        ("first\n  second\n\nthird\n",),
        ("강아지 🐶", "\u202eevil\x1b[2J", "tab\there"),
        ("trailing \n spaces ",),
    ],
)
def test_a_command_comes_back_as_it_was(store: Store, words: tuple[str, ...]) -> None:
    argv = (sys.executable, "-c", "pass", *words)
    form = command_form(store, *argv)
    assert rerun.read(form, form.text).argv == argv
    assert not set(form.text) & set("\x1b\u202e")


def test_secrets_are_hidden_and_put_back_where_they_stay(store: Store) -> None:
    form = command_form(store, "true", "--api-key", "s3cret", "--token=t0ken", "x")
    assert "s3cret" not in form.text
    assert "t0ken" not in form.text
    wanted = rerun.read(form, form.text.replace(" x\n", " y\n"))
    assert wanted.argv == ("true", "--api-key", "s3cret", "--token=t0ken", "y")


def test_a_quotation_mark_that_is_not_closed_is_said(store: Store) -> None:
    form = command_form(store, "true")
    with pytest.raises(MlhubError, match="command: no closing quotation"):
        rerun.read(form, form.text.replace("  true", "  true 'x"))


def test_a_run_whose_folder_says_nothing_can_not_be_copied(store: Store) -> None:
    run = ended(store)
    for file in store.home.run(run.id).root.rglob("*.json"):
        file.unlink()
    with pytest.raises(MlhubError, match="does not say what was started"):
        rerun.form_of(store, run)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("true", None),
        ("./tool", None),
        ("sub/tool", None),
        ("./plain", "plain can't be executed"),
        ("./gone", "no program ./gone in "),
        ("/gone/tool", "no program /gone/tool"),
        ("plain", "no program plain in any folder of PATH"),
        ("tool", None),
    ],
)
def test_a_program_is_looked_for_as_a_start_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str | None
) -> None:
    (tmp_path / "sub").mkdir()
    for file, mode in (("tool", 0o755), ("sub/tool", 0o755), ("plain", 0o644)):
        (tmp_path / file).touch(mode)
    monkeypatch.setenv("PATH", "sub:/usr/bin:/bin")
    if words is None:
        rerun._check_program(name, tmp_path)
        return
    with pytest.raises(MlhubError) as raised:
        rerun._check_program(name, tmp_path)
    assert words in raised.value.message


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(MlhubError, match="its folder is gone"):
        rerun._check_program("./tool", tmp_path / "gone")
