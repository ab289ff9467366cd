import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.reference import resamples, wilson_by_search

from aas_bench.errors import InputError
from aas_bench.stats import chosen, generator_shift, intervals, preference, wilson
from aas_bench.stats.inputs import read_sample
from aas_bench.stats.intervals import Bootstrap, Resampling


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


def bootstrap(clusters, **options) -> Bootstrap:
    n = len(clusters)
    return Bootstrap(read_sample({"x": np.zeros(n)}, clusters=clusters), Resampling(**options))


def test_counts_are_whole_clusters_drawn_as_often_as_there_are():
    clusters = [3, 1, 1, 2, 3, 3]
    boot = bootstrap(clusters, n_resamples=50, seed=4)
    counts = np.concatenate(list(boot.counts()))
    assert counts.shape == (50, 3)
    for row, members in zip(counts, resamples(clusters, 50, 4), strict=True):
        assert row.sum() == 3
        weights = row[np.unique(clusters, return_inverse=True)[1]]
        np.testing.assert_array_equal(weights, np.bincount(members, minlength=6))


@pytest.mark.parametrize("block", [1, 7, 64, 1 << 20])
def test_counts_do_not_depend_on_the_block_size(monkeypatch, block):
    boot = bootstrap(np.arange(7), n_resamples=33)
    whole = np.concatenate(list(boot.counts()))
    monkeypatch.setattr(intervals, "BLOCK", block)
    blocks = list(boot.counts())
    assert len(blocks[0]) == min(33, max(1, block // 7))
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


def test_a_seed_gives_one_interval_and_another_seed_another():
    rng = np.random.default_rng(0)
    margin, clusters = rng.normal(size=60), rng.integers(0, 20, 60)
    first, again = (chosen(margin, clusters=clusters, seed=1) for _ in range(2))
    assert first == again
    assert chosen(margin, clusters=clusters, seed=2) != first


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
    assert again == result


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


def test_a_rate_of_one_takes_each_cluster_for_a_trial():
    sure = chosen(np.ones(30), clusters=np.repeat(np.arange(10), 3))
    assert (sure.low, sure.high) == wilson(10, 10)
    never = chosen(-np.ones(30), clusters=np.repeat(np.arange(10), 3))
    assert (never.low, never.high) == wilson(0, 10)


def test_one_cluster_has_no_interval():
    single = generator_shift([1.0, 2.0], [3.0, 5.0], clusters=["a", "a"]).delta
    assert (single.value, single.low, single.high) == (2.5, None, None)
    assert single.reason == "no interval: only one cluster"
    assert generator_shift([1.0], [3.0]).delta.reason == "no interval: only one pair"


def test_no_resamples_leave_the_values_alone():
    margin, label, clusters = [1.0, -1.0, 2.0], [1, 0, 0], [0, 1, 1]
    bare = preference(margin, label, clusters=clusters, n_resamples=0)
    full = preference(margin, label, clusters=clusters)
    assert bare.auroc.value == full.auroc.value
    assert bare.auroc.low is None
    assert bare.auroc.reason == "no interval: n_resamples is 0"


def test_few_degenerate_resamples_are_left_out_and_many_leave_no_interval():
    # Two of n clusters hold the label 0: a resample misses both with probability (1 - 2/n)^n,
    # about e^-2 = 13.5 %. With five of n it is about 0.7 %.
    margin, label = np.arange(40.0), np.ones(40)
    label[:2] = 0
    rare = preference(margin, label, clusters=np.arange(40)).auroc
    assert rare.value == 1.0
    assert (rare.low, rare.high) == (None, None)
    assert rare.reason is not None
    assert rare.reason.startswith("no interval: undefined in ")
    label[:5] = 0
    enough = preference(margin, label, clusters=np.arange(40)).auroc
    assert (enough.low, enough.high, enough.reason) == (1.0, 1.0, None)
