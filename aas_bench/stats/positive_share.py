"""What accuracy and F1 of one classifier, as printed, say of the labels they were counted on."""

from __future__ import annotations

from itertools import product

from aas_bench.errors import InputError


def positive_share(
    accuracy: float, f1: float, *, rounding: float = 0.0005
) -> tuple[float, float] | None:
    """The least and the most share of positive labels that a printed accuracy and F1 allow.

    With e = 1 - accuracy the share of errors, F1 = 2 TP / (2 TP + e) gives
    TP = e F1 / (2 (1 - F1)), and of the e errors any part may be false negatives: the share of
    positives lies between TP and TP + e. Each figure may lie half a last digit off what is printed.

    Args:
        accuracy: Share of right answers, in [0, 1].
        f1: F1 of the positive class, in [0, 1).
        rounding: Half a unit of the last digit that both are printed with.

    Returns:
        Both ends, within [0, 1]; None where no labels whatever give both figures.

    Raises:
        InputError: A figure lies outside its range.

    Example:
        >>> low, high = positive_share(0.913, 0.954)
        >>> round(low, 3)
        0.887
    """
    if not (0 <= accuracy <= 1 and 0 <= f1 < 1):
        msg = f"accuracy {accuracy} and F1 {f1} must lie in [0, 1], F1 below 1. Give shares."
        raise InputError(msg)
    ends = []
    for a, f in product((accuracy - rounding, accuracy + rounding), (f1 - rounding, f1 + rounding)):
        errors, f_within = min(max(1 - a, 0.0), 1.0), min(max(f, 0.0), 1 - 1e-12)
        found = errors * f_within / (2 * (1 - f_within))
        ends.append((found, found + errors))
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    return (low, min(high, 1.0)) if low <= 1 else None
