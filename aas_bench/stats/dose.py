"""Whether a reward rises as the requested effect is applied more strongly."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import Estimate, OnMissing, Result
from aas_bench.stats.inputs import Sample, read_sample, read_scores
from aas_bench.stats.intervals import SIGNED, Intervals
from aas_bench.stats.midranks import spearman
from aas_bench.stats.preference import NO_SCORES


@dataclass(frozen=True, kw_only=True)
class EffectResponse(Result):
    """Response to one effect.

    Attributes:
        win_rate: By dose, the share of pairs in which the effect that was asked for wins.
        spearman: Mean over scenes of Spearman's correlation of margin and dose, in [-1, 1].

    Example:
        >>> found = dose_response([1.0, 2.0], [0.5, 1.0], ["blur"] * 2, ["cat"] * 2)
        >>> found.effects["blur"].spearman.value
        1.0
    """

    win_rate: dict[float, Estimate]
    spearman: Estimate


@dataclass(frozen=True, kw_only=True)
class DoseResponse(Result):
    """Response to each effect, by its name.

    Example:
        >>> list(dose_response([1.0], [0.5], ["blur"], ["cat"]).effects)
        ['blur']
    """

    effects: dict[str, EffectResponse]


def dose_response(
    margin: ArrayLike,
    dose: ArrayLike,
    effect: ArrayLike,
    scene: ArrayLike,
    *,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
) -> DoseResponse:
    """Win rate of a requested effect by dose, and whether the margin rises with the dose.

    Win rate = mean(m > 0) over the pairs of an effect at a dose. The correlation is Spearman's of
    m on the dose within each scene, since scenes differ in how easily they show an effect, and
    then the mean over scenes. Scenes are the clusters of every interval.

    Args:
        margin: didp - oidp, shape (n,), float; NaN or None where a score is missing.
        dose: Strength of the effect in the distorted image, shape (n,), in [0, 1].
        effect: Name of the effect, shape (n,).
        scene: Photograph that the pair is made from, shape (n,).
        on_missing: "raise", or "drop" the pairs without a score and lower the coverage.
        confidence_level: Nominal coverage of the intervals, in (0, 1).

    Returns:
        DoseResponse. A scene in which margin or dose does not vary has no correlation: it is left
        out and lowers the coverage of `spearman`, whose n counts pairs and whose clusters are the
        scenes that are left.

    Raises:
        MissingScoresError: A score is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit.

    Source:
        Spearman, The proof and measurement of association between two things, American Journal of
        Psychology 15, 1904.

    Example:
        >>> result = dose_response([-1.0, 0.5, 2.0], [0.25, 0.5, 1.0], ["blur"] * 3, ["cat"] * 3)
        >>> blur = result.effects["blur"]
        >>> [rate.value for rate in blur.win_rate.values()], blur.spearman.value
        ([0.0, 1.0, 1.0], 1.0)
    """
    analysis = Analysis(confidence_level=confidence_level, on_missing=on_missing)
    sample = read_sample(
        {"margin": margin},
        clusters=scene,
        factors={"dose": read_scores("dose", dose), "effect": effect},
        on_missing=on_missing,
    )
    effects = sample.factors["effect"]
    return DoseResponse(
        effects={
            str(name): _effect(sample.part(effects.codes == code), analysis)
            for code, name in enumerate(effects.levels)
        }
    )


def _effect(sample: Sample, analysis: Analysis) -> EffectResponse:
    dose = sample.factors["dose"]
    win_rate = {}
    for code in np.unique(dose.codes):
        at_dose = sample.part(dose.codes == code).complete()
        wins = (at_dose.scores["margin"] > 0).astype(np.float64)
        rate = Intervals(at_dose, analysis).rate(wins, undefined=NO_SCORES)
        win_rate[float(dose.levels[code])] = rate
    return EffectResponse(win_rate=win_rate, spearman=_mean_over_scenes(sample, analysis))


def _mean_over_scenes(given: Sample, analysis: Analysis) -> Estimate:
    sample = given.complete()
    assert sample.clusters is not None
    rows, rho, n = [], [], 0
    for scene in np.unique(sample.clusters):
        members = np.flatnonzero(sample.clusters == scene)
        correlation = _correlation(sample.where(members))
        if not np.isnan(correlation):
            # One row stands for its scene, whose correlation is a single observation.
            rows.append(members[0])
            rho.append(correlation)
            n += len(members)
    scenes = sample.where(np.array(rows, dtype=np.intp))
    mean = Intervals(scenes, analysis).mean(
        np.array(rho), undefined="in no scene do both margin and dose vary", bounds=SIGNED
    )
    return replace(mean, n=n, coverage=n / given.n)


def _correlation(scene: Sample) -> float:
    dose = scene.factors["dose"].codes.astype(np.float64)
    return spearman(scene.scores["margin"], dose)[0]
