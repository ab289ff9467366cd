import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, wilcoxon
from sklearn.metrics import roc_auc_score
from support.reference import bootstrap_by_loop, holm_rejects
from support.strategies import columns, labelled

from aas_bench.errors import InputError
from aas_bench.stats import compare_generators, compare_rewards, holm, preference


@pytest.fixture
def pairs():
    rng = np.random.default_rng(1)
    label, clusters = rng.integers(0, 2, 80), rng.integers(0, 20, 80)
    return rng.normal(label, 1), rng.normal(label / 2, 1), label, clusters


def test_each_side_is_its_own_preference_and_the_difference_is_paired(pairs):
    a, b, label, clusters = pairs
    result = compare_rewards(a, b, label, clusters=clusters, n_resamples=300)
    alone = [preference(m, label, clusters=clusters, n_resamples=300) for m in (a, b)]
    assert (result.accuracy_a, result.auroc_a) == (alone[0].accuracy, alone[0].auroc)
    assert (result.accuracy_b, result.auroc_b) == (alone[1].accuracy, alone[1].auroc)

    def accuracy(rows):
        return np.mean((a[rows] > 0) == label[rows]) - np.mean((b[rows] > 0) == label[rows])

    def auroc(rows):
        return roc_auc_score(label[rows], a[rows]) - roc_auc_score(label[rows], b[rows])

    for estimate, statistic in (
        (result.accuracy_difference, accuracy),
        (result.auroc_difference, auroc),
    ):
        assert estimate.value == pytest.approx(statistic(slice(None)))
        expected = bootstrap_by_loop(statistic, clusters.tolist(), n_resamples=300)
        assert (estimate.low, estimate.high) == pytest.approx(expected, abs=1e-10)


@settings(deadline=None, max_examples=50)
@given(labelled(labels=(-1, 0, 1)), columns(1, min_size=40, max_size=40))
def test_mcnemar_is_the_exact_sign_test(pairs, other):
    a, label, _ = pairs
    b = other[0, : len(a)]
    result = compare_rewards(a, b, label, n_resamples=0)
    right_a, right_b = ((m > 0).astype(int) == label for m in (a, b))
    only_a = int((right_a & ~right_b & (label >= 0)).sum())
    only_b = int((right_b & ~right_a & (label >= 0)).sum())
    assert (result.mcnemar.n_only_a, result.mcnemar.n_only_b) == (only_a, only_b)
    both_tails = 2 * binom.cdf(min(only_a, only_b), only_a + only_b, 0.5)
    assert result.mcnemar.p_value == pytest.approx(min(1.0, both_tails))
    assert result.n + result.n_label_ties == len(a)


def test_mcnemar_by_hand():
    # Six discordant pairs, all a's: p = 2 / 2^6.
    result = compare_rewards([1.0] * 6, [-1.0] * 6, [1] * 6)
    assert result.mcnemar.p_value == pytest.approx(2 / 64)
    assert result.auroc_difference.reason == "single class: every label is 1"


def test_nothing_to_compare():
    result = compare_rewards([np.nan, 1.0], [1.0, np.nan], [1, 0], on_missing="drop")
    assert (result.n, result.n_missing, result.mcnemar.p_value) == (0, 2, 1.0)
    assert result.accuracy_difference.value is None
    assert result.accuracy_a.reason == "no pair has scores and a label of 0 or 1"


@settings(deadline=None, max_examples=30)
@given(columns(2))
def test_signed_ranks_equal_scipy(table):
    a, b = table
    result = compare_generators(a, b)
    difference = a - b
    assert (result.n, result.n_zero) == (len(a), int((difference == 0).sum()))
    assert result.median_difference == pytest.approx(np.median(difference))
    moved = difference[difference != 0]
    if len(moved) == 0:
        assert (result.statistic, result.p_value, result.rank_biserial) == (None, None, None)
        assert result.reason == "every difference is 0"
        return
    expected = wilcoxon(moved)
    assert result.statistic == pytest.approx(expected.statistic)
    assert result.p_value == pytest.approx(expected.pvalue)
    # R+ = T, the smaller, or its complement: the balance is 1 - 2 T / S on that side.
    size = len(moved) * (len(moved) + 1) / 2
    assert abs(result.rank_biserial) == pytest.approx(1 - 2 * expected.statistic / size)


def test_rank_biserial_by_hand():
    # Differences 1, -2, 3, 3, 0: ranks 1, 2, 3.5, 3.5; R+ = 8, R- = 2.
    result = compare_generators([1.0, 0.0, 3.0, 5.0, 7.0], [0.0, 2.0, 0.0, 2.0, 7.0])
    assert result.rank_biserial == pytest.approx(0.6)
    assert (result.statistic, result.n_zero) == (2.0, 1)
    other_way = compare_generators([0.0, 2.0, 0.0, 2.0, 7.0], [1.0, 0.0, 3.0, 5.0, 7.0])
    assert other_way.rank_biserial == pytest.approx(-0.6)


def test_prompts_without_both_values():
    result = compare_generators([1.0, np.nan], [np.nan, 1.0], on_missing="drop")
    assert (result.n, result.n_missing, result.reason) == (0, 2, "no prompt has both values")
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
