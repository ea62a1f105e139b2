"""The code of two runs: real repositories, real git."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from mlhub.compare.code import Side, differ
from mlhub.runner.spec import git_state

if TYPE_CHECKING:
    from pathlib import Path


def git(folder: Path, *arguments: str) -> str:
    name = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *name, "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "train.py").write_text("lr = 1\nsteps = 2\nseed = 3\n")
    (folder / "other.py").write_text("x = 1\n")
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "words")


def recorded(folder: Path) -> Side:
    """As a run that starts now would have it on record."""
    return Side.of(git_state(folder))


def listing(folder: Path) -> str:
    """Every file of a folder and what is in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(str(path).encode() + path.read_bytes() for path in files)).hexdigest()


def test_one_commit_and_no_change_is_no_difference(tree: Path) -> None:
    assert differ(recorded(tree), recorded(tree)).how == "same"


def test_two_commits_differ_in_the_lines_between_them(tree: Path) -> None:
    before = recorded(tree)
    (tree / "train.py").write_text("lr = 5\nsteps = 2\nseed = 3\n")
    commit(tree)
    found = differ(before, recorded(tree))
    assert (found.how, found.files) == ("trees", (("train.py", 1, 1),))
    assert "-lr = 1\n+lr = 5\n" in found.text


def test_uncommitted_changes_of_both_sides_are_in_it(tree: Path) -> None:
    (tree / "train.py").write_text("lr = 7\nsteps = 2\nseed = 3\n")
    before = recorded(tree)
    git(tree, "checkout", "--quiet", "train.py")
    (tree / "other.py").write_text("x = 2\n")
    commit(tree)
    (tree / "train.py").write_text("lr = 8\nsteps = 2\nseed = 3\n")
    found = differ(before, recorded(tree))
    assert "-lr = 7\n+lr = 8\n" in found.text
    assert "lr = 1" not in found.text
    assert [file.path for file in found.files] == ["other.py", "train.py"]


def test_a_change_that_was_committed_since_is_no_difference(tree: Path) -> None:
    (tree / "train.py").write_text("lr = 7\nsteps = 2\nseed = 3\n")
    before = recorded(tree)
    commit(tree)
    found = differ(before, recorded(tree))
    assert (found.how, found.files, found.text) == ("trees", (), "")


def test_the_users_repository_is_not_touched(tree: Path) -> None:
    before = recorded(tree)
    (tree / "train.py").write_text("lr = 7\nsteps = 2\nseed = 3\n")
    after, seen = recorded(tree), listing(tree)
    assert differ(before, after).text
    assert listing(tree) == seen


def test_programs_that_a_repository_names_are_not_run(tree: Path, tmp_path: Path) -> None:
    before = recorded(tree)
    (tree / "train.py").write_text("lr = 7\nsteps = 2\nseed = 3\n")
    after = recorded(tree)
    (tree / ".gitattributes").write_text("*.py diff=evil filter=evil\n")
    program = f"touch {tmp_path / 'ran'}; cat"
    for key in ("diff.evil.textconv", "diff.external", "filter.evil.clean", "filter.evil.smudge", "core.fsmonitor"):
        git(tree, "config", key, program)
    hook = tree / ".git" / "hooks" / "post-index-change"
    hook.write_text(f"#!/bin/sh\n{program}\n")
    hook.chmod(0o755)
    assert "+lr = 7" in differ(before, after).text
    assert not (tmp_path / "ran").exists()


def test_a_change_with_a_secret_taken_out_is_named_and_the_rest_is_there(tree: Path) -> None:
    (tree / "other.py").write_text('x = 1\npassword = "hunter22"\n')
    commit(tree)
    before = recorded(tree)
    (tree / "other.py").write_text('x = 1\npassword = "hunter33"\n')
    (tree / "train.py").write_text("lr = 7\nsteps = 2\nseed = 3\n")
    found = differ(before, recorded(tree))
    assert "+lr = 7" in found.text
    assert "hunter33" not in str(found)
    assert any("B's uncommitted changes of other.py" in note for note in found.notes)


def test_a_diff_that_was_cut_short_gives_what_is_whole(tree: Path) -> None:
    before = recorded(tree)
    (tree / "other.py").write_text("x = 2\n")
    (tree / "train.py").write_text("lr = 7\nsteps = 2\nseed = 3\n")
    whole = recorded(tree)
    found = differ(before, whole._replace(patch=whole.patch[:-12]))
    assert [file.path for file in found.files] == ["other.py"]
    assert any("train.py" in note for note in found.notes)


def test_a_commit_that_is_gone_is_said_and_the_changes_are_compared(tree: Path) -> None:
    (tree / "train.py").write_text("lr = 7\nsteps = 2\nseed = 3\n")
    before = recorded(tree)._replace(commit="1" * 40)
    (tree / "train.py").write_text("lr = 8\nsteps = 2\nseed = 3\n")
    found = differ(before, recorded(tree))
    assert found.how == "patches"
    assert "-+lr = 7\n++lr = 8\n" in found.text
    assert "commit 111111111111 is no longer in" in found.notes[0]


def test_a_repository_that_was_removed_is_said(tree: Path) -> None:
    before = recorded(tree)
    (tree / "train.py").write_text("lr = 8\nsteps = 2\nseed = 3\n")
    after = recorded(tree)
    shutil.rmtree(tree)
    found = differ(before, after)
    assert found.how == "patches"
    assert "is gone" in found.notes[0]
    assert "++lr = 8" in found.text


def test_two_clones_are_compared_though_neither_has_the_others_commit(tree: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(tree), str(clone))
    for folder, value in ((tree, 4), (clone, 5)):
        (folder / "train.py").write_text(f"lr = {value}\nsteps = 2\nseed = 3\n")
        commit(folder)
    assert "-lr = 4\n+lr = 5\n" in differ(recorded(tree), recorded(clone)).text


def test_no_repository_on_record_is_said(tree: Path) -> None:
    found = differ(Side.of(None), recorded(tree))
    assert found.how == "unknown"
    assert "A did not run from a git repository" in found.notes[0]


def test_a_run_from_a_repository_without_a_commit_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    git(folder, "init", "--quiet")
    before = recorded(folder)
    (folder / "a.py").write_text("1\n")
    commit(folder)
    assert differ(before, recorded(folder)).files == (("a.py", 1, 0),)


@pytest.mark.parametrize(
    "git_of_spec",
    [3, [], {"root": 1, "commit": ["x"], "diff": {}, "untracked": "abc"}, {"root": "/", "commit": "--upload-pack=x"}],
)
def test_what_is_no_record_of_git_breaks_nothing(git_of_spec: object) -> None:
    found = differ(Side.of(git_of_spec), Side.of({"root": "/nowhere", "commit": "1" * 40}))
    assert found.how in ("unknown", "patches")
    assert found.notes


def test_a_patch_that_leaves_the_tree_changes_nothing(tree: Path, tmp_path: Path) -> None:
    before = recorded(tree)
    evil = "diff --git a/../../evil b/../../evil\nnew file mode 100644\n--- /dev/null\n+++ b/../../evil\n"
    evil += "@@ -0,0 +1 @@\n+x\n"
    found = differ(before, before._replace(patch=evil))
    assert not list(tmp_path.rglob("evil"))
    assert any("evil" in note for note in found.notes)


def test_renamed_files_are_one_entry(tree: Path) -> None:
    before = recorded(tree)
    git(tree, "mv", "train.py", "fit.py")
    commit(tree)
    assert [file.path for file in differ(before, recorded(tree)).files] == ["train.py → fit.py"]
