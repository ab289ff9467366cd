"""What pages are made of: tables of entries, figures of charts; typed, without any markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, TypeAlias

from aas_bench.pages.chart import Chart
from aas_bench.words import NO_INTERVAL, UNDEFINED, Bounded, Spelling

ColumnKind: TypeAlias = Literal["name", "status", "text", "number", "estimate", "stack", "shift"]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """The common axis of a column.

    Attributes:
        low: Value at its left end.
        high: Value at its right end.
        mark: Where its line stands: chance, or zero; None for no line.
        others: Where two dotted lines stand: rules that always answer the same; () for none.
    """

    low: float
    high: float
    mark: float | None = None
    others: tuple[float, ...] = ()

    def place(self, value: float) -> float:
        """Where a value lies, in percent of the axis, cut at its ends."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 1)


CHANCE = Axis(low=0.0, high=1.0, mark=0.5)
SHARES = Axis(low=0.0, high=1.0)
CHANCE_ENDS = ("0", "chance", "100 %")
SHARE_ENDS = ("0", "", "100 %")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of a table.

    Attributes:
        text: What is read.
        value: What is sorted by and exported; None sorts last.
        low: Lower end of the interval.
        high: Upper end.
        n: Pairs that the value rests on.
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
    n: int | None = None
    interval: str = ""
    shares: tuple[float, ...] = ()
    sub: str = ""
    href: str = ""
    axis: Axis | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to read but a dash."""
        return self.text in ("", UNDEFINED) and not self.interval

    @property
    def bar(self) -> str:
        """Where its drawing lies, as style properties in percent of the axis."""
        if self.axis is None or self.value is None:
            return ""
        others = dict(zip(("d", "e"), self.axis.others, strict=False))
        places = {"v": self.value, "l": self.low, "h": self.high, "c": self.axis.mark} | others
        return ";".join(f"--{k}:{self.axis.place(v)}" for k, v in places.items() if v is not None)


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        key: Its name in addresses and exports.
        label: Its heading.
        kind: How its entries are drawn.
        tip: What it means, in one line.
        shown: Whether a reader sees it before choosing columns.
        ends: Texts under the heading at the ends of the axis, and at its line.
        what: What it measures, where several columns measure the same; "" for the key.
    """

    key: str
    label: str
    kind: ColumnKind = "text"
    tip: str = ""
    shown: bool = True
    ends: tuple[str, str, str] | None = None
    what: str = ""

    @property
    def numeric(self) -> bool:
        """Whether its entries are sorted by value rather than by text."""
        return self.kind in ("number", "estimate", "stack", "shift")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row.

    Attributes:
        id: What it is about: of a leaderboard's row the record.
        entries: One per column.
        facets: What the filters look at; a filter that is not named lets the row through.
        status: "measured", "published" or "pending"; "" where that has no meaning.
        flag: Why it must not be read as whole; None where nothing is wrong.
    """

    id: str
    entries: tuple[Entry, ...]
    facets: Mapping[str, str] = field(default_factory=dict)
    status: str = ""
    flag: str | None = None

    @cached_property
    def words(self) -> str:
        """What the search looks through, in lower case."""
        texts = [self.entries[0].text, self.entries[0].sub, *self.facets.values()]
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
        rows: All rows, or the first of them.
        facets: The filters.
        sort: Key of the column that orders it at first, with a leading "-" for descending; ""
            where a reader does not sort it.
        empty: What to say where there are no rows.
        total: How many rows there are where these are only the first; 0 where they are all.
        matching: How many of these the filters let through.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    facets: tuple[Facet, ...] = ()
    sort: str = ""
    empty: str = "There are no rows yet."
    total: int = 0
    matching: int = 0

    def place(self, key: str) -> int | None:
        """Position of a column; None where there is none of that name."""
        return next((i for i, column in enumerate(self.columns) if column.key == key), None)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Charts on the same axes, with one table behind them.

    Attributes:
        heading: What they show, in a few words.
        sentence: What there is to see.
        charts: The charts.
        columns: Head of the table behind them.
        rows: The table's entries, as text.
        more: How many charts were left out.
    """

    heading: str
    sentence: str
    charts: tuple[Chart, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: int = 0


def estimate_entry(
    found: Bounded | None, spelling: Spelling, *, axis: Axis | None = None, lacking: str = ""
) -> Entry:
    """The entry of a value with its interval; a dash with the reason where there is none.

    Args:
        found: None where nothing was measured.
        spelling: How it is written.
        axis: What it is drawn on.
        lacking: Why nothing was measured.
    """
    if found is None:
        return Entry(text=UNDEFINED, interval=lacking)
    n = getattr(found, "n", None)
    if found.value is None:
        return Entry(text=UNDEFINED, interval=found.reason or "", n=n)
    ends = spelling.ends(found)
    return Entry(
        text=spelling.value(found.value),
        value=found.value,
        low=found.low,
        high=found.high,
        n=n,
        interval="" if ends == NO_INTERVAL else ends,
        axis=axis,
    )


def number_entry(text: str, value: float | None, *, interval: str = "") -> Entry:
    """A number as it is read and as it is sorted."""
    return Entry(text=text, value=value, interval=interval)


def facet(
    key: str, label: str, rows: Iterable[Row], *, default: str | None = None
) -> tuple[Facet, ...]:
    """The filter over a key, or nothing where there is nothing to choose."""
    values = tuple(sorted({row.facets[key] for row in rows if row.facets.get(key)}))
    if len(values) < 2:
        return ()
    return (Facet(key=key, label=label, values=values, default=default),)


def span(entries: Iterable[Entry], *, mark: float | None = None) -> Axis:
    """An axis that holds all values and intervals, with round ends."""
    ends = [
        end
        for each in entries
        for end in (each.value, each.low, each.high, *each.shares)
        if end is not None
    ]
    ends += [mark] if mark is not None else []
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    room = 0.04 * (high - low) or 1.0
    return Axis(low=low - room, high=high + room, mark=mark)


def on_axis(entries: Sequence[Entry], *, mark: float | None = None) -> list[Entry]:
    """The entries, drawn on the one axis that holds them all."""
    axis = span(entries, mark=mark)
    return [each if each.value is None else replace(each, axis=axis) for each in entries]
