"""The hashing model: a backbone, two projections to 128 logits, and a float vector for re-ranking. Not its training.

A code is logit > 0; the code of length b is the first b bits of the long one, whatever b: one projection and one
BatchNorm (without affine) a modality, so that a prefix is a prefix to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from mlhub.hashing.codes import BITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.hashing.backbones import Backbone, Tokens

#: width of the float vectors
VECTOR = 256


@dataclass(frozen=True, slots=True)
class Output:
    """What the model says of a batch: logits [n, 128] and L2-normalised vectors [n, 256]."""

    logits: Tensor
    vectors: Tensor


class Head(nn.Module):
    """One modality's projections: to a vector, and from it to logits, mean 0 and deviation 1 a bit."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.vector = nn.Sequential(nn.LayerNorm(width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, VECTOR))
        self.logits = nn.Linear(VECTOR, BITS, bias=False)
        self.norm = nn.BatchNorm1d(BITS, affine=False)

    def forward(self, features: Tensor) -> Output:
        """float32, whatever the precision of the backbone: a bit is which side of 0 a logit falls on."""
        with torch.autocast(features.device.type, enabled=False):
            vectors = F.normalize(self.vector(features.float()), dim=1)
            return Output(self.norm(self.logits(vectors)), vectors)


class HashingModel(nn.Module):
    """Images and texts to codes. `backbone` decides what goes in."""

    def __init__(self, backbone: Backbone, dropout: float) -> None:
        super().__init__()
        self.backbone = backbone
        self.image_head = Head(backbone.image_dim, dropout)
        self.text_head = Head(backbone.text_dim, dropout)
        self.text_head.logits.weight.data.copy_(self.image_head.logits.weight.data)  # start with one idea of a bit

    def images(self, batch: Tensor) -> Output:
        output: Output = self.image_head(self.backbone.images(batch))
        return output

    def texts(self, tokens: Tokens) -> Output:
        output: Output = self.text_head(self.backbone.texts(tokens))
        return output
