"""Data sets known by name: how each is fetched by hand, and how the folder it was fetched into is read.

mlhub downloads nothing: most of these ask for a form or an account, and all have terms that their user accepts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mlhub.data.formats.base import Source
from mlhub.errors import NotFoundError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_COCO_IMAGES = (
    "curl -LO http://images.cocodataset.org/zips/train2014.zip && unzip train2014.zip",
    "curl -LO http://images.cocodataset.org/zips/val2014.zip && unzip val2014.zip",
)


@dataclass(frozen=True, slots=True)
class Known:
    """A set known by name. `files`: patterns in its folder, each with at least one match; `.`: the folder itself."""

    title: str
    kind: str
    files: tuple[str, ...]
    fetch: tuple[str, ...]
    images: str = "."
    options: dict[str, str] = field(default_factory=dict)
    terms: str = ""


KNOWN = {
    "coco": Known(
        "MS-COCO 2014 with Karpathy's splits: 123,287 images, 5 English captions each",
        "karpathy",
        ("dataset_coco.json",),
        (
            *_COCO_IMAGES,
            "curl -LO https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip",
            "unzip caption_datasets.zip",
        ),
        terms="captions CC BY 4.0; images under Flickr's terms: https://cocodataset.org/#termsofuse",
    ),
    "coco_ko": Known(
        "MS-COCO with Korean and English captions (AI Hub #261)",
        "aihub",
        ("*Korean*.json",),
        (
            *_COCO_IMAGES,
            "# by an account of aihub.or.kr, data set 261: MSCOCO_train_val_Korean.json",
            "# https://aihub.or.kr/aihubdata/data/view.do?dataSetSn=261",
        ),
        terms="AI Hub's terms of use; not to be passed on",
    ),
    "aihub": Known(
        "AI Hub #71454: images with Korean and English captions",
        "aihub",
        ("**/*.json",),
        (
            "# by an account of aihub.or.kr, data set 71454",
            "# https://aihub.or.kr/aihubdata/data/view.do?dataSetSn=71454",
            "aihubshell -mode d -datasetkey 71454",
        ),
        terms="AI Hub's terms of use; not to be passed on",
    ),
    "cc3m_ko": Known(
        "Conceptual Captions 3M with Korean captions, as tars by img2dataset",
        "webdataset",
        ("*.tar",),
        (
            "# Train_GCC-training.tsv: https://ai.google.com/research/ConceptualCaptions/download",
            "# add a column of Korean captions, then, with a header `caption, url, caption_ko`:",
            "pip install img2dataset",
            "img2dataset --url_list cc3m_ko.tsv --input_format tsv --url_col url --caption_col caption \\",
            "  --save_additional_columns '[\"caption_ko\"]' --output_format webdataset --output_folder cc3m_ko",
        ),
        images="",
        terms="captions: Google's terms of Conceptual Captions; images: of their owners",
    ),
    "mirflickr": Known(
        "MIRFlickr-25K: 25,000 images with tags, 24 annotations",
        "mirflickr",
        (".",),
        (
            "curl -LO http://press.liacs.nl/mirflickr/mirflickr25k.v3b/mirflickr25k.zip && unzip mirflickr25k.zip",
            "curl -LO http://press.liacs.nl/mirflickr/mirflickr25k.v3b/mirflickr25k_annotations_v080.zip",
            "unzip mirflickr25k_annotations_v080.zip -d mirflickr25k_annotations_v080",
        ),
        images="mirflickr",
        terms="images under Creative Commons licences: http://press.liacs.nl/mirflickr",
    ),
    "nuswide": Known(
        "NUS-WIDE: 269,648 images with tags, 81 concepts",
        "nuswide",
        (".",),
        (
            "# https://lms.comp.nus.edu.sg/wp-content/uploads/2019/research/nuswide/NUS-WIDE.html",
            "# ImageList.zip, Groundtruth.zip, NUS_WID_Tags.zip, each unpacked into one folder",
            "# the images (Flickr/…) on request, by the form on that page",
        ),
        images="Flickr",
        terms="for research; images of their owners",
    ),
    "flickr30k": Known(
        "Flickr30k with Karpathy's splits: 31,014 images, 5 English captions each",
        "karpathy",
        ("dataset_flickr30k.json",),
        (
            "# the images (flickr30k-images/) on request: https://shannon.cs.illinois.edu/DenotationGraph/",
            "curl -LO https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip",
            "unzip caption_datasets.zip",
        ),
        images="flickr30k-images",
        terms="for non-commercial research and education; images under Flickr's terms",
    ),
}
NAMES = tuple(KNOWN)


def source(name: str, folder: Path, images: Path | None, options: Mapping[str, str]) -> Source:
    """What a set known by name is made of, fetched into a folder. Raises NotFoundError naming what isn't there."""
    known = KNOWN[name]
    paths: list[str] = []
    for pattern in known.files:
        found = [folder] if pattern == "." else sorted(folder.glob(pattern))
        if not found:
            raise NotFoundError(f"{folder}: no {pattern} for {name}", f"How it is fetched: mlhub data show {name}")
        paths += map(str, found)
    root = str(images.expanduser().absolute()) if images else _images(known, folder)
    return Source(known.kind, tuple(paths), root, {**known.options, **options})


def _images(known: Known, folder: Path) -> str:
    if not known.images:
        return ""
    below = folder / known.images
    return str(below if below.is_dir() else folder)


def how(name: str) -> list[str]:
    """Lines that say what a set is, and what to type to fetch it. Raises KeyError."""
    known = KNOWN[name]
    return [
        f"{name}: {known.title}",
        f"terms: {known.terms}",
        "fetch it, in a folder of its own:",
        *(f"  {line}" for line in known.fetch),
        "then:",
        f"  mlhub data add {name} FOLDER",
        f"  mlhub data prepare {name}",
    ]
