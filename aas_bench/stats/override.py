"""Whether a reward model heard the request, and whether it let taste win."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aas_bench.stats.estimate import Estimate, OnMissing, Result, Scores
from aas_bench.stats.inputs import read_sample
from aas_bench.stats.intervals import Bootstrap, Resampling

OUTCOMES: Final = ("followed", "overridden", "missed", "lucky")
CELLS: Final = ("oiop", "oidp", "diop", "didp")
NO_SCORES = "no pair has all four scores"


@dataclass(frozen=True, kw_only=True)
class Override(Result):
    """The 2x2 analysis of prompt response and choice."""

    followed: Estimate
    overridden: Estimate
    missed: Estimate
    lucky: Estimate
    understood: Estimate
    chosen: Estimate
    override_rate: Estimate
    override_strength: Estimate
    prompt_response: Estimate
    prior_pull: Estimate
    n: int
    n_missing: int


def outcomes(
    oiop: ArrayLike, oidp: ArrayLike, diop: ArrayLike, didp: ArrayLike
) -> NDArray[np.int8]:
    """Outcome of each pair as its position in OUTCOMES; -1 where a score is missing."""
    columns = dict(zip(CELLS, (oiop, oidp, diop, didp), strict=True))
    whole = read_sample(
        {name: np.nan_to_num(np.asarray(v, dtype=np.float64)) for name, v in columns.items()}
    )
    del whole
    d_a, d_o = _gains(*(np.asarray(v, dtype=np.float64) for v in columns.values()))
    codes = _codes(d_a, d_o)
    codes[np.isnan(d_a) | np.isnan(d_o)] = -1
    return codes


def override(
    oiop: ArrayLike,
    oidp: ArrayLike,
    diop: ArrayLike,
    didp: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Override:
    """Split the pairs into four outcomes."""
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    columns = dict(zip(CELLS, (oiop, oidp, diop, didp), strict=True))
    sample = read_sample(columns, clusters=clusters, on_missing=on_missing)
    d_a, d_o = _gains(*sample.scores.values())
    codes = _codes(d_a, d_o)
    one_hot = (codes[:, None] == np.arange(4)).astype(np.float64)
    boot = Bootstrap(sample, options)
    means = np.stack([d_a - d_o, (d_a + d_o) / 2, np.ones(sample.n)], axis=1)
    total, resampled = boot.sums(np.hstack([one_hot, means]))
    n = sample.n
    n_understood = int(total[0] + total[1])
    units = boot.units_among(codes <= 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = resampled / resampled[:, 6:]

        def rate(*which: int) -> Estimate:
            hits = float(sum(total[k] for k in which))
            return boot.rate(hits, n, sum(share[:, k] for k in which), undefined=NO_SCORES)

        return Override(
            followed=rate(0),
            overridden=rate(1),
            missed=rate(2),
            lucky=rate(3),
            understood=rate(0, 1),
            chosen=rate(0, 3),
            override_rate=boot.rate(
                float(total[1]),
                n_understood,
                resampled[:, 1] / (resampled[:, 0] + resampled[:, 1]),
                undefined="no pair was understood" if n else NO_SCORES,
                n_units=units,
            ),
            override_strength=boot.estimate(
                _strength(total),
                np.where(resampled[:, 4] > 0, _strength(resampled), np.nan),
                undefined="the mean prompt response is not positive" if n else NO_SCORES,
            ),
            prompt_response=boot.estimate(total[4] / total[6], share[:, 4], undefined=NO_SCORES),
            prior_pull=boot.estimate(total[5] / total[6], share[:, 5], undefined=NO_SCORES),
            n=n,
            n_missing=sample.n_missing,
        )


def _gains(oiop: Scores, oidp: Scores, diop: Scores, didp: Scores) -> tuple[Scores, Scores]:
    """d_a and d_o: how much the distorted image gains on the original under each prompt."""
    return didp - oidp, diop - oiop


def _codes(d_a: Scores, d_o: Scores) -> NDArray[np.int8]:
    understood, chosen = d_a - d_o > 0, d_a > 0
    table = np.array([[2, 3], [1, 0]], dtype=np.int8)
    codes: NDArray[np.int8] = table[understood.astype(np.int8), chosen.astype(np.int8)]
    return codes


def _strength(sums: Scores) -> Scores:
    strength: Scores = np.where(sums[..., 4] == 0, np.nan, -2 * sums[..., 5] / sums[..., 4])
    return strength
