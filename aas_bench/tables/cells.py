"""How one canonical value is read from a row of a pair table: small functions, made to be curried.

A reader takes (row, row number). All are module-level functions, so that a streamed table can be
sent to the worker processes of a data loader.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final, TypeAlias

from aas_bench.errors import SchemaError
from aas_bench.tables import authors
from aas_bench.tables.schema import pair_name

EMOTION_SLOT: Final = "[emotion]"

Row: TypeAlias = Mapping[str, Any]
Reader: TypeAlias = Callable[[Row, int], Any]


def constant(value: Any, row: Row, number: int) -> Any:
    """The same value in every row."""
    return value


def cell(column: str, feature: Any, row: Row, number: int) -> Any:
    """The value of a column; class labels, also in lists, by their names, and nan as None."""
    value = row[column]
    if authors.is_null(value):
        return None
    inner = getattr(feature, "feature", feature)
    if not hasattr(inner, "int2str"):
        return value
    return inner.int2str(value) if inner is feature else [inner.int2str(v) for v in value]


def index(read: Reader | None, row: Row, number: int) -> int:
    """A whole number; the row number where there is no column."""
    value = number if read is None else read(row, number)
    try:
        if not isinstance(value, bool) and int(value) == float(value):
            return int(value)
    except (TypeError, ValueError, OverflowError):
        pass
    msg = f"{value!r} is not a whole number"
    raise SchemaError(msg)


def model(read: Reader | None, default: str, row: Row, number: int) -> str:
    """What made the images; the default where there is no column or the cell is null."""
    value = None if read is None else read(row, number)
    return default if value is None else str(value)


def pair_id(
    read: Reader | None,
    read_model: Reader,
    read_index: Reader,
    emotion: str | None,
    row: Row,
    number: int,
) -> str:
    """The given id, or `<model>/<index:04d>`; followed by the emotion where a row holds several."""
    value = None if read is None else read(row, number)
    if read is not None and value is None:
        msg = "is null"
        raise SchemaError(msg)
    if value is None:
        value = pair_name(read_model(row, number), read_index(row, number))
    return str(value) if emotion is None else f"{value}/{emotion}"


def prompt(read: Reader | None, row: Row, number: int, *, required: bool = False) -> str | None:
    """Text, or null where that is allowed."""
    value = None if read is None else read(row, number)
    if value is None and required:
        msg = "is null"
        raise SchemaError(msg)
    if not isinstance(value, (str, type(None))):
        msg = f"{value!r} is not text"
        raise SchemaError(msg)
    return value


def slotted_prompt(read: Reader, emotion: str, row: Row, number: int) -> str:
    """A prompt with its `[emotion]` slot filled."""
    template = prompt(read, row, number, required=True) or ""
    if EMOTION_SLOT not in template:
        msg = f"the prompt has no {EMOTION_SLOT} slot"
        raise SchemaError(msg)
    return template.replace(EMOTION_SLOT, emotion)


def dimensions(read: Reader | None, row: Row, number: int) -> list[str]:
    """A list of names, empty where there is no column or the cell is null."""
    return [] if read is None else authors.parse_dimensions(read(row, number))


def label(votes: Sequence[Reader], row: Row, number: int) -> int:
    """One label from the votes; see `authors.label_value`."""
    return authors.label_value([read(row, number) for read in votes])


def score(read: Reader, field: str | None, part: int, row: Row, number: int) -> float | None:
    """A number, in a struct where `field` names one; part 0 is the score, 1 its sigma."""
    value = read(row, number)
    if field is not None and value is not None:
        value = value.get(field)
    value = authors.split_score(value)[part]
    try:
        return None if value is None or math.isnan(value) else float(value)
    except TypeError:
        msg = f"{value!r} is not a number"
        raise SchemaError(msg) from None


def image_file(read: Reader, root: Path, row: Row, number: int) -> dict[str, Any]:
    """The cell of an image that is given as a file name relative to `root`.

    A name may not be absolute, nor lead out of the folder, be it through `..` or a link: a table
    from elsewhere must not be able to show files that its reader did not give it.
    """
    name = read(row, number)
    if name is None:
        msg = "is null"
        raise SchemaError(msg)
    if "\0" in name:
        msg = f"{name!r} cannot be a file name"
        raise SchemaError(msg)
    file = (root / name).resolve()
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).is_absolute():
        msg = f"{name!r} is an absolute path; put the image into the folder of the table"
        raise SchemaError(msg)
    if not file.is_relative_to(root.resolve()):
        msg = f"{name!r} leads out of the folder of the table; put the image into it"
        raise SchemaError(msg)
    if not file.is_file():
        msg = f"there is no file {name!r} in {root}"
        raise SchemaError(msg)
    return {"bytes": None, "path": str(file)}
