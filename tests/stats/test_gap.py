import numpy as np
import pytest
from support.reference import score_interval, t_interval, wilson_by_search

from aas_bench.errors import InputError, MissingScoresError
from aas_bench.stats import paired_gap


def columns(n=60, n_clusters=15):
    rng = np.random.default_rng(3)
    a, b = rng.normal(9, 4, n).round(1), rng.normal(6, 5, n).round(1)
    a[:3] = b[:3]
    return a, b, rng.integers(0, n_clusters, n)


def test_values_and_cluster_intervals_by_hand():
    a, b, clusters = columns()
    found = paired_gap(a, b, clusters=clusters)
    expected = {
        "gap": a - b,
        "a": a,
        "b": b,
        "a_wins": (a > b).astype(float),
        "b_wins": (b > a).astype(float),
    }
    for name, column in expected.items():
        estimate = getattr(found, name)
        assert estimate.value == pytest.approx(column.mean())
        reference = score_interval if "wins" in name else t_interval
        ends = reference(column.mean(), (column - column.mean()) / 60, clusters)
        assert (estimate.low, estimate.high) == pytest.approx(ends)
        assert (estimate.n, estimate.n_clusters) == (60, len(set(clusters)))
    assert found.n_equal == 3
    assert found.a_wins.value + found.b_wins.value == pytest.approx(57 / 60)


def test_the_interval_is_that_of_the_differences_not_of_two_means():
    shared = np.random.default_rng(0).normal(0, 50, 200)
    found = paired_gap(shared + 1, shared)
    assert found.gap.high - found.gap.low < 1e-9
    assert found.a.high - found.a.low > 5


def test_without_clusters_the_shares_have_wilsons_interval():
    found = paired_gap([1.0, 2.0, 3.0, 4.0], [0.0, 3.0, 4.0, 5.0])
    low, high = wilson_by_search(3, 4, 0.95)
    assert (found.b_wins.low, found.b_wins.high) == pytest.approx((low, high))


def test_a_pair_counts_only_with_both_scores():
    a, b = [1.0, np.nan, 3.0, 5.0], [0.0, 1.0, None, 1.0]
    with pytest.raises(MissingScoresError, match=r'2 of 4 pairs lack a score.*on_missing="drop"'):
        paired_gap(a, b)
    found = paired_gap(a, b, on_missing="drop")
    assert (found.gap.value, found.gap.n, found.gap.coverage) == (2.5, 2, 0.5)
    nothing = paired_gap([np.nan], [1.0], on_missing="drop")
    assert nothing.gap.reason == nothing.b_wins.reason == "no pair has both scores"
    with pytest.raises(InputError, match=r"Give one of each per pair\."):
        paired_gap([1.0], [1.0, 2.0])
