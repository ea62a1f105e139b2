"""`tiny`: small towers that learn from scratch in two minutes on two cores. What was tried stands in docs/hashing.md.

Image: the fixed features of `mlhub.hashing.front`, normalised by the training images, then a residual MLP.
Text: a bag of words and character n-grams whose table starts from latent semantic analysis of the captions (Deerwester
et al. 1990), so that names of one thing in two languages start out near each other; then a residual MLP.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from mlhub.errors import MlhubError
from mlhub.hashing import front, pictures, text
from mlhub.hashing.backbones import Backbone, Tokens, first_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

_WORD_DIM = 256
#: of the matrix of documents by words that the table starts from: 1.2 GB, and two more of its size beside it
_MOST_CELLS = 300_000_000
#: its smaller square is decomposed: cubic, at this size some minutes
_MOST_DOCUMENTS = 10_000


class Tiny(Backbone):
    name = "tiny"

    def __init__(
        self,
        image_size: int,
        hidden: int,
        dropout: float,
        most_words: int = 64,
        *,
        texts: Sequence[str] | None = None,
        words: int = 0,
    ) -> None:
        super().__init__()
        self.size = image_size
        self.most_words = most_words
        self.image_dim = self.text_dim = hidden
        keys = text.vocabulary(texts) if texts is not None else torch.zeros(words, dtype=torch.int64)
        self.register_buffer("keys", keys)
        self.keys: Tensor
        with torch.no_grad():
            width = front.features(torch.zeros(1, 4, image_size, image_size)).shape[1]
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.mean: Tensor
        self.scale: Tensor
        self.table = nn.Parameter(torch.zeros(len(keys), _WORD_DIM))
        self.seen = nn.Sequential(
            nn.Linear(width, hidden * 2), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden * 2, hidden)
        )
        self.read = nn.Linear(_WORD_DIM, hidden)
        self.reread = nn.Sequential(
            nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, hidden)
        )
        self.input_dropout = nn.Dropout(dropout)

    def check(self, documents: int) -> None:
        if documents > _MOST_DOCUMENTS or documents * len(self.keys) > _MOST_CELLS:
            raise MlhubError(
                f"model.backbone: tiny is for small sets, not {documents:,} concepts in {len(self.keys):,} words",
                "Use a model of open_clip with pretrained weights, such as model.backbone=ViT-B-32.",
            )

    @torch.no_grad()
    def fit(self, pictures: Tensor, documents: Sequence[str]) -> None:
        """Features are normalised by those of the training pictures; the table starts from the captions."""
        self.check(len(documents))
        generator = torch.Generator().manual_seed(0)
        features = torch.cat([self.batch(part, generator) for part in torch.split(pictures, 256)])
        self.mean.copy_(features.mean(0))
        self.scale.copy_(1 / (features.std(0) + 0.05))
        self.table.copy_(self._latent(documents))

    def _latent(self, documents: Sequence[str]) -> Tensor:
        """[v, 256]: right singular vectors of tf-idf of the documents, half-whitened, so that rare directions count."""
        rows, weights, starts = text.bags(documents, self.keys.cpu())
        ends = torch.cat([starts[1:], torch.tensor([len(rows)])])
        owner = torch.repeat_interleave(torch.arange(len(documents)), ends - starts)
        present = torch.zeros(len(documents), len(self.keys))
        present.index_put_((owner, rows), weights, accumulate=True)
        idf = torch.log(len(documents) / (present > 0).sum(0).clamp(min=1)) + 1
        matrix = F.normalize(present * idf, dim=1)
        values, vectors = torch.linalg.eigh(matrix @ matrix.T)  # the small side
        rank = min(_WORD_DIM, len(documents))
        left, power = vectors[:, -rank:], values[-rank:].clamp(min=1e-6).sqrt()
        right = matrix.T @ left / power  # [v, rank]
        table = right * power.sqrt() * idf.unsqueeze(1)
        scale = rank**0.5 / (present @ table).norm(dim=1).mean().clamp(min=1e-6)
        return F.pad(table * scale, (0, _WORD_DIM - rank))

    def picture(self, image: Image.Image) -> Tensor:
        return pictures.picture(image, self.size)

    def batch(self, pictures_: Tensor, generator: torch.Generator | None) -> Tensor:
        values = pictures_.float() / 255
        if generator is not None:
            values = pictures.augment(values, generator)
        return front.features(values)

    def keep(self, stacked: Tensor) -> Tensor:
        return pictures.renderings(stacked)

    def images(self, batch: Tensor) -> Tensor:
        vectors: Tensor = self.seen(self.input_dropout((batch - self.mean) * self.scale))
        return vectors

    def tokens(self, texts: Sequence[str]) -> Tokens:
        return text.bags([first_words(one, self.most_words) for one in texts], self.keys.cpu())

    def texts(self, tokens: Tokens) -> Tensor:
        rows, weights, starts = tokens
        summed = F.embedding_bag(rows, self.table, starts, mode="sum", per_sample_weights=weights)
        read = self.read(F.normalize(summed, dim=1) * _WORD_DIM**0.5)
        vectors: Tensor = read + self.reread(read)
        return vectors
