"""The named losses. Each is a function of similarities at every code length at once; weights are the preset's.

contrastive   in-batch cross-entropy, image against text; everything of one concept is positive, never a negative
anchor        cross-entropy against one trained anchor a concept, over all concepts (Movshovitz-Attias, ICCV 2017)
label         in-batch cross-entropy towards everything with overlapping labels, by overlap
distillation  KL of each code length's similarity rows from those of the float vectors
quantization  how far logits are from ±1: 1 - tanh²(z), bounded

Codes are ±1 in the forward pass; backward, the sign is tanh (straight-through: Bengio et al., 2013), so every loss sees
what search will see. Each length is the first bits of the longest, the float vector counts as one more length.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from mlhub.hashing.codes import BITS
from mlhub.hashing.model import VECTOR, Output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.config import LossConfig


@dataclass(frozen=True, slots=True)
class Sides:
    """A batch as the losses see it: outputs and, by row, concept [n] and labels [n, l] 0 or 1 of images and texts."""

    images: Output
    texts: Output
    image_concepts: Tensor
    text_concepts: Tensor
    image_labels: Tensor
    text_labels: Tensor


def sign(logits: Tensor) -> Tensor:
    """±1 forward (−1 at 0, as packed codes have it), tanh backward."""
    soft = torch.tanh(logits)
    return soft + (torch.where(logits > 0, 1.0, -1.0).to(soft) - soft).detach()


def similarities(one: Output, other: Output, bits: tuple[int, ...]) -> list[Tensor]:
    """Cosines [n, m] of the codes at each length, then of the float vectors."""
    left, right = sign(one.logits), sign(other.logits)
    found: list[Tensor] = []
    total: Tensor | None = None
    start = 0
    for stop in bits:
        part = left[:, start:stop] @ right[:, start:stop].T
        total = part if total is None else total + part
        found.append(total / stop)
        start = stop
    return [*found, one.vectors @ other.vectors.T]


class Losses(nn.Module):
    """All losses of a configuration. Holds the anchors, which only training needs."""

    def __init__(self, config: LossConfig, bits: tuple[int, ...], concepts: int) -> None:
        super().__init__()
        self.config = config
        self.bits = bits
        rows = concepts if config.anchor else 0
        self.anchor_logits = nn.Parameter(torch.randn(rows, BITS))
        self.anchor_vectors = nn.Parameter(torch.randn(rows, VECTOR))

    def start_anchors(self, output: Output) -> None:
        """Begin at what the untrained text tower says of each concept: names that resemble each other start near."""
        if self.config.anchor:
            self.anchor_logits.data.copy_(output.logits)
            self.anchor_vectors.data.copy_(output.vectors * VECTOR**0.5)

    def forward(self, sides: Sides) -> dict[str, Tensor]:
        """Each loss whose weight is not 0, times its weight; in float32, as the outputs are."""
        with torch.autocast(sides.images.logits.device.type, enabled=False):
            return self._parts(sides)

    def _parts(self, sides: Sides) -> dict[str, Tensor]:
        config = self.config
        parts: dict[str, Tensor] = {}
        across = similarities(sides.images, sides.texts, self.bits)
        same = (sides.image_concepts[:, None] == sides.text_concepts).float()
        if config.contrastive:
            parts["contrastive"] = config.contrastive * self._both_ways(across, same)
        if config.label:
            overlap = _overlap(sides.image_labels, sides.text_labels)
            parts["label"] = config.label * self._both_ways(across, overlap)
        if config.anchor:
            parts["anchor"] = config.anchor * self._anchors(sides)
        if config.distillation:
            parts["distillation"] = config.distillation * self._distil(across)
        if config.quantization:
            logits = torch.cat([sides.images.logits, sides.texts.logits])
            parts["quantization"] = config.quantization * (1 - torch.tanh(logits).square()).mean()
        return parts

    def _both_ways(self, across: list[Tensor], target: Tensor) -> Tensor:
        rows, columns = _rows(target), _rows(target.T)
        scale = 1 / self.config.temperature
        losses = [_soft(s * scale, rows) + _soft(s.T * scale, columns) for s in across]
        return torch.stack(losses).mean() / 2

    def _anchors(self, sides: Sides) -> Tensor:
        anchors = Output(self.anchor_logits, F.normalize(self.anchor_vectors, dim=1))
        total: list[Tensor] = []
        scale = 1 / self.config.temperature
        for output, concepts in ((sides.images, sides.image_concepts), (sides.texts, sides.text_concepts)):
            total += [
                F.cross_entropy(s * scale, concepts, label_smoothing=self.config.smoothing)
                for s in similarities(output, anchors, self.bits)
            ]
        return torch.stack(total).mean()

    def _distil(self, across: list[Tensor]) -> Tensor:
        scale = 1 / self.config.temperature
        *codes, vectors = across
        teacher = vectors.detach() * scale
        losses = [
            F.kl_div(F.log_softmax(s * scale, 1), F.log_softmax(t, 1), log_target=True, reduction="batchmean")
            for s, t in [(s, teacher) for s in codes] + [(s.T, teacher.T) for s in codes]
        ]
        return torch.stack(losses).mean()


def shares(parts: dict[str, Tensor], sides: Sides) -> dict[str, float]:
    """Each loss's share of the gradient at the heads' outputs (norms, so they sum to 1 whatever their directions)."""
    ends = [sides.images.logits, sides.texts.logits, sides.images.vectors, sides.texts.vectors]
    norms = {}
    for name, part in parts.items():
        gradients = torch.autograd.grad(part, ends, retain_graph=True, allow_unused=True)
        norms[name] = float(torch.stack([g.float().square().sum() for g in gradients if g is not None]).sum().sqrt())
    total = sum(norms.values()) or 1.0
    return {name: norm / total for name, norm in norms.items()}


def _rows(target: Tensor) -> Tensor:
    """Rows that sum to 1; a row without a positive stays 0 and pulls nowhere."""
    return target / target.sum(1, keepdim=True).clamp(min=1e-6)


def _soft(logits: Tensor, target: Tensor) -> Tensor:
    return -(target * F.log_softmax(logits, dim=1)).sum(1).mean()


def _overlap(one: Tensor, other: Tensor) -> Tensor:
    """Jaccard overlap [n, m] of label sets."""
    both = one @ other.T
    return both / (one.sum(1)[:, None] + other.sum(1) - both).clamp(min=1e-6)
