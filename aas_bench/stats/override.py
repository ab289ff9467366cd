"""Whether a reward model heard the request, and whether its taste won all the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aas_bench.stats.estimate import Estimate, OnMissing, Result, Scores
from aas_bench.stats.inputs import Sample, read_groups, read_sample
from aas_bench.stats.intervals import Bootstrap, Resampling

OUTCOMES: Final = ("followed", "overridden", "missed", "lucky")
NO_SCORES = "no pair has all four scores"

# Outcome by (understood, chosen).
_CODE: Final = np.array([[2, 3], [1, 0]], dtype=np.int8)
# Columns of the sums that every number here is made of; the outcomes come first.
_RESPONSE, _PULL, _PAIRS = 4, 5, 6


@dataclass(frozen=True, kw_only=True)
class Override(Result):
    """The 2x2 analysis: did the score hear the prompt, and did the request win.

    Attributes:
        followed: Share of pairs understood and chosen as asked, in [0, 1].
        overridden: Share understood, and yet the polished image preferred.
        missed: Share not understood, and the polished image preferred.
        lucky: Share not understood, and yet chosen as asked.
        understood: followed + overridden.
        chosen: followed + lucky.
        override_rate: overridden / understood.
        override_strength: -2 prior_pull / prompt_response; above 1, taste outweighs the request.
        prompt_response: Mean of I = d_a - d_o, in units of the score.
        prior_pull: Mean of M = (d_a + d_o) / 2, in units of the score; negative towards polish.
        n: Pairs with all four scores.
        n_reward_ties: Pairs among the n with d_a exactly 0, which count as not chosen.
        n_missing: Pairs left out because a score is missing.
    """

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
    n_reward_ties: int
    n_missing: int


def outcomes(
    oiop: ArrayLike, oidp: ArrayLike, diop: ArrayLike, didp: ArrayLike
) -> NDArray[np.int8]:
    """Outcome of each pair, as its position in OUTCOMES.

    With d_a = didp - oidp, d_o = diop - oiop and I = d_a - d_o: followed where I > 0 and d_a > 0,
    overridden where I > 0 and d_a <= 0, missed where I <= 0 and d_a <= 0, lucky where I <= 0 and
    d_a > 0.

    Args:
        oiop: Score of the original image under the original prompt, shape (n,), float.
        oidp: Original image, distorted prompt.
        diop: Distorted image, original prompt.
        didp: Distorted image, distorted prompt.

    Returns:
        Shape (n,), int8 in 0..3; -1 where one of the four scores is missing (NaN, None).

    Raises:
        InputError: Lengths differ, nothing is given, or a score is infinite.

    Example:
        >>> [OUTCOMES[code] for code in outcomes([5, 5], [4, 4], [1, 1], [6, 3])]
        ['followed', 'overridden']
    """
    sample = _read(oiop, oidp, diop, didp, on_missing="drop")
    d_a, d_o = _gains(sample)
    return np.where(np.isnan(d_a) | np.isnan(d_o), np.int8(-1), _codes(d_a, d_o))


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
    """Tell apart a reward model that did not understand from one that understood and overrode.

    The distorted image gains d_a = didp - oidp on the original under the prompt that asks for it,
    and d_o = diop - oiop under the prompt that does not. The prompt response I = d_a - d_o is what
    the request changes; the prior pull M = (d_a + d_o) / 2 is what no prompt changes; so that
    d_a = M + I / 2. A pair is understood where I > 0 and chosen where d_a > 0: four outcomes (see
    `outcomes`) whose shares sum to 1.

    - override rate = overridden / understood, over pairs
    - override strength = -2 mean(M) / mean(I): above 1, the mean d_a is not positive although the
      mean response is

    Args:
        oiop: Score of the original image under the original prompt, shape (n,), float.
        oidp: Original image, distorted prompt.
        diop: Distorted image, original prompt.
        didp: Distorted image, distorted prompt.
        clusters: Shape (n,): the base prompt of each pair. None counts pairs as independent.
        on_missing: "raise", or "drop" the pairs without all four and lower the coverage.
        confidence_level: Nominal coverage of the intervals, in (0, 1).
        n_resamples: Bootstrap resamples; 0 leaves bootstrap intervals out.
        seed: Seed of the resamples.

    Returns:
        Override. The override rate is None where no pair was understood. The override strength is
        None where the mean response is 0, and has no interval where that mean is negative, or is
        not positive in over a tenth of the resamples: the ratio then no longer weighs taste
        against a response.

    Raises:
        MissingScoresError: A score is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit.

    Source:
        The interaction contrast and main effect of a 2x2 design (Box, Hunter and Hunter,
        Statistics for Experimenters, 1978), applied to the four scores of arXiv 2512.11883.

    Example:
        >>> result = override([5, 5, 5], [4, 4, 4], [1, 1, 1], [6, 3, 2])
        >>> round(result.override_rate.value, 3), result.followed.n
        (0.667, 3)
    """
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    sample = _read(oiop, oidp, diop, didp, clusters=clusters, on_missing=on_missing)
    return _override(sample.complete(), options)


def override_by_group(
    oiop: ArrayLike,
    oidp: ArrayLike,
    diop: ArrayLike,
    didp: ArrayLike,
    groups: Sequence[Any] | NDArray[Any],
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Override]:
    """`override` within each group of pairs, such as the dimension that was asked for.

    Args:
        oiop: As in `override`.
        oidp: As in `override`.
        diop: As in `override`.
        didp: As in `override`.
        groups: Length n: the group of each pair, or a list of groups for each pair, which then
            counts in each of them (and, with an empty list, in none).
        clusters: As in `override`.
        on_missing: As in `override`.
        confidence_level: As in `override`.
        n_resamples: As in `override`.
        seed: As in `override`.

    Returns:
        Override by group, names as strings in sorted order. Coverage is within the group.

    Raises:
        MissingScoresError: As in `override`.
        InputError: As in `override`, or a pair has no group.

    Example:
        >>> by = override_by_group([5, 5], [4, 4], [1, 1], [6, 3], [["blur"], ["blur", "dark"]])
        >>> {name: result.override_rate.value for name, result in by.items()}
        {'blur': 0.5, 'dark': 1.0}
    """
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    sample = _read(oiop, oidp, diop, didp, clusters=clusters, on_missing=on_missing)
    return {
        name: _override(sample.part(rows).complete(), options)
        for name, rows in read_groups(groups, sample.n).items()
    }


def _read(
    oiop: ArrayLike,
    oidp: ArrayLike,
    diop: ArrayLike,
    didp: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing,
) -> Sample:
    cells = {"oiop": oiop, "oidp": oidp, "diop": diop, "didp": didp}
    return read_sample(cells, clusters=clusters, on_missing=on_missing)


def _gains(sample: Sample) -> tuple[Scores, Scores]:
    cells = sample.scores
    return cells["didp"] - cells["oidp"], cells["diop"] - cells["oiop"]


def _codes(d_a: Scores, d_o: Scores) -> NDArray[np.int8]:
    codes: NDArray[np.int8] = _CODE[(d_a - d_o > 0).astype(np.intp), (d_a > 0).astype(np.intp)]
    return codes


def _override(sample: Sample, options: Resampling) -> Override:
    d_a, d_o = _gains(sample)
    codes, n = _codes(d_a, d_o), sample.n
    boot = Bootstrap(sample, options)
    outcome = (codes[:, None] == np.arange(len(OUTCOMES))).astype(np.float64)
    others = np.stack([d_a - d_o, (d_a + d_o) / 2, np.ones(n)], axis=1)
    total, resampled = boot.sums(np.hstack([outcome, others]))
    with np.errstate(invalid="ignore", divide="ignore"):
        share, mean = resampled / resampled[:, [_PAIRS]], total / total[_PAIRS]
        rate = resampled[:, 1] / (resampled[:, 0] + resampled[:, 1])
        strengths = np.where(resampled[:, _RESPONSE] > 0, _strength(resampled), np.nan)
        strength = float(_strength(total))

    def share_of(*which: int) -> Estimate:
        hits = float(total[list(which)].sum())
        return boot.rate(hits, n, share[:, list(which)].sum(axis=1), undefined=NO_SCORES)

    return Override(
        followed=share_of(0),
        overridden=share_of(1),
        missed=share_of(2),
        lucky=share_of(3),
        understood=share_of(0, 1),
        chosen=share_of(0, 3),
        override_rate=boot.rate(
            float(total[1]),
            int(total[0] + total[1]),
            rate,
            undefined="no pair was understood" if n else NO_SCORES,
            n_units=boot.units_among(codes <= 1),
        ),
        override_strength=boot.estimate(
            strength,
            strengths,
            undefined="the mean prompt response is not positive" if n else NO_SCORES,
        ),
        prompt_response=boot.estimate(
            float(mean[_RESPONSE]), share[:, _RESPONSE], undefined=NO_SCORES
        ),
        prior_pull=boot.estimate(float(mean[_PULL]), share[:, _PULL], undefined=NO_SCORES),
        n=n,
        n_reward_ties=int((d_a == 0).sum()),
        n_missing=sample.n_missing,
    )


def _strength(sums: Scores) -> Scores:
    strength: Scores = -2 * sums[..., _PULL] / sums[..., _RESPONSE]
    return np.where(sums[..., _RESPONSE] == 0, np.nan, strength)
