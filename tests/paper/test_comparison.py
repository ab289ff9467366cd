"""Digits decide whether a figure agrees; what one side lacks is absent."""

import pytest

from aas_bench.paper.comparison import ABSENT, UNPUBLISHED, Comparison, Figure, compare
from aas_bench.stats.estimate import Estimate


@pytest.mark.parametrize(
    ("value", "published", "digits", "agrees"),
    [
        (0.90951, 0.91, 3, True),
        (0.9094, 0.91, 3, False),
        (0.9099, 0.91, 3, True),
        (-0.0004, 0.0, 3, True),
        (-3.16549, -3.165, 3, True),
        (-3.16551, -3.165, 3, False),
        (31.114, 31.11, 2, True),
        (0.700, 0.7, 2, True),
    ],
)
def test_digits_decide(value, published, digits, agrees):
    ours = Estimate(value=value, n=1)
    figure = Figure(row="a", column="b", digits=digits, published=published, recomputed=ours)
    assert figure.agrees is agrees


def test_either_side_may_be_absent_and_none_is_zero():
    ours = {"b": {"x": Estimate(value=0.5, n=2)}, "c": {"x": Estimate(value=None, n=0, reason="r")}}
    found = compare({"a": {"x": 1.0, "y": None}, "c": {"x": 2.0}}, ours, {"x": 1, "y": 1})
    assert [(f.row, f.column, f.printed, f.rounded, f.agrees, f.reason) for f in found] == [
        ("a", "x", "1.0", None, None, ABSENT),
        ("c", "x", "2.0", None, None, "r"),
        ("b", "x", None, "0.5", None, UNPUBLISHED),
    ]
    table = Comparison(name="T", title="t", figures=found)
    assert (table.n_agree, table.n_differ) == (0, 0)
    assert [each.difference for each in found] == [None, None, None]
