"""Where the score moved, and which image it preferred: a description in four outcomes.

Noise moves half of all scores towards the request. What a reward model read, and what its taste
overrode, is estimated against placebo requests: `aas_bench.stats.placebo_override`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import Estimate, OnMissing, Result, Scores, Ties
from aas_bench.stats.inputs import Sample, read_sample
from aas_bench.stats.intervals import Intervals
from aas_bench.stats.preference import choice
from aas_bench.stats.resolution import resolution, resolved

OUTCOMES: Final = ("followed", "overridden", "missed", "lucky")
NO_SCORES = "no pair has all four scores"
NOT_MOVED: Final = "no score moved towards its request"

NOT_POSITIVE = "the mean prompt response is not positive beyond doubt"
CELLS: Final = ("oiop", "oidp", "diop", "didp")
# Outcome by (moved, chosen).
_CODE: Final = np.array([[2, 3], [1, 0]], dtype=np.int8)


@dataclass(frozen=True, kw_only=True)
class Override(Result):
    """The 2x2 table of where the score moved and which image it preferred: a description.

    Attributes:
        followed: Share of pairs that moved towards the request, and chosen as asked, in [0, 1].
        overridden: Share that moved, and yet the polished image preferred.
        missed: Share that did not move towards the request, and the polished image preferred.
        lucky: Share that did not, and yet chosen as asked.
        moved: followed + overridden: the score moved towards the request.
        chosen: followed + lucky.
        overridden_of_moved: overridden / moved.
        override_strength: -2 prior_pull / prompt_response; above 1, taste outweighs the request.
        prompt_response: Mean of I = d_a - d_o, in units of the score.
        prior_pull: Mean of M = (d_a + d_o) / 2, in units of the score; negative towards polish.
        n: Pairs with all four scores.
        n_reward_ties: Pairs among the n with d_a 0, to the scores' resolution.
        n_response_ties: Pairs among the n with I 0, to the scores' resolution.
        n_missing: Pairs left out because a score is missing.

    Example:
        >>> override([5, 5], [4, 4], [1, 1], [6, 3]).overridden.value
        0.5
    """

    followed: Estimate
    overridden: Estimate
    missed: Estimate
    lucky: Estimate
    moved: Estimate
    chosen: Estimate
    overridden_of_moved: Estimate
    override_strength: Estimate
    prompt_response: Estimate
    prior_pull: Estimate
    n: int
    n_reward_ties: int
    n_response_ties: int
    n_missing: int


def outcomes(
    oiop: ArrayLike, oidp: ArrayLike, diop: ArrayLike, didp: ArrayLike
) -> NDArray[np.int8]:
    """Outcome of each pair, as its position in OUTCOMES.

    With d_a = didp - oidp, d_o = diop - oiop and I = d_a - d_o: followed where I > 0 and d_a > 0,
    overridden where I > 0 and d_a <= 0, missed where I <= 0 and d_a <= 0, lucky where I <= 0 and
    d_a > 0. A difference below the scores' resolution (see `resolution`) is 0.

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
    d_a, response = _gains(sample)
    codes = _CODE[(response > 0).astype(np.intp), (d_a > 0).astype(np.intp)]
    return np.where(np.isnan(response), np.int8(-1), codes)


