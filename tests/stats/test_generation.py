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


def test_marks_within_a_range_have_intervals_within_it():
    """Where nothing varies, a t interval has no width; one that knows the range has."""
    full = generator_shift([0.0] * 10, [100.0] * 10, score_range=(0, 100))
    assert (full.delta.value, full.delta.high, full.after.high) == (100, 100, 100)
    assert full.delta.low < 90
    assert full.after.low < 90
    bare = generator_shift([0.0] * 10, [100.0] * 10)
    assert bare.delta.low == 100
    rng = np.random.default_rng(0)
    before, after = rng.uniform(40, 60, (2, 200))
    bounded = generator_shift(before, after, score_range=(0, 100)).delta
    assert bounded == generator_shift(before, after).delta
