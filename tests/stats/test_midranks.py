import numpy as np
import pytest
from hypothesis import given, settings
from scipy.stats import rankdata, spearmanr
from sklearn.metrics import roc_auc_score
from support.reference import influence_by_weights
from support.strategies import columns, labelled

from aas_bench.stats.midranks import SortedColumn, auroc, rank_biserial, spearman


@pytest.fixture
def tied():
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=40), 1)
    return x, np.round(x + rng.normal(size=40), 1)


def weighted_below(column, weight):
    """By comparing every row with every other."""
    less = (column[None, :] < column[:, None]) + (column[None, :] == column[:, None]) / 2
    return less @ weight


@settings(deadline=None, max_examples=100)
@given(columns(2))
def test_below_counts_every_row(table):
    column, weight = table
    found = SortedColumn(column).below(np.abs(weight) % 7)
    np.testing.assert_allclose(found, weighted_below(column, np.abs(weight) % 7), atol=1e-9)
    ranks = SortedColumn(column).below(np.ones(len(column))) + 0.5
    np.testing.assert_array_equal(ranks, rankdata(column))


@settings(deadline=None, max_examples=100)
@given(labelled())
def test_auroc_equals_scikit_learn(pairs):
    margin, label, _ = pairs
    area, influence = auroc(margin, label.astype(np.int8))
    if len(set(label.tolist())) < 2:
        assert np.isnan(area)
        return
    assert area == pytest.approx(roc_auc_score(label, margin), abs=1e-12)
    assert influence.sum() == pytest.approx(0, abs=1e-12)


def test_the_influences_on_the_auroc_are_its_slopes(tied):
    label = (np.arange(40) % 3 == 0).astype(np.int8)
    expected = influence_by_weights(
        lambda w: roc_auc_score(label, tied[0], sample_weight=w), len(label)
    )
    np.testing.assert_allclose(auroc(tied[0], label)[1], expected, atol=1e-7)


@settings(deadline=None, max_examples=100)
@given(columns(2, min_size=2))
def test_spearman_equals_scipy(table):
    rho, _ = spearman(*table)
    if any(len(set(column)) == 1 for column in table):
        assert np.isnan(rho)
    else:
        assert rho == pytest.approx(spearmanr(*table).statistic, abs=1e-9)


def test_the_influences_on_spearmans_correlation_are_its_slopes(tied):
    def weighted(w):
        a, b = (weighted_below(column, w) - w.sum() / 2 for column in tied)
        return (w * a * b).sum() / np.sqrt((w * a * a).sum() * (w * b * b).sum())

    assert weighted(np.ones(40)) == pytest.approx(spearmanr(*tied).statistic)
    expected = influence_by_weights(weighted, 40)
    np.testing.assert_allclose(spearman(*tied)[1], expected, atol=1e-7)


def test_the_influences_on_the_rank_biserial_correlation_are_its_slopes(tied):
    moved = tied[1][tied[1] != 0]

    def weighted(w):
        ranks = w * weighted_below(np.abs(moved), w)
        return (ranks * np.sign(moved)).sum() / ranks.sum()

    expected = influence_by_weights(weighted, len(moved))
    np.testing.assert_allclose(rank_biserial(moved)[1], expected, atol=1e-7)
