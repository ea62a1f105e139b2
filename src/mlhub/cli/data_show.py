"""`mlhub data show`: what is in a prepared set, what a registered one is made of, how one known by name is fetched."""

from __future__ import annotations

from typing import Annotated, Any

import typer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.paths import Home


def show(
    name: Annotated[str, typer.Argument(metavar="[DATASET]", help="The data set.")] = "emoji",
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> int:
    """Show what is in a data set: splits, languages, lengths of captions, labels, sizes of images, a few items.

    Of one that isn't here, how it is got.

    \b
    mlhub data show emoji
    mlhub data show coco          how it is fetched
    """
    from mlhub.cli.hub import open_home
    from mlhub.cli.out import emit_json
    from mlhub.data import registry
    from mlhub.data.describe import describe
    from mlhub.data.prepare import find_stored

    home = open_home()
    if registry.state(home, name).status in ("raw", "missing", "preparing"):
        return _unprepared(home, name, as_json=json)
    found = describe(find_stored(name, home))
    if json:
        emit_json(found)
    else:
        _print(found)
    return 0


def _unprepared(home: Home, name: str, *, as_json: bool) -> int:
    from mlhub.cli.data import row
    from mlhub.cli.out import emit_json, say
    from mlhub.data import catalogue, registry
    from mlhub.data.prepare import find_stored
    from mlhub.text import one_line

    state, source = registry.state(home, name), registry.read(home, name)
    if source is None and name not in catalogue.NAMES:
        find_stored(name, home)  # says how it is made
    if as_json:
        how = catalogue.how(name) if name in catalogue.NAMES else []
        emit_json(row(home, state) | {"source": source, "how": how})
        return 0
    if source is not None:
        say(f"data set {name}: {'raw only' if state.status == 'raw' else state.status}, {one_line(source.kind)}")
        for path in source.paths[:10]:
            say(f"  {one_line(path)}")
        if len(source.paths) > 10:
            say(f"  and {len(source.paths) - 10} more")
        if source.images:
            say(f"  images in {one_line(source.images)}")
        say(one_line(state.detail) if state.detail else f"make it ready: mlhub data prepare {name}")
        return 0
    for line in catalogue.how(name):
        say(line)
    return 0


def _print(found: dict[str, Any]) -> None:
    from mlhub.cli.out import columns, say
    from mlhub.text import fit, one_line, pad, size

    room = columns()
    rows = {
        "folder": found["folder"],
        "images in": found["root"] if found["root"] != found["folder"] else "",
        "made of": found["source"],
        "license": found["license"],
        "fingerprint": found["fingerprint"],
        "items": f"{found['items']}, of {found['concepts']} concepts, {size(found['bytes'])}",
        "splits": _counts(found["splits"]),
        "captions": _counts(found["captions"]) or "none",
        "words": "; ".join(f"{one_line(key)} {_spread(value)}" for key, value in found["caption_words"].items()),
        "labels": _labels(found),
        "categories": str(found["categories"]) if found["categories"] else "",
        "images": _sizes(found["images"]),
    }
    import textwrap

    for key, text in rows.items():
        if text:
            for number, line in enumerate(textwrap.wrap(one_line(text), max(20, room - 13), break_on_hyphens=False)):
                say(f"{key if not number else '':<12} {line}")
    say("sample")
    for item in found["sample"]:
        said = " · ".join(texts[0] for texts in list(item.captions.values())[:2] if texts) or ", ".join(item.labels)
        say(fit(f"  {pad(fit(one_line(item.id), 24), 24)} {item.split:<6} {one_line(said)}", room))


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{word} {count}" for word, count in counts.items())


def _spread(value: dict[str, int]) -> str:
    return f"{value['least']}–{value['most']} (median {value['median']}, 95 % up to {value['p95']})"


def _labels(found: dict[str, Any]) -> str:
    if not found["labels"]:
        return ""
    over = "over " if found["labels_over"] else ""
    return f"{over}{found['labels']}; most: {_counts(found['most_labels'])}"


def _sizes(images: dict[str, Any]) -> str:
    if not images.get("read"):
        return f"none of {images['looked']} looked at can be read: mlhub data check" if images else ""
    return (
        f"{images['least']} to {images['most']}, median {images['median']} ({_counts(images['kinds'])}; "
        f"{images['read']} of {images['looked']} looked at)"
    )
