"""Secrets out of text, configurations and command lines, before anything of them is kept: their values become `***`.

By the names that values have and the forms that tokens have, so a secret that looks like nothing is not known for one.
Standard library only, and Python 3.9: what is captured in a user's training goes through it, too.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

#: whose keys are secrets; others are not: `sort_key`, `image_key`
_KEYS = (
    "api|access|secret|private|auth|account|service|master|license|ssh|signing|encryption|"
    "wandb|hf|huggingface|openai|anthropic|comet|neptune|clearml|aws|gcp|azure|s3"
)
#: ends with the word, so that `tokenizer`, `max_tokens`, `passes` and `bypass` are none
_TELLTALE = (
    rf"[\w.-]*(?:(?:{_KEYS})[._-]?key|secret|token|passw(?:or)?d|passphrase|(?<![a-zA-Z])pass|pwd|auth|credentials?)"
)
_SECRETS = (
    # a literal given to a name that says so: password = "x", "token": "x"; `token = tokens[0]` is code and stays
    (re.compile(rf"(?i)(\b{_TELLTALE}[\"']?\]?\s*[=:]\s*[\"']{{1,3}})([^\"'\n]{{4,}})"), r"\1***"),
    # the lines of an .env file and of YAML
    (re.compile(r"(?m)^([-+ ]?\s*(?:export\s+)?\w*(?:KEY|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIALS?)=)(\S+)"), r"\1***"),
    (re.compile(rf"(?im)^([-+ ]?\s*{_TELLTALE}:[ \t]+)([^\s\[({{\"']{{6,}})$"), r"\1***"),
    # Authorization: Bearer x
    (
        re.compile(r"((?:\bBearer|(?i:\bauthorization[\"']?\s*[:=]\s*[\"']?(?:basic|token)))\s+)([\w.~+/-]{6,}=*)"),
        r"\1***",
    ),
    # https://token@host
    (re.compile(r"(?i)(https?://)([^\s:/@]+)(@)"), r"\1***\3"),
    # user:password@host
    (re.compile(r"(?i)([a-z][a-z0-9+.-]*://[^\s:/@]*:)([^\s@/]+)(@)"), r"\1***\3"),
    # where notices go: the whole URL is a secret, whatever its service
    (re.compile(r"(?i)(\b(?:MLHUB_)?notify[\"']?\]?\s*[=:,]\s*[\"']*)[a-z][a-z0-9+.-]*://[^\"'\n]+"), r"\1***"),
    (re.compile(r"(?i)(//(?:hooks\.slack\.com/services|discord(?:app)?\.com/api/webhooks)/)[\w/.-]+"), r"\1***"),
    # the forms that tokens of well-known services have, and private keys
    (
        re.compile(
            r"\b(?:gh[pousr]_|github_pat_|glpat-|hf_|sk-|xox[abprs]-|AKIA|ASIA|AIza|npm_|pypi-|ya29\.|eyJ[\w-]{8,}\.)"
            r"[\w.-]{12,}"
        ),
        "***",
    ),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), "***"),
)
_SECRET_OPTION = re.compile(rf"(?i)^(--?)?{_TELLTALE}$")

#: names of a tokenizer's, which hide nothing
_SPECIAL_TOKEN = re.compile(r"(?i)(?:pad|eos|bos|unk|sep|cls|mask|image|audio|video)_token$")


def redact(text: str) -> str:
    """`text` with everything that looks like a secret's value as `***`."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def redact_tree(tree: dict[str, Any]) -> dict[str, Any]:
    """A config with the values of keys that say so, and whatever looks like a secret in others, as `***`."""

    def shown(key: str, value: Any) -> Any:  # noqa: ANN401 - a config can hold anything
        if isinstance(value, dict):
            return {str(name): shown(str(name), item) for name, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [shown(key, item) for item in value]
        if not isinstance(value, str) or not value:
            return value
        return "***" if _SECRET_OPTION.match(key) and not _SPECIAL_TOKEN.match(key) else redact(value)

    return {key: shown(key, value) for key, value in tree.items()}


#: programs that are known to take a password by a short option: `-p X` says nothing by itself, it is a port, a path,
#: a number of processes as well; so is `-u`, which is Python's own for no buffer. curl's is `user:password`
_SHORT = {
    "sshpass": "-p", "mysql": "-p", "mysqldump": "-p", "mysqladmin": "-p", "mariadb": "-p", "redis-cli": "-a",
    "ldapsearch": "-w", "docker login": "-p", "podman login": "-p", "curl": "-u",
}  # fmt: skip
#: of these the password is a part of the same word, and a word of its own is something else
_ATTACHED = frozenset(("mysql", "mysqldump", "mysqladmin", "mariadb"))


def redact_command(command: Sequence[str]) -> list[str]:
    """An argument list with secrets out: `--token=VALUE`, `TOKEN=VALUE` (as `env` takes it) and `--token VALUE`.

    Known by the names; `API=VALUE` stays, as most such are addresses. Short options: those of `_SHORT`.
    """
    shown: list[str] = []
    program = ""
    for index, word in enumerate(command):
        before = command[index - 1] if index else ""
        name, equals, value = word.partition("=")
        program = _program(word, program)
        if equals and value and _SECRET_OPTION.match(name):
            shown.append(f"{name}=***")
        elif before.startswith("-") and _SECRET_OPTION.match(before):
            shown.append(word if word.startswith("-") else "***")
        else:
            shown.append(_redact_short(program, before, word) or redact(word))
    return shown


def _program(word: str, program: str) -> str:
    """The program that the words from here on are for, as far as it matters."""
    name = word.rpartition("/")[2]
    if program in ("docker", "podman") and name == "login":
        return f"{program} {name}"
    if name in _SHORT or name in ("docker", "podman"):
        return name
    return "" if program == "sshpass" and name in ("ssh", "scp", "sftp", "rsync") else program  # -p: their own, a port


def _redact_short(program: str, before: str, word: str) -> str:
    """`word` without the password that a program's short option gives; "" if it gives none."""
    option = _SHORT.get(program)
    if option is None:
        return ""
    if word.startswith(option) and len(word) > len(option) and program != "curl":
        return f"{option}***"
    if before == option and program not in _ATTACHED:
        user, colon, _ = word.partition(":")
        return "***" if program != "curl" else f"{user}:***" if colon else ""
    return ""
