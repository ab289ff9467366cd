from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, rankdata, t, wilcoxon
from sklearn.metrics import roc_auc_score
from support.reference import cluster_error, holm_rejects, influence_by_weights, t_interval
from support.strategies import columns, labelled

from aas_bench.errors import InputError
from aas_bench.stats import compare_generators, compare_rewards, holm, preference, sign_flip


@pytest.fixture
def pairs():
    rng = np.random.default_rng(1)
    label, clusters = rng.integers(0, 2, 80), rng.integers(0, 20, 80)
    return rng.normal(label, 1), rng.normal(label / 2, 1), label, clusters


def test_each_side_is_its_own_preference_and_the_difference_is_paired(pairs):
    a, b, label, clusters = pairs
    result = compare_rewards(a, b, label, clusters=clusters)
    alone = [preference(m, label, clusters=clusters) for m in (a, b)]
    assert (result.accuracy_a, result.auroc_a) == (alone[0].accuracy, alone[0].auroc)
    assert (result.accuracy_b, result.auroc_b) == (alone[1].accuracy, alone[1].auroc)
    apart = ((a > 0) == label).astype(float) - ((b > 0) == label)
    difference = result.accuracy_difference
    assert difference.value == pytest.approx(apart.mean())
    expected = t_interval(apart.mean(), (apart - apart.mean()) / 80, clusters)
    assert (difference.low, difference.high) == pytest.approx(expected)


def test_the_interval_of_the_auroc_difference_rests_on_its_slopes(pairs):
    a, b, label, clusters = pairs

    def weighted(w):
        return roc_auc_score(label, a, sample_weight=w) - roc_auc_score(label, b, sample_weight=w)

    difference = compare_rewards(a, b, label, clusters=clusters).auroc_difference
    value = weighted(np.ones(80))
    assert difference.value == pytest.approx(value)
    both = 40 / np.bincount(label)[label]
    variance, dof, _ = cluster_error(influence_by_weights(weighted, 80), clusters.tolist(), both)
    half = t.ppf(0.975, dof) * np.sqrt(variance)
    assert (difference.low, difference.high) == pytest.approx((value - half, value + half))


@settings(deadline=None, max_examples=50)
@given(labelled(labels=(-1, 0, 1)), columns(1, min_size=40, max_size=40))
def test_without_clusters_the_test_is_mcnemars(pairs, other):
    a, label, _ = pairs
    b = other[0, : len(a)]
    result = compare_rewards(a, b, label)
    right_a, right_b = ((m > 0).astype(int) == label for m in (a, b))
    only_a = int((right_a & ~right_b & (label >= 0)).sum())
    only_b = int((right_b & ~right_a & (label >= 0)).sum())
    assert (result.n_only_a, result.n_only_b) == (only_a, only_b)
    differ = only_a + only_b
    if differ == 0:
        assert result.accuracy_test.p_value is None
    else:
        # The exact sign test, less half the probability of the two splits as uneven as this.
        exact = binomtest(only_a, differ, 0.5).pvalue
        equal = binom.pmf(sorted({only_a, only_b}), differ, 0.5).sum()
        assert result.accuracy_test.p_value == pytest.approx(exact - equal / 2)
        assert result.accuracy_test.method == "binomial"
    assert result.n + result.n_label_ties == len(a)


def test_mcnemar_by_hand():
    # Six discordant pairs, all a's: both splits as uneven as that have 1 / 64, and count half.
    result = compare_rewards([1.0] * 6, [-1.0] * 6, [1] * 6)
    assert result.accuracy_test.p_value == pytest.approx(1 / 64)
    assert result.auroc_difference.reason == "single class: every label is 1"


def test_pairs_of_one_cluster_are_turned_around_together():
    # Ten pairs for a in each of three clusters: one of four signs is as uneven.
    a, b = np.ones(30), -np.ones(30)
    result = compare_rewards(a, b, np.ones(30), clusters=np.repeat([0, 1, 2], 10))
    assert result.accuracy_test.p_value == pytest.approx(1 / 8)
    assert result.accuracy_test.smallest == 1 / 8
    assert compare_rewards(a, b, np.ones(30)).accuracy_test.p_value < 1e-8


def test_ties_of_the_margin_are_half_right():
    result = compare_rewards([0.0, 1.0, 1.0], [1.0, 1.0, -1.0], [1, 1, 1], ties="half")
    assert (result.accuracy_a.value, result.accuracy_b.value) == pytest.approx((2.5 / 3, 2 / 3))


def test_nothing_to_compare():
    result = compare_rewards([np.nan, 1.0], [1.0, np.nan], [1, 0], on_missing="drop")
    assert (result.n, result.n_missing, result.accuracy_test.p_value) == (0, 2, None)
    assert result.accuracy_difference.value is None
    assert result.accuracy_a.reason == "no pair has scores and a label of 0 or 1"


