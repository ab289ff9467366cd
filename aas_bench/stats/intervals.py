"""How sure a number is: one engine for all intervals, by cluster, without resampling.

A statistic hands over its value and its *influence* on each row: how much the value would change
for one more copy of the row, so that value - truth is about the sum of the influences. Rows of one
cluster move together, so the variance is that of the influences summed by cluster (Taylor
linearisation). Three things make it hold where clusters are few or unequal:

- sums of residuals are too small, those of large clusters most: each square is divided by its
  expected share of the truth under a working model (rows of a cluster correlate with the
  intraclass correlation that the data show), as in Bell and McCaffrey's CR2;
- the variance is itself uncertain: Student's t replaces the normal, with Satterthwaite's degrees
  of freedom under the same working model (equal clusters: their number less one);
- the interval is taken on a scale on which the error does not depend on the value: Wilson's for
  shares, Fisher's z for correlations, Fieller's for ratios whose denominator is noisy.

Everything is O(n), and exact for the same rows in any order but for rounding.

Source:
    Binder, On the variances of asymptotically normal estimators from complex surveys,
    International Statistical Review 51, 1983; Bell and McCaffrey, Bias reduction in standard
    errors for linear regression with multi-stage samples, Survey Methodology 28, 2002;
    Satterthwaite, An approximate distribution of estimates of variance components, Biometrics
    Bulletin 2, 1946; Korn and Graubard, Confidence intervals for proportions with small expected
    number of positive counts estimated from survey data, Survey Methodology 24, 1998 (the
    effective sample size in an interval for a proportion).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import ndtri, stdtrit

from aas_bench.errors import InputError
from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import Codes, Estimate, Scores
from aas_bench.stats.inputs import Sample, check_confidence_level

Scale: TypeAlias = Literal["plain", "wilson", "fisher"]
Bounds: TypeAlias = tuple[float, float]
Ends: TypeAlias = tuple[float, float]

SHARE: Bounds = (0.0, 1.0)
SIGNED: Bounds = (-1.0, 1.0)
# Events whose evidence on clustering weighs as much as the guess before it. Of 0, 0.15, 0.4 and 1,
# 0.4 held best in simulations of 9 to 300 clusters and rates of 0.9 and 0.98.
PRIOR_EVENTS = 0.4


def wilson(n_hits: float, n: float, *, confidence_level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a rate whose trials are independent.

    (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n), with p = n_hits / n and z
    the normal quantile at (1 + confidence_level) / 2.

    Args:
        n_hits: Successes, in [0, n]; halves are allowed.
        n: Trials, above 0.
        confidence_level: Nominal coverage, in (0, 1).

    Returns:
        Lower and upper end, in [0, 1].

    Raises:
        InputError: The counts or the level lie outside their ranges.

    Source:
        Wilson, Probable inference, the law of succession, and statistical inference, Journal of
        the American Statistical Association 22, 1927.

    Example:
        >>> low, high = wilson(5, 10)
        >>> round(low, 4), round(high, 4)
        (0.2366, 0.7634)
    """
    check_confidence_level(confidence_level)
    if not (n > 0 and 0 <= n_hits <= n):
        msg = f"{n_hits} successes of {n} trials give no rate. Give 0 <= n_hits <= n and n > 0."
        raise InputError(msg)
    return _wilson(n_hits / n, n, float(ndtri((1 + confidence_level) / 2)))


def _wilson(p: float, n: float, quantile: float) -> Ends:
    square = quantile * quantile
    centre, scale = p + square / (2 * n), 1 + square / n
    half = quantile * float(np.sqrt(p * (1 - p) / n + square / (4 * n * n)))
    low = 0.0 if p == 0 else (centre - half) / scale
    high = 1.0 if p == 1 else (centre + half) / scale
    return low, high


