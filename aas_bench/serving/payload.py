"""What a request asks for: read from JSON or a form, checked before anything is decoded."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from aas_bench.errors import InputError
from aas_bench.files import is_whole, json_value
from aas_bench.serving.bounds import Bounds
from aas_bench.tables.images import FORMATS

KEYS: Final = ("images", "prompts", "cells", "originals", "strength")
_HEAD: Final = 'Send {"images": [base64, ...], "prompts": [text, ...]}.'


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image as it was sent.

    Attributes:
        key: SHA-256 of its bytes.
        data: The file.
        pixels: Its width times its height, as its head says.
    """

    key: str
    data: bytes
    pixels: int


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request.

    Attributes:
        pictures: The images; none where only the prompts are asked about.
        prompts: The prompts.
        cells: What to score: positions of an image and of a prompt.
        originals: For each prompt the original prompt of its pair; None where it has none.
        strength: Of the contrast with the original prompt; None: the score as it is.
    """

    pictures: tuple[Picture, ...]
    prompts: tuple[str, ...]
    cells: tuple[tuple[int, int], ...]
    originals: tuple[str | None, ...]
    strength: float | None


def read_json(body: bytes, bounds: Bounds) -> Asked:
    """A request in JSON, its images in base64.

    Raises:
        InputError: It is no such request, or goes beyond `bounds`; says where.
    """
    fields = _object(body)
    images = _listed(fields, "images", bounds)
    return _asked(fields, [_decoded(i, text) for i, text in enumerate(images)], bounds)


async def read_form(body: bytes, content_type: str, bounds: Bounds) -> Asked:
    """A request as multipart/form-data: files `images`, and the rest as JSON in `request`.

    Raises:
        InputError: As `read_json`.
    """

    async def stream() -> AsyncIterator[bytes]:
        yield body

    parser = MultiPartParser(
        Headers({"content-type": content_type}),
        stream(),  # type: ignore[arg-type]
        max_files=bounds.cells,
        max_fields=1,
        max_part_size=bounds.body,
    )
    parser.spool_max_size = bounds.body  # the body is in memory and stays there
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        reason = str(error).rstrip(".")
        msg = f"the form cannot be read: {reason}. Send files images and a field request."
        raise InputError(msg) from error
    text = form.get("request")
    if not isinstance(text, str):
        msg = 'the form has no field request. Send it as JSON: {"prompts": [text, ...]}.'
        raise InputError(msg)
    files = [each for each in form.getlist("images") if isinstance(each, UploadFile)]
    return _asked(_object(text.encode()), [await each.read() for each in files], bounds)


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json_value(text)
    except ValueError as error:
        msg = f"the request is not JSON ({error!s:.100}). {_HEAD}"
        raise InputError(msg) from error
    if not isinstance(found, dict):
        msg = f"the request is a JSON {type(found).__name__}. {_HEAD}"
        raise InputError(msg)
    unknown = sorted(found.keys() - {*KEYS})
    if unknown:
        msg = f"the request has a key {unknown[0]!r:.50}. It may have: {', '.join(KEYS)}."
        raise InputError(msg)
    return found


def _asked(fields: dict[str, Any], images: Sequence[bytes], bounds: Bounds) -> Asked:
    prompts = tuple(_prompt(p, bounds) for p in _listed(fields, "prompts", bounds))
    pictures = tuple(_picture(i, data, bounds) for i, data in enumerate(images))
    if not prompts:
        msg = f"the request has no prompts. {_HEAD}"
        raise InputError(msg)
    originals = _listed(fields, "originals", bounds) or [None] * len(prompts)
    if len(originals) != len(prompts):
        msg = f"{len(originals)} originals for {len(prompts)} prompts. Give one each, or null."
        raise InputError(msg)
    return Asked(
        pictures=pictures,
        prompts=prompts,
        cells=_cells(fields, len(pictures), len(prompts), bounds),
        originals=tuple(None if o is None else _prompt(o, bounds) for o in originals),
        strength=_strength(fields.get("strength")),
    )


def _listed(fields: dict[str, Any], name: str, bounds: Bounds) -> list[Any]:
    found = fields.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        msg = f"{name} is a JSON {type(found).__name__}. Make it a list."
        raise InputError(msg)
    if len(found) > bounds.cells:
        msg = f"{len(found)} {name} are too many for one request. Send at most {bounds.cells}."
        raise InputError(msg)
    return found


def _prompt(value: Any, bounds: Bounds) -> str:
    if not isinstance(value, str) or len(value) > bounds.prompt or not is_whole(value):
        msg = f"{value!r:.50} is no prompt. Send text of at most {bounds.prompt} characters."
        raise InputError(msg)
    return value


def _decoded(i: int, text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        msg = f"image {i} is not base64 ({error}). Encode the whole file, without a data: head."
        raise InputError(msg) from error


def _picture(i: int, data: bytes, bounds: Bounds) -> Picture:
    Image.init()
    try:
        formats: list[str] = [each for each in FORMATS if each in Image.OPEN]
        with Image.open(io.BytesIO(data), formats=formats) as image:
            pixels = image.width * image.height
    except Image.DecompressionBombError as error:
        msg = f"image {i} has far too many pixels. Send at most {bounds.pixels:,}."
        raise InputError(msg) from error
    except Exception as error:
        msg = f"image {i} is no image of a known format. Send one of {', '.join(FORMATS)}."
        raise InputError(msg) from error
    if pixels > bounds.pixels:
        msg = f"image {i} has {pixels:,} pixels. Send at most {bounds.pixels:,}."
        raise InputError(msg)
    return Picture(key=hashlib.sha256(data).hexdigest(), data=data, pixels=pixels)


def _cells(
    fields: dict[str, Any], images: int, prompts: int, bounds: Bounds
) -> tuple[tuple[int, int], ...]:
    if "cells" not in fields:
        if images not in (0, prompts):
            msg = f"{images} images but {prompts} prompts. Send one prompt an image, or cells."
            raise InputError(msg)
        return tuple((i, i) for i in range(images))
    found = []
    for cell in _listed(fields, "cells", bounds):
        pair = cell if isinstance(cell, list) and len(cell) == 2 else (None, None)
        image, prompt = (n if type(n) is int else -1 for n in pair)
        if not (0 <= image < images and 0 <= prompt < prompts):
            msg = f"cell {cell!r:.50} is no [image, prompt] of {images} images, {prompts} prompts."
            raise InputError(f"{msg} Count from 0.")
        found.append((image, prompt))
    return tuple(found)


def _strength(value: Any) -> float | None:
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and 0 <= value <= sys.float_info.max):
        msg = f"strength is {value!r:.50}. Send a finite number of at least 0."
        raise InputError(msg)
    return float(value)
