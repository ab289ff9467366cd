"""The page that says what changed between two snapshots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from aas_bench.files import write_atomically
from aas_bench.measure.measures import MEASURES
from aas_bench.pages.kit import Column, Entry, Row, Table, facet, number_entry
from aas_bench.pages.render import render_page
from aas_bench.records.snapshot import Change
from aas_bench.words import UNDEFINED

SHEETS = ("board/board.css", "board/static.css")


def write_page(found: Sequence[Change], out: Path, *, before: str, after: str) -> Path:
    """Write the changes as one page that opens from disk.

    Args:
        found: What changed.
        out: The file to write.
        before: What the earlier snapshot is called.
        after: What the later one is called.
    """
    counts = Counter(each.kind for each in found)
    page = render_page(
        "board/difference.html.j2",
        *SHEETS,
        before=before,
        after=after,
        counts=counts,
        n_records=len({each.record for each in found}),
        changes=change_table(found),
    )
    return write_atomically(out, page.encode())


def change_table(found: Sequence[Change]) -> Table:
    """A row for each change."""
    rows = [_row(each) for each in found]
    return Table(
        name="changes",
        caption="What changed",
        columns=(
            Column(key="record", label="Result", kind="name"),
            Column(key="measure", label="Measure"),
            Column(key="of", label="Of"),
            Column(key="kind", label="Change"),
            Column(key="before", label="Before", kind="number"),
            Column(key="after", label="After", kind="number"),
            Column(key="difference", label="Difference", kind="number"),
        ),
        rows=tuple(rows),
        facets=(*facet("kind", "Change", rows), *facet("measure", "Measure", rows)),
        empty="Nothing changed.",
    )


def _row(each: Change) -> Row:
    row = MEASURES[each.measure] if each.measure else None

    def figure(value: float | None) -> Entry:
        return number_entry(UNDEFINED if row is None else row.spelling.value(value), value)

    change = None
    if each.before is not None and each.after is not None:
        change = each.after - each.before
    label = "" if row is None else row.label
    told = UNDEFINED if row is None or change is None else row.spelling.difference(change)
    return Row(
        id=each.record,
        entries=(
            Entry(text=each.record),
            Entry(text=label or UNDEFINED),
            Entry(text=each.of or UNDEFINED),
            Entry(text=each.kind),
            figure(each.before),
            figure(each.after),
            number_entry(told, change),
        ),
        facets={"kind": each.kind, "measure": label},
    )
