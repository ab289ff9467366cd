"""Ranks and what is made of them, under resample weights: one sort, then O(n) a resample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aas_bench.stats.estimate import Codes, Labels, Scores


class SortedScores:
    """A column sorted once, with the bounds of every run of equal values.

    Args:
        column: Shape (n,), float64.
    """

    def __init__(self, column: Scores) -> None:
        self.order = np.argsort(column, kind="stable")
        ascending = column[self.order]
        self.first = np.searchsorted(ascending, ascending, side="left")
        self.after = np.searchsorted(ascending, ascending, side="right")

    def weight_below(self, weights: Scores, at: NDArray[np.intp] | None = None) -> Scores:
        """Weight below each value plus half the weight at it: the weighted midrank less a half.

        Args:
            weights: Shape (r, n), in sorted order.
            at: Sorted positions to answer for; all by default.

        Returns:
            Shape (r, n), or (r, len(at)), in sorted order.
        """
        cumulated = np.zeros((weights.shape[0], weights.shape[1] + 1))
        np.cumsum(weights, axis=1, out=cumulated[:, 1:])
        first = self.first if at is None else self.first[at]
        after = self.after if at is None else self.after[at]
        result: Scores = cumulated.take(first, axis=1)
        result += cumulated.take(after, axis=1)
        result *= 0.5
        return result


class Auroc:
    """Area under the ROC curve of a margin, for any weights of the clusters.

    P(m_i > m_j) + P(m_i = m_j) / 2 for i of label 1 and j of label 0, by midranks: (sum of the
    weighted midranks of label 1 - W1^2 / 2) / (W1 W0), with W the weight of each label.

    Args:
        margin: Shape (n,).
        label: Shape (n,), in {0, 1}.
        codes: Cluster of each pair, shape (n,); None where each pair is its own.
    """

    def __init__(self, margin: Scores, label: Labels, codes: Codes | None) -> None:
        self._sorted = SortedScores(margin)
        self._units = self._sorted.order if codes is None else codes[self._sorted.order]
        self._positive = np.flatnonzero(label[self._sorted.order] == 1)

    def __call__(self, counts: Scores) -> Scores:
        """AUROC under each row of counts (r, n_units): shape (r,), NaN where one label is absent."""
        weights = counts.take(self._units, axis=1)
        positive = weights.take(self._positive, axis=1)
        below = self._sorted.weight_below(weights, self._positive)
        n_positive = positive.sum(axis=1)
        n_negative = weights.sum(axis=1) - n_positive
        wins = np.einsum("ij,ij->i", positive, below) - n_positive**2 / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            area: Scores = wins / (n_positive * n_negative)
        return area


class Spearman:
    """Spearman's rank correlation of two columns, for any weights of the clusters.

    Pearson's correlation of the weighted midranks.

    Args:
        x: Shape (n,).
        y: Shape (n,).
        codes: Cluster of each pair, shape (n,); None where each pair is its own.
    """

    def __init__(self, x: Scores, y: Scores, codes: Codes | None) -> None:
        self._units = np.arange(len(x)) if codes is None else codes
        self._columns = []
        for column in (x, y):
            ascending = SortedScores(column)
            place = np.empty(len(column), dtype=np.intp)
            place[ascending.order] = np.arange(len(column))
            self._columns.append((ascending, place))

    def __call__(self, counts: Scores) -> Scores:
        """Correlation under each row of counts (r, n_units): shape (r,), NaN where undefined."""
        weights = counts.take(self._units, axis=1)
        total = weights.sum(axis=1)
        centred = []
        for ascending, place in self._columns:
            ranks = ascending.weight_below(weights.take(ascending.order, axis=1)).take(
                place, axis=1
            )
            # The weighted mean of these midranks is half the total weight, exactly.
            centred.append(ranks - total[:, None] / 2)
        x, y = centred
        spread = (weights * x * x).sum(axis=1) * (weights * y * y).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            correlation = (weights * x * y).sum(axis=1) / np.sqrt(spread)
        return np.clip(correlation, -1, 1)
