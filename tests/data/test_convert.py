"""A source becomes a set whole or not at all, goes on where it was killed, and nothing hostile comes through."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from mlhub.data import place, registry
from mlhub.data.items import ABOUT, ITEMS, Stored
from mlhub.data.prepare import find, find_stored, make
from mlhub.errors import MlhubError, NotFoundError
from tests.data.conftest import draw


def lines(folder, rows, name="set.jsonl"):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def birds(folder, count=5, **more):
    for number in range(count):
        draw(folder / "photos" / f"{number}.png", number)
    return lines(folder, [{"image": f"photos/{n}.png", "caption": f"bird {n}", **more} for n in range(count)])


def made(home, *paths, name="birds", skip_bad=False, **kwargs):
    registry.add(home, name, list(paths), **kwargs)
    return make(name, home, skip_bad=skip_bad)


def test_a_source_becomes_items_and_its_images_stay_where_they_are(home, tmp_path):
    stored = made(home, birds(tmp_path / "src", split="val"))
    items = list(stored)
    assert [item.captions["en"] for item in items] == [(f"bird {n}",) for n in range(5)]
    assert items[3].id == "photos/3"
    assert {item.split for item in items} == {"val"}
    assert stored.image_path(items[0]) == tmp_path / "src" / "photos" / "0.png"
    assert sorted(os.listdir(home.data / "birds")) == [ABOUT, ITEMS]


def test_the_counts_and_the_fingerprint_stand_beside_the_set_and_are_those_of_its_items(home, tmp_path):
    stored = made(home, birds(tmp_path / "src"))
    assert stored.about.facts.items == 5
    assert stored.facts().fingerprint == find("birds", home).fingerprint
    assert stored.facts().images == sum(f.stat().st_size for f in (tmp_path / "src" / "photos").iterdir())


def test_a_set_changed_by_hand_is_counted_anew(home, tmp_path):
    stored = made(home, birds(tmp_path / "src"))
    with (stored.folder / ITEMS).open("a") as file:
        file.write(json.dumps({"id": "x", "image": "photos/0.png", "captions": {"en": ["again"]}}) + "\n")
    assert Stored.open(stored.folder).facts().items == 6


def test_captions_lose_control_characters_and_repeats(home, tmp_path):
    source = birds(tmp_path / "src", 1)
    lines(source.parent, [{"image": "photos/0.png", "captions": {"en": ["a\tb\u0000c\u001b[31m", " a b c [31m", ""]}}])
    assert next(iter(made(home, source))).captions == {"en": ("a b c [31m",)}


@pytest.mark.parametrize(
    "image", ["../out.png", "/etc/hostname", "photos/../../out.png", "photos/none.png", "photos", ""]
)
def test_an_image_that_is_not_there_or_leads_out_is_named_with_its_line(home, tmp_path, image):
    source = birds(tmp_path / "src", 2)
    draw(tmp_path / "out.png")
    with source.open("a") as file:
        file.write(json.dumps({"image": image, "caption": "bad"}) + "\n")
    with pytest.raises(MlhubError, match=r"set\.jsonl:3"):
        made(home, source)
    assert [item.id for item in make("birds", home, skip_bad=True)] == ["photos/0", "photos/1"]


def test_a_link_out_of_the_images_folder_is_refused(home, tmp_path):
    source = birds(tmp_path / "src", 2)
    outside = draw(tmp_path / "out.png")
    (source.parent / "photos" / "1.png").unlink()
    (source.parent / "photos" / "1.png").symlink_to(outside)
    with pytest.raises(MlhubError, match="leads out"):
        made(home, source)


def test_an_absolute_path_below_the_images_folder_becomes_relative(home, tmp_path):
    source = birds(tmp_path / "src", 1)
    lines(source.parent, [{"image": str(source.parent / "photos" / "0.png"), "caption": "x"}])
    assert next(iter(made(home, source))).image == "photos/0.png"


def test_broken_json_on_line_3_of_5_is_named_and_can_be_skipped(home, tmp_path):
    source = birds(tmp_path / "src")
    rows = source.read_text().splitlines()
    rows[2] = '{"image": "photos/2.png", "caption": }'
    lines(source.parent, rows)
    with pytest.raises(MlhubError, match=r"set\.jsonl:3:\d+"):
        made(home, source)
    told = []
    stored = make("birds", home, lambda _d, _t, text: told.append(text), skip_bad=True)
    assert stored.facts().items == 4
    assert any("skipped: 1" in text for text in told)


def test_two_items_of_one_id_are_refused_naming_both_lines(home, tmp_path):
    source = birds(tmp_path / "src", 2)
    lines(source.parent, [{"image": f"photos/{n}.png", "caption": "x", "id": "same"} for n in range(2)])
    with pytest.raises(MlhubError, match="same: the same id as line 1"):
        made(home, source)


def test_parts_of_one_image_that_stand_apart_become_one_item(home, tmp_path):
    source = birds(tmp_path / "src", 2).with_name("set.csv")
    source.write_text("image,caption,language\nphotos/0.png,one,en\nphotos/1.png,two,en\nphotos/0.png,eins,en\n")
    items = list(made(home, source))
    assert [(item.image, item.captions["en"]) for item in items] == [
        ("photos/0.png", ("one", "eins")),
        ("photos/1.png", ("two",)),
    ]


def test_a_folder_of_pictures_without_captions_is_labelled_by_its_name(home, tmp_path):
    for number in range(3):
        draw(tmp_path / "gulls" / f"{number}.png", number)
    assert {item.labels for item in made(home, tmp_path / "gulls", name="gulls")} == {("gulls",)}


def test_a_second_preparation_leaves_the_first_and_force_makes_it_anew(home, tmp_path):
    stored = made(home, birds(tmp_path / "src"))
    before = (stored.folder / ITEMS).stat().st_mtime_ns
    make("birds", home)
    assert (stored.folder / ITEMS).stat().st_mtime_ns == before
    make("birds", home, force=True)
    assert (stored.folder / ITEMS).stat().st_mtime_ns > before
    assert not [path for path in home.data.iterdir() if path.name.endswith((".tmp", ".preparing"))]


def test_a_source_that_gives_nothing_leaves_no_set(home, tmp_path):
    source = birds(tmp_path / "src", 1)
    lines(source.parent, [{"image": "photos/9.png", "caption": "gone"}])
    with pytest.raises(MlhubError, match="no item came of it"):
        made(home, source, skip_bad=True)
    with pytest.raises(NotFoundError):
        find_stored("birds", home)


KILLED = """
import sys, pathlib, os
from mlhub.data import cleaning, convert
from mlhub.data.prepare import make
from mlhub.paths import Home
root, after = pathlib.Path(sys.argv[1]), int(sys.argv[2])
convert._EVERY = 0.0
item, seen = cleaning.Cleaner.item, []
def counted(self, part):
    seen.append(part)
    if len(seen) == after:
        os.kill(os.getpid(), 9)
    return item(self, part)
