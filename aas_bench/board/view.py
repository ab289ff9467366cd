"""What a tab shows."""

from __future__ import annotations

from dataclasses import dataclass

from aas_bench.board.tables import Table
from aas_bench.words import UNDEFINED, percent


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A drawing with its sentence; the table beside it holds the same numbers.

    Attributes:
        name: Unique in the page.
        heading: What it shows, in a few words.
        sentence: What there is to see.
        panels: Small drawings on the same axes.
        more: How many panels were left out.
    """

    name: str
    heading: str
    sentence: str
    panels: tuple[Panel, ...]
    more: int = 0

    @property
    def places(self) -> list[float]:
        """Every x of any panel, in order."""
        return sorted({point[0] for panel in self.panels for point in panel.points})


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A line with its band, in percent over x.

    Attributes:
        title: Whose line it is.
        points: x, value, low, high; the ends None where there is no interval.
        said: The line in words.
    """

    title: str
    points: tuple[tuple[float, float, float | None, float | None], ...]
    said: str

    def text_at(self, place: float) -> str:
        """The value there with its interval; a dash where it has none."""
        for at, value, low, high in self.points:
            if at == place:
                ends = (
                    "" if low is None or high is None else f" ({100 * low:.1f} to {100 * high:.1f})"
                )
                return percent(value, digits=1) + ends
        return UNDEFINED


@dataclass(frozen=True, kw_only=True)
class View:
    """A tab: a few sentences, a table with its controls, then figures and further tables.

    Attributes:
        name: In addresses.
        title: On the tab.
        lede: What there is to see, first things first.
        table: The table that the controls work on.
        figures: Drawings under it.
        more: Further tables, sorted by their heads only.
        legend: Whether the four outcomes need their colours explained.
    """

    name: str
    title: str
    lede: tuple[str, ...]
    table: Table
    figures: tuple[Figure, ...] = ()
    more: tuple[Table, ...] = ()
    legend: bool = False
