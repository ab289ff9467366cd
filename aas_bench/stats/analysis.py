"""The options that every statistic shares, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from aas_bench.stats.estimate import OnMissing, Ties
from aas_bench.stats.inputs import check_choice, check_confidence_level, check_count


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """How a table is analysed. Public functions take these as keywords and build one.

    Attributes:
        confidence_level: Nominal coverage of every interval, in (0, 1).
        ties: What a difference of 0 is: "original", against the distorted image; "half", a half on
            either side; "distorted", for it.
        on_missing: "raise", or "drop" the pairs without a score and lower the coverage.
        n_resamples: Random sign flips of a test with too many clusters to try all; 0 leaves such
            tests out. Intervals do not resample.
        seed: Seed of the sign flips.

    Raises:
        InputError: An option does not fit.

    Example:
        >>> Analysis(confidence_level=0.9).ties
        'original'
    """

    confidence_level: float = 0.95
    ties: Ties = "original"
    on_missing: OnMissing = "raise"
    n_resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        check_confidence_level(self.confidence_level)
        check_choice("ties", self.ties, get_args(Ties))
        check_choice("on_missing", self.on_missing, get_args(OnMissing))
        check_count("n_resamples", self.n_resamples)
        check_count("seed", self.seed)
