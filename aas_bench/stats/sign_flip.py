"""Whether a mean difference is more than chance: sign flips of whole clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr

from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import OnMissing, Result, Scores
from aas_bench.stats.inputs import read_sample
from aas_bench.stats.intervals import Clusters

# So many clusters have half a million different flips, which are still quickly enumerated.
MOST_ENUMERATED: Final = 20
# Signs drawn at a time.
BLOCK: Final = 1 << 22


@dataclass(frozen=True, kw_only=True)
class SignFlip(Result):
    """A two-sided test that differences are as often positive as negative, alike in size.

    Attributes:
        p_value: Mid-p: P(|S| > |s|) + P(|S| = |s|) / 2. None where there is no test.
        method: "binomial" where all sums have one size (for single pairs that one model gets right
            and the other wrong: McNemar's test), "enumerated" where all flips were tried,
            "sampled" where some were.
        smallest: The least p-value that so many clusters, or flips, can give.
        n_clusters: Clusters whose sum is not 0; the others say nothing.
        reason: Why there is no test; None otherwise.

    Example:
        >>> sign_flip([1.0, 2.0, 4.0]).method
        'enumerated'
    """

    p_value: float | None
    method: Literal["binomial", "enumerated", "sampled"] | None
    smallest: float | None
    n_clusters: int
    reason: str | None = None


def sign_flip(
    difference: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    n_resamples: int = 1000,
    seed: int = 0,
) -> SignFlip:
    """Test a mean difference by turning whole clusters around.

    If the two sides of every pair were exchangeable, the differences of a cluster might as well
    have the other sign, all at once. With s the sum of all differences, S that sum with a random
    sign for each cluster: p = P(|S| > |s|) + P(|S| = |s|) / 2. Halving the ties (mid-p) keeps the
    test near its level where sums tie or clusters are few; it may then reject a little more often
    than its level says (6 clusters: 6.25 % at 5 %). Below 5 clusters no p-value reaches 0.05.

    The test is exact for exchangeable sides. Where only the means are equal, and the differences
    skewed, few clusters do not hold the level: lognormal differences in 9 clusters reject about
    10 % at a level of 5 %.

    Args:
        difference: One number per pair, a less b, shape (n,), float; NaN or None where missing.
        clusters: Shape (n,): the base prompt of each pair. None counts pairs as independent.
        on_missing: "raise", or "drop" the pairs without a difference.
        n_resamples: Random flips, where there are too many to try all; 0 then leaves the test out.
        seed: Seed of the flips.

    Returns:
        SignFlip.

    Raises:
        MissingScoresError: A difference is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit.

    Source:
        Fisher, The Design of Experiments, 1935, for the test; Canay, Romano and Shaikh,
        Randomization tests under an approximate symmetry assumption, Econometrica 85, 2017, for
        clusters; Lancaster, Significance tests in discrete distributions, Journal of the American
        Statistical Association 56, 1961, for the mid-p; Fagerland, Lydersen and Laake, The McNemar
        test for binary matched-pairs data, BMC Medical Research Methodology 13, 2013, for
        McNemar's.

    Example:
        >>> sign_flip([1.0, 2.0, 4.0, 8.0, 16.0, 32.0]).p_value
        0.015625
    """
    options = Analysis(on_missing=on_missing, n_resamples=n_resamples, seed=seed)
    given = read_sample({"difference": difference}, clusters=clusters, on_missing=on_missing)
    sample = given.complete()
    sums = Clusters(sample.n, sample.clusters).sums(sample.scores["difference"])
    return flip_sums(
        sums, options, undefined="every difference is 0" if sample.n else "no pair has a difference"
    )


def flip_sums(
    sums: Scores, analysis: Analysis, *, undefined: str = "every difference is 0"
) -> SignFlip:
    """`sign_flip` on the sums of clusters, shape (n_clusters,).

    Example:
        >>> flip_sums(np.array([1.0, 1.0, 1.0, -1.0]), Analysis()).p_value
        0.375
    """
    size = np.abs(sums)
    # A sum of differences that cancel is 0 but for rounding.
    moved = sums[size > 1e-12 * size.max(initial=0.0)]
    n = len(moved)
    if n == 0:
        return SignFlip(p_value=None, method=None, smallest=None, n_clusters=0, reason=undefined)
    found, slack = abs(float(moved.sum())), 1e-9 * float(np.abs(moved).sum())
    smallest = 0.5**n
    if np.ptp(np.abs(moved)) <= slack / n:
        return SignFlip(
            p_value=_binomial(int((moved > 0).sum()), n),
            method="binomial",
            smallest=smallest,
            n_clusters=n,
        )
    if n <= MOST_ENUMERATED:
        flipped = moved[:1]
        for each in moved[1:]:
            flipped = np.concatenate([flipped + each, flipped - each])
        more, least = _beyond(flipped, found, slack)
        p = (more + least) / (2 * len(flipped))
        return SignFlip(p_value=p, method="enumerated", smallest=smallest, n_clusters=n)
    draws = analysis.n_resamples
    if draws == 0:
        reason = "no test: n_resamples is 0"
        return SignFlip(p_value=None, method=None, smallest=None, n_clusters=n, reason=reason)
    more, least = _beyond(_sampled(moved, analysis), found, slack)
    # The differences as they are count as one of the draws.
    return SignFlip(
        p_value=(more + least + 1) / (2 * (draws + 1)),
        method="sampled",
        smallest=0.5 / (draws + 1),
        n_clusters=n,
    )


def _binomial(n_positive: int, n: int) -> float:
    fewer = min(n_positive, n - n_positive)
    if 2 * fewer == n:
        # Every split is at least as uneven as this one.
        return float(1 - (bdtr(fewer, n, 0.5) - bdtr(fewer - 1, n, 0.5)) / 2)
    return float(bdtr(fewer, n, 0.5) + (bdtr(fewer - 1, n, 0.5) if fewer else 0.0))


def _beyond(flipped: Scores, found: float, slack: float) -> tuple[int, int]:
    """How many flips lie further from 0 than what was found, and how many at least as far."""
    size = np.abs(flipped)
    return int((size > found + slack).sum()), int((size >= found - slack).sum())


def _sampled(moved: Scores, analysis: Analysis) -> Scores:
    rng = np.random.default_rng(analysis.seed)
    draws, flipped = analysis.n_resamples, []
    step = max(1, BLOCK // len(moved))
    for done in range(0, draws, step):
        turned = rng.integers(0, 2, size=(min(step, draws - done), len(moved)), dtype=np.int8)
        flipped.append(moved.sum() - 2 * (turned.astype(np.float64) @ moved))
    return np.concatenate(flipped)
