"""The swap: a real request against a placebo, and the two exchanged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from aas_bench.stats.estimate import Mask, Scores
from aas_bench.stats.intervals import PRIOR_EVENTS, Variance

ROUNDING: Final = 1e-12


@dataclass(frozen=True, kw_only=True)
class Swap:
    """What each pair shows, averaged over its comparisons of one real and one placebo request.

    A comparison holds R, the gain of the requested image on the polished one under the real
    request, and Q, its gain under the placebo. Every column has shape (n,) and lies in [0, 1].

    Attributes:
        ahead: Share of comparisons with R > Q.
        behind: Share with R < Q.
        lost: Share with R > Q and R <= 0: the request moved the score, the polished image won.
        mirrored: Share with R < Q and Q <= 0: the same with R and Q exchanged.
    """

    ahead: Scores
    behind: Scores
    lost: Scores
    mirrored: Scores

    @property
    def moved(self) -> Scores:
        """Mean of S = sign(R - Q), shape (n,), in [-1, 1]."""
        return self.ahead - self.behind

    @property
    def overridden(self) -> Scores:
        """Mean of S where max(R, Q) <= 0, else 0; shape (n,), in [-1, 1]."""
        return self.lost - self.mirrored

    def where(self, keep: Mask) -> Swap:
        """Some of the pairs."""
        return Swap(
            ahead=self.ahead[keep],
            behind=self.behind[keep],
            lost=self.lost[keep],
            mirrored=self.mirrored[keep],
        )


@dataclass(frozen=True, kw_only=True)
class Comparisons:
    """All comparisons of a sample.

    Attributes:
        swaps: By the weight that a gain of 0 has as a win of the polished image: 1, 0.5, 0.
        n_ties: Comparisons with R = Q.
        n_zero: Pairs with a real gain of 0 under at least one wording.
    """

    swaps: dict[float, Swap]
    n_ties: int
    n_zero: int


def compare(real: Scores, placebo: Scores, *, tolerance: Scores) -> Comparisons:
    """Compare every real gain of a pair with every placebo gain of it.

    Args:
        real: Shape (n, n_wordings), NaN where absent; each pair has at least one.
        placebo: Shape (n, n_placebos), NaN where absent; each pair has at least one.
        tolerance: Shape (n,): differences of gains below this size are 0, and gains below half of
            it, which carry half the rounding.
    """
    n = len(real)
    n_compared, ahead, behind = np.zeros(n), np.zeros(n), np.zeros(n)
    below = {sign: np.zeros(n) for sign in (1, -1)}
    at_zero = {sign: np.zeros(n) for sign in (1, -1)}
    n_ties = 0
    for r in real.T:
        for q in placebo.T:
            # NaN compares as False everywhere below.
            there = ~np.isnan(r) & ~np.isnan(q)
            n_compared += there
            gap, higher = _sign(r - q, tolerance), _sign(np.maximum(r, q), tolerance / 2)
            for sign, total in ((1, ahead), (-1, behind)):
                total += gap == sign
                below[sign] += (gap == sign) & (higher == -1)
                at_zero[sign] += (gap == sign) & (higher == 0)
            n_ties += int((there & (gap == 0)).sum())
    swaps = {
        weight: Swap(
            ahead=ahead / n_compared,
            behind=behind / n_compared,
            lost=(below[1] + weight * at_zero[1]) / n_compared,
            mirrored=(below[-1] + weight * at_zero[-1]) / n_compared,
        )
        for weight in (1.0, 0.5, 0.0)
    }
    n_zero = int((_sign(real, tolerance[:, None] / 2) == 0).any(axis=1).sum())
    return Comparisons(swaps=swaps, n_ties=n_ties, n_zero=n_zero)


def _sign(values: Scores, tolerance: Scores) -> Scores:
    """1, 0 or -1, NaN where a value is missing."""
    return np.where(np.abs(values) < tolerance, 0.0, np.sign(values))


@dataclass(frozen=True, kw_only=True)
class Spread:
    """What clusters say of the error of a mean; see `intervals.cluster_variance`."""

    found: Variance
    quantile: float
    n: int

    def per_trial(self, wins: float, others: float, at_estimate: float) -> float:
        """t^2 times the variance of the mean, in units of the variance of one comparison.

        Args:
            wins: Share of comparisons that count for the rate.
            others: Share that count against it; few of either say little of how they cluster.
            at_estimate: Variance of one comparison at the estimate.
        """
        found = self.found
        if min(at_estimate, self.n * found.independent) < ROUNDING:
            return self.quantile**2 / found.n_effective
        effect = found.variance / found.independent
        events = self.n * min(wins, others)
        prior = max(effect, math.sqrt(found.most))
        effect = (events * effect + PRIOR_EVENTS * prior) / (events + PRIOR_EVENTS)
        return self.quantile**2 * found.independent * effect / at_estimate


def rate_interval(swap: Swap, spread: Spread) -> tuple[float, float]:
    """The override rates O in [0, 1] that a score test of mean(overridden - O moved) = 0 keeps.

    With u and N the means of `moved` and `overridden`, b and m those of |S| and `mirrored`, the
    variance of one comparison under a rate O is

        V(O) = (1 - O)^2 e + O^2 (b - e),  e = O u + 2 m

    and the interval holds the O with (N - O u)^2 <= t^2 f V(O), a quadratic inequality. f is what
    makes f V the cluster-robust variance of mean(overridden - O moved) at the estimate. Where every
    pair is understood (u = b = 1, m = 0), V(O) = O (1 - O), and this is Wilson's interval; with the
    variance at the estimate in the place of V(O) it would be Fieller's. Where the estimate leaves
    no variance (a rate of 0 or 1), each cluster counts as one trial.

    Args:
        swap: The pairs; the mean of `moved` is above 0.
        spread: Of mean(overridden - O moved), O being the estimate cut to [0, 1].

    Source:
        Fieller, Some problems in interval estimation, Journal of the Royal Statistical Society B
        16, 1954; Wilson, Probable inference, the law of succession, and statistical inference,
        Journal of the American Statistical Association 22, 1927.
    """
    u, lost = float(swap.moved.mean()), float(swap.overridden.mean())
    b, m = float((swap.ahead + swap.behind).mean()), float(swap.mirrored.mean())
    rate = clipped(lost / u)
    e = rate * u + 2 * m
    k = spread.per_trial(e, b - e, (1 - rate) ** 2 * e + rate**2 * (b - e))
    ends = _between(
        u * u + k * (2 * u - b), lost * u + k * (u / 2 - 2 * m), lost * lost - 2 * k * m
    )
    low, high = (0.0, 1.0) if ends is None else ends
    return min(clipped(low), rate), max(clipped(high), rate)


def share_interval(swap: Swap, spread: Spread) -> tuple[float, float]:
    """The shares N in [-1, 1] that a score test of mean(overridden) = N keeps.

    As `rate_interval`, with V(N) = N - N^2 + 2 m; Wilson's interval where m = 0.

    Args:
        swap: The pairs.
        spread: Of mean(overridden).
    """
    share, m = float(swap.overridden.mean()), float(swap.mirrored.mean())
    counted = share + 2 * m
    k = spread.per_trial(counted, 1 - counted, counted - share**2)
    ends = _between(1 + k, share + k / 2, share**2 - 2 * k * m)
    assert ends is not None
    return min(max(ends[0], -1.0), share), max(min(ends[1], 1.0), share)


def _between(a: float, h: float, c: float) -> tuple[float, float] | None:
    """Where a x^2 - 2 h x + c <= 0; None where that is no bounded interval."""
    if a <= 0:
        return None
    root = math.sqrt(max(h * h - a * c, 0.0))
    return (h - root) / a, (h + root) / a


def clipped(rate: float) -> float:
    """The nearest number in [0, 1]."""
    return min(max(rate, 0.0), 1.0)
