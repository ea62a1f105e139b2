"""The fixed front end of the tiny image tower: oriented gradients, silhouette and coarse colours. Nothing here learns.

Pictures are [n, 4, s, s] in 0…1: red, green, blue on white, and how much of each pixel is the thing pictured.
Oriented gradients after Dalal & Triggs, "Histograms of oriented gradients for human detection", CVPR 2005; their bins
are tuned by a rectified cosine of twice the angle, which is one small matrix product a pixel instead of an arctangent.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

_ORIENTATIONS = 9
#: hues of the colour histogram; beside them black, grey and white
_HUES = 8


def features(pictures: Tensor) -> Tensor:
    """[n, d] float32 of pictures [n, 4, s, s]; d depends on s alone, a multiple of 24."""
    size = pictures.shape[-1]
    half = F.avg_pool2d(pictures, 2)
    parts = [
        _gradients(_grey(pictures), size // 8),
        _gradients(half[:, :3], size // 8),
        _gradients(half[:, 3:], size // 12) * 0.7,
        F.avg_pool2d(half[:, 3:], 2).flatten(1) - 0.5,
        (F.avg_pool2d(half[:, :3], 3).flatten(1) - 0.7) * 1.5,
        _colours(half[:, :3], half[:, 3:], size // 6),
    ]
    return torch.cat(parts, dim=1)


def _grey(pictures: Tensor) -> Tensor:
    """One plane of unequal parts, so that hardly any two colours of one lightness fall together."""
    return (pictures[:, 0] * 0.45 + pictures[:, 1] * 0.35 + pictures[:, 2] * 0.2).unsqueeze(1)


def _votes(planes: Tensor, count: int) -> Tensor:
    """[n, count, h, w]: how much of each direction is in each pixel; planes are x, y and length of its arrow."""
    angles = torch.arange(count, device=planes.device) * (2 * math.pi / count)
    wheel = torch.stack([angles.cos(), angles.sin(), torch.full_like(angles, -0.5)], dim=1)
    return F.relu(torch.einsum("nchw,oc->nohw", planes, wheel))  # four times faster than a 1 × 1 convolution


def _gradients(image: Tensor, cell: int) -> Tensor:
    """Histograms of orientation (opposite directions are one) in cells of `cell` pixels, normalised over neighbours."""
    dx = F.pad(image[..., :, 2:] - image[..., :, :-2], (1, 1, 0, 0))
    dy = F.pad(image[..., 2:, :] - image[..., :-2, :], (0, 0, 1, 1))
    # the structure tensor of all channels together: cos and sin of twice the angle, times the strength
    even, odd = (dx.square() - dy.square()).sum(1), (2 * dx * dy).sum(1)
    strength = (dx.square() + dy.square()).sum(1)
    root = strength.sqrt() + 1e-6
    votes = _votes(torch.stack([even / root, odd / root, strength / root], dim=1), _ORIENTATIONS)
    pooled = F.avg_pool2d(votes, cell)
    energy = F.avg_pool2d(pooled.square().sum(1, keepdim=True), 3, 1, 1, count_include_pad=False)
    return (pooled / (energy.sqrt() + 0.01)).clamp(max=1.0).sqrt().flatten(1)


def _colours(image: Tensor, mask: Tensor, cell: int) -> Tensor:
    """Soft histogram of hues, black, white and grey over the thing pictured, whole and in cells."""
    red, green, blue = image.unbind(1)
    across, up = (2 * red - green - blue) / 2, (green - blue) * (math.sqrt(3) / 2)
    chroma = (across.square() + up.square()).sqrt()
    hues = _votes(torch.stack([across, up, chroma], dim=1), _HUES)
    light = image.mean(1)
    rest = (1 - chroma * 2.5).clamp(min=0)
    black, white = rest * (1 - 2.5 * light).clamp(min=0), rest * (2.5 * light - 1.5).clamp(min=0)
    votes = torch.cat([hues * 2, torch.stack([black, white, rest - black - white], dim=1)], dim=1) * mask
    cells = F.avg_pool2d(votes, cell)
    whole = cells.mean((2, 3)) / (mask.mean((2, 3)) + 0.02)
    return torch.cat([whole.sqrt() * 2, cells.sqrt().flatten(1)], dim=1)
