"""How far apart a reward model holds two images of a pair under one prompt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import Estimate, OnMissing, Result
from aas_bench.stats.inputs import read_sample
from aas_bench.stats.intervals import Intervals
from aas_bench.stats.resolution import resolved

NO_PAIR = "no pair has both scores"


@dataclass(frozen=True, kw_only=True)
class PairedGap(Result):
    """Two scores of each pair, a and b.

    Attributes:
        gap: Mean of a - b, in units of the score.
        a: Mean of a.
        b: Mean of b.
        a_wins: Share of pairs with a > b, in [0, 1].
        b_wins: Share of pairs with b > a; the rest are equal.
        n_equal: Pairs with a = b.

    Example:
        >>> paired_gap([2.0, 3.0], [1.0, 3.0]).n_equal
        1
    """

    gap: Estimate
    a: Estimate
    b: Estimate
    a_wins: Estimate
    b_wins: Estimate
    n_equal: int


def paired_gap(
    a: ArrayLike,
    b: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
) -> PairedGap:
    """Mean difference of two scores of the same pairs, and how often either is higher.

    gap = mean(a - b); a wins in mean(a > b), b wins in mean(b > a). The interval of the gap is that
    of the differences, not of two means. A difference below the scores' resolution is none.

    Args:
        a: One score per pair, such as that of a clean image, shape (n,), float.
        b: The other score, such as that of the photograph.
        clusters: Shape (n,): the base prompt of each pair. None counts pairs as independent.
        on_missing: "raise", or "drop" the pairs without both and lower the coverage.
        confidence_level: Nominal coverage of the intervals, in (0, 1).

    Returns:
        PairedGap; its estimates are None where no pair has both scores.

    Raises:
        MissingScoresError: A score is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit.

    Source:
        arXiv 2512.11883, the comparison of photographs with clean generations.

    Example:
        >>> result = paired_gap([14.0, 15.0, 2.0], [-10.0, -9.0, 3.0])
        >>> round(result.gap.value, 3), round(result.b_wins.value, 3)
        (15.667, 0.333)
    """
    analysis = Analysis(confidence_level=confidence_level, on_missing=on_missing)
    sample = read_sample({"a": a, "b": b}, clusters=clusters, on_missing=on_missing).complete()
    left, right = sample.scores["a"], sample.scores["b"]
    apart = resolved(left - right, left, right)
    intervals = Intervals(sample, analysis)
    return PairedGap(
        gap=intervals.mean(apart, undefined=NO_PAIR),
        a=intervals.mean(left, undefined=NO_PAIR),
        b=intervals.mean(right, undefined=NO_PAIR),
        a_wins=intervals.rate((apart > 0).astype(np.float64), undefined=NO_PAIR),
        b_wins=intervals.rate((apart < 0).astype(np.float64), undefined=NO_PAIR),
        n_equal=int((apart == 0).sum()),
    )
