"""What a picture must be before it is accepted; what is not accepted is never replaced."""

from __future__ import annotations

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aas_bench.errors import BackendError


def accept_image(image: Image.Image, *, size: tuple[int, int] | None) -> Image.Image:
    """The picture, if it is one: RGB, of the size asked for, and not a single colour.

    Args:
        image: What the generator returned; fully decoded here.
        size: (width, height) in pixels; None where the generator chooses.

    Raises:
        BackendError: It is not; the message says why.
    """
    if image.mode != "RGB":
        msg = f"the image is {image.mode}, not RGB. Convert it without losing what it shows."
        raise BackendError(msg)
    if size is not None and image.size != size:
        got, asked = (f"{width} x {height}" for width, height in (image.size, size))
        msg = f"the image is {got} pixels, not {asked}. Ask for the size that the settings name."
        raise BackendError(msg)
    levels = np.asarray(image).reshape(-1, 3)
    if not np.ptp(levels, axis=0).any():
        colour = tuple(levels[0].tolist())
        msg = f"every pixel has the colour {colour}. It is not a picture and was not kept."
        raise BackendError(msg)
    return image


def image_from_pixels(pixels: NDArray[np.floating]) -> Image.Image:
    """An 8-bit image from floats.

    Args:
        pixels: Shape (height, width, 3), values in [0, 1].

    Raises:
        BackendError: A value is NaN or infinite, as half precision gives on overflow.
    """
    finite = np.isfinite(pixels)
    if not finite.all():
        share = 1 - finite.mean()
        msg = f"{share:.0%} of the pixel values are not finite. Use bfloat16 or float32."
        raise BackendError(msg)
    return Image.fromarray((pixels * 255).round().clip(0, 255).astype(np.uint8))


def image_from_bytes(data: bytes) -> Image.Image:
    """An RGB image from an encoded file, wholly decoded.

    Transparency is refused rather than painted over, as what lies behind it is not defined.

    Raises:
        BackendError: The bytes are no image, are cut short, are enormous or are transparent.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data))
            image.load()
    except (
        OSError,
        ValueError,
        SyntaxError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        msg = f"{len(data)} bytes that are no complete image of a sane size: {error}"
        raise BackendError(msg, retryable=True) from error
    if image.has_transparency_data and np.asarray(image.convert("RGBA"))[..., 3].min() < 255:
        msg = "the image is partly transparent. Ask for an opaque background."
        raise BackendError(msg)
    return image.convert("RGB")