cleaning.Cleaner.item = counted
make("birds", Home(root, root / "data"), lambda d, t, text: print(text, flush=True))
print("made of", len(seen))
"""


def run_until(home, after):
    return subprocess.run(
        [sys.executable, "-c", KILLED, str(home.root), str(after)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("after", [1, 2, 7, 20])
def test_killed_anywhere_it_goes_on_and_no_item_is_lost_or_twice(home, tmp_path, after):
    registry.add(home, "birds", [birds(tmp_path / "src", 20)])
    assert run_until(home, after).returncode == -signal.SIGKILL
    assert not home.dataset("birds").exists()
    done = run_until(home, 0)
    assert done.returncode == 0, done.stderr
    assert f"made of {20 - (after - 1)}" in done.stdout
    assert [item.id for item in find("birds", home).items] == [f"photos/{n}" for n in range(20)]


GATHERING = """
import sys, pathlib, os
from mlhub.data import gather
from mlhub.data.prepare import make
from mlhub.paths import Home
root, after = pathlib.Path(sys.argv[1]), int(sys.argv[2])
gather._TOGETHER = 3
join, kept = gather.Gathering._keep, []
def counted(self, known, parts):
    join(self, known, parts)
    kept.append(len(known))
    if len(kept) == after:
        os.kill(os.getpid(), 9)
