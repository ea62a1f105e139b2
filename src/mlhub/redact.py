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


def redact_command(command: Sequence[str]) -> list[str]:
    """An argument list with secrets out: `--token=VALUE`, `TOKEN=VALUE` and `--token VALUE` in two words."""
    shown: list[str] = []
    for index, word in enumerate(command):
        name, equals, value = word.partition("=")
        if equals and value and _SECRET_OPTION.match(name):
            shown.append(f"{name}=***")
        elif index and command[index - 1].startswith("-") and _SECRET_OPTION.match(command[index - 1]):
            shown.append(word if word.startswith("-") else "***")
        else:
            shown.append(redact(word))
    return shown
