"""The one table of keys: the bindings of the app and its views, footer, help and palette are made of it.

Not in it, and fixed: the keys of dialogs (help and palette too), of lines to type in, and of moving in lists.

A user's own keys stand in `keys.toml` of the home: `stop = "ctrl+k"`, several as `"S,ctrl+k"`. Ids are those of the
table; one in a view is named with it: `charts.smooth = "f2"`.
"""

from __future__ import annotations

import tomllib
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlhub.errors import ConfigError
from mlhub.files import read_regular
from mlhub.text import one_line
from mlhub.tui import theme

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from textual.binding import BindingType


@dataclass(frozen=True, slots=True)
class Key:
    """One thing a user can do. `where`: `app`, or the view it belongs to; `action`: Textual's words for the method.

    `short` stands in the footer (empty: not there), `text` in help and palette. `palette`: offered there too.
    """

    id: str
    keys: str
    action: str
    text: str
    short: str = ""
    where: str = "app"
    palette: bool = True

    @property
    def full_id(self) -> str:
        return self.id if self.where == "app" else f"{self.where}.{self.id}"

    @property
    def shown(self) -> str:
        """The first of its keys as people write it."""
        return _shown(self.keys.split(",")[0])


_NAMES = {
    "question_mark": "?", "slash": "/", "left_square_bracket": "[", "right_square_bracket": "]", "space": "space",
    "enter": "⏎", "escape": "esc", "plus": "+", "minus": "-", "less_than_sign": "<", "greater_than_sign": ">",
    "up": "↑", "down": "↓", "left": "←", "right": "→", "pageup": "pgup", "pagedown": "pgdn", "number_sign": "#",
    "comma": ",", "equals_sign": "=",
}  # fmt: skip


#: where terminals have letters alone
_LETTERS = {"enter": "enter", "up": "up", "down": "down", "left": "left", "right": "right"}


def _shown(key: str) -> str:
    if key.startswith("ctrl+"):
        return "^" + _shown(key[5:])
    found = _NAMES.get(key, key)
    if not found.isascii() and not theme.unicode_works():
        return _LETTERS[key]
    return _character(key) or found if found == key else found


def _character(name: str) -> str:
    """`.` for `full_stop`; nothing for what is no character's name, or a key's of its own as `tab` is."""
    with suppress(KeyError):
        found = unicodedata.lookup(name.replace("_", " "))
        return found if found.isprintable() and not found.isspace() else ""
    return ""


VIEWS = ("runs", "charts", "log", "compare", "queue", "system", "search")

