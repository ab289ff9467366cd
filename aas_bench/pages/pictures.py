"""The image files of a report: one per distinct image, and a thumbnail where it is large."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image

from aas_bench.tables.images import open_image

THUMBNAIL_PX: Final = 560
"""Longest side of a thumbnail: twice its size on the page, for sharp screens."""
FULL_PX: Final = 2048
"""Longest side of a full-size image."""
JPEG_QUALITY: Final = 90


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Where an image lies, relative to the page.

    Attributes:
        thumbnail: File to show.
        full: File that opens on a click.
        size: Width and height of the thumbnail in pixels.
    """

    thumbnail: str
    full: str
    size: tuple[int, int]


class Pictures:
    """A folder of image files, named by what they show, so that equal images share a file.

    Args:
        folder: Made where absent.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._stored: dict[str, Picture] = {}

    def store(self, cell: Any, *, name: str) -> Picture:
        """Write an image, unless the same one is there already.

        Args:
            cell: What `open_image` reads; encoded images given before are not decoded again.
            name: What to call it in an error.

        Raises:
            InputError: It is no image, or damaged.
        """
        encoded = cell.get("bytes") if isinstance(cell, Mapping) else None
        key = None if encoded is None else hashlib.sha256(encoded).hexdigest()
        if key in self._stored:
            return self._stored[key]
        picture = self._write_both(open_image(cell, name=name))
        if key is not None:
            self._stored[key] = picture
        return picture

    def _write_both(self, image: Image.Image) -> Picture:
        full = _at_most(image, FULL_PX)
        thumbnail = _at_most(image, THUMBNAIL_PX)
        full_name = self._write(full)
        name = full_name if thumbnail.size == full.size else self._write(thumbnail)
        return Picture(thumbnail=name, full=full_name, size=thumbnail.size)

    def _write(self, image: Image.Image) -> str:
        content = hashlib.sha256(repr(image.size).encode() + image.tobytes()).hexdigest()
        path = self.folder / f"{content[:20]}.jpg"
        if not path.exists():
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
            path.write_bytes(buffer.getvalue())
        return f"{self.folder.name}/{path.name}"


def _at_most(image: Image.Image, longest: int) -> Image.Image:
    if max(image.size) <= longest:
        return image
    smaller = image.copy()
    smaller.thumbnail((longest, longest))
    return smaller
