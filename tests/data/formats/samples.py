"""Small data sets as their makers distribute them, with real pictures: a folder, and what to register of it."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING

from tests.data.conftest import draw

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: what to add: paths, and the folder of the images if it has to be said
Sample = tuple[list["Path"], "Path | None"]


def jsonl(folder: Path) -> Sample:
    for n in range(3):
        draw(folder / "img" / f"{n}.png", n)
    rows = [
        {"file_name": f"img/{n}.png", "caption": f"thing {n}", "caption_ko": f"물건 {n}", "hw": 3} for n in range(3)
    ]
    (folder / "set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [folder / "set.jsonl"], None


def csv(folder: Path) -> Sample:
    for n in range(3):
        draw(folder / f"{n}.png", n)
    rows = [f"{n}.png;thing {n}, number {k};물건 {n}" for k in range(2) for n in range(3)]
    (folder / "set.csv").write_bytes(("\ufeffimage;caption_en;ko\r\n" + "\r\n".join(rows) + "\r\n").encode())
    return [folder / "set.csv"], None


def parquet(folder: Path) -> Sample:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {"image": {"bytes": draw(folder / "t.png", n).read_bytes(), "path": f"{n}.png"}, "text": [f"thing {n}", "x"]}
        for n in range(3)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "set.parquet")
    (folder / "t.png").unlink()
    return [folder / "set.parquet"], None


def coco(folder: Path) -> Sample:
    notes = folder / "annotations"
    notes.mkdir()
    names = [f"COCO_val2014_{n:012}.jpg" for n in range(3)]
    for n, name in enumerate(names):
        draw(folder / "val2014" / name, n)
    images = [{"id": n, "file_name": name, "height": 20, "width": 24} for n, name in enumerate(names)]
    said = [{"id": 9 + n, "image_id": n % 3, "caption": f"thing {n}"} for n in range(6)]
    boxes = [{"id": n, "image_id": n, "category_id": 18, "bbox": [0, 0, 1, 1]} for n in range(3)]
    (notes / "captions_val2014.json").write_text(json.dumps({"annotations": said, "images": images}))
    kinds = [{"id": 18, "name": "dog", "supercategory": "animal"}]
    (notes / "instances_val2014.json").write_text(
        json.dumps({"images": images, "annotations": boxes, "categories": kinds})
    )
    return [notes / "captions_val2014.json", notes / "instances_val2014.json"], None


def karpathy(folder: Path) -> Sample:
    records = []
    for n, split in enumerate(("restval", "val", "test")):
        draw(folder / "val2014" / f"{n}.jpg", n)
        said = [{"tokens": ["thing"], "raw": f"Thing {n} {k}.", "imgid": n, "sentid": k} for k in range(5)]
        records.append({"filepath": "val2014", "sentids": [0], "filename": f"{n}.jpg", "imgid": n, "split": split,
                        "sentences": said, "cocoid": n})  # fmt: skip
    (folder / "dataset_coco.json").write_text(json.dumps({"images": records, "dataset": "coco"}))
    return [folder / "dataset_coco.json"], None


def flickr30k(folder: Path) -> Sample:
    lines = []
    for n in range(3):
        draw(folder / "flickr30k-images" / f"{1000 + n}.jpg", n)
        lines += [f"{1000 + n}.jpg#{k}\tThing {n} seen {k} times ." for k in range(5)]
    (folder / "results_20130124.token").write_text("\n".join(lines) + "\n")
    return [folder / "results_20130124.token"], None


def mirflickr(folder: Path) -> Sample:
    root, notes = folder / "mirflickr", folder / "mirflickr25k_annotations_v080"
    (root / "meta" / "tags").mkdir(parents=True)
    notes.mkdir()
    for n in range(1, 4):
        draw(root / f"im{n}.jpg", n)
        (root / "meta" / "tags" / f"tags{n}.txt").write_text(f"thing\r\nnumber{n}\r\n")
    (notes / "dog.txt").write_text("1\n3\n")
    (notes / "dog_r1.txt").write_text("3\n")
    (notes / "sky.txt").write_text("2\n")
    (notes / "README.txt").write_text("annotations\n")
    return [folder], None


def nuswide(folder: Path) -> Sample:
    truth = folder / "Groundtruth" / "AllLabels"
    for place in (truth, folder / "ImageList", folder / "NUS_WID_Tags"):
        place.mkdir(parents=True)
    names = [f"actor\\{n:04}_2124494{n}.jpg" for n in range(3)]
    for n, name in enumerate(names):
        draw(folder / "Flickr" / name.replace("\\", "/"), n)
    (folder / "ImageList" / "Imagelist.txt").write_text("".join(f"{name}\n" for name in names))
    (folder / "ImageList" / "TestImagelist.txt").write_text(names[2] + "\n")
    (truth / "Labels_dog.txt").write_text("1\n0\n1\n")
    (truth / "Labels_sky.txt").write_text("0\n1\n1\n")
    (folder / "NUS_WID_Tags" / "All_Tags.txt").write_text("".join(f"212449{n}      thing n{n} \n" for n in range(3)))
    return [folder], None


def cc3m(folder: Path) -> Sample:
    for n in range(3):
        draw(folder / "pictures" / f"{n:09}.jpg", n)
    (folder / "Train_GCC-training.tsv").write_text("".join(f"thing {n}\thttp://x.org/{n}.jpg\n" for n in range(3)))
    return [folder / "Train_GCC-training.tsv"], folder / "pictures"


def aihub(folder: Path) -> Sample:
    records = []
    for n in range(3):
        draw(folder / "train2014" / f"{n}.jpg", n)
        records.append(
            {"file_path": f"train2014/{n}.jpg", "captions": [f"thing {n}"], "caption_ko": [f"물건 {n}"], "id": n}
        )
    (folder / "MSCOCO_train_val_Korean.json").write_text(json.dumps(records, ensure_ascii=False))
    return [folder / "MSCOCO_train_val_Korean.json"], None


def webdataset(folder: Path) -> Sample:
    for shard in range(2):
        with tarfile.open(folder / f"{shard:05}.tar", "w") as tar:
            for n in range(2 * shard, 2 * shard + 2):
                picture = draw(folder / "t.png", n).read_bytes()
                said = json.dumps({"key": f"{n:09}", "caption": f"thing {n}", "width": 24, "status": "success"})
                for suffix, data in (("png", picture), ("txt", f"thing {n}".encode()), ("json", said.encode())):
                    add(tar, f"{n:09}.{suffix}", data)
        (folder / f"{shard:05}.parquet").write_bytes(b"PAR1 beside it, and not read")
    (folder / "t.png").unlink()
    return [folder], None


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def huggingface(folder: Path) -> Sample:
    for split in ("train", "test"):
        for n in range(2):
            draw(folder / split / f"{n}.png", n + 2 * (split == "test"))
        rows = [json.dumps({"file_name": f"{n}.png", "text": f"thing {n}"}) + "\n" for n in range(2)]
        (folder / split / "metadata.jsonl").write_text("".join(rows))
    return [folder], None


def saved(folder: Path) -> Sample:
    """What `save_to_disk` leaves of a DatasetDict."""
    import pyarrow as pa

    for split in ("train", "validation"):
        (folder / split).mkdir()
        (folder / split / "state.json").write_text("{}")
        picture = {"bytes": draw(folder / "t.png", len(split)).read_bytes(), "path": None}
        table = pa.Table.from_pylist([{"image": picture, "caption": f"a {split} thing", "label": 3}])
        with pa.ipc.new_stream(folder / split / "data-00000-of-00001.arrow", table.schema) as stream:
            stream.write_table(table)
    (folder / "dataset_dict.json").write_text('{"splits": ["train", "validation"]}')
    (folder / "t.png").unlink()
    return [folder], None


def images(folder: Path) -> Sample:
    for n in range(3):
        draw(folder / "dogs" / f"dog.{n}.jpg", n)
        (folder / "dogs" / f"dog.{n}.txt").write_text(f"thing {n}\nanother {n}\n")
    draw(folder / "dogs" / "dog.jpg", 7)
    (folder / "dogs" / "dog.ko.txt").write_text("개\n")
    return [folder], None


SAMPLES: dict[str, Callable[[Path], Sample]] = {
    "jsonl": jsonl, "csv": csv, "parquet": parquet, "coco": coco, "karpathy": karpathy, "flickr30k": flickr30k,
    "mirflickr": mirflickr, "nuswide": nuswide, "cc3m": cc3m, "aihub": aihub, "webdataset": webdataset,
    "huggingface": huggingface, "images": images,
}  # fmt: skip