@dataclass(frozen=True)
class Clusters:
    """A partition of rows: those of one cluster share a code.

    Attributes:
        n: Rows.
        codes: Shape (n,), whole numbers from 0. None: each row is its own.

    Example:
        >>> Clusters(3, np.array([0, 0, 1])).sums(np.array([1.0, 2.0, 4.0])).tolist()
        [3.0, 4.0]
    """

    n: int
    codes: Codes | None = None

    def sums(self, column: Scores) -> Scores:
        """Sum of a column (n,) in each cluster, shape (n_clusters,)."""
        if self.codes is None:
            return column
        return np.bincount(self.codes, column).astype(np.float64, copy=False)

    def sizes(self) -> Scores:
        """Rows of each cluster."""
        return self.sums(np.ones(self.n))


@dataclass(frozen=True, kw_only=True)
class Variance:
    """What the influences on a value say of its error.

    Attributes:
        factors: What each cluster's squared sum is multiplied by, shape (n_clusters,).
        variance: Of the value.
        dof: Degrees of freedom of that variance, at least 1.
        independent: The variance, were rows independent.
        n_effective: Equal clusters that would carry as much: 1 / sum of the squared weights.
        most: Design effect, were each cluster a single trial.
    """

    factors: Scores
    variance: float
    dof: float
    independent: float
    n_effective: float
    most: float


def cluster_variance(sums: Scores, weights: Scores, independent: float, n: float) -> Variance:
    """Variance of a value whose influences have been summed by cluster.

    With U_g the sum of the influences in cluster g, w_g its share of the weight, and q_g = w_g (1 -
    r) + n w_g^2 r proportional to the variance of its total under the working model, V = sum of
    U_g^2 q_g / (q_g (1 - 2 w_g) + w_g^2 sum q): unbiased under that model, and near it otherwise.
    Its degrees of freedom are 2 E(V)^2 / var(V) under the model, with normal errors. The intraclass
    correlation r is (d - 1) / (n sum w^2 - 1), cut to [0, 1], with d the design effect found by V
    at r = 0.

    Args:
        sums: Shape (n_clusters,), summing to 0.
        weights: Shape (n_clusters,), what each cluster weighs in the value; above 0 in two or more.
        independent: Sum of the squared influences of single rows.
        n: Rows that the value rests on, above 1.

    Returns:
        Variance.

    Example:
        >>> found = cluster_variance(np.array([-1.0, 0.0, 1.0]), np.ones(3), 2.0, 3)
        >>> round(found.variance, 6), round(found.dof, 6)
        (3.0, 2.0)
    """
    w = weights / weights.sum()
    concentration = float(w @ w)
    most = n * concentration
    independent *= n / (n - 1)
    effect = float((sums * sums / (1 - w)).sum()) / independent if independent > 0 else most
    r = min(max((effect - 1) / (most - 1), 0.0), 1.0) if most > 1 + 1e-9 else 0.0
    q = w * (1 - r + n * w * r)
    total = float(q.sum())
    a = np.divide(q, q * (1 - 2 * w) + total * w * w, out=np.zeros_like(q), where=w > 0)
    # 2 / dof is the sum over g, h of a_g a_h c_gh^2 / total^2, with c = diag(q) - q w' - w q' +
    # total w w' the covariance of the sums.
    qq, ww, qw = float(a @ (q * q)), float(a @ (w * w)), float(a @ (q * w))
    spread = float((a * a * q) @ (q - 4 * q * w + 2 * total * w * w))
    spread += 2 * qq * ww + (total * ww) ** 2 + 2 * qw * qw - 4 * total * qw * ww
    return Variance(
        factors=a,
        variance=float(a @ (sums * sums)),
        dof=max(total * total / spread, 1.0),
        independent=independent,
        n_effective=1 / concentration,
        most=most,
    )


