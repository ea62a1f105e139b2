"""git, for clones: which URLs are taken, where a token comes from and who gets to see it, clone and pull.

A token is never an argument, never in a URL, never in a file: git asks `credential.py` for it, which reads it from the
environment it was started with, and only for the host it belongs to. Not the git facts of a run: `mlhub.runner.spec`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from mlhub.errors import MlhubError, UsageError
from mlhub.projects.stream import Done, run, told
from mlhub.text import one_line

#: the only transports; `ext::` runs a command, `fd::` reads any descriptor
_SCHEMES = ("https", "http", "ssh", "git", "file")
_SCP = re.compile(r"(?:[\w.-]+@)?[A-Za-z0-9][\w.-]*:(?!//)[^:].*")
_TOKEN = re.compile(r"gh[pousr]_|github_pat_|glpat-|hf_|\S{30,}")
_BRANCH = re.compile(r"(?!-)(?!.*(?:\.\.|//|@\{|\.lock$|/$))[^\s~^:?*\[\\\x00-\x20\x7f]{1,200}")
#: whose token a variable holds
_VARIABLES = {
    "github.com": ("GITHUB_TOKEN", "GH_TOKEN"),
    "gitlab.com": ("GITLAB_TOKEN",),
    "huggingface.co": ("HF_TOKEN",),
}
_USERS = {"github.com": "x-access-token"}
#: HOST:TOKEN, for any other
ANY_HOST = "MLHUB_GIT_TOKEN"
#: lines of git's that say nothing, and those of which the first becomes our error
_EMPTY = r"Cloning into|Please make sure you have the correct access|and the repository exists"
_TROUBLE = r"(?:remote: )?(?:fatal|error|ssh|Permission)"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PLACE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")


class Head(NamedTuple):
    """Where a working tree stands; `branch` is None on a tag or a bare commit."""

    commit: str | None
    branch: str | None


def is_url(text: str) -> bool:
    """Whether the words mean something to clone, and no folder."""
    return "://" in text or "::" in text or text.startswith("-") or bool(_SCP.fullmatch(text))


def check_url(text: str) -> str:
    """The URL, if it can be cloned from and holds no secret. Raises UsageError."""
    shown = one_line(told(text))[:200]
    if re.search(r"[\x00-\x20\x7f]", text) or text.startswith("-") or "::" in text.partition("/")[0]:
        raise UsageError(f"{shown!r}: no URL that is cloned from", "For example https://github.com/OWNER/NAME.git")
    if "://" not in text:
        return text
    try:
        url = urlsplit(text)
        host, password = url.hostname, url.password
    except ValueError:
        raise UsageError(f"{shown!r}: not a URL", "For example https://github.com/OWNER/NAME.git") from None
    if url.scheme.lower() not in _SCHEMES or (url.scheme != "file" and not host) or (host or "").startswith("-"):
        raise UsageError(f"{shown!r}: not a URL that is cloned from", f"It may begin with {', '.join(_SCHEMES)}.")
    if password is not None or _TOKEN.match(url.username or "") or url.query or url.fragment:
        name = _VARIABLES.get(host or "", (ANY_HOST,))[0]
        value = "TOKEN" if name != ANY_HOST else f"{host}:TOKEN"
        raise UsageError(
            f"{shown}: a password or token in a URL would be stored and shown",
            f"Take it out of the URL (and count it as seen): export {name}={value}, or git's credential helper.",
        )
    return text


def check_branch(name: str) -> str:
    """The name of a branch or tag. Raises UsageError for what git would take for something else."""
    if not _BRANCH.fullmatch(name):
        raise UsageError(f"--branch {one_line(name)!r:.80}: no name of a branch", "For example --branch main.")
    return name


def token_for(url: str, environment: dict[str, str]) -> str | None:
    """The token that the environment holds for the URL's host; None without one, or where it would be sent in clear."""
    parts = urlsplit(url) if "://" in url else None
    if parts is None or parts.hostname is None or not _is_private(parts):
        return None
    host, _, token = environment.get(ANY_HOST, "").rpartition(":")
    if host and token and host in (parts.hostname, parts.netloc.rpartition("@")[2]):
        return token
    return next((found for name in _VARIABLES.get(parts.hostname, ()) if (found := environment.get(name))), None)