gather.Gathering._keep = counted
make("birds", Home(root, root / "data"))
print("gathered", sum(kept))
"""


@pytest.mark.parametrize("after", [1, 3])
def test_killed_while_parts_are_gathered_it_goes_on_and_each_caption_is_there_once(home, tmp_path, after):
    birds(tmp_path / "src", 6)
    path = tmp_path / "src" / "set.csv"
    rows = [f"photos/{n}.png,caption {n} {k}" for k in range(3) for n in range(6)]
    path.write_text("\n".join(["image,caption", *rows]) + "\n")
    registry.add(home, "birds", [path])

    def run(after):
        command = [sys.executable, "-c", GATHERING, str(home.root), str(after)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert run(after).returncode == -signal.SIGKILL
    done = run(0)
    assert f"gathered {18 - 3 * after}" in done.stdout, done.stderr
    items = find("birds", home).items
    assert [item.captions["en"] for item in items] == [tuple(f"caption {n} {k}" for k in range(3)) for n in range(6)]


def test_a_torn_line_of_a_killed_process_is_written_over(home, tmp_path):
    registry.add(home, "birds", [birds(tmp_path / "src", 20)])
    run_until(home, 7)
    with (place.making(home, "birds") / ITEMS).open("a") as file:
        file.write('{"id": "torn')
    assert make("birds", home).facts().items == 20


def test_a_source_that_changed_meanwhile_is_read_from_its_beginning(home, tmp_path):
    source = birds(tmp_path / "src", 20)
    registry.add(home, "birds", [source])
    run_until(home, 7)
    lines(source.parent, [{"image": f"photos/{n}.png", "caption": "changed"} for n in range(20)])
    assert {item.captions["en"] for item in make("birds", home)} == {("changed",)}


def test_killed_between_the_two_renames_the_whole_set_is_put_in_its_place(home, tmp_path):
    stored = made(home, birds(tmp_path / "src"))
    stored.folder.rename(place.making(home, "birds"))
    assert make("birds", home).facts().items == 5


def test_two_preparations_at_once_make_one_set(home, tmp_path):
    registry.add(home, "birds", [birds(tmp_path / "src", 20)])
    command = [sys.executable, "-c", KILLED, str(home.root), "0"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(text.count("made of 20") for text in said) == [0, 1]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small tmpfs")
def test_a_full_disk_is_told_and_what_was_done_is_gone_on_with(home, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(small)], check=True)
    try:
        full = type(home)(small, small / "data")
        source = birds(tmp_path / "src", 3)
        lines(
            source.parent, [{"image": f"photos/{n % 3}.png", "caption": "x" * 300, "id": str(n)} for n in range(1000)]
        )
        registry.add(full, "birds", [source])
        with pytest.raises(MlhubError, match="No space left"):
            make("birds", full)
        assert not full.dataset("birds").exists()
        subprocess.run(["mount", "-o", "remount,size=4m", str(small)], check=True)
        assert make("birds", full).facts().items == 1000
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_set_being_made_is_seen_and_not_removed(home, tmp_path):
    registry.add(home, "birds", [birds(tmp_path / "src")])
    with place.locked(home, "birds"):
        assert registry.state(home, "birds").status == "preparing"
        with pytest.raises(MlhubError, match="is being prepared"):
            registry.remove(home, "birds")


def test_states_of_a_set_from_registered_to_removed(home, tmp_path):
    def status():
        return registry.state(home, "birds").status

    assert status() == "missing"
    source = birds(tmp_path / "src")
    registry.add(home, "birds", [source])
    assert status() == "raw"
    make("birds", home)
    assert status() == "ready"
    registry.add(home, "birds", [source], options={"language": "de"}, force=True)
    assert status() == "changed"
    assert next(iter(make("birds", home))).captions.keys() == {"de"}
    (home.dataset("birds") / ABOUT).write_bytes(b"{")
    assert status() == "broken"
    registry.remove(home, "birds")
    assert status() == "missing"
    assert source.exists()
    assert (source.parent / "photos" / "0.png").exists()
    source.unlink()


def test_a_source_that_changed_since_is_seen_and_prepared_anew(home, tmp_path):
    source = birds(tmp_path / "src")
    made(home, source)
    lines(source.parent, [{"image": "photos/0.png", "caption": "another"}])
    assert registry.state(home, "birds").status == "changed"
    assert make("birds", home).facts().items == 1
    assert registry.state(home, "birds").status == "ready"
    source.unlink()
    assert registry.state(home, "birds").status == "ready"


def test_a_source_that_went_away_is_missing_and_named(home, tmp_path):
    source = birds(tmp_path / "src")
    registry.add(home, "birds", [source])
    source.unlink()
    state = registry.state(home, "birds")
    assert state.status == "missing"
    assert str(source) in state.detail


def test_removing_a_link_leaves_what_it_leads_to(home, tmp_path):
    made(home, birds(tmp_path / "src"))
    home.dataset("birds").rename(tmp_path / "elsewhere")
    home.dataset("birds").symlink_to(tmp_path / "elsewhere")
    registry.remove(home, "birds")
    assert (tmp_path / "elsewhere" / ITEMS).is_file()


@pytest.mark.parametrize("name", ["", "..", "a/b", ".x", "a b", "x" * 200, "-x", "emoji"])
def test_a_name_that_can_be_no_sets_is_refused(home, tmp_path, name):
    with pytest.raises(MlhubError):
        registry.add(home, name, [birds(tmp_path / "src")])


def test_registering_twice_needs_force_unless_it_is_the_same(home, tmp_path):
    source = birds(tmp_path / "src")
    first = registry.add(home, "birds", [source])
    assert registry.add(home, "birds", [source]) == first
    with pytest.raises(MlhubError, match="registered already"):
        registry.add(home, "birds", [source], options={"language": "ko"})
