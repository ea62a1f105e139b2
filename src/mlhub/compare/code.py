"""The code of two runs beside each other: their commits with their uncommitted changes, as one `git diff`.

Not pure like its neighbours: it runs git, on a repository of its own in a temporary folder that borrows the objects of
the users'. So nothing is ever written into theirs, no work tree is touched, and none of their hooks, filters or helper
programs run. What can't be had (a commit that is gone, a change of which spec.json has only a part) is named.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mlhub.text import first_few, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: of a longer diff the beginning is kept, cut at a line
LIMIT = 4 << 20
#: git has so long for all of it
_SECONDS = 120.0
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_FILE = re.compile(r"^diff --git ", re.MULTILINE)


class Side(NamedTuple):
    """The code of one run as spec.json's `git` has it. `commit`: None where there was no repository, or none yet."""

    root: str | None
    commit: str | None
    patch: str
    untracked: tuple[str, ...]
    note: str

    @classmethod
    def of(cls, git: object) -> Side:
        """Of whatever spec.json holds: files are outside data."""
        tree: Mapping[str, Any] = git if isinstance(git, dict) else {}
        words = {key: value if isinstance(value := tree.get(key), str) else "" for key in ("root", "commit", "note")}
        patch, names = tree.get("diff"), tree.get("untracked")
        commit = words["commit"] if _COMMIT.fullmatch(words["commit"]) else None
        return cls(
            words["root"] or None,
            commit,
            patch if isinstance(patch, str) else "",
            tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else (),
            one_line(words["note"]),
        )


class File(NamedTuple):
    """A file that differs; lines None where it is binary."""

    path: str
    added: int | None
    removed: int | None


@dataclass(frozen=True, slots=True)
class CodeDifference:
    """`how`: `same`, `trees` (all of the code), `patches` (only the uncommitted changes) or `unknown`.

    `text` is a unified diff as git writes it, outside text as it is; `notes` say what is missing in it, and why.
    """

    how: str
    files: tuple[File, ...] = ()
    text: str = ""
    notes: tuple[str, ...] = ()
    untracked: tuple[tuple[str, ...], tuple[str, ...]] = field(default=((), ()))

    def to_json(self) -> dict[str, Any]:
        """Files as objects; untracked files by side."""
        return {
            "how": self.how,
            "files": [one._asdict() for one in self.files],
            "diff": self.text,
            "notes": list(self.notes),
            "untracked": {"a": list(self.untracked[0]), "b": list(self.untracked[1])},
        }


def differ(a: Side, b: Side) -> CodeDifference:
    """What differs between the code of two runs. Never raises: where git can't tell, `notes` say why."""
    untracked = (a.untracked, b.untracked)
    notes = [f"{name}: {side.note}" for name, side in (("A", a), ("B", b)) if side.note]
    if a.root is None or b.root is None:
        without = " and ".join(name for name, side in (("A", a), ("B", b)) if side.root is None)
        notes.append(f"{without} did not run from a git repository: there is no code on record to compare")
        return CodeDifference("unknown", notes=tuple(notes), untracked=untracked)
    if (a.commit, a.patch) == (b.commit, b.patch):
        return CodeDifference("same", notes=tuple(notes), untracked=untracked)
    try:
        with tempfile.TemporaryDirectory(prefix="mlhub-diff-") as folder:
            git = _Git(Path(folder), a, b)
            trees = [git.tree(name, side, notes) for name, side in (("A", a), ("B", b))]
            files, text = git.differ(*trees)
    except _GitError as error:
        notes.append(f"{error}; the recorded uncommitted changes are compared instead")
        if a.commit != b.commit:
            notes.append(f"what lies between the commits {_short(a)} and {_short(b)} can't be shown")
        return CodeDifference("patches", (), _differ_patches(a, b), tuple(notes), untracked)
    return CodeDifference("trees", files, _cut(text, notes), tuple(notes), untracked)


def _short(side: Side) -> str:
    return (side.commit or "(none)")[:12]


def _cut(text: str, notes: list[str]) -> str:
    if len(text) <= LIMIT:
        return text
    notes.append(f"the diff has {len(text)} characters; its first {LIMIT} are shown")
    return text[: text.rfind("\n", 0, LIMIT) + 1]


class _GitError(Exception):
    """Git can't do it, and why, in one line."""


