"""What a tab shows."""

from __future__ import annotations

from dataclasses import dataclass

from aas_bench.pages.kit import Figure, Table


@dataclass(frozen=True, kw_only=True)
class Tab:
    """A few sentences, a table with its controls, then figures and further tables.

    Attributes:
        name: In addresses.
        title: On the tab.
        lede: What there is to see, first things first.
        table: The table that the controls work on.
        lead: The drawing above it, if there is one.
        doubts: What the published figures rest on, and where they contradict each other.
        figures: Drawings under it.
        more: Further tables, sorted by their heads only.
        legend: Whether the four outcomes need their colours explained.
    """

    name: str
    title: str
    lede: tuple[str, ...]
    table: Table
    lead: Figure | None = None
    doubts: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    more: tuple[Table, ...] = ()
    legend: bool = False
