import numpy as np
import pytest
from support.reference import t_interval

from aas_bench.stats import generator_shift


def test_means_and_their_intervals():
    rng = np.random.default_rng(0)
    oiop, diop, clusters = rng.normal(9, 2, 40), rng.normal(5, 3, 40), rng.integers(0, 10, 40)
    shift = generator_shift(oiop, diop, clusters=clusters)
    assert shift.delta.value == pytest.approx(np.mean(diop - oiop))
    assert shift.after.value == pytest.approx(np.mean(diop))
    for estimate, column in ((shift.delta, diop - oiop), (shift.after, diop)):
        expected = t_interval(column.mean(), (column - column.mean()) / 40, clusters)
        assert (estimate.low, estimate.high) == pytest.approx(expected)


def test_a_pair_counts_only_with_both_scores():
    shift = generator_shift([1.0, np.nan, 3.0], [2.0, 9.0, 5.0], on_missing="drop")
    assert (shift.after.value, shift.after.n) == (3.5, 2)
    assert shift.after.coverage == pytest.approx(2 / 3)
    nothing = generator_shift([np.nan], [1.0], on_missing="drop")
    assert nothing.delta.reason == nothing.after.reason == "no pair has both scores"
