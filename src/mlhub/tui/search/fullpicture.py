"""One result as large as the terminal: its picture over all that is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget

from mlhub.text import fit, one_line, pad, width
from mlhub.tui.search import graphics
from mlhub.tui.search.thumbnails import Wanted, mode_of

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from mlhub.tui.app import Top
    from mlhub.tui.search.client import Hit
    from mlhub.tui.search.thumbnails import Thumbnail
    from mlhub.tui.search.view import SearchView

#: lines of captions at most
_CAPTIONS = 4


class FullPicture(ModalScreen[None]):
    """Of the result that is chosen in the search view; left and right choose others there."""

    BINDINGS: ClassVar = [
        ("escape,enter,q,z", "dismiss", "back"),
        ("left,h,up,k", "move(-1)", "the result before"),
        ("right,l,down,j,space", "move(1)", "the next result"),
        ("y", "copy_path", "copy the path"),
    ]
    DEFAULT_CSS = "FullPicture { background: $background; }"

    def __init__(self, view: SearchView) -> None:
        super().__init__()
        self._view = view

    def compose(self) -> ComposeResult:
        yield Canvas(self._view)

    def action_move(self, by: int) -> None:
        self._view.tiles.move(by, 0)
        canvas = self.query_one(Canvas)
        canvas.pull()
        canvas.say("")

    def action_copy_path(self) -> None:
        self._view.action_copy_path()
        self.query_one(Canvas).say("path copied")

    def pull(self) -> None:
        self.query_one(Canvas).pull()


class Canvas(Widget):
    """Draws it."""

    DEFAULT_CSS = "Canvas { width: 100%; height: 100%; }"

    def __init__(self, view: SearchView) -> None:
        super().__init__()
        self._view = view
        self._drawn: Thumbnail | None = None
        self._said = ""

    @property
    def top(self) -> Top:
        return self.app  # type: ignore[return-value]

    def say(self, words: str) -> None:
        """In the last line, until something else is shown."""
        self._said = words
        self.refresh()

    def pull(self) -> None:
        """Wish for the picture, and draw it once it has come; what is drawn changes here alone."""
        hit = self._view.tiles.chosen
        if hit is None or not self.size:
            return
        wanted = self._wanted(hit)
        drawn = self._view.pictures.get(wanted)
        if drawn is None:
            self._view.pictures.want([wanted, *self._view.tiles.wishes()])
        if drawn is not self._drawn:
            self._drawn = drawn
            self.refresh()
            if graphics.cell():
                self._mount_image()

    def on_resize(self) -> None:
        self.pull()

    def _mount_image(self) -> None:
        """Have the terminal draw it, in the middle of its room."""
        self.query("*").remove()
        drawn, cell = self._drawn, graphics.cell()
        if drawn is None or drawn.image is None or cell is None or self._view.tiles.chosen is None:
            return
        rows = -(-drawn.image.height // cell[1])
        image = graphics.widget(drawn.image)
        image.styles.width, image.styles.height = drawn.width, rows
        room = self.size.height - len(self.words(self._view.tiles.chosen)) - 1
        image.styles.offset = ((self.size.width - drawn.width) // 2, max(0, (room - rows) // 2))
        self.mount(image)

    def words(self, hit: Hit) -> list[tuple[str, str]]:
        """The lines below the picture, each with its colour's name."""
        room = self.size.width - 2
        lines = [(f"{hit.rank}  {hit.caption}", "text")]
        others = _wrapped([text for text in hit.captions if text != hit.caption], room)
        lines += [(line, "dim") for line in others[:_CAPTIONS]]
        labels = "   ".join(filter(None, [" ".join(hit.labels), hit.id, f"distance {hit.distance}, {hit.score:.3f}"]))
        path = fit(one_line(str(hit.image)), room, keep_end=True)
        keys = self._said or "←→ others   y copy the path   esc back"
        return [*lines, (labels, "dim"), (path, "info"), (keys, "faint")]

    def _wanted(self, hit: Hit) -> Wanted:
        rows = max(1, self.size.height - len(self.words(hit)) - 1)
        mode = "pixels" if graphics.cell() else mode_of(self.top.look)
        return Wanted(hit.image, self.size.width, rows, mode, whole=True)

    def render_line(self, y: int) -> Strip:
        look, hit, columns = self.top.look, self._view.tiles.chosen, self.size.width
        if hit is None:
            return Strip([Segment(" " * columns, look.plain)])
        words = self.words(hit)
        below = self.size.height - len(words)
        if y >= below:
            text, colour = words[y - below]
            return Strip([Segment(pad(fit(f" {text}", columns), columns), look.style(colour, bold=y == below))])
        picture = self._drawn
        if picture is None or picture.reason:
            text = (picture.reason if picture else "reading the picture") if y == below // 2 else ""
            space = " " * max(0, (columns - width(text)) // 2)
            return Strip([Segment(pad(space + text, columns), look.quiet)])
        at = y - (below - 1 - len(picture.lines)) // 2
        if not 0 <= at < len(picture.lines):
            return Strip([Segment(" " * columns, look.plain)])
        left = (columns - picture.width) // 2
        right = Segment(" " * (columns - picture.width - left), look.plain)
        return Strip([Segment(" " * left, look.plain), *picture.lines[at].apply_style(look.plain), right])


def _wrapped(texts: list[str], room: int) -> list[str]:
    """Texts with dots between them, in lines of at most `room`."""
    lines: list[str] = []
    for text in (fit(text, room) for text in texts):
        if lines and width(lines[-1]) + width(text) + 3 <= room:
            lines[-1] += f" · {text}"
        else:
            lines.append(text)
    return lines
