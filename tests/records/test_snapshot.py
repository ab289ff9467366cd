"""A frozen table, and what changed between two."""

import json
from datetime import date

import pyarrow.parquet as pq
import pytest

from aas_bench.board.difference import change_table, write_page
from aas_bench.errors import InputError, StoreError
from aas_bench.records.accept import accepted
from aas_bench.records.snapshot import FACTS, TABLE, changes, freeze, read

DAY = date(2026, 11, 28)


@pytest.fixture
def place(board, tmp_path):
    return freeze(accepted(board), tmp_path, version="2026-11-28", today=DAY)


def test_a_snapshot_holds_every_figure_and_says_what_it_is(board, place):
    facts = json.loads((place / FACTS).read_text())
    assert (facts["version"], facts["date"]) == ("2026-11-28", "2026-11-28")
    n_figures = sum(max(len(r.measurements), 1) for r in accepted(board).records)
    assert pq.read_metadata(place / TABLE).num_rows == n_figures == len(read(place))


def test_equal_snapshots_differ_in_nothing(board, place, tmp_path):
    again = freeze(accepted(board), tmp_path, version="2026-11-29", today=DAY)
    assert (again / TABLE).read_bytes() == (place / TABLE).read_bytes()
    assert changes(read(place), read(again)) == ()


def test_new_gone_and_changed_figures_are_told(place):
    rows = read(place)
    later = [dict(row) for row in rows[1:]]
    changed = next(row for row in later if row["value"] is not None)
    changed["value"] += 0.25
    later.append({**changed, "record": "wide_spectrum/mine/measured"})
    gone, moved, new = (
        sorted(changes(rows, later), key=lambda each: each.kind != "gone")[0],
        *sorted((c for c in changes(rows, later) if c.kind != "gone"), key=lambda each: each.kind),
    )
    assert (gone.kind, gone.record, gone.after) == ("gone", rows[0]["record"], None)
    assert (moved.kind, moved.after - moved.before) == ("changed", pytest.approx(0.25))
    assert (new.kind, new.record, new.before) == ("new", "wide_spectrum/mine/measured", None)
    table = change_table([gone, moved, new])
    assert [row.entries[3].text for row in table.rows] == ["gone", "changed", "new"]


def test_what_is_frozen_is_not_written_again(board, place):
    with pytest.raises(InputError, match="is frozen already"):
        freeze(accepted(board), place.parent, version="2026-11-28", today=DAY)


@pytest.mark.parametrize("version", ["", "../up", "a/b", "-x", "x" * 65])
def test_a_version_is_a_name(board, tmp_path, version):
    with pytest.raises(InputError, match="is no version"):
        freeze(accepted(board), tmp_path, version=version, today=DAY)


def test_a_table_changed_afterwards_is_refused(place, board, tmp_path):
    rows = pq.read_table(place / TABLE)
    pq.write_table(rows.slice(1), place / TABLE)
    with pytest.raises(StoreError, match="is not the table that was frozen"):
        read(place)


def test_what_is_no_snapshot_is_refused(tmp_path):
    with pytest.raises(InputError, match="is no snapshot"):
        read(tmp_path)
    (tmp_path / TABLE).write_bytes(b"no parquet")
    with pytest.raises(StoreError, match="not readable Parquet"):
        read(tmp_path)


def test_the_page_says_how_many_and_escapes_names(place, tmp_path):
    rows = read(place)
    later = [dict(rows[0], record="<script>alert(1)</script>"), *rows]
    page = write_page(changes(rows, later), tmp_path / "page.html", before="a", after="<b>")
    text = page.read_text()
    assert "1 figures are new, 0 are gone and 0 changed" in text
    assert "<script>alert" not in text
    assert "a to &lt;b&gt;" in text
