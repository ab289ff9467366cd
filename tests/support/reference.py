"""Slow and obvious oracles for the statistics; nothing here imports the package under test."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm, t


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


def influence_by_weights(statistic: Callable[[np.ndarray], float], n: int) -> np.ndarray:
    """Derivative of a statistic of row weights by each weight, at weights of 1."""
    step, slopes = 1e-4, []
    for i in range(n):
        more, less = np.ones(n), np.ones(n)
        more[i] += step
        less[i] -= step
        slopes.append((statistic(more) - statistic(less)) / (2 * step))
    return np.array(slopes)


def cluster_error(influence, clusters, weights=None) -> tuple[float, float, float]:
    """Variance and degrees of freedom of a value from the influences on it, with full matrices.

    The working model: rows of a cluster correlate by r, rows of different clusters do not. Also
    gives 1 / sum w^2.
    """
    influence, weights = (
        np.asarray(influence),
        np.ones(len(influence)) if weights is None else weights,
    )
    names = sorted(set(clusters))
    member = np.array([[c == name for c in clusters] for name in names], dtype=float)
    sums, w = member @ influence, member @ weights / np.sum(weights)
    sums, w = sums[w > 0], w[w > 0]
    n, one = max(float(np.sum(weights)), len(w)), np.ones(len(w))
    # What is left of independent totals once the value is taken off: (I - w 1') total.
    left = np.eye(len(w)) - np.outer(w, one)

    def under(r: float) -> tuple[float, float]:
        cov = left @ np.diag(w * (1 - r) + n * w**2 * r) @ left.T
        factor = np.diag((w * (1 - r) + n * w**2 * r) / np.diag(cov))
        product = factor @ cov
        dof = np.trace(product) ** 2 / np.trace(product @ product)
        return float(sums @ factor @ sums), float(dof)

    alone = float(np.sum(influence**2)) * n / (n - 1)
    effect, most = under(0.0)[0] / alone if alone else n * w @ w, n * float(w @ w)
    r = min(max((effect - 1) / (most - 1), 0.0), 1.0) if most > 1 + 1e-9 else 0.0
    return (*under(r), 1 / float(w @ w))


def t_interval(value: float, influence, clusters, level: float = 0.95) -> tuple[float, float]:
    """The value -+ t times its error by cluster."""
    variance, dof, _ = cluster_error(influence, clusters)
    half = t.ppf((1 + level) / 2, dof) * np.sqrt(variance)
    return value - half, value + half


def score_interval(
    value: float, influence, clusters, weights=None, *, bounds=(0.0, 1.0), level: float = 0.95
) -> tuple[float, float]:
    """The values that a score test with the error between clusters would not reject, by search."""
    influence = np.asarray(influence)
    weights = np.ones(len(influence)) if weights is None else np.asarray(weights)
    variance, dof, n_effective = cluster_error(influence, clusters, weights)
    span = bounds[1] - bounds[0]
    p, z = (value - bounds[0]) / span, t.ppf((1 + level) / 2, dof)
    if 0 < p < 1:
        n = max(float(weights.sum()), len({c for c, w in zip(clusters, weights, strict=True) if w}))
        alone = float((influence**2).sum()) * n / (n - 1)
        effect, events = variance / alone, n * min(p, 1 - p)
        prior = max(effect, np.sqrt(n / n_effective))
        effect = (events * effect + 0.4 * prior) / (events + 0.4)
        n_effective = p * (1 - p) * span**2 / (alone * effect)

    def excess(v: float) -> float:
        return (p - v) ** 2 - z**2 * v * (1 - v) / n_effective

    low = 0.0 if p == 0 else brentq(excess, 1e-15, min(p, 1 - 1e-15), xtol=1e-14)
    high = 1.0 if p == 1 else brentq(excess, max(p, 1e-15), 1 - 1e-15, xtol=1e-14)
    return bounds[0] + span * low, bounds[0] + span * high


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
