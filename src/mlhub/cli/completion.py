"""`mlhub completion`: the scripts that make shells ask at TAB, and putting them where shells look.

Typer's own scripts let the shell evaluate the answers, and names of runs and metrics are outside text; these don't.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

BASH = r"""# completion of mlhub for bash 4.4 or newer
_mlhub() {
    local -a answer
    local how i
    mapfile -t answer < <(_MLHUB_COMPLETE=bash "${1/#\~/$HOME}" "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null </dev/null)
    how=${answer[0]-}
    COMPREPLY=("${answer[@]:1}")
    case $how in
        nospace) compopt -o nospace ;;
        files) compopt -o default ;;
        folders) compopt -o dirnames ;;
        command*)
            for ((i = 1; i < COMP_CWORD; i++)); do
                [[ ${COMP_WORDS[i]} == -- ]] && break
            done
            if ((i + 1 == COMP_CWORD)); then
                mapfile -t COMPREPLY < <(compgen -c -- "$2")
            elif declare -F _command_offset >/dev/null; then
                _command_offset $((i + 1))
            else
                compopt -o default
            fi
            ;;
    esac
}
complete -o nosort -F _mlhub mlhub
"""

ZSH = r"""#compdef mlhub
# completion of mlhub for zsh
_mlhub() {
    local -a answer ended ended_shown open open_shown
    local line how value help shown
    integer widest=0
    answer=("${(@f)$(_MLHUB_COMPLETE=zsh "${words[1]/#\~/$HOME}" "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" \
        2>/dev/null </dev/null)}")
    how=$answer[1]
    shift answer
    case $how in
        files) _files; return ;;
        folders) _files -/; return ;;
        command*) shift "${how#command }" words; (( CURRENT -= ${how#command } )); _normal; return ;;
    esac
    for line in "${(@)answer}"; do
        value=${line%%$'\t'*}
        (( ${#value} > widest && ${#value} < 40 )) && widest=${#value}
    done
    for line in "${(@)answer}"; do
        [[ -n $line ]] || continue
        value=${line%%$'\t'*}
        help=${line#*$'\t'}
        shown=$value
        [[ $line == *$'\t'* ]] && shown="${(r:widest:)value}  -- $help"
        (( ${#value} > widest )) && [[ $line == *$'\t'* ]] && shown="$value  -- $help"
        if [[ $how == nospace || $value == *[:/=] ]]; then
            open+=("$value"); open_shown+=("$shown")
        else
            ended+=("$value"); ended_shown+=("$shown")
        fi
    done
    local -a each
    [[ "${(@)answer}" == *$'\t'* ]] && each=(-l)
    (( $#ended )) && compadd -V mlhub $each -d ended_shown -a -- ended
    (( $#open )) && compadd -V mlhub $each -S '' -d open_shown -a -- open
    return 0
}
if [[ $funcstack[1] == _mlhub ]]; then
    _mlhub "$@"
elif (( $+functions[compdef] )); then
    compdef _mlhub mlhub
fi
"""

FISH = r"""# completion of mlhub for fish
function __mlhub_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    set -l answer (_MLHUB_COMPLETE=fish $program $words[2..-1] "$current" 2>/dev/null </dev/null)
    switch "$answer[1]"
        case files
            __fish_complete_path "$current"
        case folders
            __fish_complete_directories "$current"
        case 'command *'
            set -l from (math (string replace 'command ' '' -- $answer[1]) + 1)
            if test (count $words) -ge $from
                complete -C (string join ' ' -- (string escape -- $words[$from..-1]) "$current")
            else
                complete -C "$current"
            end
        case '*'
            test (count $answer) -gt 1; and printf '%s\n' $answer[2..-1]
    end
end
complete -c mlhub -f -k -a '(__mlhub_complete)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}

#: the line in the shell's own file that loads it: bash's completion package may not be there, zsh looks only in fpath
_BASH_LINE = '[[ -r "{file}" ]] && source "{file}"'
_ZSH_LINE = 'fpath=("{folder}" $fpath); autoload -Uz compinit && compinit'


def completion(
    shell: Annotated[str | None, typer.Argument(metavar="[bash|zsh|fish]", show_default=False)] = None,
    install: Annotated[bool, typer.Option("--install", help="Put it where the shell finds it.")] = False,
) -> int:
    """Print the script that completes mlhub's words at TAB: runs, metrics, presets and their keys, tags, queries.

    Left out, the shell is the one of $SHELL. With --install the script is written into your own folders, and for bash
    and zsh a line that loads it into ~/.bashrc or ~/.zshrc, once.

    \b
    mlhub completion --install             for your shell; open a new one then
    mlhub completion zsh --install
    source <(mlhub completion bash)        for this shell only
    mlhub completion fish > ~/.config/fish/completions/mlhub.fish
    """
    import sys

    from mlhub.cli.out import say

    name = _shell(shell)
    if not install:
        sys.stdout.write(SCRIPTS[name])
        return 0
    for line in put(name):
        say(line)
    return 0


def _shell(asked: str | None) -> str:
    """The shell asked for, or the user's. Raises UsageError."""
    from mlhub.errors import UsageError
    from mlhub.text import one_line

    name = asked or os.path.basename(os.environ.get("SHELL", "")) or "none"
    if name not in SCRIPTS:
        raise UsageError(f"no completion for {one_line(name)!r}", f"There is one for: {', '.join(SCRIPTS)}.")
    return name


def put(shell: str) -> list[str]:
    """Install the script; what was done, in words. Doing it again changes nothing but the script. Raises MlhubError."""
    from mlhub.errors import MlhubError

    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    try:
        if shell == "fish":
            return [_write(settings / "fish/completions/mlhub.fish", FISH), "It works in every new fish."]
        if shell == "bash":
            file = data / "bash-completion/completions/mlhub"
            done = [_write(file, BASH), _add_line(Path.home() / ".bashrc", _BASH_LINE.format(file=file))]
        else:
            file = data / "zsh/site-functions/_mlhub"
            startup = Path(os.environ.get("ZDOTDIR") or Path.home()) / ".zshrc"
            done = [_write(file, ZSH), _add_line(startup, _ZSH_LINE.format(folder=file.parent))]
    except (OSError, UnicodeError) as error:
        raise MlhubError(f"completion can't be installed: {error}", f"mlhub completion {shell} prints it.") from error
    return [*done, f"It works in every new {shell}."]


def _write(file: Path, text: str) -> str:
    from mlhub.files import replace_bytes

    file.parent.mkdir(parents=True, exist_ok=True)
    replace_bytes(file, text.encode())
    return f"written: {file}"


def _add_line(file: Path, line: str) -> str:
    """Only ever appended to: it is the user's own file, and may be a link to where they keep it."""
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    if line in before.splitlines():
        return f"already there: the line in {file}"
    with open(file, "a", encoding="utf-8") as opened:
        opened.write(("\n" if before and not before.endswith("\n") else "") + f"{line}\n")
    return f"added to {file}: {line}"
