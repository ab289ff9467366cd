"""Several wordings of one request: behaviour averaged over them, and what they are noise on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from aas_bench.errors import InputError
from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import Estimate, OnMissing, Result, Scores, Ties
from aas_bench.stats.gains import Gains, Table, read_gains
from aas_bench.stats.intervals import Intervals
from aas_bench.stats.placebo import NOT_ABOVE_0, NOT_SHOWN, Kind, Options, PlaceboOverride, analyse
from aas_bench.stats.swap import clipped

LEAST_WORDINGS: Final = 4
ONE_WORDING: Final = "no pair has two wordings"
NO_RESAMPLES: Final = "no interval: nothing was resampled"

# The mixture puts its weights on at most this many of the pairs.
_MOST_ATOMS: Final = 1000
# Steps of expectation and maximisation from equal weights; more change little and add noise.
_STEPS: Final = 200
# Least noise, as a share of the range of the gains, and least density.
_LEAST_NOISE, _TINY = 1e-6, 1e-300


@dataclass(frozen=True, kw_only=True)
class Wordings(Result):
    """Behaviour under several wordings of each pair's request.

    Attributes:
        average: The analysis, with the behaviour of a pair averaged over its wordings.
        understood_by_wording: u over the pairs whose image shows its request, column by column.
        override_rate_by_wording: O the same; None where undefined.
        understood_spread: Standard deviation of u between wordings.
        override_rate_spread: The same of O; None where a wording has none.
        noise: Standard deviation of a pair's real gain between its wordings, pooled over pairs, in
            units of the score; None where no pair has two.
        signal_to_noise: Mean of R - Q over sqrt(2) `noise`: below about 2, wordings decide many
            comparisons and u is well below the share of pairs that are read. None where the noise
            is None or 0.
        n_wordings: Columns.
    """

    average: PlaceboOverride
    understood_by_wording: tuple[float | None, ...]
    override_rate_by_wording: tuple[float | None, ...]
    understood_spread: float | None
    override_rate_spread: float | None
    noise: float | None
    signal_to_noise: float | None
    n_wordings: int


@dataclass(frozen=True, kw_only=True)
class LatentOverride(Result):
    """Understanding and override of what wordings are noise around.

    Attributes:
        understood: u of the latent gains, over pairs whose image shows its request.
        override_rate: O of the latent gains, in [0, 1]; None unless the interval of `understood`
            lies above 0.
        noise_real: Standard deviation of a real gain between wordings, in units of the score.
        noise_placebo: The same of a placebo gain.
        n: Pairs.
        n_missing: Pairs left out because they lack a real or a placebo gain.
    """

    understood: Estimate
    override_rate: Estimate
    noise_real: float
    noise_placebo: float
    n: int
    n_missing: int


def wording_override(
    real: Table,
    placebo: Table,
    *,
    labels: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    kind: Kind | None = None,
    ties: Ties = "original",
    tolerance: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
) -> Wordings:
    """`placebo_override` averaged over wordings, and the noise between them.

    What a model does with a pair, sign(R - Q) and whether the polished image wins, is averaged over
    all combinations of a wording and a placebo; gains are not, which would call a model surer
    than it is under any one wording.

    Args:
        real: Shape (n, W): the gain of each pair under W wordings of its request.
        placebo: As in `placebo_override`, as all that follows.
        labels: As there.
        clusters: As there.
        kind: As there.
        ties: As there.
        tolerance: As there.
        on_missing: As there; "drop" also leaves out missing wordings.
        confidence_level: As there.

    Returns:
        Wordings. Spreads and noise are None with a single wording.

    Raises:
        MissingScoresError: As in `placebo_override`.
        InputError: As in `placebo_override`.

    Example:
        >>> result = wording_override([[1.0, -1.0], [2.0, 3.0]] * 10, [[-2.0], [1.0]] * 10)
        >>> result.average.override_rate.value, result.override_rate_by_wording
        (0.25, (0.0, 0.5))
    """
    analysis = Analysis(confidence_level=confidence_level, ties=ties, on_missing=on_missing)
    gains = read_gains(
        real,
        placebo,
        labels=labels,
        clusters=clusters,
        tolerance=tolerance,
        on_missing=analysis.on_missing,
    )
    options = Options(kind, analysis)
    columns = [analyse(replace(gains, real=column[:, None]), options) for column in gains.real.T]
    understood = tuple(c.understood_shown.value for c in columns)
    rates = tuple(c.override_rate.value for c in columns)
    noise = _within(gains.real, gains.tolerance)
    complete = gains.complete()
    response = np.nanmean(complete.real, axis=1) - np.nanmean(complete.placebo, axis=1)
    return Wordings(
        average=analyse(gains, options),
        understood_by_wording=understood,
        override_rate_by_wording=rates,
        understood_spread=spread_of(understood),
        override_rate_spread=spread_of(rates),
        noise=noise,
        signal_to_noise=float(response.mean() / (np.sqrt(2) * noise))
        if noise and complete.n
        else None,
        n_wordings=gains.real.shape[1],
    )


def latent_override(
    real: Table,
    placebo: Table,
    *,
    labels: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
    n_resamples: int = 100,
    seed: int = 0,
) -> LatentOverride:
    """Look under the noise of wordings: the swap on the distribution of latent gains.

    With a the latent gain of a pair under its request and q under its placebo, the means over
    wordings are R = a + e and Q = q + f, with e and f independent normal of the variance between
    wordings, pooled over pairs, divided by how many there are. The distribution of (a, q) is
    estimated without a shape: of all mixtures on the observed points, one of (nearly) largest
    likelihood. Then u = P(a > q) - P(a < q) and O = [P(a > q, a <= 0) - P(a < q, q <= 0)] / u.

    Wordings of *one* placebo are asked for: requests for several things differ in more than noise.
    The reading rests on the model of the noise, which `placebo_override` does not need; with few
    pairs or much noise its intervals are wide, and near 1 they run below the truth.

    Args:
        real: Shape (n, W), W >= 4: gains under wordings of each pair's request.
        placebo: Shape (n, V), V >= 4: gains under wordings of one placebo of each pair.
        labels: As in `placebo_override`: with labels, only pairs labelled 1 count.
        clusters: As there.
        on_missing: As there; "drop" also leaves out missing wordings.
        confidence_level: As there.
        n_resamples: Resamples of clusters for the percentile intervals; 0 leaves the intervals
            out, and with them the override rate.
        seed: Seed of the resamples.

    Returns:
        LatentOverride.

    Raises:
        MissingScoresError: As in `placebo_override`.
        InputError: As there, or there are fewer than four wordings of either.

    Source:
        Kiefer and Wolfowitz, Consistency of the maximum likelihood estimator in the presence of
        infinitely many incidental parameters, Annals of Mathematical Statistics 27, 1956; Laird,
        Nonparametric maximum likelihood estimation of a mixing distribution, Journal of the
        American Statistical Association 73, 1978 (by expectation and maximisation).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> gain = np.repeat([-2.0, 2.0], 50)[:, None]
        >>> real, placebo = gain + rng.normal(size=(100, 4)), gain - 2 + rng.normal(size=(100, 4))
        >>> result = latent_override(real, placebo, n_resamples=20)
        >>> round(result.understood.value, 1), round(result.override_rate.value, 1)
        (1.0, 0.5)
    """
    analysis = Analysis(
        confidence_level=confidence_level, on_missing=on_missing, n_resamples=n_resamples, seed=seed
    )
    gains = read_gains(
        real,
        placebo,
        labels=labels,
        clusters=clusters,
        tolerance=None,
        on_missing=analysis.on_missing,
    )
    for name, table in (("real", gains.real), ("placebo", gains.placebo)):
        if table.shape[1] < LEAST_WORDINGS:
            msg = (
                f"{name} has {table.shape[1]} wordings. Give {LEAST_WORDINGS} or more, or use "
                "placebo_override."
            )
            raise InputError(msg)
    gains = gains.complete()
    noise = {
        name: _within(t, gains.tolerance)
        for name, t in (("real", gains.real), ("placebo", gains.placebo))
    }
    if gains.sample.label is not None:
        gains = gains.where(gains.sample.label == 1)
    intervals = Intervals(gains.sample, analysis)
    spread_real, spread_placebo = noise["real"] or 0.0, noise["placebo"] or 0.0
    none = intervals.none(NOT_SHOWN if gains.n == 0 else ONE_WORDING, n=gains.n)
    understood = rate = none
    if gains.n and None not in noise.values():
        swaps = _latent_swaps(gains, (spread_real, spread_placebo), n_resamples, seed)
        understood, rate = _estimates(swaps, intervals, confidence_level, gains.n)
    return LatentOverride(
        understood=understood,
        override_rate=rate,
        noise_real=spread_real,
        noise_placebo=spread_placebo,
        n=gains.n,
        n_missing=gains.sample.n_missing,
    )


def _within(gains: Scores, tolerance: Scores) -> float | None:
    """Standard deviation within rows, pooled; None where no row has two values."""
    n_values = (~np.isnan(gains)).sum(axis=1)
    several = gains[n_values > 1]
    if not len(several):
        return None
    apart = several - np.nanmean(several, axis=1, keepdims=True)
    squares = np.nansum(apart[np.abs(apart) >= tolerance[n_values > 1, None]] ** 2)
    return float(np.sqrt(squares / (n_values[n_values > 1] - 1).sum()))


def spread_of(values: Sequence[float | None]) -> float | None:
    """Standard deviation of the values; None with fewer than two, or where one is None."""
    known = [value for value in values if value is not None]
    return float(np.std(known, ddof=1)) if len(known) == len(values) > 1 else None


def _latent_swaps(gains: Gains, noise: tuple[float, float], n_resamples: int, seed: int) -> Scores:
    """Columns u and N of the latent gains: the sample first, then each resample; (1 + r, 2)."""
    points, likelihood = _mixture(gains, noise)
    counts = np.ones((gains.n, 1))
    n_clusters, codes = gains.n, np.arange(gains.n)
    if gains.sample.clusters is not None:
        present, codes = np.unique(gains.sample.clusters, return_inverse=True)
        n_clusters = len(present)
    if n_resamples and n_clusters > 1:
        rng = np.random.default_rng(seed)
        even = np.full(n_clusters, 1 / n_clusters)
        drawn = rng.multinomial(n_clusters, even, size=n_resamples)[:, codes].T
        counts = np.hstack([counts, drawn])
    weights = _maximise(likelihood, counts)
    a, q = points.T
    side = np.sign(a - q)
    swaps: Scores = weights.T @ np.stack([side, side * (np.maximum(a, q) <= 0)], axis=1)
    return swaps


def _mixture(gains: Gains, noise: tuple[float, float]) -> tuple[Scores, Scores]:
    """Points that may bear weight, (m, 2), and the likelihood of each pair at each, (n, m)."""
    tables = (gains.real, gains.placebo)
    means = np.stack([np.nanmean(table, axis=1) for table in tables], axis=1)
    # Every k-th in order of the gains, so that the points do not depend on the order of rows.
    order = np.lexsort(means.T)
    points = means[order[:: -(-gains.n // _MOST_ATOMS)]]
    exponent = np.zeros((gains.n, len(points)))
    for column, (table, sigma) in enumerate(zip(tables, noise, strict=True)):
        n_values = (~np.isnan(table)).sum(axis=1, keepdims=True)
        # Without any noise a point is as likely as its own pair makes it, and no other.
        floor = _LEAST_NOISE * (float(np.ptp(means)) or 1.0)
        error = max(sigma, floor) / np.sqrt(n_values)
        exponent -= ((means[:, column, None] - points[:, column]) / error) ** 2 / 2
    return points, np.exp(exponent - exponent.max(axis=1, keepdims=True))


def _maximise(likelihood: Scores, counts: Scores) -> Scores:
    """Weights of the points, (m, r), for each column of counts of the pairs, (n, r)."""
    n_points = likelihood.shape[1]
    weights = np.full((n_points, counts.shape[1]), 1 / n_points)
    for _ in range(_STEPS):
        density = np.maximum(likelihood @ weights, _TINY)
        weights = weights * (likelihood.T @ (counts / density)) / counts.sum(axis=0)
    return weights


def _estimates(
    swaps: Scores, intervals: Intervals, confidence_level: float, n: int
) -> tuple[Estimate, Estimate]:
    u, lost = swaps.T
    blank = intervals.none(NO_RESAMPLES, n=n)
    if len(u) == 1:
        return replace(blank, value=float(u[0])), blank
    tails = ((1 - confidence_level) / 2, (1 + confidence_level) / 2)
    low, high = (float(end) for end in np.quantile(u[1:], tails))
    understood = replace(blank, value=float(u[0]), low=low, high=high, reason=None)
    if low <= 0:
        return understood, intervals.none(NOT_ABOVE_0, n=n)
    read = u > 0
    rates = np.clip(lost[read] / u[read], 0, 1)
    low, high = (float(end) for end in np.quantile(rates, tails))
    return understood, replace(understood, value=clipped(float(lost[0] / u[0])), low=low, high=high)
