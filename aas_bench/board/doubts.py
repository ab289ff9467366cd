"""What published accuracies rest on: whose labels, how many positive, and whether rows agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aas_bench.board.entries import Lookup
from aas_bench.measure.printed import printed_positive_share
from aas_bench.words import percent

LABELS: Final = (
    "The labels behind the published accuracies are those of a language-model judge, which 18 "
    "people checked (quadratic kappa 0.80); ties were left out. The labels are not published."
)


@dataclass(frozen=True, kw_only=True)
class Implied:
    """The share of positive labels ("the distorted image is right") that one row implies.

    Attributes:
        name: The reward model.
        low: The least that its accuracy and F1, each half a last digit either way, allow.
        high: The most.
    """

    name: str
    low: float
    high: float


def implied(found: Sequence[Lookup]) -> list[Implied]:
    """What each published row with accuracy and F1 implies, the least first."""
    read = []
    for each in found:
        accuracy, f1 = each.get("accuracy"), each.get("f1")
        if each.record.status != "published" or accuracy is None or f1 is None:
            continue
        if accuracy.value is None or f1.value is None or f1.value >= 1:
            continue
        ends = printed_positive_share(accuracy.value, f1.value)
        if ends is not None:
            read.append(Implied(name=each.record.subject.name, low=ends[0], high=ends[1]))
    return sorted(read, key=lambda each: (each.high, each.name))


def baselines(found: Sequence[Lookup]) -> tuple[float, float] | None:
    """Accuracies of "always the distorted image" and "always the original" that a row implies.

    Of the row that implies most positive labels, at their least: what a rule that looks at nothing
    reaches if that row's labels hold. None where no row has accuracy and F1.
    """
    read = implied(found)
    if not read:
        return None
    share = max(each.low for each in read)
    return share, 1 - share


def doubts(found: Sequence[Lookup]) -> tuple[str, ...]:
    """The sentences under a table of published accuracies; none where there is no such row."""
    read = implied(found)
    if not read:
        return ()
    lowest, highest = read[0], max(read, key=lambda each: each.low)
    if highest.low <= lowest.high:
        return (LABELS,)
    return LABELS, _contradiction(lowest, highest), _baselines(lowest, highest, found)


def _contradiction(lowest: Implied, highest: Implied) -> str:
    least, most = percent(highest.low, digits=1), percent(lowest.high, digits=1)
    return (
        "Two rows contradict each other. With e = 1 − accuracy, F1 makes the true "
        "positives e F1 / (2 (1 − F1)) of all pairs, and the positive labels at most e "
        f"more. {highest.name}'s row implies at least {least} positive labels, {lowest.name}'s at "
        f"most {most}: they cannot rest on the same labels."
    )


def _baselines(lowest: Implied, highest: Implied, found: Sequence[Lookup]) -> str:
    figures = [each.get("accuracy") for each in found if each.record.status == "published"]
    below = sum(f is not None and (f.value or 0.0) < highest.low for f in figures)
    ends = (highest.low, 1 - highest.low, lowest.high, 1 - lowest.high)
    high, low, most, least = (percent(end, digits=1) for end in ends)
    return (
        f"If {highest.name}'s labels hold, “always the distorted "
        f"image” is right in at least {high}, more often than {below} "
        f"of the published rows, and “always the original"
        f"” in at most {low}; if {lowest.name}'s hold, in at most "
        f"{most} and at least {least}. Dotted lines in the column of accuracies: the first two."
    )
