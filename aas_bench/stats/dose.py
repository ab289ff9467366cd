"""Whether a reward rises as the requested effect is applied more strongly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from aas_bench.stats.estimate import Codes, Estimate, OnMissing, Result, Scores
from aas_bench.stats.inputs import Sample, read_sample, read_scores
from aas_bench.stats.intervals import Bootstrap, Resampling
from aas_bench.stats.ranks import Spearman


@dataclass(frozen=True, kw_only=True)
class EffectResponse(Result):
    """One effect: win rate by dose, and the mean over scenes of Spearman's margin on dose."""

    win_rate: dict[float, Estimate]
    spearman: Estimate


@dataclass(frozen=True, kw_only=True)
class DoseResponse(Result):
    """Response to each effect, by name."""

    effects: dict[str, EffectResponse]


def dose_response(
    margin: ArrayLike,
    dose: ArrayLike,
    effect: Any,
    scene: Any,
    *,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> DoseResponse:
    """Win rate of the requested effect by dose, and the rank correlation of margin and dose."""
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    sample = read_sample(
        {"margin": margin},
        clusters=scene,
        factors={"effect": effect, "dose": read_scores("dose", dose)},
        on_missing=on_missing,
    )
    effects = sample.factors["effect"]
    return DoseResponse(
        effects={
            str(name): _effect(sample.where(effects.codes == code), options)
            for code, name in enumerate(effects.levels)
        }
    )


def _effect(sample: Sample, options: Resampling) -> EffectResponse:
    dose = sample.factors["dose"]
    win_rate = {}
    for code in np.unique(dose.codes):
        at_dose = sample.where(dose.codes == code)
        wins = (at_dose.scores["margin"] > 0).astype(np.float64)[:, None]
        (win_rate[float(dose.levels[code])],) = Bootstrap(at_dose, options).rates(
            wins, undefined="no pair has a score"
        )
    return EffectResponse(win_rate=win_rate, spearman=_mean_over_scenes(sample, options))


def _mean_over_scenes(sample: Sample, options: Resampling) -> Estimate:
    assert sample.clusters is not None
    margin, dose = sample.scores["margin"], sample.factors["dose"].codes
    rho, varies = np.full(sample.n, np.nan), np.zeros(sample.n, dtype=bool)
    for scene in np.unique(sample.clusters):
        rows = np.flatnonzero(sample.clusters == scene)
        rho[rows] = _correlation(margin[rows], dose[rows])
        # One row stands for the scene, whose correlation is one observation.
        varies[rows[0]] = not np.isnan(rho[rows[0]])
    scenes = sample.where(varies)
    (mean,) = Bootstrap(scenes, options).means(
        rho[varies][:, None], undefined="in no scene do both margin and dose vary"
    )
    n = int((~np.isnan(rho)).sum())
    coverage = sample.coverage * n / sample.n if sample.n else 0.0
    return replace(mean, n=n, coverage=coverage)


def _correlation(margin: Scores, dose: Codes) -> float:
    statistic = Spearman(margin, dose.astype(np.float64), None)
    return float(statistic(np.ones((1, len(margin))))[0])