def override(
    oiop: ArrayLike,
    oidp: ArrayLike,
    diop: ArrayLike,
    didp: ArrayLike,
    *,
    ties: Ties = "original",
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
) -> Override:
    """Where the request moved the score, and which image was preferred.

    The distorted image gains d_a = didp - oidp on the original under the prompt that asks for it,
    and d_o = diop - oiop under the prompt that does not. The prompt response I = d_a - d_o is what
    the request changes; the prior pull M = (d_a + d_o) / 2 is what no prompt changes; so that
    d_a = M + I / 2. A pair moved towards its request where I > 0 and is chosen where d_a > 0:
    four outcomes (see `outcomes`) whose shares sum to 1.

    - overridden of moved = overridden / moved, over pairs
    - override strength = -2 mean(M) / mean(I): above 1, the mean d_a is not positive although the
      mean response is

    Args:
        oiop: Score of the original image under the original prompt, shape (n,), float.
        oidp: Original image, distorted prompt.
        diop: Distorted image, original prompt.
        didp: Distorted image, distorted prompt.
        ties: What a difference of 0 is. "original": d_a of 0 is not chosen, I of 0 not moved.
            "distorted": d_a of 0 is chosen, I of 0 moved. "half": half a pair on either side, so
            that a pair with both counts a quarter in each outcome.
        clusters: Shape (n,): the base prompt of each pair. None counts pairs as independent.
        on_missing: "raise", or "drop" the pairs without all four and lower the coverage.
        confidence_level: Nominal coverage of the intervals, in (0, 1).

    Returns:
        Override. `overridden_of_moved` is None where no pair moved. The override strength is
        None where the mean response is within the scores' resolution, and has no interval
        (Fieller's) where that mean is negative, or its own interval holds 0: the ratio then no
        longer weighs taste against a response.

    Raises:
        MissingScoresError: A score is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit.

    Source:
        The interaction contrast and main effect of a 2x2 design (Box, Hunter and Hunter,
        Statistics for Experimenters, 1978), applied to the four scores of arXiv 2512.11883.

    Example:
        >>> result = override([5, 5, 5], [4, 4, 4], [1, 1, 1], [6, 3, 2])
        >>> round(result.overridden_of_moved.value, 3), result.followed.n
        (0.667, 3)
    """
    analysis = Analysis(confidence_level=confidence_level, ties=ties, on_missing=on_missing)
    sample = _read(oiop, oidp, diop, didp, clusters=clusters, on_missing=on_missing)
    return _override(sample.complete(), analysis)


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
    """d_a and the prompt response I, each 0 where it is below the scores' resolution."""
    oiop, oidp, diop, didp = (sample.scores[name] for name in CELLS)
    d_a, d_o = didp - oidp, diop - oiop
    return resolved(d_a, oidp, didp), resolved(d_a - d_o, oiop, oidp, diop, didp)


def _override(sample: Sample, analysis: Analysis) -> Override:
    d_a, response = _gains(sample)
    intervals = Intervals(sample, analysis)
    moved, chosen = choice(response, analysis.ties), choice(d_a, analysis.ties)
    overridden = moved * (1 - chosen)
    pull = d_a - response / 2

    def share(hits: Scores) -> Estimate:
        return intervals.rate(hits, undefined=NO_SCORES)

    strength = intervals.ratio(
        -2 * pull,
        response,
        undefined=NOT_POSITIVE if sample.n else NO_SCORES,
        uncertain=NOT_POSITIVE,
    )
    if (
        sample.n
        and abs(response.mean()) <= resolution(*(sample.scores[name] for name in CELLS)).mean()
    ):
        strength = intervals.none(NOT_POSITIVE, n=sample.n)
    elif strength.low is not None and response.mean() < 0:
        strength = replace(strength, low=None, high=None, reason=f"no interval: {NOT_POSITIVE}")
    return Override(
        followed=share(moved * chosen),
        overridden=share(overridden),
        missed=share((1 - moved) * (1 - chosen)),
        lucky=share((1 - moved) * chosen),
        moved=share(moved),
        chosen=share(chosen),
        overridden_of_moved=intervals.rate(
            overridden, moved, undefined=NOT_MOVED if sample.n else NO_SCORES
        ),
        override_strength=strength,
        prompt_response=intervals.mean(response, undefined=NO_SCORES),
        prior_pull=intervals.mean(pull, undefined=NO_SCORES),
        n=sample.n,
        n_reward_ties=int((d_a == 0).sum()),
        n_response_ties=int((response == 0).sum()),
        n_missing=sample.n_missing,
    )
