"""COCO captions: read an annotation file, and sample captions from it by seed.

The files are those that cocodataset.org offers, e.g. `captions_val2014.json`; the captions are
CC BY 4.0, by the COCO Consortium. Images are not needed.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aas_bench.errors import InputError, SchemaError, raise_faults
from aas_bench.files import json_value

MAX_CAPTION_WORDS: Final = 30
"""Longer captions are not sampled: they leave no room for what a rewriter adds."""

_WORD: Final = re.compile(r"\w+")
_MEND: Final = "Download the annotation file again."


@dataclass(frozen=True, kw_only=True)
class Caption:
    """One caption of an image, its white space single.

    Attributes:
        text: One line.
        image_id: COCO's number of the image.
        caption_id: COCO's number of the caption.
    """

    text: str
    image_id: int
    caption_id: int


def read_captions(path: str | os.PathLike[str]) -> list[Caption]:
    """All captions of a COCO annotation file, in its order, without those that are empty.

    Raises:
        InputError: There is no such file, or it is not JSON.
        SchemaError: It has no list `annotations` of objects with whole numbers `id` and
            `image_id` and a text `caption`: all faults in one message.
    """
    file = Path(path)
    try:
        document = json_value(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{file}: cannot be read ({error}). Give the JSON file of COCO's captions."
        raise InputError(msg) from error
    except ValueError as error:
        msg = f"{file}: is not JSON ({error}). {_MEND}"
        raise InputError(msg) from error
    rows = document.get("annotations") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        msg = f"{file}: has no list 'annotations'. Give COCO's captions, not its instances."
        raise SchemaError(msg)
    faults = [f"annotation {i} {fault}" for i, row in enumerate(rows) if (fault := _fault(row))]
    raise_faults(file, faults, _MEND)
    captions = (
        Caption(text=" ".join(r["caption"].split()), image_id=r["image_id"], caption_id=r["id"])
        for r in rows
    )
    return [caption for caption in captions if caption.text]


def _fault(row: Any) -> str | None:
    if not isinstance(row, dict):
        return "is not an object"
    if not isinstance(row.get("caption"), str):
        return "has no text 'caption'"
    whole = all(isinstance(row.get(n), int) and row[n] >= 0 for n in ("id", "image_id"))
    return None if whole else "has no whole numbers 'id' and 'image_id'"


def sample_captions(captions: Iterable[Caption], n: int, *, seed: int = 0) -> list[Caption]:
    """So many captions, at most one of each image, no two of the same words.

    An image's place follows from a hash of the seed and its number, and so does which of its
    captions speaks for it: a sample of 10 is the beginning of a sample of 300, whatever the order
    of the file. Captions of more than `MAX_CAPTION_WORDS` words are passed over.

    Raises:
        InputError: There are fewer.
    """
    by_image: dict[int, list[Caption]] = {}
    for caption in captions:
        if len(caption.text.split()) <= MAX_CAPTION_WORDS:
            by_image.setdefault(caption.image_id, []).append(caption)
    chosen: list[Caption] = []
    words: set[tuple[str, ...]] = set()
    for image_id in sorted(by_image, key=lambda i: (_hash(seed, "image", i), i)):
        if len(chosen) == n:
            break
        own = min(by_image[image_id], key=lambda c: (_hash(seed, "caption", c.caption_id), c.text))
        plain = tuple(_WORD.findall(own.text.lower()))
        if plain and plain not in words:
            words.add(plain)
            chosen.append(own)
    if len(chosen) < n:
        msg = f"there are captions of {len(chosen)} images and {n} are wanted. Ask for fewer."
        raise InputError(msg)
    return chosen


def _hash(seed: int, kind: str, number: int) -> bytes:
    return hashlib.sha256(f"{seed}/{kind}/{number}".encode()).digest()
