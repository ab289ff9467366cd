"""Images of a table: where they may lie, and how their pixels are read.

Every image that a model or a measure sees comes from `open_image`, so that all see the same pixels.
`datasets` decodes an `Image` column too, but leaves alpha, palettes, 16 bit and CMYK as they are
and decodes each image of a row even where only the prompt is read; scoring therefore goes through
`open_image` on the undecoded `{bytes, path}` cells.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import os
import re
import struct
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from aas_bench.errors import InputError, SchemaError, first_line
from aas_bench.files import LONGEST_PART

if TYPE_CHECKING:
    from datasets import Dataset

MAX_PIXELS: Final = 89_478_485
"""Larger images are refused; 256 MiB of RGB, the size at which Pillow starts to warn."""

# Formats that Pillow reads by itself: EPS, for one, would start Ghostscript.
FORMATS: Final = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP")

# Of PNG; on photographs as small as 4 and above, in half the time.
FLAT: Final = 4
"""Largest difference between pixels of an image without a picture; JPEG makes noise."""
_COMPRESSION: Final = 1

_LONGEST_NAME: Final = 1000
_DATA_URL: Final = re.compile(r"data:image/[\w.+-]+(?:;[\w=.-]+)*;base64,", re.IGNORECASE)
_SHORTEST_BASE64: Final = 64
# PNG, JPEG, GIF, RIFF (WebP), BMP, TIFF in base64.
_BASE64_STARTS: Final = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR", "Qk", "SUkqA", "TU0AK")

_DAMAGED: Final = (OSError, SyntaxError, ValueError, LookupError, TypeError, EOFError, struct.error)
"""What Pillow raises of a damaged image; TypeError of a TIFF tag of another kind."""
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
        msg = (
            f"{name}: there is no file {os.fspath(source)[:200]!r}. Put it there, or drop the row."
        )
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


def one_colour(image: Image.Image) -> bool:
    """Whether an RGB image shows no picture: no channel differs by more than `FLAT`."""
    bands: Any = image.getextrema()
    return all(high - low <= FLAT for low, high in bands)


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        grey = np.asarray(image)
        if grey.size and not 0 <= grey.min() <= grey.max() <= 65535:
            msg = f"mode {image.mode} with values outside 0 to 65535"
            raise ValueError(msg)
        # Looked up: 89 million pixels as floats would take 2 GiB.
        levels = np.round(np.arange(65536) / 257).astype(np.uint8)
        image = Image.fromarray(levels[grey])
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
    if isinstance(value, str) and (inline := inline_image(value)) is not None:
        return io.BytesIO(inline)
    if isinstance(value, str) and (len(value) > _LONGEST_NAME or "\0" in value):
        msg = f"{name}: {value[:40]!r}... is neither a file name nor an image in base64. Give one."
        raise InputError(msg)
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
        msg = f"{name}: {url[:200]!r} is an address. Download the image and give its file."
        raise InputError(msg)
    import fsspec  # type: ignore[import-untyped]

    with fsspec.open(url, "rb") as file:
        return io.BytesIO(file.read())


def _too_large(name: str) -> InputError:
    return InputError(
        f"{name} has more than {MAX_PIXELS:,} pixels. Scale it down, or drop the row."
    )


def _damaged(name: str, error: Exception) -> InputError:
    return InputError(f"{name} cannot be read as an image ({first_line(error)}). Replace the file.")


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

    Where there is no file of exactly this name, one is taken that differs only in case, Unicode
    form or the kind of slash, if it is the only one. A text that is an image itself (base64, also
    as a data URL) is decoded.

    Raises:
        SchemaError: It is absolute, leads out of the folder (through `..` or a link; see
            `image_homes`), or there is no such file.
    """
    if name is None:
        msg = "is null"
        raise SchemaError(msg)
    inline = inline_image(name)
    if inline is not None:
        return {"bytes": inline, "path": None}
    shown = repr(name) if len(name) <= LONGEST_PART else f"{name[:40]!r}..."
    if not _may_name_a_file(name):
        msg = f"{shown} cannot be a file name"
        raise SchemaError(msg)
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).is_absolute():
        msg = f"{shown} is an absolute path; put the image into the folder of the table"
        raise SchemaError(msg)
    file = _file_called(name, folder)
    if not any(file.is_relative_to(home) for home in image_homes(folder)):
        msg = f"{shown} leads out of the folder of the table; put the image into it"
        raise SchemaError(msg)
    if not file.is_file():
        msg = f"there is no file {shown} in {folder}"
        raise SchemaError(msg)
    return {"bytes": None, "path": str(file)}


def inline_image(text: str) -> bytes | None:
    """The bytes of an image that a text holds as base64, plain or as a data URL; else None."""
    url = _DATA_URL.match(text[:100])
    if url is None and (len(text) < _SHORTEST_BASE64 or not text.startswith(_BASE64_STARTS)):
        return None
    try:
        return base64.b64decode("".join(text[url.end() if url else 0 :].split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _may_name_a_file(name: str) -> bool:
    try:
        written = os.fsencode(name)
    except UnicodeEncodeError:  # half a pair of surrogates
        return False
    short = all(len(part) <= LONGEST_PART for part in re.split(rb"[/\\]", written))
    return b"\0" not in written and len(written) <= _LONGEST_NAME and short


def _file_called(name: str, folder: Path) -> Path:
    """The file of this name, else the only one that differs in case, Unicode form or slashes."""
    file = (folder / name).resolve()
    slashed = name.replace("\\", "/")
    if file.is_file() or ".." in slashed.split("/"):
        return file
    place = folder
    for part in PurePosixPath(slashed).parts:
        exact = place / part
        alike = [] if exact.exists() else _alike(place).get(_folded(part), [])
        place = place / alike[0] if len(alike) == 1 else exact
    return place.resolve()


def _alike(folder: Path) -> dict[str, list[str]]:
    try:
        return _names(str(folder), folder.stat().st_mtime_ns)
    except OSError:
        return {}


@lru_cache(maxsize=64)
def _names(folder: str, _changed: int) -> dict[str, list[str]]:
    """What is in a folder, by `_folded`."""
    found: dict[str, list[str]] = {}
    for name in os.listdir(folder):  # noqa: PTH208 - names, not paths
        found.setdefault(_folded(name), []).append(name)
    return found


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


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
