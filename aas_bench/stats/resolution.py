"""Differences of scores that are no more than rounding."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aas_bench.stats.estimate import Scores
from aas_bench.stats.inputs import read_sample

# Spacing of numbers between 1 and 2: of bfloat16 and float16, of float32, of float64.
_HALVES: Final = (2.0**-7, 2.0**-10)
_SINGLE: Final = 2.0**-23
_DOUBLE: Final = 2.0**-52
# Fine scores are sums themselves, whose additions round as well; a step of a coarse one may count.
_SPARE: Final = 2.0


def resolution(*scores: ArrayLike) -> Scores:
    """The size below which a sum or difference of these scores is no more than their rounding.

    k / 2 spacings of the largest of the k scores of a row: each score is off by up to half a
    spacing. The spacing is that of the coarsest floating format that holds every score given:
    bfloat16 or float16 (only if small scores are finer than large ones, since ratings on a fixed
    grid are exact), else float32 or float64, where it counts twice for the additions before.

    Args:
        scores: Columns of shape (n,), float; NaN or None where a score is missing.

    Returns:
        Shape (n,), float64, in units of the scores; NaN where a score is missing.

    Raises:
        InputError: Lengths differ, nothing is given, or a score is infinite.

    Source:
        Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, 2002, chapter 2.

    Example:
        >>> resolution([0.1, 3000.0], [0.3, 1.0]).round(14).tolist()
        [0.0, 9.1e-13]
    """
    names = [f"scores {i}" for i in range(len(scores))]
    sample = read_sample(dict(zip(names, scores, strict=True)), on_missing="drop")
    return _resolution(*sample.scores.values())


def difference(a: ArrayLike, b: ArrayLike) -> Scores:
    """The difference a - b, and exactly 0 where that is below the resolution of the two.

    Args:
        a: Scores, shape (n,), float; NaN or None where missing.
        b: Scores, shape (n,), float.

    Returns:
        Shape (n,), float64; NaN where a score is missing.

    Raises:
        InputError: Lengths differ, nothing is given, or a score is infinite.

    Example:
        >>> difference([0.1 + 0.2, 0.5], [0.3, 0.4]).round(3).tolist()
        [0.0, 0.1]
    """
    sample = read_sample({"a": a, "b": b}, on_missing="drop")
    left, right = sample.scores["a"], sample.scores["b"]
    return resolved(left - right, left, right)


def resolved(value: Scores, *scores: Scores) -> Scores:
    """`value`, and exactly 0 where it is below the resolution of the scores that it is made of."""
    return np.where(np.abs(value) < _resolution(*scores), 0.0, value)


def _resolution(*scores: Scores) -> Scores:
    largest: Scores = np.max(np.abs(scores), axis=0)
    _, exponent = np.frexp(largest)
    # Between 1 and 2, frexp says 1.
    spacing = np.ldexp(_format(*scores), exponent - 1)
    tolerance: Scores = np.where(np.isnan(largest), np.nan, len(scores) / 2 * spacing)
    return tolerance


def _format(*scores: Scores) -> float:
    spacing = spacing_of(*scores)
    return spacing if spacing in _HALVES else _SPARE * spacing


def spacing_of(*scores: Scores) -> float:
    """Spacing between 1 and 2 of the coarsest floating format that holds every score."""
    for spacing in _HALVES:
        if all(_held(column, spacing) for column in scores) and _floats(scores, spacing):
            return spacing
    return _SINGLE if all(_held(column, _SINGLE) for column in scores) else _DOUBLE


def _held(column: Scores, spacing: float) -> bool:
    """Whether every number has no more bits than a format of this spacing."""

    def held(numbers: Scores) -> bool:
        fraction, _ = np.frexp(numbers)
        steps = fraction * 2 / spacing
        return bool((np.isnan(steps) | (steps == np.round(steps))).all())

    # The first few rule out most formats.
    return held(column[:100]) and held(column)


def _floats(scores: tuple[Scores, ...], spacing: float) -> bool:
    """Whether some score is no multiple of the spacing at the largest score."""
    flat: NDArray[np.float64] = np.concatenate(scores)
    flat = flat[~np.isnan(flat)]
    _, exponent = np.frexp(np.abs(flat).max(initial=0.0))
    steps = np.ldexp(flat, -(int(exponent) - 1)) / spacing
    return bool((steps != np.round(steps)).any())
