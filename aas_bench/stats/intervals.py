"""How sure a number is: Wilson intervals, and the bootstrap over clusters.

This is the one place where pairs are resampled. A resample draws as many clusters as there are,
with replacement, each with all its pairs; every statistic is computed from how often each cluster
was drawn, so that no row is ever copied.

A replicate that is undefined (a resample with one label only) is NaN in here and is left out of
the percentiles; an Estimate never holds NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.special import ndtri

from aas_bench.errors import InputError
from aas_bench.stats.estimate import Codes, Estimate, Mask, Scores
from aas_bench.stats.inputs import Sample, check_confidence_level, check_count

Statistic: TypeAlias = Callable[[Scores], Scores]

# Elements of one (resamples, pairs) block: few enough to stay in a processor's cache.
BLOCK = 1 << 15
# An interval is given only where at least this share of the resamples has a value.
LEAST_DEFINED = 0.9


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
    z = float(ndtri((1 + confidence_level) / 2))
    p = n_hits / n
    centre, scale = p + z * z / (2 * n), 1 + z * z / n
    half = z * float(np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)))
    low = 0.0 if n_hits == 0 else (centre - half) / scale
    high = 1.0 if n_hits == n else (centre + half) / scale
    return low, high


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """Options of an interval.

    Attributes:
        confidence_level: Nominal coverage, in (0, 1).
        n_resamples: Bootstrap resamples; 0 leaves bootstrap intervals out.
        seed: Seed of the resamples; equal seeds give equal intervals.
    """

    confidence_level: float = 0.95
    n_resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        check_confidence_level(self.confidence_level)
        check_count("n_resamples", self.n_resamples)
        check_count("seed", self.seed)


class Bootstrap:
    """The pairs of one sample, resampled by cluster; without clusters, each pair is its own.

    Args:
        sample: Pairs that have all their scores.
        options: Confidence level, resamples, seed.

    Source:
        Efron, Bootstrap methods: another look at the jackknife, Annals of Statistics 7, 1979; Field
        and Welsh, Bootstrapping clustered data, Journal of the Royal Statistical Society B 69,
        2007.
    """

    def __init__(self, sample: Sample, options: Resampling) -> None:
        self.options = options
        self.n = sample.n
        self.coverage = sample.coverage
        self.codes: Codes | None = None
        self.n_units = sample.n
        if sample.clusters is not None:
            present, codes = np.unique(sample.clusters, return_inverse=True)
            self.codes, self.n_units = codes.astype(np.int64), len(present)

    def counts(self) -> Iterator[Scores]:
        """How often each cluster was drawn: blocks of shape (resamples, n_units)."""
        rng = np.random.default_rng(self.options.seed)
        step = max(1, BLOCK // max(self.n, 1))
        for done in range(0, self.options.n_resamples, step):
            rows = min(step, self.options.n_resamples - done)
            drawn = rng.integers(0, self.n_units, size=(rows, self.n_units))
            drawn += np.arange(rows)[:, None] * self.n_units
            flat = np.bincount(drawn.ravel(), minlength=rows * self.n_units)
            yield flat.reshape(rows, self.n_units).astype(np.float64)

    def replicates(self, *statistics: Statistic) -> list[Scores]:
        """Each statistic over all resamples, all of them from the same draws.

        Args:
            statistics: Functions of a block of counts (r, n_units) with values of shape (r, ...).

        Returns:
            One array of shape (n_resamples, ...) a statistic; empty where fewer than two clusters
            leave nothing to resample.
        """
        if self.n_units < 2 or self.options.n_resamples == 0:
            return [statistic(np.zeros((0, self.n_units))) for statistic in statistics]
        blocks = [[statistic(counts) for statistic in statistics] for counts in self.counts()]
        return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]

    def value(self, statistic: Statistic) -> float:
        """The statistic of the pairs as they are; NaN where it is undefined."""
        return float(statistic(np.ones((1, self.n_units)))[0])

    def unit_sums(self, columns: Scores) -> Scores:
        """Sums of the columns (n, k) within each cluster, shape (n_units, k)."""
        if self.codes is None:
            return columns
        sums = [np.bincount(self.codes, column, self.n_units) for column in columns.T]
        return np.stack(sums, axis=1)

    def sums(self, columns: Scores) -> tuple[Scores, Scores]:
        """Sums of the columns (n, k) over the pairs, (k,), and over each resample, (r, k)."""
        units = self.unit_sums(columns)
        (replicates,) = self.replicates(lambda counts: counts @ units)
        return units.sum(axis=0), replicates

    def units_among(self, keep: Mask) -> int:
        """Clusters that hold at least one of the pairs in `keep`."""
        return int(keep.sum()) if self.codes is None else len(np.unique(self.codes[keep]))

    def means(self, columns: Scores, *, undefined: str) -> list[Estimate]:
        """The mean of each column (n, k)."""
        totals, replicates = self.sums(np.hstack([columns, np.ones((self.n, 1))]))
        with np.errstate(invalid="ignore"):
            values, resampled = totals / totals[-1], replicates / replicates[:, -1:]
        return [
            self.estimate(float(value), resample, undefined=undefined)
            for value, resample in zip(values[:-1], resampled.T[:-1], strict=True)
        ]

    def rates(self, hits: Scores, *, undefined: str) -> list[Estimate]:
        """The mean of each column (n, k) of hits in [0, 1], as a rate."""
        if self.codes is None:
            totals = hits.sum(axis=0)
            return [self.rate(float(total), self.n, None, undefined=undefined) for total in totals]
        totals, replicates = self.sums(np.hstack([hits, np.ones((self.n, 1))]))
        shares = replicates / replicates[:, -1:]
        return [
            self.rate(float(total), self.n, share, undefined=undefined)
            for total, share in zip(totals[:-1], shares.T[:-1], strict=True)
        ]

    def rate(
        self,
        n_hits: float,
        n: int,
        replicates: Scores | None,
        *,
        undefined: str,
        n_units: int | None = None,
    ) -> Estimate:
        """n_hits / n with its interval.

        Wilson's where pairs are independent; else the percentiles of the replicates. But a rate of
        0 or 1 repeats itself in every resample, which says nothing of its error: there, Wilson's
        with each cluster as one trial.

        Args:
            n_hits: Successes.
            n: Trials; the rate is undefined where there are none.
            replicates: The rate in each resample; may be None where pairs are independent.
            undefined: The reason to give where n is 0.
            n_units: Clusters among the n trials; all of them by default.
        """
        units = self.n_units if n_units is None else n_units
        level = self.options.confidence_level
        if n == 0:
            return self._build(None, None, None, undefined, n, units)
        if self.codes is None:
            low, high = wilson(n_hits, n, confidence_level=level)
        elif n_hits in (0, n):
            low, high = wilson(n_hits / n * units, units, confidence_level=level)
        else:
            assert replicates is not None
            return self.estimate(n_hits / n, replicates, undefined=undefined, n=n, n_units=units)
        return self._build(n_hits / n, low, high, None, n, units)

    def estimate(
        self,
        value: float,
        replicates: Scores,
        *,
        undefined: str,
        n: int | None = None,
        n_units: int | None = None,
    ) -> Estimate:
        """A value with the percentile interval of its replicates.

        Args:
            value: NaN stands for undefined.
            replicates: The value in each resample, NaN where undefined.
            undefined: The reason to give where the value, or too many replicates, are undefined.
            n: Pairs that the value rests on; all of them by default.
            n_units: Clusters among those; all of them by default.
        """
        n = self.n if n is None else n
        units = self.n_units if n_units is None else n_units
        if np.isnan(value):
            return self._build(None, None, None, undefined, n, units)
        why_none = self._why_no_interval(replicates, undefined)
        if why_none is not None:
            return self._build(value, None, None, why_none, n, units)
        tail = (1 - self.options.confidence_level) / 2
        low, high = np.quantile(replicates[~np.isnan(replicates)], (tail, 1 - tail))
        return self._build(value, float(low), float(high), None, n, units)

    def _why_no_interval(self, replicates: Scores, undefined: str) -> str | None:
        if self.options.n_resamples == 0:
            return "no interval: n_resamples is 0"
        if self.n_units < 2:
            return f"no interval: only one {'pair' if self.codes is None else 'cluster'}"
        lost = int(np.isnan(replicates).sum())
        if lost > (1 - LEAST_DEFINED) * len(replicates):
            return f"no interval: undefined in {lost} of {len(replicates)} resamples ({undefined})"
        return None

    def _build(
        self,
        value: float | None,
        low: float | None,
        high: float | None,
        reason: str | None,
        n: int,
        n_units: int,
    ) -> Estimate:
        return Estimate(
            value=value,
            low=low,
            high=high,
            n=n,
            n_clusters=None if self.codes is None else n_units,
            coverage=self.coverage,
            reason=reason,
        )