KEYS: tuple[Key, ...] = (
    *(
        Key(f"go-{name}", str(number), f"view('{name}')", f"the {name} view")
        for number, name in enumerate(VIEWS, 1)
    ),
    Key("filter", "slash", "find", "filter the runs"),
    Key("open", "enter", "open", "open what the cursor is on", "open", palette=False),
    Key("back", "escape", "back", "back to where you came from", palette=False),
    Key("next-pane", "tab", "next_pane(1)", "the next pane", palette=False),
    Key("previous-pane", "shift+tab", "next_pane(-1)", "the pane before", palette=False),
    Key("mark", "space", "mark", "mark the run, to see it beside others", "mark"),
    Key("unmark", "u", "unmark", "take all marks away"),
    Key("compare-marked", "c", "compare", "compare the marked runs", "compare"),
    Key("zoom", "z", "zoom", "this pane alone on the screen, and back", "zoom"),
    Key("pause", "p", "pause", "hold the picture still, and let it go"),
    Key("stop", "S", "stop_runs", "stop the chosen runs (asks)", "stop"),
    Key("resume", "R", "resume_runs", "continue the chosen runs from their checkpoints"),
    Key("rerun", "C", "rerun", "start a copy of the run, its configuration edited"),
    Key("tag", "number_sign", "tag", "tag the chosen runs"),
    Key("note", "N", "note", "write a note on the run"),
    Key("delete", "D", "delete", "move the chosen runs to the trash (asks)"),
    Key("copy-folder", "Y", "copy_folder", "copy the run's folder to the clipboard"),
    Key("theme", "t", "next_theme", "the next theme"),
    Key("redraw", "ctrl+l", "redraw", "draw everything anew"),
    Key("palette", "ctrl+p", "command_palette", "all commands", palette=False),
    Key("help", "question_mark,f1", "help", "the keys", "help"),
    Key("quit", "q", "quit", "leave; runs go on", "quit"),
    Key("interrupt", "ctrl+c", "say_quit", "say which key leaves", palette=False),
    # the table of runs
    Key("sort", "r", "sort", "sort by the next column", "sort", "runs"),
    Key("reverse", "v", "reverse", "the other way round", "", "runs"),
    Key("columns", "o", "columns", "choose the columns", "columns", "runs"),
    Key("group", "b", "group", "runs of a group together, and not", "group", "runs"),
    Key("fold", "f", "fold", "fold the group under the cursor", "", "runs"),
    Key("filter", "slash", "find", "filter the runs: words, or conditions such as loss<0.1", "filter", "runs"),
    # charts
    Key("alone", "enter", "alone", "this chart alone, with its values, and back", "alone", "charts"),
    Key("filter", "slash", "find_metrics", "filter the metrics: words or a regular expression", "metrics", "charts"),
    Key("smooth", "s", "smooth", "smoothing: stronger, strongest, off", "smooth", "charts"),
    Key("log-y", "y", "log_y", "logarithmic y axis, and not", "log-y", "charts"),
    Key("x-axis", "x", "x_axis", "x by step, relative time, wall time, epoch", "x-axis", "charts"),
    Key("page-back", "left_square_bracket,pageup", "page(-1)", "the page of charts before", "", "charts"),
    Key("page-on", "right_square_bracket,pagedown", "page(1)", "the next page of charts", "page", "charts"),
    Key("grid", "o", "grid", "how many charts a page has", "grid", "charts"),
    Key("cursor-left", "left,h", "cursor(-1)", "cursor to the left", "", "charts", palette=False),
    Key("cursor-right", "right,l", "cursor(1)", "cursor to the right", "cursor", "charts", palette=False),
    Key("chart-up", "up,k", "chart(-1)", "the chart before", "", "charts", palette=False),
    Key("chart-down", "down,j", "chart(1)", "the next chart", "", "charts", palette=False),
    Key("zoom-in", "plus,equals_sign", "zoom_x(1)", "zoom in on the cursor", "", "charts"),
    Key("zoom-out", "minus", "zoom_x(-1)", "zoom out", "", "charts"),
    Key("pan-left", "less_than_sign,comma", "pan(-1)", "pan to the left", "", "charts"),
    Key("pan-right", "greater_than_sign,full_stop", "pan(1)", "pan to the right", "", "charts"),
    Key("whole", "0", "whole", "all of it again", "", "charts"),
    Key("follow", "f", "follow", "keep the newest in sight while zoomed", "", "charts"),
    # the log
    Key("search", "slash", "find", "search in the log", "search", "log"),
    Key("next", "n", "next_match(1)", "the next match", "next", "log"),
    Key("previous", "N", "next_match(-1)", "the match before", "", "log"),
    Key("next-error", "e", "next_error(1)", "the next error", "error", "log"),
    Key("previous-error", "E", "next_error(-1)", "the error before", "", "log"),
    Key("follow", "f", "follow", "keep at the end of the log, and not", "follow", "log"),
    Key("wrap", "w", "wrap", "break long lines, and not", "wrap", "log"),
    Key("copy-line", "y", "copy_line", "copy the match's line, or what is to be seen", "", "log"),
    Key("line-up", "up,k", "scroll_rows(-1)", "a row up", "", "log", palette=False),
    Key("line-down", "down,j", "scroll_rows(1)", "a row down", "", "log", palette=False),
    Key("page-up", "pageup,ctrl+u", "scroll_pages(-1)", "a page up", "", "log", palette=False),
    Key("page-down", "pagedown,ctrl+d", "scroll_pages(1)", "a page down", "", "log", palette=False),
    Key("left", "left,h", "sideways(-1)", "to the left in long lines", "", "log", palette=False),
    Key("right", "right,l", "sideways(1)", "to the right in long lines", "", "log", palette=False),
    Key("beginning", "g,home", "to_begin", "the beginning of the log", "", "log"),
    Key("end", "G,end", "to_end", "the end of the log", "", "log"),
    # the comparison
    Key("baseline", "b", "baseline", "compare with the run under the cursor", "baseline", "compare"),
    Key("all-rows", "d", "differences", "only what differs, or everything", "differing", "compare"),
    Key("copy-markdown", "y", "copy('markdown')", "copy as Markdown", "copy", "compare"),
    Key("copy-csv", "v", "copy('csv')", "copy as CSV", "csv", "compare"),
    Key("use", "m", "use", "newest values, or the best so far", "best", "compare"),
    Key("order", "r", "order", "runs in the order of this line, or as marked", "", "compare"),
    Key("turn", "o", "turn", "runs as columns, or as rows", "turn", "compare"),
    Key("mark", "space", "mark", "leave the run under the cursor out", "", "compare"),
    Key("mark-group", "a", "mark_group", "mark the runs of the group, else the newest five", "", "compare"),
    # the queue
    Key("up", "K", "move(-1)", "start it earlier", "earlier", "queue"),
    Key("down", "J", "move(1)", "start it later", "later", "queue"),
    Key("first", "T", "move_first", "start it next", "", "queue"),
    Key("hold", "P", "hold", "start nothing more, and go on (asks)", "hold", "queue"),
    # the system
    Key("card-back", "left_square_bracket,up,k", "card(-1)", "the GPU before", "", "system"),
    Key("card-on", "right_square_bracket,down,j", "card(1)", "the next GPU", "GPU", "system"),
    Key("span", "s", "span", "how much history", "span", "system"),
    Key("open-run", "enter", "open_run", "charts of the run on this GPU", "", "system"),
    Key("meters", "m", "meters", "the meters: off, and on again", "", "system"),
    # the search
    Key("bits", "b", "bits", "the next code length", "bits", "search"),
    Key("direction", "d", "direction", "find images, or texts", "direction", "search"),
    Key("index", "i", "next_index", "the next index", "index", "search"),
    Key("copy-path", "y", "copy_path", "copy the picture's path", "copy", "search"),
    Key("query", "slash", "find", "type a query: a text, or the path of an image", "query", "search"),
    Key("full", "enter", "open", "the picture as large as the screen", "", "search", palette=False),
    Key("complete", "tab", "complete", "in the query: complete it; else the next pane", "", "search", palette=False),
    Key("left", "left,h", "move(-1, 0)", "the result to the left", "", "search", palette=False),
    Key("right", "right,l", "move(1, 0)", "the result to the right", "", "search", palette=False),
    Key("up", "up,k", "move(0, -1)", "the row above; in the query: what was asked before", "", "search", palette=False),
    Key("down", "down,j", "move(0, 1)", "the row below", "", "search", palette=False),
    Key("page-up", "pageup", "page(-1)", "a page back", "", "search", palette=False),
    Key("page-down", "pagedown", "page(1)", "a page on", "", "search", palette=False),
    Key("first", "g,home", "end(0)", "the first result", "", "search", palette=False),
    Key("last", "G,end", "end(1)", "the last result", "", "search", palette=False),
)  # fmt: skip


