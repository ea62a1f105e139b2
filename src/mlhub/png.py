"""An array of pixels as a PNG: a numpy array's or a torch tensor's, by their own methods; neither is imported.

Standard library only, in the syntax of Python 3.9: it runs inside other people's training. No reader of pictures.
"""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: channels -> the PNG's type of colour
_COLOURS = {1: 0, 3: 2, 4: 6}


def encode(image: Any) -> bytes:  # noqa: ANN401 - whatever has the methods of an array or of a tensor
    """H×W, H×W×C or C×H×W values, C = 1, 3 or 4, as a PNG of 8 bits.

    Whole numbers count from 0 to 255, floats from 0 to 1; what is beyond is cut, a NaN is 0. A shape that could be both
    is C×H×W for a tensor, H×W×C for an array. Raises TypeError for what is none of these, ValueError for its shape.
    """
    is_tensor = hasattr(image, "detach")
    if not hasattr(image, "shape") or not (is_tensor or hasattr(image, "astype")):
        raise TypeError(f"a picture is a path, a PIL image, an array or a tensor, not {type(image).__name__}")
    array = _upright(image.detach().cpu() if is_tensor else image, is_tensor)
    height, width = int(array.shape[0]), int(array.shape[1])
    channels = int(array.shape[2]) if len(array.shape) == 3 else 1
    stride = width * channels
    data = _pixels(array, is_tensor)
    rows = b"".join(b"\0" + data[at : at + stride] for at in range(0, len(data), stride))
    head = struct.pack(">IIBBBBB", width, height, 8, _COLOURS[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 6)), (b"IEND", b""))
    )


def _upright(array: Any, is_tensor: bool) -> Any:  # noqa: ANN401
    """The array as H×W or H×W×C."""
    shape = tuple(int(size) for size in array.shape)
    if len(shape) not in (2, 3) or 0 in shape:
        raise ValueError(f"a picture is H×W, H×W×C or C×H×W; this is {'×'.join(map(str, shape)) or 'one number'}")
    if len(shape) == 2:
        return array
    first, last = shape[0] in _COLOURS, shape[-1] in _COLOURS
    if first and (is_tensor or not last):
        return array.permute(1, 2, 0) if is_tensor else array.transpose(1, 2, 0)
    if not last:
        raise ValueError(f"a picture has 1, 3 or 4 channels; this is {'×'.join(map(str, shape))}")
    return array


def _pixels(array: Any, is_tensor: bool) -> bytes:  # noqa: ANN401
    """The values as bytes, one each, in rows."""
    kind = str(array.dtype)
    if "complex" in kind:
        raise TypeError("complex numbers are no picture")
    if "uint8" not in kind:
        most = 1 if "float" in kind or "bool" in kind else 255
        array = (array.float() if is_tensor else array.astype("float32")).clip(0, most)
        array[array != array] = 0  # noqa: PLR0124 - not a number
        array = array * (255 // most) + 0.5
    if not is_tensor:
        return bytes(array.astype("uint8").tobytes())
    array = array.byte().contiguous()
    with suppress(RuntimeError, ImportError):  # a torch without numpy
        return bytes(array.numpy().tobytes())
    return bytes(array.flatten().tolist())
