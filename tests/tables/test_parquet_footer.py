"""Footers as other writers and kinds of column make them fit; one that was damaged does not."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aas_bench.tables.parquet_footer import misfit

TABLE = pa.table(
    {
        "text": ["a", None, "ccc"],
        "number": [1, 2, 3],
        "lists": [["a", "b"], [], None],
        "nested": [{"bytes": b"x", "path": None}, None, {"bytes": b"", "path": "p"}],
        "deep": [[[1.0]], [[], [2.0, 3.0]], []],
        "flag": [True, False, None],
    }
)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"row_group_size": 1},
        {"version": "1.0", "use_dictionary": False},
        {"write_statistics": False, "data_page_version": "2.0"},
        {"store_schema": False, "compression": "zstd", "write_page_index": True},
    ],
)
def test_what_is_whole_fits(tmp_path, options):
    file = tmp_path / "a.parquet"
    pq.write_table(TABLE, file, **options)
    with pq.ParquetFile(file) as opened, file.open("rb") as source:
        assert misfit(file, opened) is None
        source.seek(3)
        assert misfit(source, opened) is None
        assert source.tell() == 3


def test_statistics_of_another_column_do_not_fit(tmp_path):
    """As where the kind of a column was changed in the footer; Arrow would abort on it."""
    file, other = tmp_path / "a.parquet", tmp_path / "b.parquet"
    pq.write_table(pa.table({"x": [["a"], ["b", "c"]]}), file)
    pq.write_table(pa.table({"x": pa.array(["a", "b"])}), other)
    with pq.ParquetFile(other) as opened:
        assert misfit(file, opened) == "x"
