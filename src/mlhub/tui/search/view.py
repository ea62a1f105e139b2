"""The search view: a query, by text or by an image, and its results as pictures.

The asking is `mlhub.tui.search.client`'s, the drawing `mlhub.tui.search.tiles`'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from mlhub.runner.kinds import is_hashing
from mlhub.text import fit, one_line, width
from mlhub.tui.keys import bindings, keys_of
from mlhub.tui.search.client import Query
from mlhub.tui.search.queryline import QueryLine
from mlhub.tui.search.tiles import Tiles
from mlhub.tui.view import View

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.widgets import Input

    from mlhub.tui.app import Top
    from mlhub.tui.search.client import Reply, SearchClient
    from mlhub.tui.search.indexes import IndexAbout
    from mlhub.tui.search.thumbnails import Thumbnails

Words = list[tuple[str, str]]


class Lines(Widget):
    """One or two lines of clean words in colours."""

    DEFAULT_CSS = "Lines { height: 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[Words] = [[]]

    def say(self, lines: list[Words]) -> None:
        if lines != self._lines:
            if len(lines) != len(self._lines):
                self.styles.height = len(lines)
            self._lines = lines
            self.refresh()

    def render_line(self, y: int) -> Strip:
        look = self.app.look  # type: ignore[attr-defined]
        line, left = [], self.size.width
        for text, colour in self._lines[y] if y < len(self._lines) else ():
            shown = fit(text, left)
            left -= width(shown)
            line.append(Segment(shown, look.style(colour)))
        return Strip([*line, Segment(" " * max(0, left), look.plain)])


class SearchView(View):
    """Query, state, tiles."""

    NAME = "search"
    TITLE = "Search"
    BINDINGS: ClassVar = bindings("search")

    top: Top

    def content(self) -> ComposeResult:
        self.line = QueryLine(self.model.prefs.queries)
        self.state = Lines()
        self.tiles = Tiles(self.pictures)
        self._stamp: tuple[object, ...] = ()
        self._runs = -1
        self._index: int | None = None  # run; None: the newest that can be searched
        self._asked = ""
        mine = next(key for key in keys_of(self.NAME, self.top.own_keys) if key.id == "query")
        self._find_keys = frozenset(mine.keys.split(","))
        self._shown: Reply | None = None
        yield self.line
        yield self.state
        yield self.tiles

    def on_mount(self) -> None:
        self.pull()

    def main(self) -> Widget:
        return self.tiles  # and not the query, which would take the digits that go to other views

    @property
    def typing(self) -> bool:
        """Whether the query has the focus, at once; a widget itself hears of it later."""
        return self.screen.focused is self.line

    @property
    def client(self) -> SearchClient:
        return self.model.search

    @property
    def pictures(self) -> Thumbnails:
        return self.client.pictures

    @property
    def index(self) -> IndexAbout | None:
        """The index that is searched: the one chosen, else the newest that is whole."""
        found = self.client.shelf.indexes
        chosen = next((index for index in found if index.run == self._index), None)
        return chosen or next((index for index in found if not index.problem), None)

    @property
    def to(self) -> Literal["image", "text"]:
        return "text" if self.model.prefs.to == "text" else "image"

    @property
    def bits(self) -> int | None:
        """The code length asked for; None: the index's usual one."""
        return self.model.prefs.bits if self.index and self.model.prefs.bits in self.index.bits else None

    # what is new

    def pull(self) -> None:
        runs = self.model.runs
        if runs.version != self._runs:
            self._runs = runs.version
            if runs.settled:
                made = [run for run in runs.runs if run.kind == "index" and run.status == "completed"]
                self.client.shelf.want([(run.id, run.name) for run in made])
        client = self.client
        stamp = (client.version, client.shelf.version, self._runs, self.tiles.cursor, self.size)
        if stamp != self._stamp:
            self._stamp = stamp
            self._take(client.answer)
            self._say()
        self._pull_pictures()

    def _pull_pictures(self) -> None:
        from mlhub.tui.search.fullpicture import FullPicture

        self.tiles.pull()
        if isinstance(full := self.app.screen, FullPicture):
            full.pull()

    def _take(self, reply: Reply | None) -> None:
        """Show an answer that is new."""
        if reply is None or reply is self._shown:
            return
        self._shown = reply
        self.pictures.forget_reasons()
        self.tiles.show(reply.hits, as_list=reply.query.to == "text")

    def _say(self) -> None:
        lines = [
            self._state(),
            *([(f" {warning}", "warn")] for warning in (self._shown.warnings if self._shown else ())),
        ]
        self.state.say(lines[:2])
        index = self.index
        self.title.say(f"{index.items} images, {index.texts} texts of {index.dataset}" if index else "")
        self.tiles.say(self._empty())

    def _state(self) -> Words:
        """Which index, how it is asked, and what came of it."""
        index, reply, client = self.index, self._shown, self.client
        if index is None:
            return [(" –", "dim")]
        bits = self.bits or (reply.bits if reply and reply.query.bits is None and reply.bits else 0)
        words: Words = [(f" {index.name}", "accent"), (f" · {'images' if self.to == 'image' else 'texts'}", "text")]
        words.append((f" · {bits or self._usual(index)} bits", "text"))
        if index.problem:
            return [*words, (f" · {index.problem}", "bad")]
        if client.pending is not None:
            waiting = client.state if client.state and client.state != "ready" else "searching"
            return [*words, (f" · {waiting}", "warn")]
        if reply is None:
            return [*words, (f" · {index.count(self.to)} of {index.dataset}", "dim"), *self._process()]
        if reply.error:
            return [*words, (f" · {reply.error}", "bad")]
        seen = self.tiles.seen
        range_ = f"{seen.start + 1}–{seen.stop} of the nearest " if len(seen) < len(reply.hits) else ""
        found = f" · {range_}{len(reply.hits)} of {reply.count} · {reply.took_ms:.1f} ms"
        return [*words, *(self._process() or [(found, "dim")])]

    def _process(self) -> Words:
        """How the process is, where that is worth a word."""
        state = self.client.state
        if state in ("", "ready"):
            return []
        return [(f" · {state}", "dim" if self.client.pid else "bad")]

    def _empty(self) -> Words:
        """What to do next, where there are no results."""
        shelf, reply = self.client.shelf, self._shown
        if not shelf.version:
            return [("reading which indexes there are", "dim")]
        if shelf.missing:
            return [
                (f"Searching needs {', '.join(shelf.missing)}:", "text"),
                ("  pip install 'mlhub[hashing]'", "accent"),
            ]
        if self.index is None:
            return [*self._no_index(), *((f"{i.name}: {i.problem}", "bad") for i in shelf.indexes)]
        if reply is not None and reply.error:
            return [(reply.error, "bad"), (reply.hint, "text")]
        broken: Words = [(f"{i.name} can't be searched: {i.problem}", "warn") for i in shelf.indexes if i.problem]
        says = " or ".join(self.index.languages[:6])
        return [
            (f"{self.index.items} images and {self.index.texts} texts of {self.index.dataset}.", "text"),
            ("", "text"),
            (
                f"/ and a text ({says}), or the path of an image: /… ./… ~…   tab completes, ↑ the queries of before",
                "dim",
            ),
            ("", "text"),
            *broken,
        ]

    def _no_index(self) -> Words:
        runs = self.model.runs.runs
        if made := next((run for run in runs if run.kind == "index" and run.active), None):
            return [(f"The index is being made by run {made.id} ({one_line(made.name)}).", "text")]
        trained = next((run for run in runs if is_hashing(run) and run.status == "completed"), None)
        first: Words = [("There is no index to search. In a shell:", "text"), ("", "text")]
        if trained is None:
            first.append(("  mlhub run quickstart --wait    train a model", "accent"))
        name = one_line(trained.name) if trained else ""
        return [*first, (f"  mlhub index {name}".rstrip() + "    encode its data set", "accent"), ("", "text")]

    @staticmethod
    def _usual(index: IndexAbout) -> int:
        return 64 if 64 in index.bits else max(index.bits, default=0)

    # asking

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value and self.typing and self.index is not None and not self.client.shelf.missing:
            self.client.warm(self.index.folder)  # it loads while one types

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        words = one_line(event.value)
        if not words:
            self.top.say("say what to look for", "warn")
            return
        self._asked = words
        self.line.keep(words)
        self.screen.set_focus(self.tiles, scroll_visible=False)  # keys are for the results, even before they are there
        self.ask()

    def ask(self) -> None:
        """Ask what was asked last once more, the way it is to be asked now."""
        index = self.index
        if index is None or self.client.shelf.missing:
            self.top.say("there is nothing to search yet", "warn")
        elif index.problem:
            self.top.say(f"{index.name}: {index.problem}", "bad")
            self.client.shelf.look_again()
        elif self._asked:
            self.client.ask(Query(self._asked, index.folder, self.to, self.bits))
        self._refresh_now()

    def _refresh_now(self) -> None:
        self._stamp = ()
        self.pull()

    # keys

    async def on_key(self, event: events.Key) -> None:
        """Of keys that come all at once, as over a slow line, all go where the focus was: those after / are typed."""
        if self.typing:
            if event.is_printable and event.character:
                self.line.insert_text_at_cursor(event.character)
            elif event.key == "enter":
                await self.line.action_submit()
            else:
                return
        elif event.key in self._find_keys and len(self.app.screen_stack) == 1:
            self.action_find()
        else:
            return
        event.stop()

    def action_find(self) -> None:
        self.screen.set_focus(self.line, scroll_visible=False)  # at once: `focus` would take its time
        self.line.cursor_position = len(self.line.value)

    def action_complete(self) -> None:
        """Tab: within the query it completes, elsewhere it goes on as everywhere."""
        if not (self.typing and self.line.complete()):
            self.top.action_next_pane(1)

    def action_move(self, across: int, down: int) -> None:
        if not self.typing:
            self.tiles.move(across, down)
        elif down:
            self.line.older(-down)
        self._refresh_now()

    def action_page(self, by: int) -> None:
        self.tiles.page(by)
        self._refresh_now()

    def action_end(self, last: int) -> None:
        self.tiles.choose(len(self.tiles.hits) if last else 0)
        self._refresh_now()

    def action_open(self) -> None:
        from mlhub.tui.search.fullpicture import FullPicture

        if self.tiles.chosen is not None:
            self.top.push_screen(FullPicture(self))
        else:
            self.action_find()

    def action_bits(self) -> None:
        if self.index and self.index.bits:
            lengths = sorted(self.index.bits)
            now = self.bits or self._usual(self.index)
            place = lengths.index(now) if now in lengths else -1
            self.model.prefs.bits = lengths[(place + 1) % len(lengths)]
            self.ask()

    def action_direction(self) -> None:
        self.model.prefs.to = "text" if self.to == "image" else "image"
        self.ask()

    def action_next_index(self) -> None:
        found, now = self.client.shelf.indexes, self.index
        if not found:
            return
        places = [index.run for index in found]
        at = places.index(now.run) if now else -1
        self._index = places[(at + 1) % len(places)]
        self.ask()

    def action_copy_path(self) -> None:
        hit = self.tiles.chosen
        if hit is None:
            return
        try:
            self.top.copy_to_clipboard(str(hit.image))
        except UnicodeEncodeError:
            self.top.say("this path is not UTF-8 and can't be copied", "bad")
            return
        self.top.say(f"copied {one_line(str(hit.image))}", "good")

    def on_tiles_opened(self) -> None:
        self.action_open()

    def on_tiles_moved(self) -> None:
        self._refresh_now()

    def leave(self) -> bool:
        """From the query to the results, if there are any."""
        if self.typing and self.tiles.hits:
            self.tiles.focus()
            return True
        return False

    def restyle(self) -> None:
        super().restyle()
        self.tiles.restyle()
