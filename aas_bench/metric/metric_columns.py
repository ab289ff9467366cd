"""The columns of a metric, checked before `evaluate` writes them to its cache.

`evaluate` reports a missing column late, a ragged one at length and a fractional label not at all
(it cuts it to an integer), so each column is read here first.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from numbers import Number
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aas_bench.errors import InputError, SchemaError
from aas_bench.stats.inputs import read_scores
from aas_bench.tables.authors import label_value, plain, read_number, read_prompt
from aas_bench.tables.images import inline_image, to_rgb


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
    given: Any = values if isinstance(values, np.ndarray) else plain(_listed(values))
    if len(given) == 0:
        return []
    rows = given if isinstance(given, np.ndarray) else _whole(given)
    if rows is None or rows.dtype.kind not in "iuf" or rows.ndim > 2:
        rows = _read_each(given, widths)
    width = 1 if rows.ndim == 1 else rows.shape[-1]
    if rows.ndim not in (1, 2) or width not in widths:
        raise InputError(_no_form(given, widths))
    if width == 1:
        return list(read_scores("predictions", rows.ravel()).tolist())
    checked = np.stack([read_scores("predictions", column) for column in rows.T], axis=1)
    return list(checked.tolist())


def _listed(values: Iterable[Any]) -> Any:
    return values if hasattr(values, "detach") else list(values)


def _whole(given: list[Any]) -> NDArray[Any] | None:
    """Plain numbers as one array; None where each row must be looked at."""
    if any(isinstance(cell, bool) for row in given for cell in _cells(row)):
        return None
    try:
        return np.asarray(given)
    except (TypeError, ValueError):  # rows of several lengths, or no numbers at all
        return None


def _cells(row: Any) -> Iterable[Any]:
    return row if isinstance(row, (list, tuple, np.ndarray)) else (row,)


def _read_each(given: Sequence[Any], widths: tuple[int, ...]) -> NDArray[np.float64]:
    """Rows that are not all plain numbers, each as a table reads it: text, None, lists of one."""
    mixed = _mixed(given, widths)
    if mixed is not None:
        raise InputError(mixed)
    rows: list[Any] = []
    for number, row in enumerate(given):
        try:
            rows.append([read_number(cell) for cell in _cells(row)])
        except SchemaError as error:
            msg = f"predictions, row {number}: {error}. Give every pair {_allowed(widths)}."
            raise InputError(msg) from error
    return np.array(rows, dtype=np.float64)


def _mixed(given: Sequence[Any], widths: tuple[int, ...]) -> str | None:
    widths_given = [_width(row) for row in given]
    row = next((k for k, width in enumerate(widths_given) if width != widths_given[0]), None)
    if row is None:
        return None
    return (
        f"predictions mix forms: row 0 is {_form(given[0])}, row {row} is {_form(given[row])}. "
        f"Give every pair {_allowed(widths)}."
    )


def _no_form(given: Sequence[Any], widths: tuple[int, ...]) -> str:
    spread = " Of a mean and its spread, take the first column." if _width(given[0]) == 2 else ""
    return f"a row of predictions is {_form(given[0])}. Give every pair {_allowed(widths)}.{spread}"


def _width(row: Any) -> int:
    """How many numbers a row has; 0 where it is one by itself."""
    return len(row) if hasattr(row, "__len__") and not isinstance(row, str) else 0


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
    """References as integers in {1, 0, -1}; a name, a tie of 0.5 and a list of votes are read."""
    given = list(values)
    if {type(value) for value in given} <= {int, np.int8, np.int64} and set(given) <= {1, 0, -1}:
        return list(map(int, given))
    return list(_read_rows("references", given, lambda value: label_value([value])))


def texts(name: str, values: Iterable[Any]) -> list[str]:
    """Prompts; what cannot be read as one is an error, and so is one of which nothing is seen."""
    return list(_read_rows(name, values, _prompt))


def _prompt(value: Any) -> str:
    text = read_prompt(value)
    if text is None:
        msg = f"{type(value).__name__} instead of a string" if value is None else "is empty"
        raise SchemaError(msg)
    return text


def _read_rows(name: str, values: Iterable[Any], read: Callable[[Any], Any]) -> Iterator[Any]:
    for row, value in enumerate(values):
        try:
            yield read(value)
        except SchemaError as error:
            msg = f"{name}, row {row}: {error}. Give one for every pair."
            raise InputError(msg) from error


def image_cell(name: str, row: int, value: Any) -> dict[str, Any]:
    """An image as `datasets.Image` stores it, without loss.

    `datasets` itself encodes a decoded JPEG as JPEG again, and takes the file of an image that was
    opened and then changed; both would alter scores, so pixels are kept as PNG here.

    Args:
        name: The column, for the error message.
        row: The row, for the error message.
        value: A PIL image, an array or tensor of uint8, its channels last or first, a path, an
            image in base64, the bytes of an image file, or {"bytes": ..., "path": ...}.

    Raises:
        InputError: It is none of these, or the image is damaged.
    """
    if isinstance(value, dict) and value.keys() & {"bytes", "path"}:
        return {"bytes": value.get("bytes"), "path": value.get("path")}
    if isinstance(value, bytes | bytearray):
        return {"bytes": bytes(value), "path": None}
    if isinstance(value, str) and (inline := inline_image(value)) is not None:
        return {"bytes": inline, "path": None}
    if isinstance(value, str | Path):
        return {"bytes": None, "path": str(value)}
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim in (2, 3):
        value = Image.fromarray(_channels_last(value))
    if not isinstance(value, Image.Image):
        msg = (
            f"{name}, row {row}: {type(value).__name__} instead of an image. "
            "Give a PIL image, a uint8 array or a path."
        )
        raise InputError(msg)
    buffer = io.BytesIO()
    to_rgb(value, name=f"{name}, row {row},").save(buffer, format="PNG", compress_level=1)
    return {"bytes": buffer.getvalue(), "path": None}


def _channels_last(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Of (3, height, width), as torch has it, (height, width, 3); one channel without its axis."""
    if pixels.ndim == 3 and pixels.shape[-1] not in (1, 3, 4) and pixels.shape[0] in (1, 3, 4):
        pixels = pixels.transpose(1, 2, 0)
    single = pixels.ndim == 3 and pixels.shape[-1] == 1
    return np.ascontiguousarray(pixels[..., 0] if single else pixels)
