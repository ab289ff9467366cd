"""A number that never stands alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Scores: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = NDArray[np.int8]
Codes: TypeAlias = NDArray[np.int64]
OnMissing: TypeAlias = Literal["raise", "drop"]
Ties: TypeAlias = Literal["original", "half"]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value with its interval and what it rests on.

    Attributes:
        value: The point estimate; None where it is undefined.
        low: Lower end of the interval; None where there is none.
        high: Upper end of the interval; None where there is none.
        n: Pairs that the value rests on.
        n_clusters: Independent clusters among them; None where pairs count as independent.
        coverage: Share of the pairs given that were usable, in [0, 1].
        reason: Why `value` is None; None otherwise.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int
    n_clusters: int | None = None
    coverage: float = 1.0
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, the fields by name."""
        return asdict(self)
