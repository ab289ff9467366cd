"""Sentences about records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from aas_bench.board.entries import Lookup
from aas_bench.measure.measures import MEASURES
from aas_bench.records.record import Measurement
from aas_bench.words import NO_INTERVAL, count, listing

STATUSES = ("measured", "published", "pending")
SAME_MODEL: Final = {"hpsv2": "hpsv2.1", "blip": "blip-l-itm"}
"""What the source calls by two names and docs/results.md takes for one."""


def statuses(found: Iterable[Lookup]) -> str:
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


def sure(found: Measurement) -> str:
    """A figure with its interval, or the word that it has none."""
    spelling = MEASURES[found.measure].spelling
    ends = spelling.ends(found)
    said = ends if ends == NO_INTERVAL else f"95 % interval {ends}"
    return f"{spelling.value(found.value)} ({said})"


def subjects(found: Iterable[Lookup], one: str) -> str:
    """How many different subjects, as text; a model under two names counts once."""
    names = {each.record.subject.id for each in found}
    return count(len({SAME_MODEL.get(name, name) for name in names}), one)


def _overlap(a: Measurement, b: Measurement) -> bool:
    if None in (a.low, a.high, b.low, b.high):
        return a.value == b.value
    return (a.low or 0.0) <= (b.high or 0.0) and (b.low or 0.0) <= (a.high or 0.0)
