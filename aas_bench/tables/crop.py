"""The centre square of a photograph, without resampling and without loss.

A published crop and the crop of a reader's own copy of the same file hold the same pixels: the box
is recorded in pixels of the upright image, nothing is scaled, and PNG keeps every value.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from typing import Any, Final

from PIL import Image

from aas_bench.errors import SchemaError
from aas_bench.tables.images import open_image

# On photographs as small as 4 and above, in half the time.
_COMPRESSION: Final = 1


def centre_square(width: int, height: int) -> tuple[int, int, int, int]:
    """The largest square in the middle: left, top, right, bottom in pixels.

    Where the margin is odd, the left or upper one is the smaller by one pixel.
    """
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def crop(image: Image.Image, box: Sequence[int], *, name: str = "image") -> Image.Image:
    """The part of an image inside `box`.

    Raises:
        SchemaError: The box is not four whole numbers, is empty or leaves the image.
    """
    if len(box) != 4 or not all(isinstance(side, int) for side in box):
        msg = f"{name}: the crop {list(box)!r} is not left, top, right, bottom. Mend the row."
        raise SchemaError(msg)
    left, top, right, bottom = box
    if not (0 <= left < right <= image.width and 0 <= top < bottom <= image.height):
        msg = (
            f"{name}: the crop {list(box)} does not fit an image of {image.width} x "
            f"{image.height} pixels. Mend the row."
        )
        raise SchemaError(msg)
    return image.crop((left, top, right, bottom))


def read_crop(value: Any, box: Sequence[int], *, name: str = "image") -> Image.Image:
    """Open an image as every model sees it (`open_image`), and crop it.

    Raises:
        InputError: It cannot be read.
        SchemaError: The box does not fit it.
    """
    return crop(open_image(value, name=name), box, name=name)


def png_bytes(image: Image.Image) -> bytes:
    """The image as PNG, which is lossless."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=_COMPRESSION)
    return file.getvalue()


def pixels_sha256(image: Image.Image) -> str:
    """Hash of mode, size and pixels, whatever file they came from."""
    head = f"{image.mode} {image.width}x{image.height}\n".encode()
    return hashlib.sha256(head + image.tobytes()).hexdigest()