class _Git:
    """A bare repository in a temporary folder, with the objects of the two runs' repositories to read."""

    def __init__(self, folder: Path, a: Side, b: Side) -> None:
        self._folder = folder
        self._deadline = time.monotonic() + _SECONDS
        kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")
        self._environment = {key: value for key, value in os.environ.items() if key in kept} | {
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0",
            "GIT_NO_LAZY_FETCH": "1", "GIT_ATTR_NOSYSTEM": "1",
        }  # fmt: skip
        # where the users' objects lie their own git says, which knows work trees and their trust in each other's files
        objects = [self._objects(side) for side in (a, b)]
        form = "sha256" if len(a.commit or b.commit or "") == 64 else "sha1"
        self._run("init", "--quiet", "--bare", f"--object-format={form}", str(folder / "git"))
        self._environment["GIT_DIR"] = str(folder / "git")
        lines = "".join(f"{path}\n" for path in dict.fromkeys(objects))
        (folder / "git" / "objects" / "info" / "alternates").write_text(lines, encoding="utf-8")

    def _objects(self, side: Side) -> str:
        root = str(side.root)
        if not os.path.isdir(root):
            raise _GitError(f"the repository {one_line(root)} is gone")
        # no fsmonitor: a repository may name any program for that
        found = self._run("-c", "core.fsmonitor=false", "-C", root, "rev-parse", "--git-path", "objects").strip()
        path = os.path.realpath(os.path.join(root, found))
        if "\n" in path or not os.path.isdir(path):
            raise _GitError(f"the repository {one_line(root)} can't be read")
        return path

    def tree(self, name: str, side: Side, notes: list[str]) -> str:
        """The tree of the commit with the uncommitted changes in it, as an object of ours."""
        index = {"GIT_INDEX_FILE": str(self._folder / f"index-{name}")}
        if side.commit is None:
            self._run("read-tree", "--empty", more=index)
        else:
            try:
                self._run("cat-file", "-e", f"{side.commit}^{{commit}}")
            except _GitError:
                raise _GitError(f"commit {_short(side)} is no longer in {one_line(str(side.root))}") from None
            self._run("read-tree", side.commit, more=index)
        if side.patch and (left := self._apply(side.patch, index)):
            some = first_few(left, 5)
            notes.append(f"{name}'s uncommitted changes of {some} are not in it: binary, cut short or with a secret")
        return self._run("write-tree", more=index).strip()

    def _apply(self, patch: str, index: Mapping[str, str]) -> list[str]:
        """Apply a patch to an index: whole, else file by file; the names of the files it could not be applied to."""
        left = []
        parts = [patch]
        strip = "-p1" if re.search(r"^diff --git \"?\w/", patch, re.MULTILINE) else "-p0"
        arguments = ("apply", "--cached", "--whitespace=nowarn", strip, "-")
        try:
            self._run(*arguments, given=patch, more=index)
        except _GitError:
            starts = [match.start() for match in _FILE.finditer(patch)]
            parts = [patch[start:end] for start, end in zip(starts, [*starts[1:], len(patch)], strict=True)]
        else:
            return []
        for part in parts:
            try:
                self._run(*arguments, given=part, more=index)
            except _GitError:
                left.append(_name_in(part))
        return left

    def differ(self, a: str, b: str) -> tuple[tuple[File, ...], str]:
        """The files that differ between two trees, and the diff."""
        how = ("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--find-renames", "--src-prefix=a/",
               "--dst-prefix=b/")  # fmt: skip
        files = _numbers(self._run(*how, "--numstat", "-z", a, b))
        return files, self._run(*how, a, b)

    def _run(self, *arguments: str, given: str = "", more: Mapping[str, str] | None = None) -> str:
        try:
            done = subprocess.run(
                ("git", *arguments),
                env=self._environment | dict(more or {}),
                cwd=self._folder,
                input=given.encode(errors="surrogatepass"),
                capture_output=True,
                timeout=max(0.01, self._deadline - time.monotonic()),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _GitError(f"git took longer than {_SECONDS:.0f} s") from None
        except (OSError, ValueError) as error:
            raise _GitError(f"git can't be run: {one_line(str(error))}") from None
        if done.returncode:
            words = one_line(done.stderr.decode(errors="replace")) or f"it ended with {done.returncode}"
            raise _GitError(f"git {arguments[0]}: {words}")
        return done.stdout.decode(errors="replace")


def _name_in(part: str) -> str:
    """The file that one file's part of a patch is about."""
    line = part.partition("\n")[0].removeprefix("diff --git ")
    return one_line(line[(len(line) + 1) // 2 :].removeprefix("b/").removeprefix("w/")) or "a file"


def _numbers(text: str) -> tuple[File, ...]:
    """`--numstat -z`: `added TAB removed TAB path NUL`, and of a renamed file `… TAB NUL old NUL new NUL`."""
    found: list[File] = []
    words = iter(text.split("\0"))
    for word in words:
        added, _, rest = word.partition("\t")
        removed, tab, path = rest.partition("\t")
        if not tab:
            continue
        if not path:
            path = f"{next(words, '')} → {next(words, '')}"
        numbers = [int(number) if number.isdecimal() else None for number in (added, removed)]
        found.append(File(path, *numbers))
    return tuple(found)


def _differ_patches(a: Side, b: Side) -> str:
    """The difference of two patches, as text; "" if they are alike."""
    import difflib

    first, second = a.patch[: LIMIT // 4].splitlines(), b.patch[: LIMIT // 4].splitlines()
    names = ("A's uncommitted changes", "B's uncommitted changes")
    return "".join(f"{line}\n" for line in difflib.unified_diff(first, second, *names, lineterm=""))
