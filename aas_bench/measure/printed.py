"""What can be added to figures that were printed without it: an interval, and what they imply."""

from __future__ import annotations

from aas_bench.stats.intervals import wilson
from aas_bench.stats.positive_share import positive_share


def printed_interval(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share whose printed n counts independent prompts.

    Example:
        >>> low, high = printed_interval(0.19, 100)
        >>> round(low, 3), round(high, 3)
        (0.125, 0.278)
    """
    return wilson(round(share * n), n)


def printed_positive_share(accuracy: float, f1: float) -> tuple[float, float] | None:
    """The shares of positive labels under which accuracy and F1 can both be as printed."""
    return positive_share(accuracy, f1)