def keys_of(where: str, own: Mapping[str, str] | None = None) -> list[Key]:
    """The keys of `app` or of a view, with the user's in place of ours."""
    own = own or {}
    return [replace(key, keys=own.get(key.full_id, key.keys)) for key in KEYS if key.where == where]


def keys_beside(view: str, own: Mapping[str, str] | None = None) -> list[Key]:
    """The app's keys as they are while one looks at a view: without those that are the view's, maybe without any."""
    taken = {one for key in keys_of(view, own) for one in key.keys.split(",")}
    return [
        replace(key, keys=",".join(one for one in key.keys.split(",") if one not in taken))
        for key in keys_of("app", own)
    ]


def shown_keys(keys: str) -> str:
    """Keys, as people write them: `↑ ↓ k j`."""
    return " ".join(map(_shown, keys.split(",")))


def shown_key(full_id: str, own: Mapping[str, str] | None = None) -> str:
    """The key of a thing, as people write it: `/`."""
    key = next(key for key in KEYS if key.full_id == full_id)
    return replace(key, keys=(own or {}).get(full_id, key.keys)).shown


def bindings(where: str) -> list[BindingType]:
    """Textual's bindings; `App.set_keymap` puts the user's own keys in their place by id."""
    from textual.binding import Binding

    return [Binding(key.keys, key.action, key.text, show=False, id=key.full_id) for key in keys_of(where)]


