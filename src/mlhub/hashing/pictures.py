"""Image files into small square pictures, and augmentation across drawing styles. Not features: `mlhub.hashing.front`.

A picture is [4, s, s]: red, green, blue over white, and how much of each pixel belongs to the thing pictured. What
surrounds the thing (transparent, or all of one colour) is trimmed: two drawings of a thing fill the same square.
"""

from __future__ import annotations

import math
import struct

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from mlhub.errors import MlhubError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

#: a pixel this far (of 255) from the background belongs to the thing
_FAR = 24


def open_image(path: Path) -> Image.Image:
    """The decoded image, turned the way its EXIF says. Raises MlhubError naming the file if it is missing or broken."""
    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image)
    except FileNotFoundError:
        raise MlhubError(f"{path}: no such image", "Put it back; of a data set: mlhub data prepare NAME") from None
    except (OSError, ValueError, SyntaxError, TypeError, struct.error, Image.DecompressionBombError) as error:
        raise MlhubError(
            f"{path}: not a readable image ({error})", "Replace the file, or take it out of the set."
        ) from None


def picture(image: Image.Image, size: int) -> Tensor:
    """uint8 [4, size, size] of an image of any mode and shape."""
    rgba = np.asarray(image.convert("RGBA"), dtype=np.uint8)
    alpha = rgba[..., 3]
    if alpha.min() > 250:  # opaque: the thing is what differs from the corners
        corner = np.median(rgba[[0, 0, -1, -1], [0, -1, 0, -1], :3].astype(np.int16), axis=0)
        far = np.abs(rgba[..., :3].astype(np.int16) - corner).max(axis=2) > _FAR
        alpha = np.where(far, 255, 0).astype(np.uint8) if far.any() else alpha
        if corner.min() < 230:  # not on white: keep the colours, but only inside
            rgba = np.dstack([np.where(far[..., None], rgba[..., :3], 255).astype(np.uint8), alpha])
    over_white = Image.new("RGB", image.size, "white")
    over_white.paste(Image.fromarray(np.ascontiguousarray(rgba[..., :3])), mask=Image.fromarray(alpha))
    return _square(over_white, Image.fromarray(alpha), size)


def _square(colours: Image.Image, mask: Image.Image, size: int) -> Tensor:
    """Trim, pad to a square and scale."""
    box = mask.point(lambda value: 255 if value > _FAR else 0).getbbox() or (0, 0, *mask.size)
    side = max(box[2] - box[0], box[3] - box[1])
    place = ((side - box[2] + box[0]) // 2, (side - box[3] + box[1]) // 2)
    planes = []
    for plane, ground in ((colours, "white"), (mask, 0)):
        padded = Image.new(plane.mode, (side, side), ground)
        padded.paste(plane.crop(box), place)
        planes.append(
            np.asarray(padded.resize((size, size), Image.Resampling.BOX if side > size else Image.Resampling.BILINEAR))
        )
    return torch.from_numpy(np.ascontiguousarray(np.dstack(planes).transpose(2, 0, 1)))


#: renderings of one drawing: as it is, without dark lines, outlined, outlined within, blurred
RENDERINGS = 5


def renderings(pictures: Tensor) -> Tensor:
    """uint8 [5, n, 4, s, s] of pictures uint8 [n, 4, s, s]: what other hands would have made of the same drawing."""
    values = pictures.float() / 255
    made = [values, _without_lines(values), _with_lines(values, 0.0), _with_lines(values, 0.8), _blurred(values)]
    return torch.stack([(value * 255).round().to(torch.uint8) for value in made])


def augment(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Float pictures [n, 4, s, s] of the same things, moved and recoloured; a tenth lose their colour."""
    pictures = _move(pictures, generator)
    grey = (torch.rand(len(pictures), generator=generator) < 0.1).nonzero().squeeze(1)
    return _recolour(pictures, grey, generator)


def _uniform(n: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.rand(n, generator=generator) * (high - low) + low


def _move(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Turn ±12°, scale and stretch ±15 %, shift ±6 %; a sixth are mirrored."""
    n = len(pictures)
    angle = _uniform(n, -0.2, 0.2, generator)
    wide, high = _uniform(n, 0.88, 1.15, generator), _uniform(n, 0.88, 1.15, generator)
    mirror = torch.where(torch.rand(n, generator=generator) < 1 / 6, -1.0, 1.0)
    shift = _uniform(2 * n, -0.12, 0.12, generator).view(n, 2)
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = torch.stack(
        [cos * wide * mirror, -sin * high, shift[:, 0], sin * wide * mirror, cos * high, shift[:, 1]], dim=1
    )
    grid = F.affine_grid(rows.view(n, 2, 3), list(pictures.shape), align_corners=False)
    white = torch.tensor([1.0, 1.0, 1.0, 0.0]).view(1, 4, 1, 1)
    return F.grid_sample(pictures - white, grid, align_corners=False) + white


def _widest(values: Tensor) -> Tensor:
    """Maximum over 3 × 3 neighbours; many times faster on a CPU than pooling."""
    tall = F.pad(values, (0, 0, 1, 1), mode="replicate")
    high = torch.maximum(torch.maximum(tall[..., :-2, :], tall[..., 2:, :]), values)
    wide = F.pad(high, (1, 1, 0, 0), mode="replicate")
    return torch.maximum(torch.maximum(wide[..., :-2], wide[..., 2:]), high)


def _without_lines(pictures: Tensor) -> Tensor:
    """Dark strokes of up to two pixels filled with what lies beside them (grey-scale closing)."""
    closed = -_widest(-_widest(pictures[:, :3]))
    return torch.cat([closed, pictures[:, 3:]], dim=1)


def _with_lines(pictures: Tensor, inside: float) -> Tensor:
    """A dark stroke along the silhouette and, `inside` strong, along the edges within."""
    colours, mask = pictures[:, :3], pictures[:, 3:]
    wide = _widest(mask)
    rim = wide + _widest(-mask)
    edges = (_widest(colours) + _widest(-colours)).amax(1, keepdim=True)
    ink = 0.85 * torch.maximum(rim.clamp(0, 1), (edges * 2 - 0.4).clamp(0, 1) * inside)
    return torch.cat([colours * (1 - ink), wide], dim=1)


def _blurred(pictures: Tensor) -> Tensor:
    return F.avg_pool2d(pictures, 3, 1, 1, count_include_pad=False)


def _recolour(pictures: Tensor, grey: Tensor, generator: torch.Generator) -> Tensor:
    """Turn the hues a little, change saturation, contrast and brightness, over what is pictured; `grey` lose colour."""
    n = len(pictures)
    colours, mask = pictures[:, :3], pictures[:, 3:]
    turn = _uniform(n, -0.25, 0.25, generator)  # radians: red stays red
    saturation = _uniform(n, 0.5, 1.4, generator)
    saturation[grey] = 0.0
    third = 1 / 3
    cos, sin = torch.cos(turn) * saturation, torch.sin(turn) * saturation / math.sqrt(3)
    same, after, before = third + cos * 2 * third, third - cos * third - sin, third - cos * third + sin
    matrix = torch.stack([same, after, before, before, same, after, after, before, same], dim=1).view(n, 3, 3)
    mixed = torch.einsum("nij,njhw->nihw", matrix, colours)
    contrast = _uniform(n, 0.75, 1.25, generator).view(n, 1, 1, 1)
    light = _uniform(n, -0.12, 0.12, generator).view(n, 1, 1, 1)
    mixed = ((mixed - 0.5) * contrast + 0.5 + light).clamp(0, 1)
    return torch.cat([mixed * mask + colours * (1 - mask), mask], dim=1)