class Intervals:
    """The intervals of one sample; without clusters, each pair is its own.

    Args:
        sample: Pairs that have all their scores.
        analysis: Its confidence level is what is read.

    Example:
        >>> from aas_bench.stats.inputs import read_sample
        >>> sample = read_sample({"x": [1.0, 2.0, 4.0, 9.0]}, clusters=["a", "a", "b", "c"])
        >>> Intervals(sample, Analysis()).mean(sample.scores["x"], undefined="no pair").value
        4.0
    """

    def __init__(self, sample: Sample, analysis: Analysis) -> None:
        self.n = sample.n
        self.clusters = Clusters(sample.n, _compact(sample.clusters))
        self._coverage = sample.coverage
        self._upper = (1 + analysis.confidence_level) / 2

    def mean(self, column: Scores, *, undefined: str, bounds: Bounds | None = None) -> Estimate:
        """Mean of a column (n,) with a t interval.

        Args:
            column: One number per row.
            undefined: The reason to give where there is no row.
            bounds: The least and the most that the mean can be, where there are such.
        """
        if self.n == 0:
            return self.none(undefined)
        value = float(column.mean())
        return self.estimate(value, (column - value) / self.n, bounds=bounds)

    def rate(self, hits: Scores, among: Scores | None = None, *, undefined: str) -> Estimate:
        """Share of the trials that are hits, with Wilson's interval by cluster.

        Where every cluster holds a single trial, and each is a hit or none, this is Wilson's own
        interval.

        Args:
            hits: Shape (n,), from 0 to what `among` says.
            among: Shape (n,), in [0, 1]: how much of a trial each row is. None: all rows are one.
            undefined: The reason to give where there is no trial.
        """
        trials = np.ones(self.n) if among is None else among
        n = float(trials.sum())
        if n == 0:
            return self.none(undefined)
        value = float(hits.sum()) / n
        weights = self.clusters.sums(trials)
        single = np.isin(weights, (0, 1)).all() and np.isin(hits, (0, 1)).all()
        if single and n > 1:
            ends = _wilson(value, n, float(ndtri(self._upper)))
            return self._build(value, ends, weights)
        influence = (hits - value * trials) / n
        return self.estimate(value, influence, scale="wilson", bounds=SHARE, weight=trials)

    def ratio(
        self,
        numerator: Scores,
        denominator: Scores,
        *,
        undefined: str,
        uncertain: str,
        bounds: Bounds | None = None,
    ) -> Estimate:
        """mean(numerator) / mean(denominator) with Fieller's interval by cluster.

        The ratios v for which a t test does not reject mean(numerator - v denominator) = 0.

        Args:
            numerator: Shape (n,).
            denominator: Shape (n,).
            undefined: The reason to give where the mean denominator is 0.
            uncertain: The reason to give where that mean may be 0, so that the set has no ends.
            bounds: The least and the most that the ratio can be; the interval is cut to them.

        Source:
            Fieller, Some problems in interval estimation, Journal of the Royal Statistical Society
            B 16, 1954.
        """
        below = float(denominator.mean()) if self.n else 0.0
        if below == 0:
            return self.none(undefined, n=self.n)
        above = float(numerator.mean())
        value, sizes = above / below, self.clusters.sizes()
        if np.count_nonzero(sizes) < 2:
            return self._build(value, self._one(), sizes)
        error = self._variance((numerator - value * denominator) / self.n, sizes, self.n)
        t2 = self._quantile(error) ** 2
        x = (self.clusters.sums(numerator) - sizes * above) / self.n
        y = (self.clusters.sums(denominator) - sizes * below) / self.n
        a = below * below - t2 * float(error.factors @ (y * y))
        b = above * below - t2 * float(error.factors @ (x * y))
        c = above * above - t2 * float(error.factors @ (x * x))
        if a <= 0:
            return self._build(value, f"no interval: {uncertain}", sizes)
        half = float(np.sqrt(max(b * b - a * c, 0.0)))
        return self._build(value, _cut((b - half) / a, (b + half) / a, bounds), sizes)

    def estimate(
        self,
        value: float,
        influence: Scores,
        *,
        scale: Scale = "plain",
        bounds: Bounds | None = None,
        weight: Scores | None = None,
    ) -> Estimate:
        """Any smooth statistic with its interval.

        Args:
            value: The statistic of all rows.
            influence: Shape (n,), summing to 0: the change of the value for one more copy of a row.
            scale: "plain": value -+ t times the error. "wilson", which needs bounds: the v for
                which (value - v)^2 <= t^2 V (v - low)(high - v) / ((value - low)(high - value)).
                "fisher", for correlations: plain after artanh.
            bounds: The least and the most that the statistic can be. At a bound, or where nothing
                varies, each cluster counts as one trial, so that no interval lacks a width.
            weight: Shape (n,), what each row weighs in the value: n counts its sum. None: all 1.
        """
        weights = self.clusters.sizes() if weight is None else self.clusters.sums(weight)
        if np.count_nonzero(weights) < 2:
            return self._build(value, self._one(), weights)
        n = max(float(weights.sum()), float(np.count_nonzero(weights)))
        error = self._variance(influence, weights, n)
        if scale == "plain":
            ends = self._plain(value, error, bounds)
        elif scale == "fisher" and abs(value) < 1:
            half = self._quantile(error) * float(np.sqrt(error.variance)) / (1 - value * value)
            middle = float(np.arctanh(value))
            ends = float(np.tanh(middle - half)), float(np.tanh(middle + half))
        else:
            ends = self._score(value, error, n, bounds or SIGNED)
        return self._build(value, ends, weights)

    def none(self, reason: str, *, n: int = 0) -> Estimate:
        """A value that is undefined, over n pairs."""
        return self._build(None, reason, self.clusters.sizes() if n else np.zeros(0))

    def _variance(self, influence: Scores, weights: Scores, n: float) -> Variance:
        sums = self.clusters.sums(influence)
        return cluster_variance(sums, weights, float(influence @ influence), n)

    def _quantile(self, error: Variance) -> float:
        return float(stdtrit(error.dof, self._upper))

    def _plain(self, value: float, error: Variance, bounds: Bounds | None) -> Ends:
        half = self._quantile(error) * float(np.sqrt(error.variance))
        if bounds is not None and error.variance == 0:
            # Nothing was seen to vary, in so many clusters.
            unseen = _wilson(0.0, error.n_effective, self._quantile(error))[1]
            half = unseen * (bounds[1] - bounds[0]) / 2
        return _cut(value - half, value + half, bounds)

    def _score(self, value: float, error: Variance, n: float, bounds: Bounds) -> Ends:
        low, span = bounds[0], bounds[1] - bounds[0]
        p = min(max((value - low) / span, 0.0), 1.0)
        n_effective = error.n_effective
        if 0 < p < 1 and error.independent > 0:
            effect = error.variance / error.independent
            # A few events say little of how they cluster: some weight goes to the geometric middle
            # of not at all and clusters that are single trials.
            events = n * min(p, 1 - p)
            prior = max(effect, float(np.sqrt(error.most)))
            effect = (events * effect + PRIOR_EVENTS * prior) / (events + PRIOR_EVENTS)
            n_effective = p * (1 - p) * span * span / (error.independent * effect)
        ends = _wilson(p, n_effective, self._quantile(error))
        return low + span * ends[0], low + span * ends[1]

    def _one(self) -> str:
        unit = "pair" if self.clusters.codes is None else "cluster"
        return f"no interval: only one {unit}"

    def _build(self, value: float | None, found: Ends | str, weights: Scores) -> Estimate:
        low, high, reason = (None, None, found) if isinstance(found, str) else (*found, None)
        return Estimate(
            value=value,
            low=low,
            high=high,
            n=round(float(weights.sum())),
            n_clusters=None if self.clusters.codes is None else int(np.count_nonzero(weights)),
            coverage=self._coverage,
            reason=reason,
        )


def _compact(codes: Codes | None) -> Codes | None:
    """The codes without gaps, so that a part of a table costs and gives what it would alone."""
    if codes is None:
        return None
    occurs = np.bincount(codes) > 0
    return codes if occurs.all() else (np.cumsum(occurs) - 1)[codes]


def _cut(low: float, high: float, bounds: Bounds | None) -> Ends:
    return (low, high) if bounds is None else (max(low, bounds[0]), min(high, bounds[1]))
