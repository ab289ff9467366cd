"""Groups of rows, whatever the column is held in."""

import pandas as pd
import pyarrow as pa
import pytest

from aas_bench.measure.rows import memberships

NAMES = [["a", "b"], ["b", None], ["a"]]
LISTS = [[["x", "y"], []], [["y"], None], [["x"]]]


def held(parts):
    """A column as a long table has it, in chunks, and the same as plain objects."""
    chunks = pd.arrays.ArrowExtensionArray(pa.chunked_array(parts))
    whole = [value for part in parts for value in part]
    return pd.Series(chunks), pd.Series(whole, dtype=object)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (NAMES, {"a": [1, 0, 0, 0, 1], "b": [0, 1, 1, 0, 0]}),
        (LISTS, {"x": [1, 0, 0, 0, 1], "y": [1, 0, 1, 0, 0]}),
    ],
    ids=["names", "lists"],
)
def test_a_column_in_chunks_has_the_groups_of_a_plain_one(parts, expected):
    for column in held(parts):
        found = memberships(column)
        assert {name: found.mask(name).astype(int).tolist() for name in found} == expected
