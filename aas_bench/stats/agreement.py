"""How far raters agree, and how far two columns rise together."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from aas_bench.stats.estimate import Codes, Estimate, OnMissing, Scores
from aas_bench.stats.inputs import check_choice, read_ratings, read_sample
from aas_bench.stats.intervals import Bootstrap, Resampling
from aas_bench.stats.ranks import Spearman

Level: TypeAlias = Literal["nominal", "ordinal", "interval"]


def spearman(
    x: ArrayLike,
    y: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Spearman's rank correlation, such as of a judge's scores and a reward.

    Pearson's correlation of the midranks of the two columns.

    Args:
        x: Shape (n,), float; NaN or None where a value is missing.
        y: Shape (n,), float.
        clusters: Shape (n,): the base prompt of each pair. None counts pairs as independent.
        on_missing: "raise", or "drop" the pairs without both and lower the coverage.
        confidence_level: Nominal coverage of the interval, in (0, 1).
        n_resamples: Bootstrap resamples; 0 leaves bootstrap intervals out.
        seed: Seed of the resamples.

    Returns:
        Estimate in [-1, 1]; None where a column is constant.

    Raises:
        MissingScoresError: A value is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit.

    Source:
        Spearman, The proof and measurement of association between two things, American Journal of
        Psychology 15, 1904.

    Example:
        >>> spearman([1.0, 2.0, 3.0], [10.0, 30.0, 20.0]).value
        0.5
    """
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    sample = read_sample({"x": x, "y": y}, clusters=clusters, on_missing=on_missing).complete()
    boot = Bootstrap(sample, options)
    statistic = Spearman(sample.scores["x"], sample.scores["y"], boot.codes)
    (replicates,) = boot.replicates(statistic)
    undefined = "a column is constant" if sample.n else "no pair has both values"
    return boot.estimate(boot.value(statistic), replicates, undefined=undefined)


