"""Where real paintings stand among generators in a reward model's eyes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aas_bench.errors import InputError
from aas_bench.stats.estimate import Estimate, OnMissing, Result
from aas_bench.stats.inputs import read_sample, read_scores
from aas_bench.stats.intervals import Bootstrap, Resampling


@dataclass(frozen=True, kw_only=True)
class ArtRank(Result):
    """Mean score of the paintings among a table of generators' means."""

    mean: Estimate
    rank: int | None
    n_ranked: int
    relative: Estimate


def art_rank(
    score: ArrayLike,
    table: Mapping[str, float],
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> ArtRank:
    """Place the mean score of the paintings among the generators."""
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    means = read_scores("table", list(table.values()))
    if len(means) == 0 or np.isnan(means).any():
        msg = "the table of generators is empty or lacks a mean. Give one mean per generator."
        raise InputError(msg)
    sample = read_sample({"score": score}, clusters=clusters, on_missing=on_missing)
    boot = Bootstrap(sample, options)
    column = sample.scores["score"][:, None]
    (mean,) = boot.means(column, undefined="no painting has a score")
    lowest, span = float(means.min()), float(np.ptp(means))
    if span > 0:
        (relative,) = boot.means((column - lowest) / span, undefined="no painting has a score")
    else:
        relative = boot.estimate(np.nan, np.empty(0), undefined="all generators score the same")
    return ArtRank(
        mean=mean,
        rank=None if mean.value is None else 1 + int((means > mean.value).sum()),
        n_ranked=len(means) + 1,
        relative=relative,
    )
