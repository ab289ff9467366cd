"""Slow and obvious oracles for the statistics; nothing here imports the package under test."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm


def auroc_by_counting(margin, label) -> float | None:
    """Count every (1, 0) couple, a tie for a half."""
    ones = [m for m, y in zip(margin, label, strict=True) if y == 1]
    zeros = [m for m, y in zip(margin, label, strict=True) if y == 0]
    if not ones or not zeros:
        return None
    wins = sum((a > b) + (a == b) / 2 for a in ones for b in zeros)
    return wins / (len(ones) * len(zeros))


def outcome(oiop: float, oidp: float, diop: float, didp: float) -> str:
    """One pair's outcome, from the words of its definition."""
    gain_asked, gain_unasked = didp - oidp, diop - oiop
    if gain_asked - gain_unasked > 0:
        return "followed" if gain_asked > 0 else "overridden"
    return "lucky" if gain_asked > 0 else "missed"


def resamples(clusters: Sequence, n_resamples: int, seed: int):
    """Rows of each resample: as many draws of a whole cluster as there are clusters."""
    names = sorted(set(clusters))
    rows = {name: [i for i, c in enumerate(clusters) if c == name] for name in names}
    rng = np.random.default_rng(seed)
    for _ in range(n_resamples):
        drawn = rng.integers(0, len(names), size=len(names))
        yield [row for k in drawn for row in rows[names[k]]]


def bootstrap_by_loop(
    statistic: Callable[[list[int]], float | None],
    clusters: Sequence,
    *,
    n_resamples: int = 1000,
    seed: int = 0,
    confidence_level: float = 0.95,
) -> tuple[float, float]:
    """Percentiles of a statistic of rows over resampled clusters; None is left out."""
    values = [statistic(rows) for rows in resamples(clusters, n_resamples, seed)]
    tail = 50 * (1 - confidence_level)
    low, high = np.percentile([v for v in values if v is not None], [tail, 100 - tail])
    return float(low), float(high)


def wilson_by_search(n_hits: float, n: int, confidence_level: float) -> tuple[float, float]:
    """The rates p whose score test, (rate - p)^2 = z^2 p (1 - p) / n, just does not reject."""
    rate, z = n_hits / n, norm.ppf((1 + confidence_level) / 2)

    def excess(p: float) -> float:
        return (rate - p) ** 2 - z**2 * p * (1 - p) / n

    near_0, near_1 = 1e-12, 1 - 1e-12  # the test also holds with equality at 0 and at 1
    low = 0.0 if rate == 0 else brentq(excess, near_0, min(rate, near_1), xtol=1e-14)
    high = 1.0 if rate == 1 else brentq(excess, max(rate, near_0), near_1, xtol=1e-14)
    return low, high


def quadratic_kappa_by_loop(a, b) -> float:
    """Squared disagreement, against that of all crossed couples of ratings."""
    observed = np.mean([(x - y) ** 2 for x, y in zip(a, b, strict=True)])
    return float(1 - observed / np.mean([(x - y) ** 2 for x in a for y in b]))


def alpha_by_coincidences(ratings, level: str) -> float | None:
    """Krippendorff's alpha from the coincidence matrix and the published distance formulas."""
    units = [[v for v in unit if not np.isnan(v)] for unit in ratings]
    units = [unit for unit in units if len(unit) > 1]
    values = sorted({v for unit in units for v in unit})
    if len(values) < 2:
        return None
    together = np.zeros((len(values), len(values)))
    for unit in units:
        for i, x in enumerate(unit):
            for j, y in enumerate(unit):
                if i != j:
                    together[values.index(x), values.index(y)] += 1 / (len(unit) - 1)
    count = together.sum(axis=1)

    def squared(c: int, k: int) -> float:
        if level == "nominal":
            return float(c != k)
        if level == "interval":
            return (values[c] - values[k]) ** 2
        c, k = min(c, k), max(c, k)
        return (count[c : k + 1].sum() - (count[c] + count[k]) / 2) ** 2

    cells = [(c, k) for c in range(len(values)) for k in range(len(values))]
    observed = sum(together[c, k] * squared(c, k) for c, k in cells)
    expected = sum(count[c] * count[k] * squared(c, k) for c, k in cells)
    return float(1 - (count.sum() - 1) * observed / expected)


def holm_rejects(p_values: Sequence[float], level: float) -> list[bool]:
    """Step down from the smallest: stop at the first p above level / (tests left)."""
    rejected = [False] * len(p_values)
    left = len(p_values)
    for i in sorted(range(left), key=lambda k: p_values[k]):
        if p_values[i] > level / left:
            break
        rejected[i] = True
        left -= 1
    return rejected
