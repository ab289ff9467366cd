"""Sorting, filters, search and exports of a table."""

import csv
import io

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.leaderboard_records import FORMULA, LATEX, SCRIPT

from aas_bench.board.export import export
from aas_bench.board.state import ALL, State, apply
from aas_bench.pages.kit import Axis, Column, Entry, Facet, Row, Table

COLUMNS = (
    Column(key="name", label="Name", kind="name"),
    Column(key="x", label="X", kind="estimate"),
    Column(key="kind", label="Kind"),
    Column(key="spare", label="Spare", kind="number", shown=False),
    Column(key="blank", label="Blank", kind="number"),
)


def table(rows):
    return Table(
        name="t",
        caption="A table",
        columns=COLUMNS,
        rows=tuple(
            Row(
                id=f"r{i}",
                entries=(
                    Entry(text=name),
                    Entry(text="–" if x is None else f"{x:.2f}", value=x),
                    Entry(text=kind),
                    Entry(text="1", value=1.0),
                    Entry(text="–"),
                ),
                facets={"kind": kind},
                status="measured",
            )
            for i, (name, x, kind) in enumerate(rows)
        ),
        facets=(Facet(key="kind", label="Kind", values=("a", "b"), default="a"),),
        sort="-x",
    )


ROWS = [("Beta", 0.5, "a"), ("alpha", None, "a"), ("Gamma", 0.9, "a"), ("Delta", 0.1, "b")]


def names(found):
    return [row.entries[0].text for row in found.rows]


def test_the_default_filter_and_order():
    assert names(apply(table(ROWS), State())) == ["Gamma", "Beta", "alpha"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"kind": ALL}, ["Gamma", "Beta", "Delta", "alpha"]),
        ({"kind": "b"}, ["Delta"]),
        ({"sort": "x"}, ["Beta", "Gamma", "alpha"]),
        ({"sort": "name"}, ["alpha", "Beta", "Gamma"]),
        ({"sort": "-name"}, ["Gamma", "Beta", "alpha"]),
        ({"q": "ETA"}, ["Beta"]),
        ({"q": "a gam"}, ["Gamma"]),
        ({"q": "nothing"}, []),
        ({"sort": "no such column"}, ["Beta", "alpha", "Gamma"]),
        ({"tab": "t", "unknown": "1"}, ["Gamma", "Beta", "alpha"]),
    ],
)
def test_a_query_says_what_to_show(query, expected):
    assert names(apply(table(ROWS), State.read(query))) == expected


def test_columns_that_say_nothing_are_left_out_until_they_are_chosen():
    keys = [c.key for c in apply(table(ROWS), State()).columns]
    assert keys == ["name", "x", "kind"]
    chosen = apply(table(ROWS), State.read({"cols": "spare,blank"}))
    assert [c.key for c in chosen.columns] == ["name", "spare", "blank"]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.text(max_size=5), st.none() | st.floats(-9, 9), st.just("a"))))
def test_sorting_keeps_every_row_and_puts_the_unknown_last(rows):
    found = apply(table(rows), State(sort="-x"))
    values = [row.entries[1].value for row in found.rows]
    known = [v for v in values if v is not None]
    assert known == sorted(known, reverse=True)
    assert values == known + [None] * (len(values) - len(known))
    assert sorted(row.id for row in found.rows) == sorted(f"r{i}" for i in range(len(rows)))


@settings(deadline=None, max_examples=50)
@given(st.floats(-1e6, 1e6))
def test_a_place_never_leaves_the_axis(value):
    assert 0 <= Axis(low=-1, high=2).place(value) <= 100
    assert Axis(low=-1, high=3).place(1) == 50


def test_csv_and_parquet_hold_the_numbers_of_the_page(site):
    page = apply(site.tables["reward-models"], State())
    text = export(page, "csv").decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    parquet = pq.read_table(io.BytesIO(export(page, "parquet"))).to_pylist()
    assert (
        [r["record"] for r in rows] == [r["record"] for r in parquet] == [r.id for r in page.rows]
    )
    at = page.place("accuracy")
    for row, one, other in zip(page.rows, rows, parquet, strict=True):
        value = row.entries[at].value
        assert (other["accuracy"], other["accuracy_low"]) == (value, row.entries[at].low)
        assert one["accuracy"] == ("" if value is None else str(value))
        assert one["status"] == row.status
        assert (one["flag"] or None) == row.flag
    assert {r["record"]: r["overridden"] for r in parquet}["wide_spectrum/gamma/measured"] == 0.55


def test_a_spreadsheet_runs_no_formula(site):
    text = export(site.tables["reward-models"], "csv").decode()
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert f"'{FORMULA}" in cells
    assert FORMULA not in cells
    assert SCRIPT in cells  # text, not markup, in a CSV


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\u200b=", "\uff1d"])
def test_every_start_of_a_formula_is_guarded(start):
    text = export(apply(table([(f"{start}1", 0.5, "a")]), State()), "csv").decode()
    assert f"'{start}1" in text


def test_latex_is_escaped(site):
    text = export(site.tables["reward-models"], "tex").decode()
    assert LATEX not in text
    assert r"50\% \textbackslash{}input\{/etc/passwd\} \$x\_1\$ \& \#2 \textasciitilde{}" in text
    assert r"\textless{}script\textgreater{}" in text
    assert r"82.0\,\% [78.0 to 86.0]" in text
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    said = [
        {entry.text for entry in column} - {"", "–"}
        for column in zip(*(row.entries for row in site.tables["reward-models"].rows), strict=True)
    ]
    columns = 1 + sum(map(bool, said[1:]))
    assert all(line.replace(r"\&", "").count("&") == columns - 1 for line in body)
    assert r"\dagger" in text


def test_latex_is_a_whole_table_without_the_columns_that_say_nothing():
    page = table([("one", 0.5, "a"), ("two", None, "b")])
    lines = export(page, "tex").decode().splitlines()
    assert lines.count(r"\toprule") == lines.count(r"\midrule") == lines.count(r"\bottomrule") == 1
    assert any(line.startswith(rf"\caption{{{page.caption}") for line in lines)
    opened = [line for line in lines if line.startswith(r"\begin")]
    assert [line.split("{")[1] for line in opened] == ["table}", "tabular}"]
    assert sum(line.startswith(r"\end") for line in lines) == 2
    (head,) = (line for at, line in enumerate(lines) if lines[at - 1] == r"\toprule")
    assert head.removesuffix(r" \\").split(" & ") == ["Name", "X", "Kind", "Spare"]
