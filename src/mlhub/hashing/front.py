"""The fixed front end of the tiny image tower: oriented gradients, silhouette and coarse colours. Nothing here learns.

Pictures are [n, 4, s, s] in 0…1: red, green, blue on white, and how much of each pixel is the thing pictured.
Oriented gradients after Dalal & Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name everybody knows it by

_ORIENTATIONS = 9
#: hues of the colour histogram, in turns; beside them black, grey and white
_HUES = 8


def features(pictures: Tensor) -> Tensor:
    """[n, d] float32 of pictures [n, 4, s, s]; d depends on s alone."""
    colours, mask = pictures[:, :3], pictures[:, 3:]
    half = F.avg_pool2d(pictures, 2)
    size = pictures.shape[-1]
    parts = [
        _gradients(colours, size // 6),
        _gradients(half[:, :3], size // 12),
        _gradients(mask, size // 6) * 0.7,
        F.adaptive_avg_pool2d(mask, size // 4).flatten(1) - 0.5,
        (F.adaptive_avg_pool2d(colours, size // 5).flatten(1) - 0.7) * 1.5,
        _colours(half[:, :3], half[:, 3:]),
    ]
    return torch.cat(parts, dim=1)


def _gradients(image: Tensor, cells: int) -> Tensor:
    """Histograms of orientation (unsigned) in cells × cells, normalised over neighbourhoods: [n, 9 × cells²]."""
    dx = F.pad(image[..., :, 2:] - image[..., :, :-2], (1, 1, 0, 0))
    dy = F.pad(image[..., 2:, :] - image[..., :-2, :], (0, 0, 1, 1))
    size = (dx.square() + dy.square()).sqrt()
    if image.shape[1] > 1:  # of the channels, the one that changes most
        size, strongest = size.max(dim=1, keepdim=True)
        dx, dy = dx.gather(1, strongest), dy.gather(1, strongest)
    turn = torch.atan2(dy, dx) * (_ORIENTATIONS / math.pi)  # in bins; opposite directions are the same
    centres = torch.arange(_ORIENTATIONS, device=image.device).view(1, -1, 1, 1)
    away = torch.remainder(turn - centres + _ORIENTATIONS / 2, _ORIENTATIONS) - _ORIENTATIONS / 2
    votes = F.adaptive_avg_pool2d((1 - away.abs()).clamp_(min=0) * size, cells)
    energy = F.avg_pool2d(votes.square().sum(1, keepdim=True), 3, 1, 1, count_include_pad=False)
    return (votes / (energy.sqrt() + 0.02)).clamp(max=1.0).sqrt().flatten(1)


def _colours(image: Tensor, mask: Tensor) -> Tensor:
    """Soft histogram of hues, black, grey and white over the thing pictured, whole and in 3 × 3 cells."""
    high, low = image.amax(1, keepdim=True), image.amin(1, keepdim=True)
    chroma = high - low
    red, green, blue = image.unbind(1)
    hue = torch.atan2(math.sqrt(3) * (green - blue), 2 * red - green - blue).unsqueeze(1) * (_HUES / (2 * math.pi))
    centres = torch.arange(_HUES, device=image.device).view(1, -1, 1, 1)
    away = torch.remainder(hue - centres + _HUES / 2, _HUES) - _HUES / 2
    colourful = (chroma * 2.5).clamp(max=1)
    dark = 1 - (high * 2.5).clamp(max=1)
    light = ((low - 0.6) * 2.5).clamp(0, 1)
    rest = 1 - colourful
    votes = torch.cat(
        [
            (1 - away.abs()).clamp(min=0) * colourful * (0.4 + 0.6 * high),
            rest * dark,
            rest * light,
            rest * (1 - dark - light).clamp(min=0),
        ],
        dim=1,
    )
    votes = votes * mask
    whole = votes.mean((2, 3)) / (mask.mean((2, 3)) + 0.02)
    return torch.cat([whole.sqrt() * 2, F.adaptive_avg_pool2d(votes, 3).sqrt().flatten(1)], dim=1)
