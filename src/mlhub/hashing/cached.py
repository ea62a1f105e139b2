"""A frozen backbone run once: every image, its views and every caption become features before the first step.

Not a backbone of its own: it stands in for a frozen one while a head trains, an epoch of which then takes seconds.
Features are float16 in memory (a million of 1,152 dimensions: 2.3 GB); images are decoded a chunk at a time and let go.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mlhub.errors import MlhubError
from mlhub.hashing import data
from mlhub.hashing.backbones import Backbone, Tokens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from PIL import Image

    from mlhub.data.items import Dataset, Item
    from mlhub.hashing.data import Concepts

#: views of a training image: itself, and augmented ones
VIEWS = 3
_CHUNK = 128


class Cached(Backbone):
    """Features in place of pictures and tokens. The real backbone is no part of the module: not trained, not saved."""

    frozen = True

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        if type(backbone).fit is not Backbone.fit:  # encoded before it, everything would be the same to it
            raise MlhubError(
                f"model.freeze_backbone: {backbone.name} learns from the data set", "Leave model.freeze_backbone out."
            )
        self.name = backbone.name
        self.image_dim, self.text_dim = backbone.image_dim, backbone.text_dim
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._real = (backbone.eval().to(device),)  # in a tuple, so that torch does not count it as a part of this one
        self._device = device
        self._known: dict[str, Tensor] = {}

    def encode(
        self, dataset: Dataset, items: Sequence[Item], workers: int, *, views: int, say: Callable[[str], None]
    ) -> Tensor:
        """float16 [n, views, d]: each image as it is, then augmented; drawn from the same seed every time."""
        generator = torch.Generator().manual_seed(0)
        real = self._real[0]
        parts = []
        for start in range(0, max(1, len(items)), _CHUNK):
            pictures = data.decode(dataset, items[start : start + _CHUNK], real, workers)
            seen = [self._run(real.images, real.batch(pictures, generator if view else None)) for view in range(views)]
            parts.append(torch.stack(seen, dim=1))
            if start // _CHUNK % 50 == 0:
                say(f"encoding images once: {start}/{len(items)}")
        return torch.cat(parts)

    def learn(self, texts: Iterable[str]) -> None:
        """Encode texts once; `tokens` then looks them up."""
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        real = self._real[0]
        for some in _chunks(new):
            features = self._run(lambda *parts: real.texts(parts), *real.tokens(some))
            self._known.update(zip(some, features, strict=True))

    @torch.no_grad()
    def _run(self, encode: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        with torch.autocast(self._device, torch.bfloat16, enabled=self._device == "cuda"):
            return encode(*(part.to(self._device) for part in inputs)).half().cpu()

    def picture(self, image: Image.Image) -> Tensor:
        return self._real[0].picture(image)

    def keep(self, pictures: Tensor) -> Tensor:
        return pictures.transpose(0, 1)

    def batch(self, pictures: Tensor, generator: torch.Generator | None) -> Tensor:
        del generator  # the views were drawn when the images were encoded
        return pictures.float() if pictures.ndim == 2 else pictures[:, 0].float()

    def images(self, batch: Tensor) -> Tensor:
        return batch

    def tokens(self, texts: Sequence[str]) -> Tokens:
        self.learn(texts)
        return (torch.stack([self._known[text] for text in texts]).float(),)

    def texts(self, tokens: Tokens) -> Tensor:
        return tokens[0]


def every_text(concepts: Concepts) -> Iterable[str]:
    """What training may say of a concept: each caption, and all of a language joined."""
    for captions in concepts.captions:
        for texts in captions.values():
            yield from (*texts, " ".join(texts))


def _chunks(texts: list[str]) -> Iterable[tuple[str, ...]]:
    return (tuple(texts[start : start + _CHUNK]) for start in range(0, len(texts), _CHUNK))
