"""Every image that a model or a measure sees is read here, so that all see the same pixels.

`datasets` decodes an `Image` column too, but leaves alpha, palettes, 16 bit and CMYK as they are
and decodes each image of a row even where only the prompt is read; scoring therefore goes through
`open_image` on the undecoded `{bytes, path}` cells.
"""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from aas_bench.errors import InputError

MAX_PIXELS: Final = 89_478_485
"""Larger images are refused; 256 MiB of RGB, the size at which Pillow starts to warn."""

# Formats that Pillow reads by itself: EPS, for one, would start Ghostscript.
FORMATS: Final = ("BMP", "GIF", "JPEG", "MPO", "PNG", "PPM", "TIFF", "WEBP")

_DAMAGED: Final = (OSError, SyntaxError, ValueError, IndexError, EOFError, struct.error)
_BOMB: Final = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def open_image(value: Any, *, name: str = "image") -> Image.Image:
    """Read one image of a pair table.

    Args:
        value: An undecoded cell `{"bytes", "path"}` (bytes first, else the file at path), encoded
            bytes, a path, or a PIL image.
        name: What to call it in an error, e.g. "image_original of flux_dev/0017".

    Returns:
        Mode RGB, 8 bit, fully loaded; see `to_rgb`.

    Raises:
        InputError: It is absent, no image of one of `FORMATS`, damaged, cut short, or larger than
            `MAX_PIXELS`.
    """
    if isinstance(value, Image.Image):
        return to_rgb(value, name=name)
    source = _source(value, name)
    try:
        Image.init()
        with Image.open(source, formats=[f for f in FORMATS if f in Image.OPEN]) as image:
            return to_rgb(image, name=name)
    except InputError:
        raise
    except FileNotFoundError as error:
        msg = f"{name}: there is no file {os.fspath(source)!r}. Put it there, or drop the row."
        raise InputError(msg) from error
    except UnidentifiedImageError as error:
        msg = f"{name} is no image of a known format. Give one of {', '.join(FORMATS)}."
        raise InputError(msg) from error
    except _BOMB as error:
        raise _too_large(name) from error
    except _DAMAGED as error:
        raise _damaged(name, error) from error


def to_rgb(image: Image.Image, *, name: str = "image") -> Image.Image:
    """The picture a viewer would see, as 8-bit RGB.

    The first frame of an animation; turned as its EXIF orientation says; transparency laid on
    white; palettes looked up; 16-bit grey divided by 257; CMYK and other colour spaces converted as
    Pillow does, without colour profiles. An 8-bit RGB image comes back as it is.

    Args:
        image: Any mode but float ("F"). Mode "I" holds 16-bit grey, 0 to 65535.
        name: What to call it in an error.

    Raises:
        InputError: The image is damaged, cut short, larger than `MAX_PIXELS`, or of a mode
            without a defined range.
    """
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(name)
    try:
        if getattr(image, "is_animated", False):
            image.seek(0)
        image.load()
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
        return _eight_bit(ImageOps.exif_transpose(image) if turned else image)
    except _BOMB as error:
        raise _too_large(name) from error
    except _DAMAGED as error:
        raise _damaged(name, error) from error


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        grey = np.asarray(image).astype(np.int64)
        if grey.size and not 0 <= grey.min() <= grey.max() <= 65535:
            msg = f"mode {image.mode} with values outside 0 to 65535"
            raise ValueError(msg)
        image = Image.fromarray(np.round(grey / 257).astype(np.uint8))
    if image.mode == "F":
        msg = "float pixels have no defined range"
        raise ValueError(msg)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _source(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        value = value.get("bytes") if value.get("bytes") is not None else value.get("path")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return io.BytesIO(value)
    if isinstance(value, (str, Path)):
        return _remote(str(value), name) if "://" in str(value) else Path(value)
    if value is None:
        msg = f"{name} is missing. Fill the cell, or drop the row."
        raise InputError(msg)
    msg = f"{name}: a {type(value).__name__} is not an image. Give bytes, a path or a PIL image."
    raise InputError(msg)


def _remote(url: str, name: str) -> io.BytesIO:
    """The bytes of a file on the Hub, as a streamed image folder names them."""
    if not url.rpartition("::")[2].startswith("hf://"):
        msg = f"{name}: {url!r} is an address. Download the image and give its file."
        raise InputError(msg)
    import fsspec  # type: ignore[import-untyped]

    with fsspec.open(url, "rb") as file:
        return io.BytesIO(file.read())


def _too_large(name: str) -> InputError:
    return InputError(
        f"{name} has more than {MAX_PIXELS:,} pixels. Scale it down, or drop the row."
    )


def _damaged(name: str, error: Exception) -> InputError:
    reason = str(error).split("\n", 1)[0] or type(error).__name__
    return InputError(f"{name} cannot be read as an image ({reason}). Replace the file.")
