"""What turning the preference-strength knob would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from aas_bench.errors import InputError
from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import Estimate, OnMissing, Result, Ties
from aas_bench.stats.inputs import read_sample, read_scores
from aas_bench.stats.intervals import Intervals
from aas_bench.stats.preference import NO_LABELS, NO_SCORES, choice, right

STRENGTHS: Final = tuple(step / 20 for step in range(31))


@dataclass(frozen=True, kw_only=True)
class StrengthCurve(Result):
    """Choices of a reward model by strength of the knob.

    Attributes:
        measure: "accuracy" against the labels, or, without labels, the share "chosen".
        strengths: The lambdas; 0 is the model as shipped.
        points: The measure at each of them, in [0, 1].

    Example:
        >>> strength_curve([1.0], [2.0], strengths=[0.0, 1.0]).points[1].value
        0.0
    """

    measure: Literal["accuracy", "chosen"]
    strengths: tuple[float, ...]
    points: tuple[Estimate, ...]


def strength_curve(
    d_a: ArrayLike,
    d_o: ArrayLike,
    label: ArrayLike | None = None,
    *,
    strengths: Sequence[float] = STRENGTHS,
    ties: Ties = "original",
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
) -> StrengthCurve:
    """Choices after a share of the score under a reference prompt is taken off.

    s_lambda(i, p) = s(i, p) - lambda s(i, p_ref), with the pair's original prompt as p_ref, gives
    a pair the margin m_lambda = d_a - lambda d_o; the choice is 1 where m_lambda > 0. At lambda = 1
    the margin is the prompt response alone: all of the model's taste that no prompt changes is out.

    Args:
        d_a: didp - oidp, shape (n,), float; NaN or None where a score is missing.
        d_o: diop - oiop, shape (n,).
        label: Shape (n,), in {1, 0, -1}; pairs labelled -1 are left out. None: no labels.
        strengths: The lambdas, by default 0 to 1.5 in steps of 0.05.
        ties: What a margin of exactly 0 is, as in `preference`.
        clusters: Shape (n,): the base prompt of each pair. None counts pairs as independent.
        on_missing: "raise", or "drop" the pairs without a score and lower the coverage.
        confidence_level: Nominal coverage of each point's interval, in (0, 1).

    Returns:
        StrengthCurve, one point a strength, in the order given. The intervals hold for one point
        at a time, not for the curve as a whole.

    Raises:
        MissingScoresError: A score is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit.

    Source:
        The adjustable alignment that arXiv 2512.11883 calls for. Contrastive decoding subtracts a
        reference in the same way: Li et al., Contrastive decoding: open-ended text generation as
        optimization, ACL 2023.

    Example:
        >>> curve = strength_curve([-1.0, 2.0], [-3.0, 1.0], [1, 1], strengths=[0.0, 1.0])
        >>> [point.value for point in curve.points]
        [0.5, 1.0]
    """
    analysis = Analysis(confidence_level=confidence_level, ties=ties, on_missing=on_missing)
    grid = read_scores("strengths", strengths)
    if len(grid) == 0 or np.isnan(grid).any():
        msg = "strengths is empty or lacks a value. Give numbers, such as 0, 0.5 and 1."
        raise InputError(msg)
    columns = {"d_a": d_a, "d_o": d_o}
    whole = read_sample(columns, label=label, clusters=clusters, on_missing=on_missing)
    sample = whole.complete().labelled()
    intervals, points = Intervals(sample, analysis), []
    undefined = NO_SCORES if label is None else NO_LABELS
    for strength in grid:
        margin = sample.scores["d_a"] - strength * sample.scores["d_o"]
        hits = right(choice(margin, analysis.ties), sample.label)
        points.append(intervals.rate(hits, undefined=undefined))
    return StrengthCurve(
        measure="chosen" if label is None else "accuracy",
        strengths=tuple(grid.tolist()),
        points=tuple(points),
    )
