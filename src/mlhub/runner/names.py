"""Names for runs that were given none, `adjective-noun`, easy to say and to type; and what may be a name at all."""
# ruff: noqa: SIM905 - words to read, not a list to edit

from __future__ import annotations

import random

from mlhub.errors import UsageError
from mlhub.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ADJECTIVES = (
    "able amber ample apt bold brave bright brisk broad calm candid clean clear clever cool cosy crisp curious "
    "daring deep deft eager early easy fair fast fine firm fleet fond frank free fresh gentle glad golden good "
    "grand green happy hardy honest humble jolly just keen kind large light lively long loyal lucid lucky mellow "
    "merry mild modest neat new nimble noble open patient plain polite prime proud quick quiet rapid rare ready "
    "rich round royal sharp shy silver simple sincere sleek slow smart smooth snug soft solid spry stable steady "
    "still stout strong sunny sure sweet swift tall tame tidy tiny true trusty upbeat vast vivid warm wide wild "
    "wise witty young zesty "
).split()
_NOUNS = (
    "acorn alder anchor apple aspen badger bay beach bear beaver bee birch bird bison boat bridge brook canyon "
    "cedar cherry cliff cloud clover comet coral cove crane creek crow daisy deer delta dove duck dune eagle elk "
    "elm falcon fern field finch fir fjord forest fox frog garden gecko glade goat goose grove gull harbor hare "
    "hawk hazel heron hill holly horse ibis iris island ivy jay koala lagoon lake lark laurel leaf lemur lily "
    "lion lotus lynx maple marsh meadow mole moon moose moss moth newt oak oasis ocean olive orca otter owl palm "
    "panda path pearl pebble pine plum pond poppy prairie puffin quail rabbit rain raven reef ridge river robin "
    "rose sage salmon seal shore sky snow spruce star stone stream swan thrush tide tiger trail trout tulip "
    "valley violet wave whale willow wolf wren yak zebra "
).split()


def new_name(taken: Callable[[str], bool]) -> str:
    """A name for which `taken` is false; past many tries one with a number behind it."""
    for attempt in range(10_000):
        name = f"{random.choice(_ADJECTIVES)}-{random.choice(_NOUNS)}"  # noqa: S311 - a name, not a secret
        if attempt >= 20:
            name = f"{name}-{random.randrange(10_000)}"  # noqa: S311
        if not taken(name):
            return name
    raise AssertionError(name)


def check_words(name: str | None, group: str | None, tags: Sequence[str] | None) -> None:
    """Raises UsageError for what can't be a name, a group or a tag."""
    for label, text in (("--name", name), ("--group", group), *(("--tag", tag) for tag in tags or ())):
        check_word(label, text)


def check_word(label: str, text: str | None) -> None:
    """A name is typed, listed and matched: no control characters, nothing that reads as an id, an option or @last."""
    if text is None:
        return
    if (
        not text
        or one_line(text) != text
        or not text.isprintable()
        or text[0] in "-@"
        or len(text) > 100
        or "/" in text
        or "," in text
    ):
        raise UsageError(
            f"{label} {one_line(text)!r}: not usable", "Up to 100 letters and signs, no / or comma, not - or @ first."
        )
    if label == "--name" and text.isdigit():
        raise UsageError(f"{label} {text}: a number would be read as a run's id", "Put a letter in it.")
