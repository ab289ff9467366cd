import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr
from sklearn.metrics import roc_auc_score
from support.strategies import columns, labelled

from aas_bench.stats.ranks import Auroc, SortedColumn, Spearman


@settings(deadline=None, max_examples=100)
@given(columns(1))
def test_unit_weights_give_midranks(table):
    column = SortedColumn(table[0])
    below = column.weight_below(np.ones((1, table.shape[1])))[0]
    np.testing.assert_array_equal(below + 0.5, rankdata(table[0])[column.order])


@settings(deadline=None, max_examples=100)
@given(labelled(), st.integers(0, 99))
def test_weighted_auroc_equals_that_of_repeated_rows(pairs, seed):
    margin, label, cluster = pairs
    counts = np.random.default_rng(seed).integers(0, 4, (1, 6)).astype(float)
    area = Auroc(margin, label, cluster)(counts)[0]
    rows = np.repeat(np.arange(len(margin)), counts[0, cluster].astype(int))
    if len(set(label[rows].tolist())) < 2:
        assert np.isnan(area)
    else:
        assert area == pytest.approx(roc_auc_score(label[rows], margin[rows]), abs=1e-12)


@settings(deadline=None, max_examples=100)
@given(columns(2, min_size=2), st.integers(0, 99))
def test_weighted_spearman_equals_that_of_repeated_rows(table, seed):
    n = table.shape[1]
    counts = np.random.default_rng(seed).integers(0, 4, (1, n)).astype(float)
    rho = Spearman(*table, None)(counts)[0]
    x, y = np.repeat(table, counts[0].astype(int), axis=1)
    if len(set(x)) < 2 or len(set(y)) < 2:
        assert np.isnan(rho)
    else:
        assert rho == pytest.approx(spearmanr(x, y).statistic, abs=1e-9)
