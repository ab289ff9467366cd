"""The columns of a metric, checked before `evaluate` writes them to its cache.

`evaluate` reports a missing column late, a ragged one at length and a fractional label not at all
(it cuts it to an integer), so each column is read here first.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from numbers import Number
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from aas_bench.errors import InputError
from aas_bench.stats.inputs import read_labels, read_scores
from aas_bench.tables.images import to_rgb


def score_rows(values: Iterable[Any], widths: tuple[int, ...]) -> list[Any]:
    """Predictions as plain lists: one float per pair, or a list of floats per pair.

    Args:
        values: Numbers, or rows of numbers that are all of one length; None and NaN stand for
            missing scores.
        widths: The lengths that a row may have; 1 also allows plain numbers.

    Raises:
        InputError: The rows differ in length, have a length that is not allowed, or hold something
            else than finite numbers.
    """
    given: Any = values if isinstance(values, np.ndarray) else list(values)
    if len(given) == 0:
        return []
    try:
        rows = np.asarray(given)
    except (TypeError, ValueError) as error:  # rows of several lengths, or no numbers at all
        raise InputError(_mixed(given, widths) or _no_form(given, widths)) from error
    width = 1 if rows.ndim == 1 else rows.shape[-1]
    if rows.ndim not in (1, 2) or width not in widths:
        raise InputError(_no_form(given, widths))
    if rows.ndim == 1:
        return list(read_scores("predictions", rows).tolist())
    checked = np.stack([read_scores("predictions", column) for column in rows.T], axis=1)
    return list(checked.tolist())


def _mixed(given: Sequence[Any], widths: tuple[int, ...]) -> str | None:
    forms = [_form(row) for row in given]
    row = next((k for k, form in enumerate(forms) if form != forms[0]), None)
    if row is None:
        return None
    return (
        f"predictions mix forms: row 0 is {forms[0]}, row {row} is {forms[row]}. "
        f"Give every pair {_allowed(widths)}."
    )


def _no_form(given: Sequence[Any], widths: tuple[int, ...]) -> str:
    return f"a row of predictions is {_form(given[0])}. Give every pair {_allowed(widths)}."


def _form(row: Any) -> str:
    if hasattr(row, "__len__") and not isinstance(row, str):
        return f"a list of {len(row)}"
    return "one number" if isinstance(row, Number) else f"a {type(row).__name__}"


def _allowed(widths: tuple[int, ...]) -> str:
    forms = {
        1: "one number (didp - oidp)",
        2: "[score_original, score_distorted]",
        4: "[oiop, oidp, diop, didp]",
    }
    return " or ".join(forms[width] for width in widths)


def labels(values: Iterable[Any]) -> list[int]:
    """References as integers in {1, 0, -1}."""
    return list(read_labels(list(values)).tolist())


def texts(name: str, values: Iterable[Any]) -> list[str]:
    """Prompts; anything but a string is an error."""
    given = list(values)
    for row, value in enumerate(given):
        if not isinstance(value, str):
            kind = type(value).__name__
            msg = f"{name}, row {row}: {kind} instead of a string. Give one prompt per pair."
            raise InputError(msg)
    return given


def image_cell(name: str, row: int, value: Any) -> dict[str, Any]:
    """An image as `datasets.Image` stores it, without loss.

    `datasets` itself encodes a decoded JPEG as JPEG again, and takes the file of an image that was
    opened and then changed; both would alter scores, so pixels are kept as PNG here.

    Args:
        name: The column, for the error message.
        row: The row, for the error message.
        value: A PIL image, an array (height, width[, channel]) of uint8, a path, the bytes of an
            image file, or {"bytes": ..., "path": ...}.

    Raises:
        InputError: It is none of these, or the image is damaged.
    """
    if isinstance(value, dict) and value.keys() & {"bytes", "path"}:
        return {"bytes": value.get("bytes"), "path": value.get("path")}
    if isinstance(value, bytes | bytearray):
        return {"bytes": bytes(value), "path": None}
    if isinstance(value, str | Path):
        return {"bytes": None, "path": str(value)}
    if isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim in (2, 3):
        value = Image.fromarray(value)
    if not isinstance(value, Image.Image):
        msg = (
            f"{name}, row {row}: {type(value).__name__} instead of an image. "
            "Give a PIL image, a uint8 array or a path."
        )
        raise InputError(msg)
    buffer = io.BytesIO()
    to_rgb(value, name=f"{name}, row {row},").save(buffer, format="PNG", compress_level=1)
    return {"bytes": buffer.getvalue(), "path": None}
