"""Measurements as cells: the same spelling of a number and its interval in every table."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from aas_bench.board.tables import Axis, Cell, Column, ColumnKind
from aas_bench.measure.measures import MEASURES
from aas_bench.records.record import Measurement, Record
from aas_bench.records.store import Results
from aas_bench.stats.override import OUTCOMES
from aas_bench.words import UNDEFINED, number, percent

CHANCE = Axis(low=0.0, high=1.0, mark=0.5)
SHARE = Axis(low=0.0, high=1.0)
_PLAIN = ("auroc", "f1")


class Figures:
    """One record with its measurements by key.

    Attributes:
        record: The record.
        flag: Why it must not be shown as if whole; None where nothing is wrong.
    """

    def __init__(self, record: Record, flag: str | None = None) -> None:
        self.record = record
        self.flag = flag

    @cached_property
    def _by_key(self) -> dict[tuple[object, ...], Measurement]:
        return {each.key: each for each in self.record.measurements}

    def get(
        self,
        measure: str,
        *,
        reward: str | None = None,
        by: str | None = None,
        group: str | None = None,
        at: float | None = None,
    ) -> Measurement | None:
        """As `Record.get`, without a search."""
        return self._by_key.get((measure, reward, by, group, at))

    def same(self, other: Measurement) -> Measurement | None:
        """The measurement of the same key as another record's."""
        return self._by_key.get(other.key)

    def first(self, *measures: str, reward: str | None = None) -> Measurement | None:
        """The first of these measures that the record has."""
        return next(filter(None, (self.get(name, reward=reward) for name in measures)), None)


def figures_of(results: Results, **wanted: Any) -> list[Figures]:
    """The records of `Results.of`, each with its flag."""
    flags = results.flags()
    return [Figures(record, flags.get(record.id)) for record in results.of(**wanted)]


def in_percent(measure: str) -> bool:
    """Whether a measure is read in percent: every share but those that nobody reads so."""
    return MEASURES[measure].unit == "share" and measure not in _PLAIN


def figure_text(measure: str, value: float | None) -> str:
    """A value as it is read: shares in percent, the others to the digits of their measure."""
    return percent(value, digits=1) if in_percent(measure) else MEASURES[measure].text(value)


def interval_text(measure: str, low: float | None, high: float | None) -> str:
    """Both ends of an interval; "" where it has none."""
    if low is None or high is None:
        return ""
    if in_percent(measure):
        return f"{number(100 * low, digits=1)} to {number(100 * high, digits=1)}"
    row = MEASURES[measure]
    return f"{row.text(low)} to {row.text(high)}"


def figure_cell(found: Measurement | None, *, axis: Axis | None = None) -> Cell:
    """The cell of a measurement; a dash with the reason where it is undefined or absent."""
    if found is None:
        return Cell(text=UNDEFINED)
    if found.value is None:
        return Cell(text=UNDEFINED, interval=found.reason or "")
    return Cell(
        text=figure_text(found.measure, found.value),
        value=found.value,
        low=found.low,
        high=found.high,
        interval=interval_text(found.measure, found.low, found.high),
        axis=axis,
    )


def figure_column(
    measure: str,
    *,
    kind: ColumnKind = "number",
    key: str = "",
    label: str = "",
    shown: bool = True,
    ends: tuple[str, str, str] | None = None,
) -> Column:
    """The column of a measure, with its label and its formula."""
    row = MEASURES[measure]
    better = {True: " Higher is better.", False: " Lower is better.", None: ""}
    return Column(
        key=key or measure,
        label=label or row.label,
        kind=kind,
        tip=f"{row.formula}.{better[row.higher_is_better]}",
        shown=shown,
        ends=ends,
    )


def outcome_cell(of: Figures, *, reward: str | None = None) -> Cell:
    """The four outcomes as one bar; sorted by how often the request was overridden."""
    found = {name: of.get(name, reward=reward) for name in OUTCOMES}
    values = {n: m.value for n, m in found.items() if m is not None and m.value is not None}
    if len(values) < len(OUTCOMES):
        return Cell(text=UNDEFINED)
    said = ", ".join(f"{name} {percent(values[name])}" for name in OUTCOMES)
    return Cell(
        text=said, value=values["overridden"], shares=tuple(values[name] for name in OUTCOMES)
    )


def status_cell(record: Record) -> Cell:
    """Measured, published (with its place in the source) or pending."""
    source = record.source
    if source is None:
        day = "" if record.created is None else record.created.isoformat()
        return Cell(text=record.status, sub=day)
    return Cell(text=record.status, sub=source.location, href=source.url)


def count_cell(found: Measurement | None) -> Cell:
    """How many pairs a figure rests on."""
    if found is None or found.n is None:
        return Cell(text=UNDEFINED)
    n = found.n
    clusters = "" if found.n_clusters in (None, n) else f"{found.n_clusters:,} prompts"
    return Cell(text=f"{n:,}", value=float(n), interval=clusters)


def coverage_cell(found: Measurement | None) -> Cell:
    """The share of pairs that a figure rests on."""
    if found is None or found.coverage is None:
        return Cell(text=UNDEFINED)
    return Cell(text=percent(found.coverage, digits=1), value=found.coverage)


def name_cell(record: Record) -> Cell:
    """The subject's name; below it, where it can be found."""
    subject = record.subject
    return Cell(text=subject.name, sub=subject.repo or "")


def shared_ranks(estimates: Mapping[str, Measurement], *, higher_is_better: bool) -> dict[str, int]:
    """Rank by key: 1 + how many have their whole interval on the better side of its own.

    Intervals that overlap share a rank; without an interval there is none.
    """
    known = {
        key: (each.low, each.high) if higher_is_better else (-each.high, -each.low)
        for key, each in estimates.items()
        if each.value is not None and each.low is not None and each.high is not None
    }
    lows = sorted(low for low, _ in known.values())
    return {key: 1 + _above(lows, high) for key, (_, high) in known.items()}


def rank_cell(rank: int | None) -> Cell:
    """A rank; a dash where there is none, for want of an interval or of coverage."""
    if rank is None:
        return Cell(text=UNDEFINED)
    return Cell(text=str(rank), value=float(rank))


def span(cells: Iterable[Cell], *, mark: float | None = None) -> Axis:
    """An axis that holds all values and intervals, with round ends."""
    ends = [
        end
        for cell in cells
        for end in (cell.value, cell.low, cell.high, *cell.shares)
        if end is not None
    ]
    ends += [mark] if mark is not None else []
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    room = 0.04 * (high - low) or 1.0
    return Axis(low=low - room, high=high + room, mark=mark)


def on_axis(cells: Sequence[Cell], *, mark: float | None = None) -> list[Cell]:
    """The cells, drawn on the one axis that holds them all."""
    axis = span(cells, mark=mark)
    return [each if each.value is None else replace(each, axis=axis) for each in cells]


def _above(lows: Sequence[float], high: float) -> int:
    return len(lows) - bisect_right(lows, high)
