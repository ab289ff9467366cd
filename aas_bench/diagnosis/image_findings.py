"""Black, uniform, equal, repeated and unreadable images: each image is looked at once."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from aas_bench.errors import InputError
from aas_bench.measure.row_findings import RowFinding, found_in
from aas_bench.stats.estimate import Mask
from aas_bench.tables.images import one_colour, open_image
from aas_bench.tables.schema import (
    IMAGE_DISTORTED,
    IMAGE_ORIGINAL,
    INDEX,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
)
from aas_bench.tables.scores import joined_by_prompts

BLACK: Final = 8
"""Brightest value of a black image."""
SMALL: Final = 64
"""Pixels of the shorter side, below which a model sees next to nothing."""

_MOST_WORKERS: Final = 8
_AHEAD: Final = 4


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look at an image tells; no pixel is kept.

    Attributes:
        pixels: Equal for equal pixels; "" where the image cannot be read.
        side: Its shorter side in pixels.
        low: Least value of any channel.
        high: Largest value of any channel.
        flat: Whether no channel shows a picture.
        fault: Why it cannot be read; None where it can.
    """

    pixels: str = ""
    side: int = 0
    low: int = 0
    high: int = 0
    flat: bool = False
    fault: str | None = None


Looks = tuple[Look | None, Look | None]


def look_at(struct: Mapping[str, Any]) -> Look:
    """Look at an undecoded image."""
    try:
        image = open_image(struct)
    except InputError as error:
        return Look(fault=str(error))
    bands: Any = image.getextrema()
    ends = [(int(low), int(high)) for low, high in bands]
    head = f"{image.width}x{image.height}\n".encode()
    return Look(
        pixels=hashlib.blake2b(head + image.tobytes(), digest_size=16).hexdigest(),
        side=min(image.size),
        low=min(low for low, _ in ends),
        high=max(high for _, high in ends),
        flat=one_colour(image),
    )


def looks(pairs: Iterable[tuple[Any, Any]]) -> Iterator[Looks]:
    """What is seen of the two images of each pair, in order; None where a cell is null.

    Equal bytes are decoded once. At most `_AHEAD` pairs a thread are held at once, so memory does
    not grow with the table but for a few bytes an image.
    """
    workers = min(_MOST_WORKERS, os.cpu_count() or 1)
    known: dict[str, Future[Look]] = {}
    waiting: deque[list[Future[Look] | None]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="look") as pool:
        for pair in pairs:
            waiting.append([_asked(struct, known, pool) for struct in pair])
            if len(waiting) >= workers * _AHEAD:
                yield _answered(waiting.popleft())
        while waiting:
            yield _answered(waiting.popleft())


def _asked(
    struct: Mapping[str, Any] | None, known: dict[str, Future[Look]], pool: ThreadPoolExecutor
) -> Future[Look] | None:
    if struct is None:
        return None
    content = struct.get("bytes")
    key = (
        f"path:{struct.get('path')}"
        if content is None
        else hashlib.blake2b(content, digest_size=16).hexdigest()
    )
    if key not in known:
        known[key] = pool.submit(partial(look_at, struct))
    return known[key]


def _answered(futures: list[Future[Look] | None]) -> Looks:
    original, distorted = (None if each is None else each.result() for each in futures)
    return original, distorted


def image_findings(frame: pd.DataFrame, seen: list[Looks]) -> Iterator[tuple[RowFinding, Mask]]:
    """What the images show, each finding with its rows.

    Args:
        frame: The texts of the pairs.
        seen: What was seen of each row's images.
    """
    for name, column in zip(
        (IMAGE_ORIGINAL, IMAGE_DISTORTED), zip(*seen, strict=True), strict=True
    ):
        masks = {
            ("unreadable_image", f"{{n}} whose {name} cannot be read", "Replace the file."): [
                each is not None and each.fault is not None for each in column
            ],
            ("black_image", f"{{n}} whose {name} is black", "Make it again: a filter hid it."): [
                _shown(each) and each.flat and each.high <= BLACK for each in column
            ],
            ("uniform_image", f"{{n}} whose {name} is of one colour", "Make it again."): [
                _shown(each) and each.flat and each.high > BLACK for each in column
            ],
        }
        for (probe, text, mend), flags in masks.items():
            yield from _found(frame, flags, probe=probe, text=text, mend=mend)
        small = [_shown(each) and each.side < SMALL for each in column]
        text = f"{{n}} whose {name} is less than {SMALL} pixels wide or high"
        mend = "Use the images as they were made."
        yield from _found(frame, small, probe="small_image", text=text, mend=mend, outcome="note")
    keys = [
        [each.pixels if _shown(each) else "" for each in column]
        for column in zip(*seen, strict=True)
    ]
    equal = [a == d != "" for a, d in zip(*keys, strict=True)]
    text = "{n} whose two images are equal: no choice to make"
    mend = "Make one of them again, or leave the rows out."
    yield from _found(frame, equal, probe="equal_images", text=text, mend=mend)
    yield from _repeated(frame, *keys)


def _shown(each: Look | None) -> Any:
    return each is not None and each.fault is None


def _repeated(
    frame: pd.DataFrame, original: list[str], distorted: list[str]
) -> Iterator[tuple[RowFinding, Mask]]:
    """Pairs that stand twice, and images that stand under several base prompts."""
    prompts = {name: frame[name] for name in (PROMPT_ORIGINAL, PROMPT_DISTORTED) if name in frame}
    bases, _ = joined_by_prompts(frame[INDEX].to_numpy(np.int64), prompts)
    keys = pd.DataFrame(
        {"o": original, "d": distorted, "p": frame[PROMPT_DISTORTED].array, "i": bases}
    )
    there = ((keys["o"] != "") | (keys["d"] != "")).to_numpy(dtype=bool)
    twice = keys.duplicated(["o", "d", "p"]).to_numpy() & there
    text = "{n} with the images and the prompt of an earlier pair"
    yield from _found(
        frame, twice, probe="repeated_pair", text=text, mend="Leave the second ones out."
    )
    for name, key in ((IMAGE_ORIGINAL, "o"), (IMAGE_DISTORTED, "d")):
        several = (keys.groupby(key)["i"].transform("nunique") > 1).to_numpy(dtype=bool)
        shared = several & (keys[key] != "").to_numpy(dtype=bool) & ~twice
        text = f"{{n}} share an {name} with a pair of another {INDEX}"
        mend = f"Give pairs of one scene one {INDEX}, or make the images again."
        yield from _found(frame, shared, probe="repeated_image", text=text, mend=mend)


def _found(
    frame: pd.DataFrame, flags: Any, *, probe: str, text: str, mend: str, outcome: str = "fail"
) -> Iterator[tuple[RowFinding, Mask]]:
    mask = np.array(flags, dtype=bool)
    if mask.any():
        yield found_in(frame, mask, probe=probe, text=text, mend=mend, outcome=outcome), mask
