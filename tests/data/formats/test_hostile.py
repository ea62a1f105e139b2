"""What is torn, spelled wrong, or meant to do harm: named by file and place, refused, or counted; never obeyed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile

import pytest

from mlhub.data import registry
from mlhub.data.formats import detect, documents
from mlhub.data.formats.base import Reading
from mlhub.data.prepare import find, make
from mlhub.errors import MlhubError
from tests.data.conftest import draw
from tests.data.formats import samples
from tests.data.formats.samples import add


def test_a_broken_document_is_named_by_line_and_column(home, tmp_path):
    (path,), _ = samples.karpathy(tmp_path)
    text = json.dumps(json.loads(path.read_text()), indent=1)
    lines = text.split("\n")
    lines[20] = lines[20] + " ]]"
    path.write_text("\n".join(lines))
    registry.add(home, "set", [path])
    with pytest.raises(MlhubError, match=r"dataset_coco\.json:21:\d+: not JSON"):
        make("set", home)


def test_a_document_cut_short_is_refused_and_its_end_named(home, tmp_path):
    (path,), _ = samples.karpathy(tmp_path)
    path.write_text(path.read_text()[:-40])
    registry.add(home, "set", [path])
    with pytest.raises(MlhubError, match=r"dataset_coco\.json:1:\d+: not JSON"):
        make("set", home)


def test_a_document_with_a_byte_order_mark_is_read(home, tmp_path):
    (path,), _ = samples.karpathy(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    registry.add(home, "set", [path])
    assert make("set", home).facts().items == 3


def test_utf_16_is_told_with_what_to_type(home, tmp_path):
    (path,), _ = samples.csv(tmp_path)
    path.write_text(path.read_text(encoding="utf-8-sig"), encoding="utf-16")
    registry.add(home, "set", [path], kind="csv")
    with pytest.raises(MlhubError, match="UTF-16") as caught:
        make("set", home)
    assert "iconv" in caught.value.hint


def test_a_line_in_another_encoding_is_named_and_can_be_skipped(home, tmp_path):
    (path,), _ = samples.csv(tmp_path)
    path.write_bytes(path.read_bytes() + b"0.png;caf\xe9;x\n")
    registry.add(home, "set", [path])
    with pytest.raises(MlhubError, match=r"set\.csv:8:\d+: not UTF-8"):
        make("set", home)
    assert make("set", home, skip_bad=True).facts().items == 3


def test_a_row_with_too_few_cells_and_nul_bytes(home, tmp_path):
    (path,), _ = samples.csv(tmp_path)
    path.write_bytes(path.read_bytes() + b"1.png;n\0ul;x\n2.png\n")
    registry.add(home, "set", [path])
    with pytest.raises(MlhubError, match=r"set\.csv:9: 1 cells"):
        make("set", home)
    make("set", home, skip_bad=True)
    assert "n ul" in {item.id: item for item in find("set", home).items}["1"].captions["en"]


def test_a_table_without_a_column_of_images_says_how_to_name_it(home, tmp_path):
    (tmp_path / "t.csv").write_text("datei,beschreibung\nx.png,Hund\n")
    registry.add(home, "set", [tmp_path / "t.csv"])
    with pytest.raises(MlhubError, match="no column 'image'") as caught:
        make("set", home)
    assert "-o image=COLUMN" in caught.value.hint
    draw(tmp_path / "x.png")
    said = {"image": "datei", "caption": "beschreibung", "language": "de"}
    registry.add(home, "set", [tmp_path / "t.csv"], options=said, force=True)
    assert next(iter(make("set", home))).captions == {"de": ("Hund",)}


def hostile_tar(path):
    """Zip-slip, links, a device, and among them one good sample."""
    with tarfile.open(path, "w") as tar:
        picture = draw(path.with_name("p.png"), 1).read_bytes()
        for name in ("../../out.png", "/tmp/out-of-the-tar.png"):
            add(tar, name, picture)
        for name, kind in (("link.png", tarfile.SYMTYPE), ("hard.png", tarfile.LNKTYPE), ("dev.png", tarfile.CHRTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
        add(tar, "good.png", picture)
        add(tar, "good.txt", b"a good one")
    return path


def test_members_that_lead_out_or_are_links_are_refused(home, tmp_path):
    registry.add(home, "set", [hostile_tar(tmp_path / "x.tar")])
    with pytest.raises(MlhubError, match="leads out of the tar"):
        make("set", home)
    make("set", home, skip_bad=True)
    assert [item.id for item in find("set", home).items] == ["good"]
    assert not (home.data.parent / "out.png").exists()
    assert not os.path.exists("/tmp/out-of-the-tar.png")


def test_two_pictures_of_one_name_in_two_tars_are_two_files(home, tmp_path):
    for shard, folder in enumerate(("a", "b")):
        with tarfile.open(tmp_path / f"{shard}.tar", "w") as tar:
            add(tar, "one.png", draw(tmp_path / "p.png", shard).read_bytes())
            add(tar, "one.json", json.dumps({"id": folder, "caption": "x"}).encode())
    registry.add(home, "set", [tmp_path / "0.tar", tmp_path / "1.tar"])
    items = list(make("set", home))
    assert len({item.image for item in items}) == len({item.digest for item in items}) == 2


def test_a_torn_tar_is_named(home, tmp_path):
    (folder,), _ = samples.webdataset(tmp_path)
    path = folder / "00001.tar"
    path.write_bytes(path.read_bytes()[:900])
    registry.add(home, "set", [folder])
    with pytest.raises(MlhubError, match=r"00001\.tar: the tar is torn"):
        make("set", home)


def test_a_torn_parquet_file_is_named(home, tmp_path):
    (path,), _ = samples.parquet(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    registry.add(home, "set", [path], images=tmp_path)
    with pytest.raises(MlhubError, match=r"set\.parquet: can't be read"):
        make("set", home)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.jsonl")
    with pytest.raises(MlhubError, match="can't be read"):
        detect(tmp_path / "x.jsonl")
    with pytest.raises(MlhubError, match="can't be read"):
        list(Reading().lines(tmp_path / "x.jsonl"))


@pytest.mark.parametrize("data", [b"", b"\x00\x01\x02 nothing known", b"%PDF-1.7 no data set"])
def test_a_file_of_no_known_form_says_what_can_be_said(tmp_path, data):
    (tmp_path / "x.bin").write_bytes(data)
    with pytest.raises(MlhubError) as caught:
        detect(tmp_path / "x.bin")
    assert caught.value.hint


def test_annotations_of_an_image_that_coco_does_not_name(home, tmp_path):
    (path, _), _ = samples.coco(tmp_path)
    document = json.loads(path.read_text())
    document["annotations"].append({"id": 99, "image_id": 77, "caption": "of nothing"})
    path.write_text(json.dumps(document))
    registry.add(home, "set", [path])
    with pytest.raises(MlhubError, match="annotation 7: of an image that the file does not name"):
        make("set", home)


def test_a_name_that_is_not_utf_8_and_one_of_two_lines(home, tmp_path):
    for name in (b"ok.png", b"\xff.png", b"two\nlines.png"):
        draw(tmp_path / "p.png", 1)
        os.rename(tmp_path / "p.png", os.path.join(os.fsencode(tmp_path), name))
    registry.add(home, "set", [tmp_path], kind="images")
    with pytest.raises(MlhubError, match=r"'\\udcff\.png' is not UTF-8"):
        make("set", home)
    make("set", home, skip_bad=True)
    assert [item.image for item in find("set", home).items] == ["ok.png", "two\nlines.png"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"image": "0.png", "caption": "' + "x" * (17 << 20) + '"}', "1: a line longer than 16 MB"),
        ('{"a":' + "[" * 100_000, r"1:\d+: not JSON"),
        ('{"image": "0.png", "caption": 1e999}', r"1:\d+: not JSON"),
        ("[1, 2]", "1: not an object"),
    ],
)
def test_lines_that_are_no_objects_are_named_and_what_stands_behind_is_read(home, tmp_path, line, said):
    draw(tmp_path / "0.png")
    good = '{"image": "0.png", "caption": "good"}'
    (tmp_path / "s.jsonl").write_text(f"{line}\n{good}\n")
    registry.add(home, "set", [tmp_path / "s.jsonl"], kind="jsonl")
    with pytest.raises(MlhubError, match=rf"s\.jsonl:{said}"):
        make("set", home)
    assert [item.captions for item in make("set", home, skip_bad=True)] == [{"en": ("good",)}]


def test_an_unknown_split_is_named(home, tmp_path):
    draw(tmp_path / "0.png")
    (tmp_path / "s.jsonl").write_text('{"image": "0.png", "caption": "x", "split": "holdout"}\n')
    registry.add(home, "set", [tmp_path / "s.jsonl"])
    with pytest.raises(MlhubError, match=r"s\.jsonl:1: split 'holdout' is none of"):
        make("set", home)


def test_lengths_of_nuswides_files_that_differ(home, tmp_path):
    (folder,), _ = samples.nuswide(tmp_path)
    (folder / "Groundtruth" / "AllLabels" / "Labels_sky.txt").write_text("0\n")
    registry.add(home, "set", [folder])
    with pytest.raises(MlhubError, match=r"Imagelist\.txt:2"):
        make("set", home)


def test_a_sample_without_a_picture_is_named(home, tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        member = tarfile.TarInfo("lonely.txt")
        member.size = 1
        tar.addfile(member, io.BytesIO(b"x"))
    registry.add(home, "set", [tmp_path / "x.tar"])
    with pytest.raises(MlhubError, match="lonely: a sample without a picture"):
        make("set", home)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('{"' + "k" * 300 + '":', "}")])
def test_a_document_nested_without_end_is_refused_before_it_fills_the_memory(tmp_path, opening, closing):
    deep = tmp_path / "dataset_deep.json"
    deep.write_text('{"images": [' + opening * 100_000 + "1" + closing * 100_000 + "]}")
    program = """
import resource, sys
from pathlib import Path
from mlhub.data.formats import documents
from mlhub.data.formats.base import Reading
resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
try:
    print(len(list(documents.elements(Reading(), Path(sys.argv[1]), "images.item"))))
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(deep)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.startswith(f"MlhubError {deep}: nested deeper than 500 levels"), done.stderr[-500:]


def test_brackets_in_captions_are_not_taken_for_depth(tmp_path):
    path = tmp_path / "document.json"
    path.write_text(json.dumps({"images": [{"raw": "[{" * 3} for _ in range(3000)]}))
    assert len(list(documents.elements(Reading(), path, "images.item"))) == 3000
