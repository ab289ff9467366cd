"""How far raters agree, and how far two columns rise together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from aas_bench.stats import midranks
from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import Estimate, OnMissing, Scores
from aas_bench.stats.inputs import check_choice, read_ratings, read_sample
from aas_bench.stats.intervals import SIGNED, Intervals

Level: TypeAlias = Literal["nominal", "ordinal", "interval"]


def spearman(
    x: ArrayLike,
    y: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
) -> Estimate:
    """Spearman's rank correlation, such as of a judge's scores and a reward.

    Pearson's correlation of the midranks of the two columns.

    Args:
        x: Shape (n,), float; NaN or None where a value is missing.
        y: Shape (n,), float.
        clusters: Shape (n,): the base prompt of each pair. None counts pairs as independent.
        on_missing: "raise", or "drop" the pairs without both and lower the coverage.
        confidence_level: Nominal coverage of the interval, in (0, 1).

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
    analysis = Analysis(confidence_level=confidence_level, on_missing=on_missing)
    sample = read_sample({"x": x, "y": y}, clusters=clusters, on_missing=on_missing).complete()
    intervals = Intervals(sample, analysis)
    value, influence = midranks.spearman(sample.scores["x"], sample.scores["y"])
    if np.isnan(value):
        undefined = "a column is constant" if sample.n else "no pair has both values"
        return intervals.none(undefined, n=sample.n)
    return intervals.estimate(value, influence, scale="fisher", bounds=SIGNED)


def quadratic_kappa(
    a: ArrayLike,
    b: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
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
    analysis = Analysis(confidence_level=confidence_level, on_missing=on_missing)
    sample = read_sample({"a": a, "b": b}, clusters=clusters, on_missing=on_missing).complete()
    intervals = Intervals(sample, analysis)
    x, y = sample.scores["a"], sample.scores["b"]
    # A common shift changes nothing; near 0 the squares keep their digits.
    shift = np.median(x) if sample.n else 0.0
    x, y = x - shift, y - shift
    n, total_x, total_y = max(sample.n, 1), float(x.sum()), float(y.sum())
    squares, apart = x * x + y * y, (x - y) ** 2
    observed, size = float(apart.sum()), float(squares.sum())
    expected = size - 2 * total_x * total_y / n
    # Where the raters are constant and equal, rounding may leave a trace of expected disagreement.
    if expected <= 1e-12 * size:
        undefined = "both raters give one and the same value" if sample.n else "no pair has both"
        return intervals.none(undefined, n=sample.n)
    change = squares - 2 * (x * total_y + total_x * y) / n + 2 * total_x * total_y / n**2
    influence = (observed / expected * change - apart) / expected
    return intervals.estimate(1 - observed / expected, influence, scale="wilson", bounds=SIGNED)


def krippendorff_alpha(
    ratings: ArrayLike,
    *,
    level: Level = "nominal",
    clusters: ArrayLike | None = None,
    confidence_level: float = 0.95,
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
    analysis = Analysis(confidence_level=confidence_level)
    table = read_ratings(ratings)
    n_ratings = (~np.isnan(table)).sum(axis=1)
    several = n_ratings > 1
    sample = read_sample({"n_ratings": n_ratings}, clusters=clusters).where(several)
    intervals = Intervals(sample, analysis)
    value, influence = _alpha(table[several], level)
    if np.isnan(value):
        undefined = "all ratings are the same" if sample.n else "no unit has two ratings"
        estimate = intervals.none(undefined, n=sample.n)
    else:
        estimate = intervals.estimate(value, influence, scale="wilson", bounds=SIGNED)
    return replace(estimate, coverage=sample.n / len(table))


def _alpha(table: Scores, level: Level) -> tuple[float, Scores]:
    """Alpha and the influence of each unit; nan where all ratings are the same."""
    # Only here, for it costs a fifth of a second to import.
    from scipy.sparse import csr_array

    given = ~np.isnan(table)
    unit, _ = np.nonzero(given)
    values, value = np.unique(table[given], return_inverse=True)
    if len(values) < 2:
        return np.nan, np.zeros(len(table))
    # How many raters gave each unit each value; sparse, for ratings may be all distinct.
    tally: Any = csr_array((np.ones(len(unit)), (unit, value)), shape=(len(table), len(values)))
    m: Scores = tally.sum(axis=1)
    frequency: Scores = tally.sum(axis=0)
    n = float(frequency.sum())
    moved: Scores = np.zeros(len(table))
    if level == "nominal":
        within = m**2 - tally.power(2).sum(axis=1)
        among = n**2 - float(frequency @ frequency)
        among_change: Scores = 2 * (n * m - tally @ frequency)
    else:
        place = values if level == "interval" else np.cumsum(frequency) - frequency / 2
        # The sum over pairs is 2 (m sum x^2 - (sum x)^2); centred, it keeps its digits.
        place = place - float(frequency @ place) / n
        first, second = tally @ place, tally @ place**2
        squares = float(frequency @ place**2)
        within, among = 2 * (m * second - first**2), 2 * n * squares
        among_change = 2 * (m * squares + n * second)
        if level == "ordinal":
            # A further unit moves the places of the values above its own, and so all distances.
            pull = place * (tally.T @ (m / (m - 1))) - tally.T @ (first / (m - 1))
            moved = tally @ _from_above(4 * pull)
            among_change = among_change + tally @ _from_above(4 * n * frequency * place)
    each = within / (m - 1)
    observed = float(each.sum())
    change = (n - 1) * (observed * among_change / among - each - moved) - m * observed
    return 1 - (n - 1) * observed / among, (change - change.mean()) / among


def _from_above(slope: Scores) -> Scores:
    """What one more rating of each value adds, through the midranks of it and those above."""
    return np.cumsum(slope[::-1])[::-1] - slope / 2
