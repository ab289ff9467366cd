"""Ranks, and what is made of them, under resample weights: one sort, then O(n) a resample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aas_bench.stats.estimate import Codes, Labels, Scores


class SortedColumn:
    """A column sorted once, with the bounds of every run of equal values.

    Args:
        column: Shape (n,), float64.
    """

    def __init__(self, column: Scores) -> None:
        self.order = np.argsort(column, kind="stable")
        ascending = column[self.order]
        self.first = np.searchsorted(ascending, ascending, side="left")
        self.after = np.searchsorted(ascending, ascending, side="right")

    def keep(self, at: NDArray[np.intp]) -> None:
        """Answer from now on for these sorted positions alone."""
        self.first, self.after = self.first[at], self.after[at]

    def weight_below(self, weights: Scores) -> Scores:
        """Weight below each value plus half the weight at it: the weighted midrank less a half.

        Args:
            weights: Shape (r, n), in sorted order.

        Returns:
            Shape (r, n), or (r, positions kept), in sorted order; exact for whole weights.
        """
        cumulated = np.empty((weights.shape[0], weights.shape[1] + 1))
        cumulated[:, 0] = 0
        np.cumsum(weights, axis=1, out=cumulated[:, 1:])
        below: Scores = cumulated.take(self.first, axis=1)
        below += cumulated.take(self.after, axis=1)
        below *= 0.5
        return below


class Auroc:
    """Area under the ROC curve of a margin, for any weights of the clusters.

    P(m_i > m_j) + P(m_i = m_j) / 2 for i of label 1 and j of label 0. By midranks: (sum over label
    1 of w_i b_i - W1^2 / 2) / (W1 W0), with w the weights, b the weight below and W their sums.

    Args:
        margin: Shape (n,), float64.
        label: Shape (n,), in {0, 1}.
        codes: Cluster of each pair, shape (n,); None where each pair is its own.

    Source:
        Hanley and McNeil, The meaning and use of the area under a receiver operating
        characteristic (ROC) curve, Radiology 143, 1982.
    """

    def __init__(self, margin: Scores, label: Labels, codes: Codes | None) -> None:
        self._column = SortedColumn(margin)
        order = self._column.order
        self._units = order if codes is None else codes[order]
        self._positive = np.flatnonzero(label[order] == 1)
        self._column.keep(self._positive)

    def __call__(self, counts: Scores) -> Scores:
        """Area under each row of counts (r, n_units): shape (r,), NaN where one label is absent."""
        weights = counts.take(self._units, axis=1)
        positive = weights.take(self._positive, axis=1)
        below = self._column.weight_below(weights)
        n_positive = positive.sum(axis=1)
        n_negative = weights.sum(axis=1) - n_positive
        wins = np.einsum("ij,ij->i", positive, below) - n_positive**2 / 2
        with np.errstate(invalid="ignore"):
            area: Scores = wins / (n_positive * n_negative)
        return area


class Spearman:
    """Spearman's rank correlation of two columns, for any weights of the clusters.

    Pearson's correlation of the weighted midranks.

    Args:
        x: Shape (n,), float64.
        y: Shape (n,), float64.
        codes: Cluster of each pair, shape (n,); None where each pair is its own.

    Source:
        Spearman, The proof and measurement of association between two things, American Journal of
        Psychology 15, 1904.
    """

    def __init__(self, x: Scores, y: Scores, codes: Codes | None) -> None:
        self._units = np.arange(len(x)) if codes is None else codes
        self._columns = (SortedColumn(x), SortedColumn(y))

    def __call__(self, counts: Scores) -> Scores:
        """Correlation under each row of counts (r, n_units): shape (r,), NaN where undefined."""
        weights = counts.take(self._units, axis=1)
        x, y = (self._centred_ranks(column, weights) for column in self._columns)
        together = np.einsum("ij,ij,ij->i", weights, x, y)
        spread = np.einsum("ij,ij,ij->i", weights, x, x) * np.einsum("ij,ij,ij->i", weights, y, y)
        with np.errstate(invalid="ignore"):
            correlation: Scores = np.clip(together / np.sqrt(spread), -1.0, 1.0)
        return correlation

    @staticmethod
    def _centred_ranks(column: SortedColumn, weights: Scores) -> Scores:
        ranks = np.empty_like(weights)
        ranks[:, column.order] = column.weight_below(weights.take(column.order, axis=1))
        # The weighted mean of these ranks is half the total weight, exactly.
        centred: Scores = ranks - weights.sum(axis=1, keepdims=True) / 2
        return centred


class RankBiserial:
    """Matched-pairs rank-biserial correlation of differences, for any weights of them.

    (R+ - R-) / (R+ + R-): R+ and R- are the sums of the weighted midranks of |d| over the positive
    and the negative differences; those of 0 are left out.

    Args:
        difference: Shape (n_units,), float64: one per cluster.

    Source:
        Kerby, The simple difference formula: an approach to teaching nonparametric correlation,
        Comprehensive Psychology 3, 2014.
    """

    def __init__(self, difference: Scores) -> None:
        self._moved = np.flatnonzero(difference)
        moved = difference[self._moved]
        self._column = SortedColumn(np.abs(moved))
        self._sign: Scores = np.sign(moved)[self._column.order]

    def __call__(self, counts: Scores) -> Scores:
        """Correlation under each row of counts (r, n_units): shape (r,), NaN where all are 0."""
        weights = counts.take(self._moved, axis=1).take(self._column.order, axis=1)
        ranks = weights * (self._column.weight_below(weights) + 0.5)
        with np.errstate(invalid="ignore"):
            correlation: Scores = (ranks * self._sign).sum(axis=1) / ranks.sum(axis=1)
        return correlation
