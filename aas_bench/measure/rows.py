"""Which rows of a score table a figure rests on."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from aas_bench.errors import SchemaError
from aas_bench.stats.estimate import Mask
from aas_bench.tables.authors import is_cell
from aas_bench.tables.schema import (
    DIMENSIONS,
    MODEL,
    UNKNOWN_MODEL,
)
from aas_bench.tables.scores import ScoreTable, joined_by_prompts
from aas_bench.tasks.taxonomy import DIMENSIONS as DIMENSION_MEANINGS

GROUPINGS: Final = (DIMENSIONS, "emotion", "category", "topic")
"""Columns that say what was asked for; figures are broken down by the first that has any."""


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


def wording_rows(frame: pd.DataFrame) -> NDArray[np.intp] | None:
    """Where each item stands in each wording: shape (items, wordings), -1 where it does not.

    Items in a single wording are left out; None where no item has two.
    """
    if n_wordings(frame) < 2:
        return None
    item, items = pd.factorize(frame["item"], use_na_sentinel=False)
    wording, wordings = pd.factorize(frame["wording"], sort=True, use_na_sentinel=False)
    rows = np.full((len(items), len(wordings)), -1)
    rows[item, wording] = np.arange(len(frame))
    several = (rows >= 0).sum(axis=1) > 1
    return rows[several] if several.any() else None


def base_prompts(table: ScoreTable) -> NDArray[np.int64]:
    """The base prompt of each row: `joined_by_prompts`."""
    return joined_by_prompts(
        table.clusters, {str(name): column for name, column in table.frame.items()}
    )[0]


def models(frame: pd.DataFrame) -> tuple[str, ...]:
    """What made the images, where the table says so."""
    names = set(frame[MODEL].dropna().astype(str)) if MODEL in frame else set()
    return tuple(sorted(names - {UNKNOWN_MODEL}))


def default_grouping(frame: pd.DataFrame) -> str | None:
    """The first column of names of what was asked for in which any pair has one."""
    return next((name for name in GROUPINGS if name in frame and memberships(frame[name])), None)


class Memberships(Mapping[str, NDArray[np.intp]]):
    """Which rows stand in which group: the rows of each name, in the order of the table.

    A row stands in every group that its cell lists, once in each, and in none where it is null.
    Dimensions come in the order of the taxonomy, other names by alphabet.

    Args:
        names: The groups, distinct.
        group: The position in `names` of each membership.
        row: The row of each membership, ascending.
        n_rows: Rows of the table.

    Example:
        >>> found = memberships(pd.Series([["blur", "dark"], [], ["dark"]]))
        >>> {name: rows.tolist() for name, rows in found.items()}
        {'blur': [0], 'dark': [0, 2]}
        >>> found.mask("dark").tolist()
        [True, False, True]
    """

    def __init__(
        self, names: Sequence[str], group: NDArray[np.intp], row: NDArray[np.intp], n_rows: int
    ) -> None:
        self.n_rows = n_rows
        by_group = np.argsort(group, kind="stable")
        ends = np.cumsum(np.bincount(group, minlength=len(names)))[:-1]
        parts = np.split(row[by_group], ends) if len(names) else []
        found = {
            # A list can name a group twice.
            name: rows[np.flatnonzero(np.diff(rows, prepend=-1))]
            for name, rows in zip(names, parts, strict=True)
        }
        order = {name: i for i, name in enumerate(DIMENSION_MEANINGS)}
        ordered = sorted(found, key=lambda name: (order.get(name, len(order)), name))
        self._rows = {name: found[name] for name in ordered}

    def __getitem__(self, name: str) -> NDArray[np.intp]:
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def mask(self, name: str) -> Mask:
        """The rows of a group, shape (n_rows,)."""
        mask = np.zeros(self.n_rows, dtype=bool)
        mask[self._rows[name]] = True
        return mask

    def masks(self, order: Iterable[str] = ()) -> dict[str, Mask]:
        """The rows of every group; names in this order first, then in that of the groups."""
        first = [name for name in order if name in self._rows]
        return {name: self.mask(name) for name in dict.fromkeys([*first, *self._rows])}

    def merged(self, rename: Callable[[str], str]) -> Memberships:
        """The groups under other names; those that share a name become one."""
        names = list(dict.fromkeys(map(rename, self._rows)))
        place = {name: i for i, name in enumerate(names)}
        group = [np.full(len(rows), place[rename(name)]) for name, rows in self._rows.items()]
        row = np.concatenate([*self._rows.values(), np.zeros(0, dtype=np.intp)])
        order = np.argsort(row, kind="stable")
        joined = np.concatenate([*group, np.zeros(0, dtype=np.intp)])
        return Memberships(names, joined[order], row[order], self.n_rows)


def memberships(column: pd.Series[Any]) -> Memberships:
    """The groups of a column of names or of lists of names.

    Raises:
        SchemaError: It holds objects.
    """
    try:
        cells = pa.array(column, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return _mixed_memberships(column)  # Arrow holds one kind of value in a column
    if isinstance(cells, pa.ChunkedArray):  # of a long column; parents of lists count by chunk
        cells = cells.combine_chunks()
    if pa.types.is_struct(cells.type):
        raise _no_groups(column.name, "holds objects")
    row = np.arange(len(column))
    if pa.types.is_list(cells.type) or pa.types.is_large_list(cells.type):
        row = pc.list_parent_indices(cells).to_numpy()
        cells = pc.list_flatten(cells)
    there = pc.is_valid(cells).to_numpy(zero_copy_only=False)
    coded = cells.filter(there).dictionary_encode()
    names = [str(name) for name in coded.dictionary.to_pylist()]
    return Memberships(names, coded.indices.to_numpy().astype(np.intp), row[there], len(column))


def _mixed_memberships(column: pd.Series[Any]) -> Memberships:
    if any(isinstance(value, dict) for value in column):
        raise _no_groups(column.name, "holds objects")
    places: dict[str, int] = {}
    found = [
        (places.setdefault(name, len(places)), row)
        for row, value in enumerate(column)
        for name in members(value)
    ]
    group, row = np.array(found, dtype=np.intp).reshape(-1, 2).T
    return Memberships(list(places), group, row, len(column))


def members(value: Any) -> list[str]:
    """Groups of one cell: the items of a list, else the value itself; none where it is null."""
    if isinstance(value, list | tuple | set | np.ndarray):
        return [str(item) for item in value if item is not None]
    return [] if pd.isna(value) else [str(value)]


def check_groups(columns: Iterable[str], by: str) -> None:
    """Refuse a column that a table of these columns cannot be grouped by.

    Raises:
        SchemaError: There is no such column; says the near ones. Or it holds scores.
    """
    known = [str(name) for name in columns]
    if by not in known:
        near = difflib.get_close_matches(by, known, n=2)
        meant = f"Did you mean {' or '.join(near)}? " if near else ""
        ours = tuple(f"{name.rpartition('_')[0]}_" for name in known if is_cell(name))
        names = ", ".join(name for name in known if not name.startswith((*ours, "placebos_")))
        msg = f"the table has no column {by!r}. {meant}Group by one of: {names}."
        raise SchemaError(msg)
    if is_cell(by.removesuffix("_sigma")):
        raise _no_groups(by, "holds scores")


def read_groups(frame: pd.DataFrame, by: str) -> Memberships:
    """The groups of the column `by`.

    Raises:
        SchemaError: The table has no column `by`, or it holds scores or objects.
    """
    check_groups(frame.columns, by)
    return memberships(frame[by])


def _no_groups(name: Hashable, why: str) -> SchemaError:
    return SchemaError(
        f"column {name!r} {why}, not groups. Group by a column of names, e.g. {DIMENSIONS}."
    )


def _has_wordings(frame: pd.DataFrame) -> bool:
    return {"item", "wording"} <= set(frame.columns)
