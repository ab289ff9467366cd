"""How a generator's images move under reward models when a wide-spectrum image is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aas_bench.stats.estimate import Estimate, OnMissing, Result
from aas_bench.stats.inputs import read_sample
from aas_bench.stats.intervals import Bootstrap, Resampling


@dataclass(frozen=True, kw_only=True)
class GeneratorShift(Result):
    """Mean shift and mean level of one generator under one reward model."""

    delta: Estimate
    after: Estimate


def generator_shift(
    oiop: ArrayLike,
    diop: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> GeneratorShift:
    """Mean score change from the original to the distorted image, and the mean after it."""
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    sample = read_sample({"oiop": oiop, "diop": diop}, clusters=clusters, on_missing=on_missing)
    after = sample.scores["diop"]
    columns = np.stack([after - sample.scores["oiop"], after], axis=1)
    shift, level = Bootstrap(sample, options).means(columns, undefined="no pair has both scores")
    return GeneratorShift(delta=shift, after=level)
