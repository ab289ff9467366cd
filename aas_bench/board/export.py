"""A table to take away: CSV, Parquet, LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any, Final

from aas_bench.pages.kit import Column, Entry, Table
from aas_bench.stats.override import OUTCOMES
from aas_bench.words import for_spreadsheet, latex, latex_table

FORMS: Final[Mapping[str, str]] = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "tex": "text/x-tex; charset=utf-8",
}
"""Suffix -> media type."""


def export(table: Table, form: str) -> bytes:
    """The rows and columns of a table as they stand.

    Args:
        table: What `apply` gave.
        form: A key of `FORMS`.
    """
    return {"csv": to_csv, "parquet": to_parquet, "tex": to_latex}[form](table)


def records_of(table: Table) -> list[dict[str, Any]]:
    """One flat row each: the record, its status and flag, then each column's parts."""
    found = []
    for row in table.rows:
        record: dict[str, Any] = {"record": row.id, "status": row.status, "flag": row.flag}
        for column, entry in zip(table.columns, row.entries, strict=True):
            record |= _parts(column, entry)
        found.append(record)
    return found


def to_csv(table: Table) -> bytes:
    """UTF-8 with a header; text that a spreadsheet would run as a formula starts with a quote."""
    rows = records_of(table)
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, fieldnames=_names(table), lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _guarded(value) for name, value in row.items()})
    return stream.getvalue().encode()


def to_parquet(table: Table) -> bytes:
    """Typed columns: numbers as float64, everything else as text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    numeric = {
        name
        for column in table.columns
        if column.numeric
        for name in _parts(column, Entry())
        if not name.endswith("_note")
    }
    schema = pa.schema(
        [(name, pa.float64() if name in numeric else pa.string()) for name in _names(table)]
    )
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records_of(table), schema=schema), stream)
    return stream.getvalue()


def to_latex(table: Table) -> bytes:
    """A table with the texts of the page; its caption says what a dagger means."""
    flagged = any(row.flag is not None for row in table.rows)
    rows = []
    for row in table.rows:
        texts = [latex(_shown(entry)) for entry in row.entries]
        if row.flag is not None:
            texts[0] += r"\,$^\dagger$"
        rows.append(texts)
    return latex_table(
        [column.label for column in table.columns],
        rows,
        numeric=[column.numeric for column in table.columns],
        caption=table.caption + (" Dagger: flagged, not to be read as whole." if flagged else ""),
        label=f"tab:{table.name}",
        comments=["too wide? Choose columns on the page, and take the table again"],
    ).encode()


def _names(table: Table) -> list[str]:
    parts = [name for column in table.columns for name in _parts(column, Entry())]
    return list(dict.fromkeys(["record", "status", "flag", *parts]))


def _parts(column: Column, entry: Entry) -> dict[str, Any]:
    """What an entry holds, by the name of an exported column."""
    key = column.key
    if column.kind == "estimate":
        return {key: entry.value, f"{key}_low": entry.low, f"{key}_high": entry.high}
    if column.kind == "stack":
        shares = entry.shares or (None,) * len(OUTCOMES)
        return dict(zip(OUTCOMES, shares, strict=True))
    if column.numeric:
        return {key: entry.value}
    if column.kind == "status":
        return {"source": entry.href or None}
    return {key: entry.text}


def _shown(entry: Entry) -> str:
    if entry.low is not None and entry.high is not None and entry.interval:
        return f"{entry.text} [{entry.interval}]"
    return entry.text


def _guarded(value: Any) -> Any:
    return for_spreadsheet(value) if isinstance(value, str) else value
