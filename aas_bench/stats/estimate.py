"""A number that never stands alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Scores: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = NDArray[np.int8]
Codes: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]
OnMissing: TypeAlias = Literal["raise", "drop"]
Ties: TypeAlias = Literal["original", "half", "distorted"]
"""Whose win a difference of 0 is: the original image's, half of either, the distorted image's."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """Base of what the statistics return."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: fields by name, tuples as lists, mapping keys as strings."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}


def _plain(value: Any) -> Any:
    if isinstance(value, Result):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


@dataclass(frozen=True, kw_only=True)
class Estimate(Result):
    """A value with its interval and what it rests on.

    Attributes:
        value: The point estimate; None where it is undefined.
        low: Lower end of the interval; None where there is none.
        high: Upper end of the interval; None where there is none.
        n: Pairs that the value rests on; its denominator, where it is a rate.
        n_clusters: Independent clusters among them; None where pairs count as independent.
        coverage: Share of the pairs given that were usable, in [0, 1]: below 1 where scores are
            missing. A pair left out by definition (a label tie; for the override rate, a pair
            that was not understood) lowers n and not the coverage.
        reason: Why `value` is None or, where there is a value, why it has no interval.

    Example:
        >>> Estimate(value=0.5, low=0.3, high=0.7, n=20).to_dict()["high"]
        0.7
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int
    n_clusters: int | None = None
    coverage: float = 1.0
    reason: str | None = None

    def __post_init__(self) -> None:
        numbers = (self.value, self.low, self.high, self.coverage)
        if any(number is not None and not math.isfinite(number) for number in numbers):
            msg = f"an Estimate holds finite numbers or None, got {numbers}."
            raise ValueError(msg)
        if self.value is None and self.reason is None:
            msg = "an Estimate without a value needs a reason."
            raise ValueError(msg)
