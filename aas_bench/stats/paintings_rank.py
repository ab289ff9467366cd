"""Where real paintings stand among generators in a reward model's eyes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aas_bench.errors import InputError
from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import Estimate, OnMissing, Result, Scores
from aas_bench.stats.inputs import read_sample, read_scores
from aas_bench.stats.intervals import Intervals

NO_SCORES = "no painting has a score"


@dataclass(frozen=True, kw_only=True)
class ArtRank(Result):
    """The paintings' mean score among the means of generators.

    Attributes:
        mean: Mean score of the paintings, in units of the score.
        rank: 1 plus the generators with a higher mean; None where no painting has a score.
        rank_best: The rank at the upper end of the mean's interval; None where there is none.
        rank_worst: The rank at its lower end.
        n_ranked: Generators plus one.
        relative: 0 at the lowest generator, 1 at the highest; outside [0, 1] beyond them.

    Example:
        >>> art_rank([4.0, 6.0], {"a": 9.0, "b": 1.0}).rank
        2
    """

    mean: Estimate
    rank: int | None
    rank_best: int | None
    rank_worst: int | None
    n_ranked: int
    relative: Estimate


def art_rank(
    score: ArrayLike,
    table: Mapping[str, float],
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
) -> ArtRank:
    """Place the mean score of the paintings in a table of generators' mean scores.

    relative = (mean - min) / (max - min), with min and max over the table; rank = 1 + the number
    of entries above the mean. The ranks at the two ends of the mean's interval say which places
    the paintings' own error leaves open.

    Args:
        score: Score of each painting under its caption, shape (n,), float.
        table: Mean score by generator; taken as exact.
        clusters: Shape (n,), such as the painter. None counts paintings as independent.
        on_missing: "raise", or "drop" the paintings without a score and lower the coverage.
        confidence_level: Nominal coverage of the intervals, in (0, 1).

    Returns:
        ArtRank; `relative` is None where all generators have one mean.

    Raises:
        MissingScoresError: A score is missing and `on_missing` is "raise".
        InputError: A column, the table or an option does not fit.

    Source:
        arXiv 2512.11883, the comparison with LAPIS paintings.

    Example:
        >>> place = art_rank([4.0, 6.0], {"a": 9.0, "b": 1.0, "c": 6.0})
        >>> place.mean.value, place.rank, place.n_ranked, place.relative.value
        (5.0, 3, 4, 0.5)
    """
    analysis = Analysis(confidence_level=confidence_level, on_missing=on_missing)
    generators = read_scores("table", list(table.values()))
    if len(generators) == 0 or np.isnan(generators).any():
        msg = "the table of generators is empty or lacks a mean. Give one mean per generator."
        raise InputError(msg)
    sample = read_sample({"score": score}, clusters=clusters, on_missing=on_missing).complete()
    intervals, column = Intervals(sample, analysis), sample.scores["score"]
    mean = intervals.mean(column, undefined=NO_SCORES)
    span = float(np.ptp(generators))
    if span > 0:
        relative = intervals.mean((column - generators.min()) / span, undefined=NO_SCORES)
    else:
        relative = intervals.none("all generators have one mean", n=sample.n)
    return ArtRank(
        mean=mean,
        rank=_rank(generators, mean.value),
        rank_best=_rank(generators, mean.high),
        rank_worst=_rank(generators, mean.low),
        n_ranked=len(generators) + 1,
        relative=relative,
    )


def _rank(generators: Scores, mean: float | None) -> int | None:
    return None if mean is None else 1 + int((generators > mean).sum())
