"""Images of a table: where they may lie, and how their pixels are read.

Every image that a model or a measure sees comes from `open_image`, so that all see the same pixels.
`datasets` decodes an `Image` column too, but leaves alpha, palettes, 16 bit and CMYK as they are
and decodes each image of a row even where only the prompt is read; scoring therefore goes through
`open_image` on the undecoded `{bytes, path}` cells.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from aas_bench.errors import InputError, SchemaError

if TYPE_CHECKING:
    from datasets import Dataset

MAX_PIXELS: Final = 89_478_485
"""Larger images are refused; 256 MiB of RGB, the size at which Pillow starts to warn."""

# Formats that Pillow reads by itself: EPS, for one, would start Ghostscript.
FORMATS: Final = ("BMP", "GIF", "JPEG", "MPO", "PNG", "PPM", "TIFF", "WEBP")

# Of PNG; on photographs as small as 4 and above, in half the time.
_COMPRESSION: Final = 1

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


# A part of an image, without resampling and without loss: a published crop and the crop of a
# reader's own copy of the same file hold the same pixels.


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


def png_bytes(image: Image.Image) -> bytes:
    """The image as PNG, which is lossless."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=_COMPRESSION)
    return file.getvalue()


def pixels_sha256(image: Image.Image) -> str:
    """Hash of mode, size and pixels, whatever file they came from."""
    head = f"{image.mode} {image.width}x{image.height}\n".encode()
    return hashlib.sha256(head + image.tobytes()).hexdigest()


# Where the images of a table may lie: one from elsewhere could otherwise show its reader's own
# files.


def image_homes(folder: Path) -> tuple[Path, ...]:
    """The folders that a link in the folder of a table may lead into, resolved.

    The folder itself; and where it is in a snapshot as the Hub's clients lay it out, whose files
    are links, the `blobs` of the same repository.
    """
    home = folder.resolve()
    blobs = (up.parent / "blobs" for up in (home, *home.parents) if up.name == "snapshots")
    return home, *(each for each in blobs if each.is_dir())


def image_file(name: str | None, folder: Path) -> dict[str, Any]:
    """The undecoded image of a file name, relative to the folder of its table.

    Raises:
        SchemaError: It is absolute, leads out of the folder (through `..` or a link; see
            `image_homes`), or there is no such file.
    """
    if name is None:
        msg = "is null"
        raise SchemaError(msg)
    if "\0" in name:
        msg = f"{name!r} cannot be a file name"
        raise SchemaError(msg)
    file = (folder / name).resolve()
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).is_absolute():
        msg = f"{name!r} is an absolute path; put the image into the folder of the table"
        raise SchemaError(msg)
    if not any(file.is_relative_to(home) for home in image_homes(folder)):
        msg = f"{name!r} leads out of the folder of the table; put the image into it"
        raise SchemaError(msg)
    if not file.is_file():
        msg = f"there is no file {name!r} in {folder}"
        raise SchemaError(msg)
    return {"bytes": None, "path": str(file)}


@dataclass(frozen=True, kw_only=True)
class TrustedPaths:
    """Where an image may lie that a table gives by its path.

    Only the folder of the table, the caches of `datasets` and the Hub, and the streamed Hub dataset
    itself will do.
    """

    folders: tuple[Path, ...]
    hub_id: str | None

    @classmethod
    def of(cls, folder: Path | None, hub_id: str | None = None) -> TrustedPaths:
        """The places that belong to a table: its folder, or its id on the Hub."""
        import datasets
        from huggingface_hub import constants

        caches = (
            datasets.config.HF_DATASETS_CACHE,
            datasets.config.DOWNLOADED_DATASETS_PATH,
            constants.HF_HUB_CACHE,
        )
        homes = image_homes(folder) if folder else ()
        return cls(folders=(*(Path(c).resolve() for c in caches), *homes), hub_id=hub_id)

    def __contains__(self, path: str) -> bool:
        if "://" in path:
            start = f"hf://datasets/{self.hub_id}@"
            return self.hub_id is not None and path.rpartition("::")[2].startswith(start)
        file = Path(path)
        return file.is_absolute() and any(file.resolve().is_relative_to(f) for f in self.folders)


def is_image(feature: Any) -> bool:
    """Whether a column holds `Image`s or what they are stored as, structs of bytes and path."""
    from datasets import Image

    struct = isinstance(feature, dict) and set(feature) == {"bytes", "path"}
    return struct or isinstance(feature, Image)


def image_fault(cell: dict[str, Any] | None, trusted: TrustedPaths) -> str | None:
    """What is wrong with an undecoded image, short of its being damaged; None: nothing."""
    if cell is None:
        return "is null"
    if cell["bytes"] is not None:
        return None
    if cell["path"] is None:
        return "has neither bytes nor path"
    if cell["path"] in trusted:
        return None
    return f"has no bytes, and its path {cell['path']!r} is not in the folder of the table"


def column_faults(
    data: Dataset, column: str, trusted: TrustedPaths, *, batch_size: int = 1000
) -> Iterator[tuple[int, str]]:
    """Each row whose `image_fault` is not None, and the fault; reads no bytes of the images."""
    import pyarrow.compute as pc

    start = 0
    for batch in data.select_columns([column]).with_format("arrow").iter(batch_size):
        for cells in batch[column].chunks:  # never combined: that would copy the images
            for row in pc.indices_nonzero(pc.is_null(pc.struct_field(cells, "bytes"))).to_pylist():
                fault = image_fault(cells[row].as_py(), trusted)
                if fault:
                    yield start + row, fault
            start += len(cells)
