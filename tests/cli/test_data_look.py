"""`mlhub data show|preview|check|split|export` as commands: readable at 80 columns, hostile captions tamed."""

from __future__ import annotations

import json
import re

import pytest

from mlhub.data.items import About, Item, write_items
from tests.conftest import Cli
from tests.data.conftest import draw

HOSTILE = "<script>alert(1)</script> [red]x[/red] \u202e" + "long " * 299 + "long"


@pytest.fixture
def pets(cli: Cli):
    folder = cli.home / "data" / "pets"
    items = []
    for number in range(30):
        draw(folder / f"{number}.png", number, (30 + number, 20))
        said = HOSTILE if number == 1 else f"pet {number}"
        labels = ("dog",) if number % 2 else ("cat",)
        split = "train" if number < 25 else "test"
        items.append(Item(f"p{number}", f"{number}.png", {"en": (said,), "ko": ("개",)}, labels, split=split))
    write_items(folder, About("pets"), tuple(items))
    return folder


def narrow(text: str) -> bool:
    return all(len(line) <= 80 for line in text.splitlines())


def test_show_says_what_is_in_a_set(cli: Cli, pets) -> None:
    said = cli("data", "show", "pets").stdout
    assert "items        30, of 30 concepts" in said
    assert "splits       train 25, test 5" in said
    assert "labels       2; most: cat 15, dog 15" in said
    assert "30x20 to 59x20, median 45x20 (PNG 30; 30 of 30 looked at)" in said
    assert narrow(said.replace(str(pets), ""))
    found = cli.json("data", "show", "pets")
    assert found["caption_words"]["ko"] == {"least": 1, "median": 1, "p95": 1, "most": 1}
    assert len(found["sample"]) == 5


@pytest.mark.parametrize("name", ["coco", "coco_ko", "aihub", "cc3m_ko", "mirflickr", "nuswide", "flickr30k"])
def test_show_says_how_one_known_by_name_is_fetched(cli: Cli, name) -> None:
    said = cli("data", "show", name).stdout
    assert f"mlhub data add {name} FOLDER" in said
    assert "http" in said


def test_show_of_a_registered_set_says_what_it_is_made_of(cli: Cli, tmp_path) -> None:
    (tmp_path / "x.csv").write_text("image,caption\n")
    cli("data", "add", "x", str(tmp_path / "x.csv"))
    said = cli("data", "show", "x").stdout
    assert f"{tmp_path}/x.csv" in said
    assert "mlhub data prepare x" in said


def test_a_set_nobody_knows_is_said_so(cli: Cli) -> None:
    assert "mlhub data add zebras PATH" in cli("data", "show", "zebras", code=1).stderr


def test_preview_pages_and_says_how_to_see_the_next(cli: Cli, pets) -> None:
    first = cli("data", "preview", "pets", "-n", "10")
    assert first.stdout.count("\n") == 10
    assert narrow(first.stdout)
    assert "page 1 of 3, 30 items; the next: mlhub data preview pets -n 10 --page 2" in first.stderr
    last = cli.json("data", "preview", "pets", "-n", "10", "--page", "3")
    assert last["items"][0]["id"] == "p20"
    assert "there are 3" in cli("data", "preview", "pets", "-n", "10", "--page", "4").stderr


@pytest.mark.parametrize(
    ("words", "count"),
    [(["--split", "test"], 5), (["--label", "dog"], 15), (["--contains", "PET 2"], 11), (["--language", "fr"], 0)],
)
def test_preview_chooses(cli: Cli, pets, words, count) -> None:
    assert cli.json("data", "preview", "pets", *words)["total"] == count


def test_a_shuffled_page_is_the_same_each_time_and_pages_do_not_overlap(cli: Cli, pets) -> None:
    pages = [
        [
            item["id"]
            for item in cli.json("data", "preview", "pets", "--shuffle", "7", "-n", "12", "--page", page)["items"]
        ]
        for page in ("1", "2", "3", "1")
    ]
    assert pages[0] == pages[3]
    assert len({*pages[0], *pages[1], *pages[2]}) == 30
    assert pages[0] != sorted(pages[0])


def test_a_sheet_holds_its_pictures_and_runs_nothing(cli: Cli, pets, tmp_path) -> None:
    (pets / "2.png").write_bytes(b"torn")
    cli("data", "preview", "pets", "-n", "30", "--html", str(tmp_path / "s.html"))
    page = (tmp_path / "s.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 29
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "damaged" in page or "can't" in page or "cannot" in page
    assert "default-src 'none'" in page
    assert not re.search(r'(?:src|href)="(?!data:)', page)


def test_check_says_what_is_wrong_and_exits_1(cli: Cli, pets) -> None:
    (pets / "3.png").unlink()
    (pets / "28.png").write_bytes((pets / "4.png").read_bytes())
    done = cli("data", "check", "pets", code=1)
    assert "error: 1 images that are missing or can't be decoded" in done.stdout
    assert "p3: 3.png: missing" in done.stdout
    assert "p4 (train), p28 (test)" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert narrow(done.stdout)
    found = cli.json("data", "check", "pets", "--only", "captions")
    assert found["ok"]
    assert cli("data", "check", "pets", "--schema").stdout == "pets: no violations of the schema\n"


def test_split_shows_counts_and_changes_them(cli: Cli, pets) -> None:
    said = cli("data", "split", "pets", "--ratio", "80/20", "--dry-run").stdout
    assert "nothing was changed" in said
    made = cli.json("data", "split", "pets", "--ratio", "80/20", "--seed", "3")
    assert made["after"] == {"train": 24, "test": 6}
    assert cli.json("data", "show", "pets")["splits"] == {"train": 24, "test": 6}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no way"),
        (["--ratio", "1/1", "--file", "x"], "--ratio and --file"),
        (["--ratio", "eighty"], "not TRAIN/VAL/TEST"),
        (["--ratio", "1/1", "--by", "colour"], "nothing that can stay together"),
        (["--field", "style", "--values", "dev=x"], "not SPLIT=VALUE"),
        (["--field", "style", "--values", "test=x", "--seed", "3"], "--seed says nothing"),
    ],
)
def test_split_refuses_what_it_can_not_mean(cli: Cli, pets, words, said) -> None:
    assert said in cli("data", "split", "pets", *words, code=2).stderr


def test_export_writes_and_tells_how_to_read_it_again(cli: Cli, pets, tmp_path) -> None:
    done = cli("data", "export", "pets", str(tmp_path / "x.jsonl"))
    assert "30 items" in done.stdout
    assert f"--images {pets}" in done.stdout
    cli("data", "add", "again", str(tmp_path / "x.jsonl"), "--images", str(pets))
    cli("data", "prepare", "again")
    prints = {row["name"]: row.get("fingerprint") for row in cli.json("data", "ls")}
    assert prints["again"] == prints["pets"]
    assert "is there already" in cli("data", "export", "pets", str(tmp_path / "x.jsonl"), code=2).stderr
    assert json.loads((tmp_path / "x.jsonl").read_text().splitlines()[0])["id"] == "p0"
