"""What four scores say in every unit: what holds however the score is rescaled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import Estimate, Mask, OnMissing, Result, Scores
from aas_bench.stats.inputs import read_sample
from aas_bench.stats.intervals import Intervals
from aas_bench.stats.swap import clipped

NO_SCORES = "no pair has all four scores"


@dataclass(frozen=True, kw_only=True)
class Rescaling(Result):
    """Shares of all pairs that no increasing rescaling of the score can change, and ranges.

    A pair moved "towards" its request has I = didp + oiop - oidp - diop > 0.

    Attributes:
        towards: I > 0 under every increasing rescaling.
        against: I < 0 under every one.
        still: I = 0 under every one.
        overridden: I > 0 under every one, and the polished image preferred; a lower bound, in any
            unit, of the share of pairs so overridden.
        followed: I > 0 under every one, and the requested image preferred.
        overridden_at_most: The polished image preferred, and I > 0 under some rescaling.
        crossing: The original prompt does not prefer the requested image and its own prompt does
            (d_o <= 0 < d_a): the request turned the choice.
        crossing_back: d_a <= 0 < d_o: it turned the choice away from the requested image.
        understood_range: Least and largest understood share (moved towards less moved against) as
            the pairs between are counted for either side, in [-1, 1]; None without pairs.
        override_rate_range: The same of the override rate by the swap, in [0, 1]; None where the
            understood share may be 0 or below in some unit.
        n: Pairs with all four scores.
        n_missing: Pairs left out because a score is missing.
    """

    towards: Estimate
    against: Estimate
    still: Estimate
    overridden: Estimate
    followed: Estimate
    overridden_at_most: Estimate
    crossing: Estimate
    crossing_back: Estimate
    understood_range: tuple[float, float] | None
    override_rate_range: tuple[float, float] | None
    n: int
    n_missing: int


def rescaling(
    oiop: ArrayLike,
    oidp: ArrayLike,
    diop: ArrayLike,
    didp: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
) -> Rescaling:
    """Tell what the four scores say whatever the unit of the score.

    A choice (the sign of d_a = didp - oidp, or of d_o = diop - oiop) is the same in every
    increasing unit g. The prompt response I = (didp + oiop) - (oidp + diop) is not: it compares
    sums. g(didp) + g(oiop) >= g(oidp) + g(diop) for every increasing g if and only if {didp, oiop}
    has the higher maximum and the higher minimum, or equal ones; strictly, if either is higher.
    Where one side has the higher maximum and the other the higher minimum, some g makes I positive
    and some negative.

    The ranges let each pair have its own unit. A unit common to all pairs, which a reward model
    has, can do no more, and in general less.

    Args:
        oiop: Score of the original image under the original prompt, shape (n,), float.
        oidp: Original image, distorted prompt.
        diop: Distorted image, original prompt.
        didp: Distorted image, distorted prompt.
        clusters: Shape (n,): the base prompt of each pair. None counts pairs as independent.
        on_missing: "raise", or "drop" the pairs without all four and lower the coverage.
        confidence_level: Nominal coverage of the intervals, in (0, 1).

    Returns:
        Rescaling. A share is None where no pair has all four scores.

    Raises:
        MissingScoresError: A score is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit.

    Source:
        Stochastic order, of two scores against two: Lehmann, Ordered families of distributions,
        Annals of Mathematical Statistics 26, 1955. Why an ordinal scale needs it: Bond and Lang,
        The sad truth about happiness scales, Journal of Political Economy 127, 2019.

    Example:
        >>> # The request lifts its image from 1 to 3; then from 1 to 6, past the other's 5.
        >>> result = rescaling([5, 5], [4, 4], [1, 1], [3, 6])
        >>> result.towards.value, result.overridden.value, result.crossing.value
        (1.0, 0.5, 0.5)
        >>> # A polished image that loses 1 from the top, against one that gains 1 at the bottom.
        >>> rescaling([9], [10], [1], [3]).towards.value
        0.0
    """
    cells = {"oiop": oiop, "oidp": oidp, "diop": diop, "didp": didp}
    analysis = Analysis(confidence_level=confidence_level, on_missing=on_missing)
    sample = read_sample(cells, clusters=clusters, on_missing=analysis.on_missing).complete()
    order, (d_a, d_o) = _order(sample.scores), _gains(sample.scores)
    towards, against, still = order == 1, order == -1, order == 0
    lost = d_a <= 0
    shares = [
        towards,
        against,
        still,
        towards & lost,
        towards & ~lost,
        lost & ~against & ~still,
        (d_o <= 0) & ~lost,
        lost & (d_o > 0),
    ]
    intervals = Intervals(sample, analysis)
    rates = [intervals.rate(share.astype(np.float64), undefined=NO_SCORES) for share in shares]
    understood, rate = _ranges(order, lost & (d_o <= 0))
    return Rescaling(
        towards=rates[0],
        against=rates[1],
        still=rates[2],
        overridden=rates[3],
        followed=rates[4],
        overridden_at_most=rates[5],
        crossing=rates[6],
        crossing_back=rates[7],
        understood_range=understood,
        override_rate_range=rate,
        n=sample.n,
        n_missing=sample.n_missing,
    )


def _gains(scores: dict[str, Scores]) -> tuple[Scores, Scores]:
    return scores["didp"] - scores["oidp"], scores["diop"] - scores["oiop"]


def _order(scores: dict[str, Scores]) -> Scores:
    """Sign of I where every increasing unit agrees on it, NaN where they differ; shape (n,)."""
    ours = np.sort([scores["didp"], scores["oiop"]], axis=0)
    theirs = np.sort([scores["oidp"], scores["diop"]], axis=0)
    low, high = np.sign(ours - theirs)
    order: Scores = np.where(low * high < 0, np.nan, np.sign(low + high))
    return order


def _ranges(
    order: Scores, lost: Mask
) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    """Of u = E[sign I] and O = E[sign I; lost] / u, where an unknown sign may be either."""
    if not len(order):
        return None, None
    known, free = np.nan_to_num(order), np.isnan(order).astype(np.float64)
    (lost_low, lost_high), (kept_low, kept_high) = (
        ((known * part).mean() - (free * part).mean(), (known * part).mean() + (free * part).mean())
        for part in (lost, ~lost)
    )
    understood = (float(lost_low + kept_low), float(lost_high + kept_high))
    if understood[0] <= 0:
        return understood, None
    low, high = lost_low / (lost_low + kept_high), lost_high / (lost_high + kept_low)
    return understood, (clipped(float(low)), clipped(float(high)))
