"""Which rows of a score table a figure rests on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from aas_bench.errors import SchemaError
from aas_bench.stats.estimate import Mask
from aas_bench.tables.authors import is_cell
from aas_bench.tables.schema import DIMENSIONS, MODEL, UNKNOWN_MODEL
from aas_bench.tasks.taxonomy import DIMENSIONS as DIMENSION_MEANINGS


def n_wordings(frame: pd.DataFrame) -> int:
    """Wordings of a request; 1 where the table does not tell wordings apart."""
    return int(frame["wording"].nunique()) if _has_wordings(frame) else 1


def headline_rows(frame: pd.DataFrame) -> Mask:
    """The rows behind every figure but the consistency: of each item the smallest wording."""
    if not _has_wordings(frame):
        return np.ones(len(frame), dtype=bool)
    first = frame.groupby("item", dropna=False)["wording"].transform("min")
    return (frame["wording"] == first).to_numpy(dtype=bool)


def reworded_rows(frame: pd.DataFrame) -> Mask:
    """The rows of the items that exist in every wording, so that wordings can be compared."""
    most = n_wordings(frame)
    if most < 2:
        return np.zeros(len(frame), dtype=bool)
    per_item = frame.groupby("item", dropna=False)["wording"].transform("nunique")
    return (per_item == most).to_numpy(dtype=bool)


def models(frame: pd.DataFrame) -> tuple[str, ...]:
    """What made the images, where the table says so."""
    names = set(frame[MODEL].dropna().astype(str)) if MODEL in frame else set()
    return tuple(sorted(names - {UNKNOWN_MODEL}))


def default_grouping(frame: pd.DataFrame) -> str | None:
    """The column `dimensions`, where any pair has one."""
    asked = DIMENSIONS in frame and any(members(value) for value in frame[DIMENSIONS])
    return DIMENSIONS if asked else None


def members(value: Any) -> list[str]:
    """Groups of one cell: the items of a list, else the value itself; none where it is null."""
    if isinstance(value, list | tuple | set | np.ndarray):
        return [str(item) for item in value]
    return [] if pd.isna(value) else [str(value)]


def group_masks(frame: pd.DataFrame, by: str) -> dict[str, Mask]:
    """Rows of each group; dimensions in the order of the taxonomy, other names by alphabet.

    Raises:
        SchemaError: The table has no column `by`, or it holds scores or objects.
    """
    if by not in frame:
        msg = f"the table has no column {by!r}. Group by one of: {', '.join(frame.columns)}."
        raise SchemaError(msg)
    scores = is_cell(by.removesuffix("_sigma"))
    if scores or any(isinstance(value, dict) for value in frame[by]):
        kind = "holds scores" if scores else "holds objects"
        msg = f"column {by!r} {kind}, not groups. Group by a column of names, e.g. {DIMENSIONS}."
        raise SchemaError(msg)
    of_row = [members(value) for value in frame[by]]
    order = {name: i for i, name in enumerate(DIMENSION_MEANINGS)}
    names = {name for of_one in of_row for name in of_one}
    return {
        name: np.array([name in of_one for of_one in of_row], dtype=bool)
        for name in sorted(names, key=lambda name: (order.get(name, len(order)), name))
    }


def _has_wordings(frame: pd.DataFrame) -> bool:
    return {"item", "wording"} <= set(frame.columns)
