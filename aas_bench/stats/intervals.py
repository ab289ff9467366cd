"""How sure a number is: Wilson intervals and the bootstrap over clusters.

This is the one place where pairs are resampled. A resample draws as many clusters as there are,
with replacement and all its pairs at once; every statistic is computed from how often each cluster
was drawn, so that no row is ever copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from aas_bench.errors import InputError
from aas_bench.stats.estimate import Codes, Estimate, Mask, Scores
from aas_bench.stats.inputs import Sample

# Elements of one (resamples x pairs) block; small enough to stay in a processor's cache.
BLOCK = 1 << 15
# An interval is given only if at least this share of the resamples has a defined value.
LEAST_DEFINED = 0.9

Counts = NDArray[np.float64]
Statistic = Callable[[Counts], Scores]


def wilson(n_hits: float, n: float, confidence_level: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a rate.

    (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n), with p = n_hits / n and z
    the normal quantile of (1 + confidence_level) / 2.

    Args:
        n_hits: Successes, in [0, n]; halves are allowed.
        n: Trials, above 0.
        confidence_level: In (0, 1).

    Returns:
        Lower and upper end, in [0, 1].

    Source:
        Wilson, Probable inference, the law of succession, and statistical inference, JASA 1927.

    Example:
        >>> low, high = wilson(5, 10)
        >>> round(low, 4), round(high, 4)
        (0.2366, 0.7634)
    """
    z = float(ndtri((1 + confidence_level) / 2))
    p = n_hits / n
    centre = p + z * z / (2 * n)
    half = z * float(np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)))
    scale = 1 + z * z / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """Options of an interval.

    Attributes:
        confidence_level: Nominal coverage, in (0, 1).
        n_resamples: Bootstrap resamples; 0 gives no bootstrap interval.
        seed: Of the random generator; equal seeds give equal intervals.
    """

    confidence_level: float = 0.95
    n_resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.confidence_level < 1:
            msg = f"confidence_level={self.confidence_level!r} is not between 0 and 1. Use 0.95."
            raise InputError(msg)
        for name, value in (("n_resamples", self.n_resamples), ("seed", self.seed)):
            if not isinstance(value, int | np.integer) or value < 0:
                msg = f"{name}={value!r} is not a whole number of 0 or more."
                raise InputError(msg)


