"""Sentences about records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from aas_bench.board.cells import Figures, figure_text, interval_text
from aas_bench.records.record import Measurement
from aas_bench.words import count, listing

STATUSES = ("measured", "published", "pending")
TASK_NAMES: Mapping[str, str] = {
    "counterfactual": "built-in photographs",
    "wide_spectrum": "wide-spectrum prompts",
    "ava_photos": "real photographs",
    "emotion_bias": "faces by emotion",
    "critical_comparison": "critical prompts",
    "lapis_art": "paintings",
}
"""What readers call the tasks."""
_MOST_NAMED = 3


def statuses(found: Iterable[Figures]) -> str:
    """How many results are measured, published, pending."""
    counts = Counter[str](each.record.status for each in found)
    return listing(f"{counts[name]:,} {name}" for name in STATUSES if counts[name])


def leaders(estimates: Mapping[str, Measurement]) -> list[str]:
    """The highest value, then those whose intervals overlap its own; empty without values.

    A value without an interval is told apart from none, so only its equals join it.
    """
    known = {k: m for k, m in estimates.items() if m.value is not None}
    if not known:
        return []
    first, *rest = sorted(known, key=lambda key: -(known[key].value or 0.0))
    return [first, *(key for key in rest if _overlap(known[first], known[key]))]


def named(names: list[str]) -> str:
    """Names in a sentence, at most three of them."""
    if len(names) <= _MOST_NAMED + 1:
        return listing(names)
    return f"{', '.join(names[:_MOST_NAMED])} and {len(names) - _MOST_NAMED} more"


def sure(found: Measurement) -> str:
    """A figure with its interval, or the word that it has none."""
    ends = interval_text(found.measure, found.low, found.high)
    text = figure_text(found.measure, found.value)
    return f"{text} (95 % interval {ends})" if ends else f"{text} (no interval)"


def subjects(found: Iterable[Figures], one: str) -> str:
    """How many different subjects, as text."""
    return count(len({each.record.subject.id for each in found}), one)


def _overlap(a: Measurement, b: Measurement) -> bool:
    if None in (a.low, a.high, b.low, b.high):
        return a.value == b.value
    return (a.low or 0.0) <= (b.high or 0.0) and (b.low or 0.0) <= (a.high or 0.0)
