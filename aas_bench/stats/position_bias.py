"""Whether a judge goes by the place of what it is shown."""

from __future__ import annotations

from typing import Final

from numpy.typing import ArrayLike

from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import Estimate, OnMissing
from aas_bench.stats.inputs import read_sample
from aas_bench.stats.intervals import SIGNED, Intervals

NO_ANSWER: Final = "no pair has an answer in both orders"


def position_bias(
    original_first: ArrayLike,
    distorted_first: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
) -> Estimate:
    """How much more often a judge names the first image than the second, whichever that is.

    mean(v_d - v_o), with v_o and v_d the votes of a pair where the original and where the distorted
    image comes first. As each pair is asked in both orders, what the images deserve cancels out. Of
    a judge that goes by the place in a share b of its answers, and by the images otherwise, it is b
    (-b where it goes by the second place).

    Args:
        original_first: Shape (n,): 1 where the distorted image was chosen, 0 where the original one
            was, 0.5 neither; NaN or None where there is no answer.
        distorted_first: The same in the other order.
        clusters: Shape (n,): the base prompt of each pair. None counts pairs as independent.
        on_missing: "raise", or "drop" the pairs without both answers and lower the coverage.
        confidence_level: Nominal coverage of the interval, in (0, 1).

    Returns:
        Estimate in [-1, 1], 0 without a bias.

    Raises:
        MissingScoresError: An answer is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit.

    Example:
        >>> position_bias([0, 0, 1, 1], [1, 0, 1, 1]).value
        0.25
    """
    analysis = Analysis(confidence_level=confidence_level, on_missing=on_missing)
    columns = {"original_first": original_first, "distorted_first": distorted_first}
    sample = read_sample(columns, clusters=clusters, on_missing=on_missing).complete()
    apart = sample.scores["distorted_first"] - sample.scores["original_first"]
    return Intervals(sample, analysis).mean(apart, undefined=NO_ANSWER, bounds=SIGNED)
