"""How far raters agree, and how far two columns rise together."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

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
    """Spearman's rank correlation."""
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    sample = read_sample({"x": x, "y": y}, clusters=clusters, on_missing=on_missing)
    boot = Bootstrap(sample, options)
    statistic = Spearman(sample.scores["x"], sample.scores["y"], boot.codes)
    (replicates,) = boot.replicates(statistic)
    return boot.estimate(
        statistic(np.ones((1, boot.n_units)))[0],
        replicates,
        undefined="a column is constant" if sample.n else "no pair has both values",
    )


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
    """Cohen's kappa of two raters with quadratic weights."""
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    sample = read_sample({"a": a, "b": b}, clusters=clusters, on_missing=on_missing)
    boot = Bootstrap(sample, options)
    x, y = sample.scores["a"], sample.scores["b"]
    if sample.n:
        # A common shift changes nothing; near zero, the squares keep their digits.
        x, y = x - x.mean(), y - x.mean()
    columns = np.stack([np.ones(sample.n), x, y, x * x + y * y, (x - y) ** 2], axis=1)
    total, replicates = boot.sums(columns)
    return boot.estimate(
        _quadratic_kappa(total),
        _quadratic_kappa(replicates),
        undefined="both raters give one and the same value" if sample.n else "no pair is rated",
    )


def _quadratic_kappa(sums: Scores) -> Scores:
    n, a, b, squares, observed = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = squares - 2 * a * b / n
        kappa: Scores = np.where(expected <= 1e-12 * squares, np.nan, 1 - observed / expected)
    return kappa


def krippendorff_alpha(
    ratings: ArrayLike,
    *,
    level: Level = "nominal",
    clusters: ArrayLike | None = None,
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Krippendorff's alpha of two or more raters, any of whom may skip any unit."""
    check_choice("level", level, get_args(Level))
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    table = read_ratings(ratings)
    given = (~np.isnan(table)).sum(axis=1).astype(np.float64)
    sample = read_sample({"given": given}, clusters=clusters).where(given > 1)
    boot = Bootstrap(sample, options)
    statistic = _Alpha(table[given > 1], level, boot.codes)
    (replicates,) = boot.replicates(statistic)
    estimate = boot.estimate(
        statistic(np.ones((1, boot.n_units)))[0],
        replicates,
        undefined="all ratings are the same" if sample.n else "no unit has two ratings",
    )
    return replace(estimate, coverage=sample.n / sample.n_given)


class _Alpha:
    """1 - observed / expected disagreement, for any weights of the clusters."""

    def __init__(self, table: Scores, level: Level, codes: Codes | None) -> None:
        levels, places = np.unique(table[~np.isnan(table)], return_inverse=True)
        self.level, self.values, self.codes = (
            level,
            levels - levels.mean() if len(levels) else levels,
            codes,
        )
        units = np.nonzero(~np.isnan(table))[0]
        # How many raters gave each unit each value: (n_units, n_values).
        self.tally = np.zeros((len(table), len(levels)))
        np.add.at(self.tally, (units, places), 1)
        self.given = self.tally.sum(axis=1)

    def __call__(self, counts: Scores) -> Scores:
        weights = counts if self.codes is None else counts.take(self.codes, axis=1)
        marginal = weights @ self.tally
        n = marginal.sum(axis=1)
        if self.level == "nominal":
            within = self.given**2 - (self.tally**2).sum(axis=1)
            expected = n**2 - (marginal**2).sum(axis=1)
            observed = weights @ (within / (self.given - 1))
        else:
            # Ordinal distances are those of the midranks within the resample itself.
            places = (
                np.cumsum(marginal, axis=1) - marginal / 2 - n[:, None] / 2
                if self.level == "ordinal"
                else np.broadcast_to(self.values, marginal.shape)
            )
            squares, means = self.tally @ (places**2).T, self.tally @ places.T
            within = (2 * self.given[:, None] * squares - 2 * means**2).T
            observed = (weights * within / (self.given - 1)).sum(axis=1)
            expected = 2 * n * (marginal * places**2).sum(axis=1)
            expected -= 2 * (marginal * places).sum(axis=1) ** 2
        with np.errstate(invalid="ignore", divide="ignore"):
            alpha = 1 - (n - 1) * observed / expected
        constant = (marginal > 0).sum(axis=1) < 2
        return np.where(constant, np.nan, alpha)
