import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t
from support.reference import cluster_error, score_interval, t_interval, wilson_by_search

from aas_bench.errors import InputError
from aas_bench.stats import chosen, generator_shift, paired_gap, preference, wilson
from aas_bench.stats.analysis import Analysis
from aas_bench.stats.inputs import read_sample
from aas_bench.stats.intervals import SHARE, SIGNED, Clusters, Intervals, cluster_variance


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 400), st.data(), st.floats(0.5, 0.999))
def test_wilson_inverts_the_score_test(n, data, level):
    hits = data.draw(st.integers(0, 2 * n)) / 2
    low, high = wilson(hits, n, confidence_level=level)
    assert (low, high) == pytest.approx(wilson_by_search(hits, n, level), abs=1e-9)
    assert 0 <= low <= hits / n <= high <= 1


@pytest.mark.parametrize(("hits", "n"), [(1, 0), (-1, 3), (4, 3)])
def test_wilson_refuses_what_is_no_rate(hits, n):
    with pytest.raises(InputError, match=r"give no rate\. Give 0 <= n_hits <= n"):
        wilson(hits, n)


def intervals(clusters, **options) -> Intervals:
    return Intervals(
        read_sample({"x": np.zeros(len(clusters))}, clusters=clusters), Analysis(**options)
    )


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(0, 6), min_size=2, max_size=40), st.integers(0, 999))
def test_variance_and_degrees_of_freedom_equal_full_matrices(codes, seed):
    if len(set(codes)) < 2:
        return
    rng = np.random.default_rng(seed)
    column = rng.normal(size=len(codes)) + 2 * rng.normal(size=7)[codes]
    influence, weight = column - column.mean(), rng.random(len(codes))
    groups = Clusters(len(codes), np.array(codes))
    for weights in (np.ones(len(codes)), weight):
        found = cluster_variance(
            groups.sums(influence),
            groups.sums(weights),
            float(influence @ influence),
            max(float(weights.sum()), len(set(codes))),
        )
        expected = cluster_error(influence, codes, weights)
        assert found.variance == pytest.approx(expected[0])
        assert found.dof == pytest.approx(max(expected[1], 1), rel=1e-3)
        assert found.n_effective == pytest.approx(expected[2])


def test_equal_clusters_are_their_means():
    # With one size for all, the textbook: a t interval of the cluster means.
    rng = np.random.default_rng(0)
    column, codes = rng.normal(size=60), np.repeat(np.arange(12), 5)
    means = column.reshape(12, 5).mean(axis=1)
    half = t.ppf(0.975, 11) * means.std(ddof=1) / np.sqrt(12)
    found = intervals(codes).mean(column, undefined="")
    assert (found.low, found.high) == pytest.approx((means.mean() - half, means.mean() + half))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 5), min_size=4, max_size=40), st.integers(0, 999))
def test_rates_of_unequal_clusters_equal_the_score_test_by_search(codes, seed):
    rng = np.random.default_rng(seed)
    hits = (rng.random(len(codes)) < 0.7).astype(float)
    among = (rng.random(len(codes)) < 0.8).astype(float)
    clusters = {c for c, a in zip(codes, among, strict=True) if a}
    if len(clusters) < 2 or np.bincount(codes, among).max() < 2:
        return
    found = intervals(codes).rate(hits * among, among, undefined="none")
    value = hits @ among / among.sum()
    assert found.value == pytest.approx(value)
    assert (found.n, found.n_clusters) == (among.sum(), len(clusters))
    expected = score_interval(value, (hits - value) * among / among.sum(), codes, among)
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-8)


def test_a_single_trial_in_each_cluster_has_wilsons_own_interval():
    # Named clusters or none: nothing is clustered.
    margin = [1.0, -1.0, 2.0, 3.0]
    for clusters in (None, list("abcd")):
        found = chosen(margin, clusters=clusters)
        assert (found.low, found.high) == pytest.approx(wilson_by_search(3, 4, 0.95), abs=1e-9)


@pytest.mark.parametrize("bounds", [None, SHARE])
def test_ratio_holds_what_a_t_test_of_the_difference_does_not_reject(bounds):
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 15, 90)
    below = rng.normal(1, 1, 90) + 0.4 * rng.normal(size=15)[codes]
    above = 0.5 * below + rng.normal(size=90)
    found = intervals(codes).ratio(above, below, undefined="", uncertain="", bounds=bounds)
    value = above.mean() / below.mean()
    assert found.value == pytest.approx(value)
    # The working model is that at the value; Fieller's set has a test at each of its ends.
    _, dof, _ = cluster_error((above - value * below) / 90, codes)
    groups = Clusters(90, codes)
    error = cluster_variance(
        groups.sums((above - value * below) / 90),
        groups.sizes(),
        float(((above - value * below) ** 2).sum()) / 90**2,
        90,
    )
    for end in (found.low, found.high):
        gap = above - end * below
        sums = groups.sums(gap - gap.mean()) / 90
        statistic = gap.mean() / np.sqrt(error.factors @ sums**2)
        assert abs(statistic) == pytest.approx(t.ppf(0.975, dof))
    assert found.low < value < found.high


