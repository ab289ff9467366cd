"""Statistics of ranks and the influence of each row on them, from one sort.

Every function returns a value and its influences: shape (n,), summing to 0, how much the value
would change for one more copy of each row. Ties share their mean rank throughout.
"""

from __future__ import annotations

import numpy as np

from aas_bench.stats.estimate import Labels, Scores


class SortedColumn:
    """A column sorted once, with the bounds of every run of equal values.

    Args:
        column: Shape (n,), float64.

    Example:
        >>> SortedColumn(np.array([3.0, 1.0, 3.0])).below(np.ones(3)).tolist()
        [2.0, 0.5, 2.0]
    """

    def __init__(self, column: Scores) -> None:
        self.order = np.argsort(column, kind="stable")
        ascending = column[self.order]
        starts = np.flatnonzero(np.r_[True, ascending[1:] != ascending[:-1]])[: len(column)]
        lengths = np.diff(np.r_[starts, len(column)])
        self._first = np.repeat(starts, lengths)
        self._after = np.repeat(starts + lengths, lengths)

    def below(self, weight: Scores) -> Scores:
        """Weight of the rows below each row plus half the weight of those equal to it, itself too.

        Args:
            weight: Shape (n,), in the rows' own order.

        Returns:
            Shape (n,), in the rows' own order. With weights of 1: the midrank less a half.
        """
        total = np.concatenate([[0.0], np.cumsum(weight[self.order])])
        found = np.empty(len(weight))
        found[self.order] = (total[self._first] + total[self._after]) / 2
        return found


def auroc(margin: Scores, label: Labels) -> tuple[float, Scores]:
    """Area under the ROC curve, and the influences on it.

    P(m_i > m_j) + P(m_i = m_j) / 2 for i of label 1 and j of label 0. A row's placement is its
    share of that against all rows of the other label; its influence is (placement - area) / rows
    of its own label.

    Args:
        margin: Shape (n,), float64.
        label: Shape (n,), in {0, 1}.

    Returns:
        Area and influences; nan where one label is absent.

    Source:
        Hanley and McNeil, The meaning and use of the area under a receiver operating
        characteristic (ROC) curve, Radiology 143, 1982. DeLong, DeLong and Clarke-Pearson,
        Comparing the areas under two or more correlated receiver operating characteristic curves:
        a nonparametric approach, Biometrics 44, 1988 (placements). Obuchowski, Nonparametric
        analysis of clustered ROC curve data, Biometrics 53, 1997 (their sums by cluster).

    Example:
        >>> area, influence = auroc(np.array([1.0, 2.0, 3.0]), np.array([0, 1, 1], dtype=np.int8))
        >>> area, influence.tolist()
        (1.0, [0.0, 0.0, 0.0])
    """
    positive = label == 1
    n_positive = int(positive.sum())
    n_negative = len(label) - n_positive
    if n_positive == 0 or n_negative == 0:
        return np.nan, np.full(len(label), np.nan)
    column = SortedColumn(margin)
    lost = column.below((~positive).astype(np.float64))[positive] / n_negative
    placement = np.empty(len(label))
    placement[positive] = lost
    placement[~positive] = 1 - column.below(positive.astype(np.float64))[~positive] / n_positive
    area = float(lost.mean())
    return area, (placement - area) / np.where(positive, n_positive, n_negative)


def spearman(x: Scores, y: Scores) -> tuple[float, Scores]:
    """Spearman's rank correlation, and the influences on it.

    Pearson's correlation of the midranks.

    Args:
        x: Shape (n,), float64.
        y: Shape (n,), float64.

    Returns:
        Correlation and influences; nan where a column is constant.

    Source:
        Spearman, The proof and measurement of association between two things, American Journal of
        Psychology 15, 1904; Croux and Dehon, Influence functions of the Spearman and Kendall
        correlation measures, Statistical Methods and Applications 19, 2010.

    Example:
        >>> spearman(np.array([1.0, 2.0, 3.0]), np.array([10.0, 30.0, 20.0]))[0]
        0.5
    """
    n = len(x)
    if n == 0 or x.min() == x.max() or y.min() == y.max():
        return np.nan, np.full(n, np.nan)
    columns = SortedColumn(x), SortedColumn(y)
    # Shares of rows below, less a half: their mean is 0.
    a, b = (column.below(np.ones(n)) / n - 0.5 for column in columns)
    together, own_x, own_y = float(a @ b), float(a @ a), float(b @ b)
    spread = float(np.sqrt(own_x * own_y))
    value = min(max(together / spread, -1.0), 1.0)
    # A further row adds its own product, and moves the ranks of the rows around it.
    change = a * b - (columns[0].below(b) + columns[1].below(a)) / n
    change_x = a * a - 2 * columns[0].below(a) / n
    change_y = b * b - 2 * columns[1].below(b) / n
    return value, change / spread - value / 2 * (change_x / own_x + change_y / own_y)


def rank_biserial(difference: Scores) -> tuple[float, Scores]:
    """Matched-pairs rank-biserial correlation of differences, and the influences on it.

    (R+ - R-) / (R+ + R-): R+ and R- are the sums of the midranks of |d| over the positive and the
    negative differences; those of 0 are left out.

    Args:
        difference: Shape (n,), float64, none of them 0.

    Returns:
        Correlation and influences; nan where there is no difference.

    Source:
        Kerby, The simple difference formula: an approach to teaching nonparametric correlation,
        Comprehensive Psychology 3, 2014.

    Example:
        >>> rank_biserial(np.array([1.0, -2.0, 3.0]))[0]
        0.3333333333333333
    """
    n = len(difference)
    if n == 0:
        return np.nan, difference
    sign, column = np.sign(difference), SortedColumn(np.abs(difference))
    below = column.below(np.ones(n))
    ranks = below + 0.5
    value = float(sign @ ranks) / float(ranks.sum())
    # One more copy adds its own rank, and one to the rank of each larger difference.
    change = sign * below + float(sign.sum()) - column.below(sign)
    return value, (change - change.mean()) * 2 / n**2
