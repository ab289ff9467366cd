"""How a generator's images move in a reward model's eyes when unpretty ones are asked for."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import Estimate, OnMissing, Result
from aas_bench.stats.inputs import read_sample
from aas_bench.stats.intervals import Intervals

NO_PAIR = "no pair has both scores"


@dataclass(frozen=True, kw_only=True)
class GeneratorShift(Result):
    """One generator under one reward model, in units of the score.

    Attributes:
        delta: Mean change from the original to the distorted image, under the original prompt.
        after: Mean score of the distorted image under the original prompt.

    Example:
        >>> generator_shift([9.0, 9.0], [5.0, 6.0]).after.value
        5.5
    """

    delta: Estimate
    after: Estimate


def generator_shift(
    oiop: ArrayLike,
    diop: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    score_range: tuple[float, float] | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
) -> GeneratorShift:
    """How far a generator leaves the polished look when it is asked to.

    delta = mean(diop - oiop) and after = mean(diop). Both images are scored under the original
    prompt, so that the reward model serves as a measure of polish: a delta near 0 means that the
    wide-spectrum prompt changed little.

    Args:
        oiop: Score of the original image under the original prompt, shape (n,), float.
        diop: Score of the distorted image under the original prompt, shape (n,).
        clusters: Shape (n,): the base prompt of each pair. None counts pairs as independent.
        score_range: The least and the most that a score can be, where there are such, as of marks
            and shares: no interval passes them, and none lacks a width where nothing varies.
        on_missing: "raise", or "drop" the pairs without both and lower the coverage.
        confidence_level: Nominal coverage of the intervals, in (0, 1).

    Returns:
        GeneratorShift, in units of the score.

    Raises:
        MissingScoresError: A score is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit.

    Source:
        arXiv 2512.11883, Table D.1.

    Example:
        >>> shift = generator_shift([10.0, 12.0], [7.0, 8.0])
        >>> shift.delta.value, shift.after.value
        (-3.5, 7.5)
    """
    analysis = Analysis(confidence_level=confidence_level, on_missing=on_missing)
    columns = {"oiop": oiop, "diop": diop}
    sample = read_sample(columns, clusters=clusters, on_missing=on_missing).complete()
    after, before = sample.scores["diop"], sample.scores["oiop"]
    intervals = Intervals(sample, analysis)
    width = None if score_range is None else score_range[1] - score_range[0]
    differences = None if width is None else (-width, width)
    return GeneratorShift(
        delta=intervals.mean(after - before, undefined=NO_PAIR, bounds=differences),
        after=intervals.mean(after, undefined=NO_PAIR, bounds=score_range),
    )
