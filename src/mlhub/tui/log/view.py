"""The log view: the output of the run under the cursor. How it is read and drawn is `mlhub.tui.log.logtext`'s."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.widgets import Static

from mlhub.text import fit, one_line, size
from mlhub.tui.keys import bindings
from mlhub.tui.log import hunt
from mlhub.tui.log.logtext import LogText
from mlhub.tui.log.watch import Found, Quest, Searcher
from mlhub.tui.view import View
from mlhub.tui.widgets.line import Line

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.widget import Widget
    from textual.widgets import Input

    from mlhub.store.runs import Run
    from mlhub.tui.log.hunt import Pattern

#: pulls between two looks at the log of a run that has ended
_SELDOM = 8
#: runs whose place in the log is remembered
_PLACES = 100
#: characters of a search
_LONGEST = 200


class PatternLine(Line):
    """What is searched for, as it is typed."""

    def __init__(self) -> None:
        super().__init__(placeholder="search in the log", max_length=_LONGEST)

    async def action_submit(self) -> None:
        """At once, not by a message: the next key may be there already."""
        if isinstance(view := self.parent, LogView):
            view.close_prompt()


class LogView(View):
    """Follows the focused run's log while it is active; searches in it without reading it whole."""

    NAME = "log"
    TITLE = "Log"
    BINDINGS: ClassVar[list[BindingType]] = bindings("log")
    can_focus = True
    DEFAULT_CSS = """
    PatternLine, PatternLine:focus { background: $panel; color: $foreground; background-tint: $panel 0%; dock: bottom; }
    PatternLine { padding: 0 1 !important; display: none; }
    LogView Static { padding: 1 2; height: auto; display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.text = LogText()
        self._advice = Static()
        self._advised = ""
        self._prompt = PatternLine()
        self._searcher = Searcher()
        self._serial = 0
        self._run: int | None = None
        self._gone = False
        self._pulls = 0
        self._found_version = 0
        self._counted = -1
        self._said_of: tuple[object, ...] = ()
        self._places: dict[int, tuple[int, int]] = {}
        #: where one stood when the search began: the line, and whether one followed
        self._before: tuple[int, bool] = (0, True)

    def content(self) -> ComposeResult:
        yield self._advice
        yield self.text
        yield self._prompt

    def main(self) -> Widget:
        return self.text if self.text.display else self

    def placed(self, *, beside: bool) -> None:
        """With its title also when alone: it says which run this is and where in the log one stands."""
        super().placed(beside=beside)
        self.title.display = True

    def on_mount(self) -> None:
        self.text.set_wrap(self.model.prefs.wrap)

    def on_unmount(self) -> None:
        self._searcher.close()

    # what it shows

    def pull(self) -> None:
        self._pulls += 1
        run = self.model.focused
        if run is not None and run.id != self._run:
            self._open(run)
        self._gone = run is None and self._run is not None and bool(self.model.runs.version)
        grows = run is not None and (run.active or self._pulls % _SELDOM == 0)
        new = self.text.pull(grows=grows)
        if self._searcher.version != self._found_version:
            self._found_version = self._searcher.version
            self._take(self._searcher.found)
        elif new and self._pattern is not None and self.text.page.size != self._counted:
            self._counted = self.text.page.size
            self._searcher.poke()
        self._say(run)

    def _open(self, run: Run) -> None:
        if self._run is not None and not self.text.following:
            self._places[self._run] = self.text.place.top, self.text.place.row
            for old in list(self._places)[:-_PLACES]:
                del self._places[old]
        elif self._run is not None:
            self._places.pop(self._run, None)
        self._run = run.id
        self._searcher.cancel()
        self._searcher.found = Found()
        self.text.open(run.id, self.model.home.run(run.id), self._places.get(run.id))

    def _say(self, run: Run | None) -> None:
        """The title, and in place of an empty log what is to be done; nothing if all is as it was."""
        text, place = self.text, self.text.place
        said_of = (
            run,
            self._gone,
            text.page,
            text.pattern,
            self._searcher.found,
            place.following,
            place.top,
            place.row,
        )
        if len(said_of) == len(self._said_of) and all(map(operator.is_, said_of, self._said_of)):
            return
        self._said_of = said_of
        words = self._advise(run)
        if words != self._advised:
            self._advised = words
            self._advice.update(Text(words))
            held = self.has_focus_within
            self._advice.display, self.text.display = bool(words), not words
            if held and not self._prompt.has_focus:
                self.main().focus(scroll_visible=False)
        page = self.text.page
        parts = [one_line(run.name) if run is not None else "removed" if self._gone else ""]
        if page.size:
            parts += [size(page.size), self._position(run)]
        if search := self._searching():
            parts.append(search)
        self.title.say("  ".join(part for part in parts if part))

    def _advise(self, run: Run | None) -> str:
        page = self.text.page
        if run is None and not self._gone:
            return "No run is chosen. Start one with  mlhub run quickstart  or choose one in the runs view (1)."
        if page.error:
            return page.error
        if page.size or page.serial == 0:
            return ""
        if run is None:
            return "The run was removed."
        if run.status == "queued":
            return f"It waits: {one_line(run.condition)}" if run.condition else "It waits for its turn."
        return "No output yet." if run.active else "It printed nothing."

    def _position(self, run: Run | None) -> str:
        if self.text.following:
            return "follows" if run is not None and run.active else "end"
        rows = self.text.place.rows()
        if not rows:
            return ""
        if self.text.page.ends and self.text.place.is_at_end():
            return "end"
        return f"{min(99, 100 * rows[-1].line.end // max(1, self.text.page.size))}%"

    # search

    @property
    def _pattern(self) -> Pattern | None:
        return self.text.pattern

    def _searching(self) -> str:
        found, pattern = self._searcher.found, self._pattern
        if pattern is None or found.run != self._run:
            return ""
        what = f"/{fit(one_line(pattern.text), 20)}" if pattern.text else "errors"
        if found.error:
            return found.error
        if found.progress is not None:
            return f"{what} searching {100 * found.progress:.0f}%"
        if found.total == 0:
            return f"{what} none"
        if found.total is None:
            return what
        return f"{what} {f'{found.rank} of ' if found.rank else ''}{found.total}"

    def action_find(self) -> None:
        """Ask what to look for; what is found so far is shown while one types."""
        if self._run is None:
            return
        self._before = self._here(), self.text.following
        self._prompt.display = True
        self.screen.set_focus(self._prompt, scroll_visible=False)  # now: the next key may be there already

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._seek(event.value, 1, self._before[0])

    def on_descendant_blur(self) -> None:
        if not self._prompt.has_focus:
            self._prompt.display = False

    def close_prompt(self) -> None:
        """Stay where it was found; the next key is the log's."""
        self.screen.set_focus(self.main(), scroll_visible=False)
        self._prompt.display = False

    def leave(self) -> bool:
        """Escape: leaves the line where one types, and goes back; then ends the search."""
        if self._prompt.has_focus:
            self._end_search()
            self.close_prompt()
            offset, followed = self._before
            if followed:
                self.text.go_to_end(follow=True)
            else:
                self.text.go(offset, above=0)
            return True
        if self._pattern is None:
            return False
        self._end_search()
        return True

    def _end_search(self) -> None:
        self._searcher.cancel()
        self._searcher.found = Found()
        self.text.pattern = self.text.match = None
        self.text.draw()
        self._say(self.model.focused)

    def _seek(self, text: str, step: int, position: int) -> None:
        if text:
            self._hunt(hunt.words(text), step, position)
        else:
            self._end_search()

    def _hunt(self, pattern: Pattern, step: int, position: int) -> None:
        if self._run is None:
            return
        self._serial += 1
        self.text.pattern = pattern
        self._searcher.seek(Quest(self._run, self.model.home.run(self._run), pattern, position, step, self._serial))
        self.text.draw()
        self.set_timer(0.015, self._look_soon)

    def _look_soon(self) -> None:
        """What a key has asked for is shown as soon as it is found, not at the next pull."""
        found = self._searcher.found
        self.pull()
        if found.serial == self._serial and not found.settled and self._pattern is not None:
            self.set_timer(0.03, self._look_soon)

    def _take(self, found: Found) -> None:
        if found.serial != self._serial or found.run != self._run:
            return
        if found.settled and found.at is not None and found.at != self.text.match:
            self.text.match = found.at
            self.text.go(found.at)
            if found.wrapped:
                self.top.say("the search went on from the other end", "dim")

    def _here(self) -> int:
        """The line one stands at: the match, if it is to be seen, else the upper one."""
        rows = self.text.place.rows()
        starts = {row.line.start for row in rows}
        return self.text.match if self.text.match in starts else rows[0].line.start if rows else 0

    def _next(self, pattern: Pattern, step: int) -> None:
        here = self._here()
        line = next((row.line for row in self.text.place.rows() if row.line.start == here), None)
        beyond = line is not None and step > 0 and here == self.text.match
        self._hunt(pattern, step, line.end if line is not None and beyond else here)

    def action_next_match(self, step: int) -> None:
        if self._pattern is not None:
            self._next(self._pattern, step)
        else:
            self.action_find()

    def action_next_error(self, step: int) -> None:
        here = self._here()
        if self.text.following and self._pattern is not hunt.ERRORS:  # the newest error, seen from the end
            step, here = -1, self.text.page.size
            self._hunt(hunt.ERRORS, step, here)
            return
        self._next(hunt.ERRORS, step)

    # moving

    def action_follow(self) -> None:
        if self.text.following:
            self.text.go_to_end(follow=False)
        else:
            self.text.go_to_end(follow=True)
        self._say(self.model.focused)

    def action_to_end(self) -> None:
        self.text.go_to_end(follow=True)
        self._say(self.model.focused)

    def action_to_begin(self) -> None:
        self.text.go(0, above=0)
        self._say(self.model.focused)

    def action_scroll_rows(self, by: int) -> None:
        self.text.scroll_rows(by)
        self._say(self.model.focused)

    def action_scroll_pages(self, by: int) -> None:
        self.action_scroll_rows(by * max(1, self.text.place.height - 1))

    def action_sideways(self, by: int) -> None:
        self.text.sideways(by)

    def action_wrap(self) -> None:
        self.model.prefs.wrap = not self.model.prefs.wrap
        self.text.set_wrap(self.model.prefs.wrap)

    def action_copy_line(self) -> None:
        lines = self.text.seen
        if lines:
            self.top.copy_to_clipboard("\n".join(lines))
            self.top.say(f"{len(lines)} line{'s' if len(lines) > 1 else ''} copied", "good")