@settings(deadline=None, max_examples=60)
@given(columns(2, max_size=60))
def test_signed_ranks_equal_scipy(table):
    a, b = table
    result = compare_generators(a, b)
    test, difference = result.rank_test, a - b
    assert (test.n, test.n_zero) == (len(a), int((difference == 0).sum()))
    assert result.median_difference == pytest.approx(np.median(difference))
    moved = difference[difference != 0]
    if len(moved) == 0:
        assert (test.statistic, test.p_value, result.rank_biserial.value) == (None, None, None)
        assert test.reason == result.rank_biserial.reason == "every difference is 0"
        return
    expected = wilcoxon(moved)
    assert test.statistic == pytest.approx(expected.statistic)
    if len(set(np.abs(moved))) == len(moved) or len(moved) > 50:
        assert test.p_value == pytest.approx(expected.pvalue)
    # R+ = T, the smaller, or its complement: the balance is 1 - 2 T / S on that side.
    size = len(moved) * (len(moved) + 1) / 2
    assert abs(result.rank_biserial.value) == pytest.approx(1 - 2 * expected.statistic / size)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(-4, 4).filter(bool), min_size=1, max_size=9))
def test_tied_ranks_are_counted_out(moved):
    moved = np.array(moved, dtype=float)
    ranks = rankdata(np.abs(moved))
    statistic = min(ranks[moved > 0].sum(), ranks[moved < 0].sum())
    signs = np.array(list(product([0, 1], repeat=len(moved))))
    rank_sums = signs @ ranks
    lower = np.mean(rank_sums <= statistic)
    found = compare_generators(moved, np.zeros(len(moved))).rank_test
    assert found.p_value == pytest.approx(min(1.0, 2 * lower))


def test_many_tied_ranks_equal_scipys_normal_approximation():
    moved = np.round(np.random.default_rng(0).normal(0.2, 2, 200))
    moved = moved[moved != 0]
    found = compare_generators(moved, np.zeros(len(moved))).rank_test
    assert found.p_value == pytest.approx(wilcoxon(moved, method="asymptotic").pvalue)


def test_rank_biserial_by_hand():
    # Differences 1, -2, 3, 3, 0: ranks 1, 2, 3.5, 3.5; R+ = 8, R- = 2.
    result = compare_generators([1.0, 0.0, 3.0, 5.0, 7.0], [0.0, 2.0, 0.0, 2.0, 7.0])
    assert result.rank_biserial.value == pytest.approx(0.6)
    assert (result.rank_test.statistic, result.rank_test.n_zero) == (2.0, 1)
    other_way = compare_generators([0.0, 2.0, 0.0, 2.0, 7.0], [1.0, 0.0, 3.0, 5.0, 7.0])
    assert other_way.rank_biserial.value == pytest.approx(-0.6)


def test_the_mean_is_what_its_interval_and_its_test_are_of():
    rng = np.random.default_rng(3)
    a, b, clusters = rng.normal(1, 1, 60), rng.normal(size=60), rng.integers(0, 10, 60)
    result = compare_generators(a, b, clusters=clusters)
    difference = a - b
    ends = t_interval(difference.mean(), (difference - difference.mean()) / 60, clusters)
    assert result.mean_difference.value == pytest.approx(difference.mean())
    assert (result.mean_difference.low, result.mean_difference.high) == pytest.approx(ends)
    assert result.mean_test == sign_flip(difference, clusters=clusters)
    units = [difference[clusters == g].mean() for g in range(10)]
    assert result.median_difference == pytest.approx(np.median(units))
    assert result.rank_test.p_value == pytest.approx(wilcoxon(units).pvalue)
    assert (result.n, result.rank_test.n) == (60, 10)


def test_a_missing_pair_leaves_the_rest_of_its_prompt():
    a = np.array([1.0, np.nan, 2.0, 3.0])
    result = compare_generators(a, np.zeros(4), clusters=[0, 0, 1, 2], on_missing="drop")
    assert (result.n, result.n_missing, result.rank_test.n) == (3, 1, 3)
    assert result.mean_difference.n_clusters == 3


def test_prompts_without_both_values():
    result = compare_generators([1.0, np.nan], [np.nan, 1.0], on_missing="drop")
    reasons = {
        result.mean_difference.reason,
        result.mean_test.reason,
        result.rank_test.reason,
        result.rank_biserial.reason,
    }
    assert (result.n, result.n_missing, reasons) == (0, 2, {"no pair has both values"})
    assert result.median_difference is None


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.999))
def test_holm_rejects_what_the_step_down_rejects(p_values, level):
    adjusted = holm(p_values)
    safe = np.abs(adjusted - level) > 1e-9
    np.testing.assert_array_equal(
        (adjusted <= level)[safe], np.array(holm_rejects(p_values, level))[safe]
    )


def test_holm_by_hand():
    # Sorted .005, .01, .03, .04 times 4, 3, 2, 1: .02, .03, .06, .04 and then never decreasing.
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_array_equal(holm([0.9, 0.8]), [1.0, 1.0])


@pytest.mark.parametrize("p_values", [[], [1.1], [-0.1], [np.nan]])
def test_holm_refuses_what_is_no_probability(p_values):
    with pytest.raises(InputError, match=r"not in \[0, 1\]\. Give one per test"):
        holm(p_values)