def quadratic_kappa(
    a: ArrayLike,
    b: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Cohen's kappa of two raters, a disagreement weighing the square of its size.

    1 - mean((a_i - b_i)^2) / mean over all i, j of (a_i - b_j)^2: the squared disagreement against
    that of two raters who rate independently of each other. Ratings are numbers whose differences
    mean something: code a tie between choices 0 and 1 as 0.5, not as -1.

    Args:
        a: Ratings of one rater, shape (n,), float; NaN or None where one is missing.
        b: Ratings of the other, on the same scale.
        clusters: Shape (n,): the base prompt of each pair. None counts pairs as independent.
        on_missing: "raise", or "drop" the pairs without both and lower the coverage.
        confidence_level: Nominal coverage of the interval, in (0, 1).
        n_resamples: Bootstrap resamples; 0 leaves bootstrap intervals out.
        seed: Seed of the resamples.

    Returns:
        Estimate in [-1, 1]; None where both raters give one and the same value throughout.

    Raises:
        MissingScoresError: A rating is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit.

    Source:
        Cohen, Weighted kappa: nominal scale agreement with provision for scaled disagreement or
        partial credit, Psychological Bulletin 70, 1968.

    Example:
        >>> round(quadratic_kappa([0, 1, 2, 2], [0, 1, 2, 1]).value, 3)
        0.8
    """
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    sample = read_sample({"a": a, "b": b}, clusters=clusters, on_missing=on_missing).complete()
    boot = Bootstrap(sample, options)
    x, y = sample.scores["a"], sample.scores["b"]
    # A common shift changes nothing; near 0 the squares keep their digits.
    shift = np.median(x) if sample.n else 0.0
    x, y = x - shift, y - shift
    columns = np.stack([np.ones(sample.n), x, y, x * x + y * y, (x - y) ** 2], axis=1)
    total, replicates = boot.sums(columns)
    undefined = "both raters give one and the same value" if sample.n else "no pair has both"
    return boot.estimate(
        float(_quadratic_kappa(total)), _quadratic_kappa(replicates), undefined=undefined
    )


def _quadratic_kappa(sums: Scores) -> Scores:
    n, a, b, squares, observed = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = squares - 2 * a * b / n
        kappa: Scores = 1 - observed / expected
    # Where the raters are constant and equal, rounding may leave a trace of expected disagreement.
    return np.where(expected > 1e-12 * squares, kappa, np.nan)


def krippendorff_alpha(
    ratings: ArrayLike,
    *,
    level: Level = "nominal",
    clusters: ArrayLike | None = None,
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Krippendorff's alpha: agreement of two or more raters, any of whom may skip any unit.

    1 - D_o / D_e. With m_u ratings of unit u, n = sum of the m_u over units with at least two, and
    d a squared distance: D_o = (1 / n) sum over u of (sum over ordered pairs of ratings of u of d)
    / (m_u - 1), and D_e = (sum over ordered pairs of all n ratings of d) / (n (n - 1)). Distances
    are 0 or 1 (nominal), differences of midranks (ordinal) or differences (interval).

    Args:
        ratings: Shape (n_units, n_raters), float; NaN or None where a rater gave nothing.
        level: "nominal", "ordinal" or "interval".
        clusters: Shape (n_units,). None counts units as independent.
        confidence_level: Nominal coverage of the interval, in (0, 1).
        n_resamples: Bootstrap resamples of units; 0 leaves the interval out.
        seed: Seed of the resamples.

    Returns:
        Estimate, at most 1, 0 at chance; n counts units with at least two ratings. None where all
        ratings are the same, which leaves nothing to disagree on.

    Raises:
        InputError: The table or an option does not fit.

    Source:
        Hayes and Krippendorff, Answering the call for a standard reliability measure for coding
        data, Communication Methods and Measures 1, 2007.

    Example:
        >>> round(krippendorff_alpha([[1, 1], [1, 0], [0, 0], [0, 0]]).value, 4)
        0.5333
    """
    check_choice("level", level, get_args(Level))
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    table = read_ratings(ratings)
    n_ratings = (~np.isnan(table)).sum(axis=1)
    several = n_ratings > 1
    sample = read_sample({"n_ratings": n_ratings}, clusters=clusters).where(several)
    boot = Bootstrap(sample, options)
    statistic = _Alpha(table[several], level, boot.codes)
    (replicates,) = boot.replicates(statistic)
    undefined = "all ratings are the same" if sample.n else "no unit has two ratings"
    estimate = boot.estimate(boot.value(statistic), replicates, undefined=undefined)
    return replace(estimate, coverage=sample.n / len(table))


class _Alpha:
    """Krippendorff's alpha for any weights of the clusters."""

    def __init__(self, table: Scores, level: Level, codes: Codes | None) -> None:
        unit, _ = np.nonzero(~np.isnan(table))
        self._values, value = np.unique(table[~np.isnan(table)], return_inverse=True)
        # How many raters gave each unit each value; sparse, for ratings may be all distinct.
        shape = (len(table), len(self._values))
        self._tally = csr_array((np.ones(len(unit)), (unit, value)), shape=shape)
        self._m: Scores = self._tally.sum(axis=1)
        self._level, self._codes = level, codes

    def __call__(self, counts: Scores) -> Scores:
        """Alpha under each row of counts (r, n_units): shape (r,), NaN where undefined."""
        weights = counts if self._codes is None else counts.take(self._codes, axis=1)
        frequency: Scores = (self._tally.T @ weights.T).T
        if self._level == "nominal":
            within = self._m**2 - self._tally.power(2).sum(axis=1)
            among = frequency.sum(axis=1) ** 2 - (frequency**2).sum(axis=1)
        else:
            within, among = self._squared_distances(frequency)
        observed = (weights * (within / (self._m - 1))).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            alpha = 1 - (frequency.sum(axis=1) - 1) * observed / among
        varied = np.count_nonzero(frequency, axis=1) > 1
        return np.where(varied, alpha, np.nan)

    def _squared_distances(self, frequency: Scores) -> tuple[Scores, Scores]:
        """Sums over ordered pairs of ratings, within each unit (r, n_units) and among all (r,)."""
        n = frequency.sum(axis=1, keepdims=True)
        place = np.broadcast_to(self._values, frequency.shape)
        if self._level == "ordinal":
            place = np.cumsum(frequency, axis=1) - frequency / 2
        with np.errstate(invalid="ignore"):
            # The sum over pairs is 2 (m sum x^2 - (sum x)^2); centred, it keeps its digits.
            place = place - (frequency * place).sum(axis=1, keepdims=True) / n
        total = (self._tally @ place.T).T
        within = 2 * (self._m * (self._tally @ (place**2).T).T - total**2)
        among = 2 * n[:, 0] * (frequency * place**2).sum(axis=1)
        return within, among