def test_a_ratio_without_a_sure_denominator_has_no_interval():
    unsure = intervals([0, 1, 2]).ratio(
        np.array([1.0, 2.0, 3.0]), np.array([-3.0, 2.0, 2.0]), undefined="zero", uncertain="unsure"
    )
    assert (unsure.value, unsure.low, unsure.reason) == (6.0, None, "no interval: unsure")
    zero = intervals([0, 1]).ratio(
        np.ones(2), np.array([-1.0, 1.0]), undefined="zero", uncertain=""
    )
    assert (zero.value, zero.reason, zero.n, zero.n_clusters) == (None, "zero", 2, 2)


def test_names_of_clusters_are_only_names():
    rng = np.random.default_rng(0)
    margin, clusters = rng.normal(size=60), rng.integers(0, 9, 60)
    names = np.array(["abcdefghi"[c] for c in clusters])
    assert chosen(margin, clusters=clusters) == chosen(margin, clusters=names)


def test_the_order_of_rows_does_not_move_a_clustered_interval():
    rng = np.random.default_rng(0)
    label, clusters = rng.integers(0, 2, 60), rng.integers(0, 20, 60)
    margin, order = rng.normal(label, 1), rng.permutation(60)
    result = preference(margin, label, clusters=clusters)
    again = preference(margin[order], label[order], clusters=clusters[order])
    for name in ("accuracy", "auroc", "cohen_kappa"):
        before, after = getattr(result, name), getattr(again, name)
        assert (after.value, after.low, after.high) == pytest.approx(
            (before.value, before.low, before.high), rel=1e-12
        )


def test_a_higher_level_widens_the_interval():
    rng = np.random.default_rng(0)
    margin, clusters = rng.normal(size=80), np.repeat(np.arange(20), 4)
    narrow, wide = (
        chosen(margin, clusters=clusters, confidence_level=level) for level in (0.5, 0.99)
    )
    assert wide.low < narrow.low < narrow.high < wide.high


def test_clusters_widen_the_interval_of_pairs_that_move_together():
    label = np.ones(400)
    margin = np.repeat(np.random.default_rng(0).normal(size=40), 10)
    alone = preference(margin, label).accuracy
    clustered = preference(margin, label, clusters=np.repeat(np.arange(40), 10)).accuracy
    assert clustered.high - clustered.low > 2 * (alone.high - alone.low)
    assert (clustered.n, clustered.n_clusters, alone.n_clusters) == (400, 40, None)


def test_a_rate_of_zero_or_one_takes_each_cluster_for_a_trial():
    codes = np.repeat(np.arange(10), 3)
    z = t.ppf(0.975, 9)
    sure, never = (chosen(sign * np.ones(30), clusters=codes) for sign in (1, -1))
    # Wilson's ends at 0 and at n of n: 1 / (1 + z^2 / n) and its complement.
    assert (sure.low, sure.high) == pytest.approx((1 / (1 + z**2 / 10), 1.0))
    assert (never.low, never.high) == pytest.approx((0.0, 1 - 1 / (1 + z**2 / 10)))


def test_what_never_varied_is_not_sure_for_that():
    # Two models that agree throughout; a perfect AUROC; a perfect correlation.
    codes, label = np.repeat(np.arange(8), 4), np.tile([0, 1], 16)
    perfect = preference(label - 0.5, label, clusters=codes)
    for estimate in (perfect.auroc, perfect.balanced_accuracy, perfect.f1, perfect.cohen_kappa):
        assert (estimate.value, estimate.high) == (1.0, 1.0)
        assert estimate.low < 0.8
    same = intervals(codes).mean(np.zeros(32), undefined="", bounds=SIGNED)
    assert same.low == -same.high < -0.1


@pytest.mark.parametrize("clusters", [["a", "a"], None])
def test_one_cluster_has_no_interval(clusters):
    n = 1 if clusters is None else 2
    unit = "pair" if clusters is None else "cluster"
    label, ones = np.ones(n), np.ones(n)
    found = [
        generator_shift(ones, 2 * ones, clusters=clusters).delta,
        chosen(ones, clusters=clusters),
        preference(ones, label, clusters=clusters).accuracy,
        paired_gap(ones, 2 * ones, clusters=clusters).b_wins,
    ]
    for single in found:
        assert (single.value, single.low, single.high) == (1.0, None, None)
        assert single.reason == f"no interval: only one {unit}"


def test_one_missing_pair_leaves_its_cluster():
    rng = np.random.default_rng(0)
    margin, codes = rng.normal(size=40), np.repeat(np.arange(4), 10)
    margin[0] = np.nan
    found = chosen(margin, clusters=codes, on_missing="drop")
    assert (found.n, found.n_clusters) == (39, 4)


def test_the_interval_of_a_mean_equals_its_reference():
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 9, 50)
    column = rng.normal(size=50) + rng.normal(size=9)[codes]
    for clusters in (codes, None):
        sample = read_sample({"x": column}, clusters=clusters)
        found = Intervals(sample, Analysis(confidence_level=0.8)).mean(column, undefined="")
        expected = t_interval(
            column.mean(),
            (column - column.mean()) / 50,
            range(50) if clusters is None else codes,
            level=0.8,
        )
        assert (found.low, found.high) == pytest.approx(expected)
