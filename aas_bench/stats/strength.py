"""What turning the preference-strength knob would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from aas_bench.errors import InputError
from aas_bench.stats.estimate import Estimate, OnMissing, Result
from aas_bench.stats.inputs import read_sample, read_scores
from aas_bench.stats.intervals import Bootstrap, Resampling

STRENGTHS: Final = tuple(step / 20 for step in range(31))


@dataclass(frozen=True, kw_only=True)
class StrengthCurve(Result):
    """Accuracy, or share choosing the distorted image, by strength of the knob."""

    measure: Literal["accuracy", "chosen"]
    strengths: tuple[float, ...]
    points: tuple[Estimate, ...]


def strength_curve(
    d_a: ArrayLike,
    d_o: ArrayLike,
    label: ArrayLike | None = None,
    *,
    strengths: Sequence[float] = STRENGTHS,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> StrengthCurve:
    """Choices of s_lambda(i, p) = s(i, p) - lambda s(i, p_ref) over a range of lambda."""
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    grid = read_scores("strengths", strengths)
    if len(grid) == 0 or np.isnan(grid).any():
        msg = "strengths is empty or holds a missing value. Give numbers, such as 0 to 1.5."
        raise InputError(msg)
    sample = read_sample(
        {"d_a": d_a, "d_o": d_o}, label=label, clusters=clusters, on_missing=on_missing
    )
    if sample.label is not None:
        sample = sample.where(sample.label >= 0)
    right = np.empty((sample.n, len(grid)))
    for k, strength in enumerate(grid):
        distorted = sample.scores["d_a"] - strength * sample.scores["d_o"] > 0
        right[:, k] = distorted if sample.label is None else distorted == (sample.label == 1)
    undefined = "no pair has scores" if label is None else "no pair has scores and a label"
    points = Bootstrap(sample, options).rates(right, undefined=undefined)
    return StrengthCurve(
        measure="chosen" if label is None else "accuracy",
        strengths=tuple(grid.tolist()),
        points=tuple(points),
    )