class Bootstrap:
    """The pairs of one sample, resampled by cluster; pairs without clusters are one each.

    Args:
        sample: Checked pairs.
        options: Confidence level, resamples, seed.
    """

    def __init__(self, sample: Sample, options: Resampling) -> None:
        self.options = options
        self.n = sample.n
        self.coverage = sample.coverage
        self.clustered = sample.clusters is not None
        self.codes: Codes | None = None
        self.n_units = sample.n
        if sample.clusters is not None:
            present, codes = np.unique(sample.clusters, return_inverse=True)
            self.codes, self.n_units = codes.astype(np.int64), len(present)

    def counts(self) -> Iterator[Counts]:
        """How often each cluster was drawn: blocks of shape (resamples, n_units)."""
        rng = np.random.default_rng(self.options.seed)
        done, step = 0, max(1, BLOCK // max(self.n, 1))
        while done < self.options.n_resamples:
            rows = min(step, self.options.n_resamples - done)
            drawn = rng.integers(0, self.n_units, size=(rows, self.n_units))
            drawn += np.arange(rows)[:, None] * self.n_units
            flat = np.bincount(drawn.ravel(), minlength=rows * self.n_units)
            yield flat.reshape(rows, self.n_units).astype(np.float64)
            done += rows

    def unit_sums(self, columns: Scores) -> Scores:
        """Sums of the columns (n, k) within each cluster, shape (n_units, k)."""
        if self.codes is None:
            return columns
        sums = [np.bincount(self.codes, column, self.n_units) for column in columns.T]
        return np.stack(sums, axis=1)

    def replicates(self, *statistics: Statistic) -> list[Scores]:
        """Each statistic over all resamples, all from the same draws.

        Args:
            statistics: Functions from a block of counts (r, n_units) to values (r, ...).
        """
        if self.n_units < 2 or self.options.n_resamples == 0:
            return [statistic(np.zeros((0, self.n_units))) for statistic in statistics]
        blocks = [[statistic(counts) for statistic in statistics] for counts in self.counts()]
        return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]

    def sums(self, columns: Scores) -> tuple[Scores, Scores]:
        """Sums of the columns (n, k): over all pairs (k,), and over each resample (r, k)."""
        units = self.unit_sums(columns)
        (replicates,) = self.replicates(lambda counts: counts @ units)
        return units.sum(axis=0), replicates

    def estimate(
        self,
        value: float | np.floating,
        replicates: Scores,
        *,
        undefined: str,
        n: int | None = None,
        n_units: int | None = None,
    ) -> Estimate:
        """A value with the percentile interval of its replicates; NaN stands for undefined."""
        value, low, high, reason = float(value), None, None, None
        if np.isnan(value):
            reason = undefined
        else:
            low, high, reason = self._percentiles(replicates, undefined)
        return self._build(value, low, high, reason, n, n_units)

    def rate(
        self,
        n_hits: float,
        n: float,
        replicates: Scores | None,
        *,
        undefined: str,
        n_units: int | None = None,
    ) -> Estimate:
        """n_hits / n with its interval.

        Wilson where pairs are independent. Where they are clustered, the percentiles of the
        replicates; but where the rate is 0 or 1, every resample repeats it and says nothing of
        its error, so there Wilson counts each cluster as one observation.
        """
        if n == 0:
            return self._build(np.nan, None, None, undefined, 0, 0)
        value = n_hits / n
        units = self.n_units if n_units is None else n_units
        if replicates is None or not self.clustered:
            low, high = wilson(n_hits, n, self.options.confidence_level)
        elif n_hits in (0, n):
            low, high = wilson(value * units, units, self.options.confidence_level)
        else:
            return self.estimate(value, replicates, undefined=undefined, n=int(n), n_units=n_units)
        return self._build(value, low, high, None, int(n), n_units)

    def rates(self, hits: Scores, *, undefined: str) -> list[Estimate]:
        """The mean of each column (n, k) of hits in [0, 1]."""
        n = self.n
        if not self.clustered:
            totals = hits.sum(axis=0)
            return [self.rate(float(total), n, None, undefined=undefined) for total in totals]
        base = np.ones((n, 1))
        totals, replicates = self.sums(np.hstack([hits, base]))
        with np.errstate(invalid="ignore"):
            shares = replicates[:, :-1] / replicates[:, -1:]
        return [
            self.rate(float(total), n, share, undefined=undefined)
            for total, share in zip(totals[:-1], shares.T, strict=True)
        ]

    def means(self, columns: Scores, *, undefined: str) -> list[Estimate]:
        """The mean of each column (n, k)."""
        totals, replicates = self.sums(np.hstack([columns, np.ones((self.n, 1))]))
        with np.errstate(invalid="ignore"):
            values, resampled = totals / totals[-1], replicates / replicates[:, -1:]
        return [
            self.estimate(value, resample, undefined=undefined)
            for value, resample in zip(values[:-1], resampled.T[:-1], strict=True)
        ]

    def units_among(self, keep: Mask) -> int:
        """Clusters that have at least one of the pairs in `keep`."""
        return int(keep.sum()) if self.codes is None else len(np.unique(self.codes[keep]))

    def _percentiles(
        self, replicates: Scores, undefined: str
    ) -> tuple[float | None, float | None, str | None]:
        if self.options.n_resamples == 0:
            return None, None, "no interval: n_resamples is 0"
        if self.n_units < 2:
            unit = "cluster" if self.clustered else "pair"
            return None, None, f"no interval: only one {unit}"
        defined = replicates[~np.isnan(replicates)]
        if len(defined) < LEAST_DEFINED * len(replicates):
            lost = len(replicates) - len(defined)
            return None, None, f"no interval: {lost} of {len(replicates)} resamples, {undefined}"
        tail = (1 - self.options.confidence_level) / 2
        low, high = np.quantile(defined, (tail, 1 - tail))
        return float(low), float(high), None

    def _build(
        self,
        value: float,
        low: float | None,
        high: float | None,
        reason: str | None,
        n: int | None,
        n_units: int | None,
    ) -> Estimate:
        units = self.n_units if n_units is None else n_units
        return Estimate(
            value=None if np.isnan(value) else float(value),
            low=low,
            high=high,
            n=self.n if n is None else n,
            n_clusters=units if self.clustered else None,
            coverage=self.coverage,
            reason=reason,
        )
