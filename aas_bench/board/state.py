"""What a reader has chosen, and the table as the reader then sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from aas_bench.pages.kit import Row, Table

ALL: Final = "*"
"""Value of a filter that lets every row through, where the filter has a default."""
RESERVED: Final = frozenset({"tab", "q", "sort", "cols", "a", "b"})


@dataclass(frozen=True, kw_only=True)
class State:
    """What a reader has chosen; the address holds the same.

    Attributes:
        search: Words that a row must hold, all of them.
        sort: As `Table.sort`; "" for the table's own.
        columns: Keys of the columns to show; None for the table's own choice.
        chosen: Value of each filter that was changed.
    """

    search: str = ""
    sort: str = ""
    columns: tuple[str, ...] | None = None
    chosen: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, query: Mapping[str, str]) -> State:
        """The state in the query of an address; what no table knows has no effect."""
        columns = tuple(filter(None, query.get("cols", "").split(",")))
        return cls(
            search=query.get("q", ""),
            sort=query.get("sort", ""),
            columns=columns or None,
            chosen={key: value for key, value in query.items() if key not in RESERVED},
        )


def apply(table: Table, state: State) -> Table:
    """The table as the reader sees it: filtered, searched, sorted, with the chosen columns."""
    wanted = {f.key: state.chosen.get(f.key) or f.default or ALL for f in table.facets}
    needles = state.search.lower().split()
    rows = [
        row
        for row in table.rows
        if all(value in (ALL, row.facets.get(key) or value) for key, value in wanted.items())
        and all(needle in row.words for needle in needles)
    ]
    rows = _sorted(table, rows, state.sort or table.sort)
    kept = [i for i in range(len(table.columns)) if _kept(table, i, rows, state)]
    return replace(
        table,
        columns=tuple(table.columns[i] for i in kept),
        rows=tuple(replace(row, entries=tuple(row.entries[i] for i in kept)) for row in rows),
        sort=state.sort or table.sort,
    )


def _kept(table: Table, at: int, rows: list[Row], state: State) -> bool:
    """Names always; else what was chosen, or before any choice what is not empty in every row."""
    column = table.columns[at]
    if column.kind == "name":
        return True
    if state.columns is not None:
        return column.key in state.columns
    return column.shown and (not rows or any(not row.entries[at].empty for row in rows))


def _sorted(table: Table, rows: list[Row], sort: str) -> list[Row]:
    descending = sort.startswith("-")
    at = table.place(sort.removeprefix("-"))
    if at is None:
        return rows
    if not table.columns[at].numeric:
        return sorted(rows, key=lambda row: row.entries[at].text.lower(), reverse=descending)
    known = [row for row in rows if row.entries[at].value is not None]
    unknown = [row for row in rows if row.entries[at].value is None]
    known.sort(key=lambda row: row.entries[at].value or 0.0, reverse=descending)
    return known + unknown
