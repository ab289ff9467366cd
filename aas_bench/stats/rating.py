"""How near predicted ratings come to those that people gave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aas_bench.errors import InputError
from aas_bench.stats import midranks
from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import Codes, Estimate, OnMissing, Result, Scores
from aas_bench.stats.inputs import read_sample
from aas_bench.stats.intervals import SHARE, SIGNED, Intervals


@dataclass(frozen=True, kw_only=True)
class RatingErrors(Result):
    """Predictions against ratings.

    Attributes:
        mae: Mean absolute error of the predictions as they are.
        class_mae: The same within each rating that occurs, then averaged: rare ratings weigh as
            much as frequent ones.
        accuracy: Share of the rounded predictions that are the rating.
        f1: F1 of each rating on the rounded predictions, weighted by how often it occurs.
        pearson: Correlation of the predictions as they are.
        spearman: The same of the ranks.

    Example:
        >>> rating_errors([0.2, 1.6, 1.5], [0, 2, 1]).accuracy.n
        3
    """

    mae: Estimate
    class_mae: Estimate
    accuracy: Estimate
    f1: Estimate
    pearson: Estimate
    spearman: Estimate


def rating_errors(
    prediction: ArrayLike,
    rating: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
) -> RatingErrors:
    """Compare predicted with given ratings on a scale of whole numbers.

    A prediction is rounded to the nearest whole number, a half upwards (`rounded`).

    Args:
        prediction: Shape (n,), float; NaN or None where there is none.
        rating: Shape (n,), whole numbers; NaN or None where there is none.
        clusters: Shape (n,), such as the image, which is rated in several dimensions. None counts
            ratings as independent.
        on_missing: "raise", or "drop" rows without both and lower the coverage.
        confidence_level: Nominal coverage of the intervals, in (0, 1).

    Returns:
        RatingErrors. Correlations are None where a column is constant.

    Raises:
        MissingScoresError: A value is missing and `on_missing` is "raise".
        InputError: A rating is no whole number, or a column or an option does not fit.

    Example:
        >>> found = rating_errors([0.0, 0.9, 2.4, 1.5], [0, 1, 2, 1])
        >>> found.accuracy.value, round(found.mae.value, 3), round(found.class_mae.value, 3)
        (0.75, 0.25, 0.233)
    """
    analysis = Analysis(confidence_level=confidence_level, on_missing=on_missing)
    columns = {"prediction": prediction, "rating": rating}
    sample = read_sample(columns, clusters=clusters, on_missing=on_missing).complete()
    intervals = Intervals(sample, analysis)
    predicted, rated = sample.scores["prediction"], sample.scores["rating"]
    if not sample.n:
        none = intervals.none("no row has both")
        return RatingErrors(
            mae=none, class_mae=none, accuracy=none, f1=none, pearson=none, spearman=none
        )
    if (rated % 1).any():
        msg = "a rating is no whole number. Give whole numbers; predictions may lie between them."
        raise InputError(msg)
    error = np.abs(predicted - rated)
    classes, code = np.unique(np.concatenate([rated, rounded(predicted)]), return_inverse=True)
    truth, guess = code[: sample.n], code[sample.n :]
    return RatingErrors(
        mae=intervals.mean(error, undefined="no row has both"),
        class_mae=_by_class(intervals, error, truth),
        accuracy=intervals.rate((truth == guess).astype(np.float64), undefined="no row has both"),
        f1=_weighted_f1(intervals, truth, guess, len(classes)),
        pearson=_correlation(intervals, *_pearson(predicted, rated)),
        spearman=_correlation(intervals, *midranks.spearman(predicted, rated)),
    )


def rounded(prediction: Scores) -> Scores:
    """The nearest whole number, of a half the higher one; NaN stays.

    Example:
        >>> rounded(np.array([0.4, 0.5, 1.5])).tolist()
        [0.0, 1.0, 2.0]
    """
    return np.floor(prediction + 0.5)


def _by_class(intervals: Intervals, error: Scores, truth: Codes) -> Estimate:
    n = np.bincount(truth)
    mean = np.bincount(truth, error) / np.maximum(n, 1)
    present = int(np.count_nonzero(n))
    value = float(mean.sum()) / present
    return intervals.estimate(value, (error - mean[truth]) / n[truth] / present)


def _weighted_f1(intervals: Intervals, truth: Codes, guess: Codes, k: int) -> Estimate:
    """(1 / n) sum over c of 2 n_c t_c / (n_c + m_c): n_c rated c, m_c predicted, t_c both."""
    n = np.bincount(truth, minlength=k).astype(np.float64)
    m = np.bincount(guess, minlength=k).astype(np.float64)
    t = np.bincount(truth, truth == guess, minlength=k)
    total, size = len(truth), n + m
    value = float((2 * n * t / size).sum()) / total
    influence = (
        (truth == guess) * (2 * n / size)[truth]
        + (2 * t * m / size**2)[truth]
        - (2 * n * t / size**2)[guess]
        - value
    )
    return intervals.estimate(value, influence / total, scale="wilson", bounds=SHARE)


def _pearson(x: Scores, y: Scores) -> tuple[float, Scores]:
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan, np.zeros(len(x))
    x, y = ((column - column.mean()) / column.std() for column in (x, y))
    value = float(np.clip(np.mean(x * y), -1, 1))
    return value, (x * y - value * (x * x + y * y) / 2) / len(x)


def _correlation(intervals: Intervals, value: float, influence: Scores) -> Estimate:
    if np.isnan(value):
        return intervals.none("a column is constant", n=intervals.n)
    return intervals.estimate(value, influence, scale="fisher", bounds=SIGNED)