#: keys of lists (`mlhub.tui.widgets.table`), which have them before anything else does
_OF_LISTS = frozenset("up k down j left h right l g home G end pageup ctrl+u pagedown ctrl+d".split())  # noqa: SIM905 - words
_WITH_LISTS = ("app", "runs", "compare", "queue")


def load(path: Path) -> dict[str, str]:
    """The user's keys by id, of a `keys.toml`. Raises ConfigError for what is no key map, naming the line or the id."""
    try:
        tree = tomllib.loads(read_regular(path).decode())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: {one_line(str(error))}", "Mend it or move it away.") from error
    known = {key.full_id for key in KEYS}
    flat: dict[str, object] = {}
    for name, value in tree.items():
        flat |= {f"{name}.{rest}": word for rest, word in value.items()} if isinstance(value, dict) else {name: value}
    found = {}
    for name, value in flat.items():
        if name not in known:
            raise ConfigError(f"{path}: unknown key id {one_line(name)!r}", "`mlhub top --keys` lists them.")
        if not isinstance(value, str):
            raise ConfigError(f"{path}: {name}: expected keys as text", 'For example: stop = "ctrl+k"')
        try:
            found[name] = ",".join(_long_form(one.strip()) for one in value.split(","))
        except ValueError as error:
            raise ConfigError(
                f"{path}: {name}: {error}", 'Such as "S", "f5", "ctrl+k", "comma"; several as "S,f5".'
            ) from error
    return found


def _long_form(key: str) -> str:
    """A key by Textual's name: `question_mark` for `?`. Raises ValueError for what no keyboard has."""
    from textual.keys import Keys, _character_to_key

    *modifiers, base = [*key[:-1].split("+")[:-1], "+"] if key.endswith("+") else key.split("+")
    name = _character_to_key(base) if len(base) == 1 else base
    is_key = (len(base) == 1 and base.isprintable()) or base in {one.value for one in Keys} or bool(_character(base))
    if not is_key or any(modifier not in ("ctrl", "shift", "alt", "super", "meta", "hyper") for modifier in modifiers):
        raise ValueError(f"no key is called {one_line(key)!r}")
    return "+".join((*modifiers, name))


def clashes(own: Mapping[str, str]) -> list[str]:
    """Keys that mean two things at one place, in words."""
    found = []
    for where in ("app", *VIEWS):
        seen: dict[str, str] = {}
        for key in keys_of(where, own):
            for one in key.keys.split(","):
                if one in seen:
                    found.append(f"{_shown(one)} is both {seen[one]} and {key.full_id}")
                if key.full_id in own and where in _WITH_LISTS and one in _OF_LISTS:
                    found.append(f"{_shown(one)} moves in lists, and can't be {key.full_id}")
                seen[one] = key.full_id
    return found + [clash for view in VIEWS for clash in _shadowed(view, own)]


def _shadowed(view: str, own: Mapping[str, str]) -> list[str]:
    """Keys of the app that a view would take from it, but for those that it takes in our own table."""
    meant = {(everywhere, here) for _, everywhere, here in _shared(view, {})}
    return [
        f"{_shown(one)} is both {here} and {everywhere}"
        for one, everywhere, here in _shared(view, own)
        if (everywhere, here) not in meant and one not in _OF_LISTS  # those are said already
    ]


def _shared(view: str, own: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Keys that the app and a view have, with what they are there."""
    app = {one: key.full_id for key in keys_of("app", own) for one in key.keys.split(",")}
    return [(one, app[one], key.full_id) for key in keys_of(view, own) for one in key.keys.split(",") if one in app]
