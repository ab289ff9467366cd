"""Scores brought to a scale on which a difference means the same wherever it stands."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aas_bench.errors import InputError
from aas_bench.stats.estimate import Scores
from aas_bench.stats.inputs import read_sample
from aas_bench.stats.resolution import spacing_of


def logit(probability: ArrayLike) -> Scores:
    """Log-odds ln(p / (1 - p)) of scores that are probabilities.

    From .98 to .99 is as far as from .50 to .67 then, not as from .50 to .51. What a number format
    cannot tell from 1 is taken as far from it as that format reaches, and 0 likewise, so that both
    ends are finite and alike.

    Args:
        probability: Shape (n,), float in [0, 1]; NaN or None where a score is missing.

    Returns:
        Shape (n,), float64; NaN where a score is missing.

    Raises:
        InputError: A score lies outside [0, 1], or nothing is given.

    Source:
        Berkson, Application of the logistic function to bio-assay, Journal of the American
        Statistical Association 39, 1944.

    Example:
        >>> logit([0.5, 0.75, 1.0]).round(3).tolist()
        [0.0, 1.099, 17.329]
    """
    p = _read(probability)[0]
    end = _end(p)
    inside = np.clip(p, end, 1 - end)
    return np.log(inside) - np.log1p(-inside)


def logit_resolution(*probabilities: ArrayLike) -> Scores:
    """`resolution` of sums and differences of log-odds: what rounding of each p makes of its own.

    Args:
        probabilities: Columns of shape (n,), float in [0, 1]; NaN or None where missing.

    Returns:
        Shape (n,), float64, in log-odds; NaN where a score is missing.

    Raises:
        InputError: As in `logit`, or lengths differ.

    Example:
        >>> [f"{each:.0e}" for each in logit_resolution([0.5, 0.999999], [0.5, 0.5])]
        ['9e-16', '1e-10']
    """
    columns = _read(*probabilities)
    end = _end(*columns)
    total = np.zeros_like(columns[0])
    for p in columns:
        inside = np.clip(p, end, 1 - end)
        total += end / (inside * (1 - inside))
    return total


def _read(*probabilities: ArrayLike) -> tuple[Scores, ...]:
    names = {f"probability {i}": column for i, column in enumerate(probabilities)}
    columns = tuple(read_sample(names, on_missing="drop").scores.values())
    if any(((p < 0) | (p > 1)).any() for p in columns):
        msg = "a score lies outside 0 to 1, so it is no probability. Give scores as they are."
        raise InputError(msg)
    return columns


def _end(*columns: Scores) -> float:
    """Half the spacing below 1 of the format of the scores, but what float64 can take from 1."""
    return max(spacing_of(*columns) / 4, 2.0**-53)