def _is_private(parts: SplitResult) -> bool:
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def environment_for(url: str | None, environment: dict[str, str]) -> dict[str, str]:
    """The environment git is run with: it asks nobody, and gets the token from our helper, if there is one.

    With a token, helpers of the user's own are left out for once: git would give it to them to be stored.
    """
    env = {key: value for key, value in environment.items() if key not in (*_PLACE, "SSH_ASKPASS")}
    env |= {
        "GIT_TERMINAL_PROMPT": "0", "SSH_ASKPASS_REQUIRE": "never", "GIT_ALLOW_PROTOCOL": ":".join(_SCHEMES),
        "LC_ALL": "C",
    }  # fmt: skip
    token = token_for(url, environment) if url else None
    if not url or not token:
        return env
    parts = urlsplit(url)
    helper = shlex.join([sys.executable, "-I", "-S", str(Path(__file__).with_name("credential.py"))])
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    count = int(text) if (text := env.get("GIT_CONFIG_COUNT", "0")).isdecimal() else 0
    for key, value in (("credential.helper", ""), (f"credential.{place}.helper", f"!{helper}")):
        env |= {f"GIT_CONFIG_KEY_{count}": key, f"GIT_CONFIG_VALUE_{count}": value}
        count += 1
    user = parts.username or _USERS.get(parts.hostname or "", "oauth2")
    return env | {"GIT_CONFIG_COUNT": str(count), "MLHUB_CREDENTIAL": token, "MLHUB_CREDENTIAL_USER": user}


def clone(url: str, folder: Path, branch: str | None) -> None:
    """Clone into `folder`, which is there afterwards whole or not at all. Raises MlhubError."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.parent.glob(f".{folder.name}.*.partial"):  # of a clone that was killed
        shutil.rmtree(left, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent))
    try:
        words = [f"--branch={branch}"] if branch else []
        _run(["clone", "--progress", *words, "--", url, str(partial)], url, f"can't clone {told(url)}")
        partial.chmod(0o755)
        os.rename(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def pull(folder: Path, url: str | None) -> None:
    """`git pull --ff-only`: what was committed or changed here is never touched. Raises MlhubError."""
    _run(["-C", str(folder), "pull", "--ff-only", "--progress"], url, f"can't update {folder}")


def head(folder: Path) -> Head:
    """Commit and branch; both None where there is no repository or no commit."""
    commit = _ask(folder, "rev-parse", "HEAD")
    branch = _ask(folder, "rev-parse", "--abbrev-ref", "HEAD")
    return Head(commit, None if branch == "HEAD" else branch)


def origin(folder: Path) -> str | None:
    """The URL that a folder was cloned from."""
    return _ask(folder, "config", "--get", "remote.origin.url")


def unsaved(folder: Path) -> str | None:
    """What would be lost with a clone, in words: changes, or commits that no branch of the remote has."""
    if _ask(folder, "status", "--porcelain", "--untracked-files=normal"):
        return "there are changes that were not committed"
    if _ask(folder, "log", "--branches", "--not", "--remotes", "--format=%h", "-1"):
        return "there are commits that were not pushed"
    return None


def _ask(folder: Path, *words: str) -> str | None:
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", str(folder), *words]
    env = environment_for(None, dict(os.environ))
    try:
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() or None if done.returncode == 0 else None


def _run(words: list[str], url: str | None, what: str) -> Done:
    environment = dict(os.environ)
    env = environment_for(url, environment)
    token = env.get("MLHUB_CREDENTIAL")
    command = ["git", "-c", "core.fsmonitor=false", *words]
    done = run(command, env=env, hide=[token] if token else [], skip=_EMPTY, hush=_TROUBLE)
    if done.status:
        said = [line for line in done.lines if re.match(_TROUBLE, line)]
        why = said[0] if said else (done.lines[-1] if done.lines else f"git ended with {done.status}")
        why = re.sub(r"^(?:remote: )?(?:fatal|error): (?:unable to access '[^']*': )?", "", why)
        raise MlhubError(f"{what}: {why}", _hint("\n".join(done.lines), url, token))
    return done


def _hint(said: str, url: str | None, token: str | None) -> str:
    if re.search(r"could not read|Authentication failed|HTTP 40[13]|403|terminal prompts disabled", said):
        host = urlsplit(url).hostname if url and "://" in url else None
        name = _VARIABLES.get(host or "", (f"{ANY_HOST}={host or 'HOST'}:",))[0]
        if token:
            return "The token of the environment was refused: has it run out, and does it cover this repository?"
        return f"export {name.rstrip('=')}{'' if name.endswith(':') else '='}TOKEN, or set up git's credential helper."
    hints = {
        "not found in upstream": "That branch isn't there: leave --branch out or name another.",
        "Permission denied (publickey": "ssh-add your key, or clone by https.",
        "ast-forward": "The clone has commits of its own: merge or rebase them there with git.",
        "would be overwritten": "Commit or stash the changes in it, with git.",
        "unmerged": "Finish the merge in it, with git.",
        "not resolve host": "Check the name and the network.",
        "No space left": "Make room, or set MLHUB_PROJECTS_DIR to a folder on a larger disk.",
    }
    return next((hint for words, hint in hints.items() if words in said), "Try the same with git itself.")
