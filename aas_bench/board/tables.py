"""Tables that a reader sorts, filters and takes away: typed, without any markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from aas_bench.words import UNDEFINED

ColumnKind: TypeAlias = Literal["name", "status", "text", "number", "estimate", "stack", "shift"]
ALL: Final = "*"
"""Value of a filter that lets every row through, where the filter has a default."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """The common axis of a column.

    Attributes:
        low: Value at its left end.
        high: Value at its right end.
        mark: Where its line stands: chance, or zero; None for no line.
    """

    low: float
    high: float
    mark: float | None = None

    def place(self, value: float) -> float:
        """Where a value lies, in percent of the axis, cut at its ends."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 1)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell.

    Attributes:
        text: What is read.
        value: What is sorted by and exported; None sorts last.
        low: Lower end of the 95 % interval.
        high: Upper end.
        interval: The interval as it is read, or why there is none.
        shares: The four outcomes, for a stack; the two values of a shift.
        sub: A second, quieter line.
        href: Where the second line leads.
        axis: What the value is drawn on; None: it is not drawn.
    """

    text: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    interval: str = ""
    shares: tuple[float, ...] = ()
    sub: str = ""
    href: str = ""
    axis: Axis | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to read but a dash."""
        return self.text in ("", UNDEFINED) and not self.interval


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        key: Its name in addresses and exports.
        label: Its heading.
        kind: How its cells are drawn.
        tip: What it means, in one line.
        shown: Whether a reader sees it before choosing columns.
        ends: Texts under the heading at the ends of the axis, and at its line.
    """

    key: str
    label: str
    kind: ColumnKind = "text"
    tip: str = ""
    shown: bool = True
    ends: tuple[str, str, str] | None = None

    @property
    def numeric(self) -> bool:
        """Whether its cells are sorted by value rather than by text."""
        return self.kind in ("number", "estimate", "stack", "shift")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row.

    Attributes:
        id: Id of the record it comes from.
        cells: One per column.
        facets: What the filters look at; a filter that is not named lets the row through.
        status: "measured", "published" or "pending".
        flag: Why it must not be read as whole; None where nothing is wrong.
    """

    id: str
    cells: tuple[Cell, ...]
    facets: Mapping[str, str]
    status: str
    flag: str | None = None

    @property
    def words(self) -> str:
        """What the search looks through, in lower case."""
        texts = [self.cells[0].text, self.cells[0].sub, *self.facets.values()]
        return " ".join(dict.fromkeys(texts)).lower()


@dataclass(frozen=True, kw_only=True)
class Facet:
    """A filter: values to choose from, by the rows that have them.

    Attributes:
        key: Its name in addresses, and in the rows.
        label: What it is called.
        values: What can be chosen.
        default: What is chosen at first; None for all.
    """

    key: str
    label: str
    values: tuple[str, ...]
    default: str | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table.

    Attributes:
        name: Its name in addresses and file names.
        caption: What its rows are.
        columns: The columns.
        rows: All rows.
        facets: The filters.
        sort: Key of the column that orders it at first, with a leading "-" for descending.
        empty: What to say where there are no rows.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    facets: tuple[Facet, ...] = ()
    sort: str = ""
    empty: str = "There are no rows yet."

    def place(self, key: str) -> int | None:
        """Position of a column; None where there is none of that name."""
        return next((i for i, column in enumerate(self.columns) if column.key == key), None)


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


RESERVED: Final = frozenset({"tab", "q", "sort", "cols", "a", "b"})


def facet(
    key: str, label: str, rows: Iterable[Row], *, default: str | None = None
) -> tuple[Facet, ...]:
    """The filter over a key, or nothing where there is nothing to choose."""
    values = tuple(sorted({row.facets[key] for row in rows if row.facets.get(key)}))
    if len(values) < 2:
        return ()
    return (Facet(key=key, label=label, values=values, default=default),)


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
    return Table(
        name=table.name,
        caption=table.caption,
        columns=tuple(table.columns[i] for i in kept),
        rows=tuple(
            Row(
                id=row.id,
                cells=tuple(row.cells[i] for i in kept),
                facets=row.facets,
                status=row.status,
                flag=row.flag,
            )
            for row in rows
        ),
        facets=table.facets,
        sort=state.sort or table.sort,
        empty=table.empty,
    )


def _kept(table: Table, at: int, rows: list[Row], state: State) -> bool:
    """Names always; else what was chosen, or before any choice what is not empty in every row."""
    column = table.columns[at]
    if column.kind == "name":
        return True
    if state.columns is not None:
        return column.key in state.columns
    return column.shown and (not rows or any(not row.cells[at].empty for row in rows))


def _sorted(table: Table, rows: list[Row], sort: str) -> list[Row]:
    descending = sort.startswith("-")
    at = table.place(sort.removeprefix("-"))
    if at is None:
        return rows
    if not table.columns[at].numeric:
        return sorted(rows, key=lambda row: row.cells[at].text.lower(), reverse=descending)
    known = [row for row in rows if row.cells[at].value is not None]
    unknown = [row for row in rows if row.cells[at].value is None]
    known.sort(key=lambda row: row.cells[at].value or 0.0, reverse=descending)
    return known + unknown
