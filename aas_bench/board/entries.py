"""Records looked up by measurement, and their measurements as entries of tables."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

from aas_bench.measure.measures import JUDGE, MEASURES
from aas_bench.pages.kit import Axis, Column, ColumnKind, Entry, estimate_entry, number_entry
from aas_bench.records.collection import Results
from aas_bench.records.record import Measurement, Record
from aas_bench.rewards.catalog import SYNTHETIC
from aas_bench.stats.override import OUTCOMES
from aas_bench.tasks.catalog import TASKS
from aas_bench.tasks.task import Shelf
from aas_bench.words import SHARE, UNDEFINED, percent

SELF_TEST: Final = "self-test, synthetic"
MODEL_PAGES: Final = "model"
"""Folder of the pages of single results."""
ABOUT: Final = "about "
"""How the reason of a figure begins that its source gives roughly: `about 8, as published`."""


class Lookup:
    """One record with its measurements by key.

    Attributes:
        record: The record.
        flag: Why it must not be shown as if whole; None where nothing is wrong.
    """

    def __init__(self, record: Record, flag: str | None = None) -> None:
        self.record = record
        self.flag = flag

    @property
    def self_test(self) -> bool:
        """Whether the subject is built in, with a known answer: it ranks nowhere."""
        subject = self.record.subject
        if subject.kind == "reward_model":
            return subject.name in SYNTHETIC
        return subject.family == "builtin"

    @cached_property
    def _by_key(self) -> dict[tuple[object, ...], Measurement]:
        return {each.key: each for each in self.record.measurements}

    def get(
        self,
        measure: str,
        *,
        reward: str | None = None,
        by: str | None = None,
        group: str | None = None,
        at: float | None = None,
    ) -> Measurement | None:
        """As `Record.get`, without a search."""
        return self._by_key.get((measure, reward, by, group, at))

    def same(self, other: Measurement) -> Measurement | None:
        """The measurement of the same key as another record's."""
        return self._by_key.get(other.key)

    def first(self, *measures: str, reward: str | None = None) -> Measurement | None:
        """The first of these measures that the record has."""
        return next(filter(None, (self.get(name, reward=reward) for name in measures)), None)


def lookups(results: Results, *, built_in: bool = False, **wanted: Any) -> list[Lookup]:
    """The records of `Results.of`, each with its flag.

    Args:
        results: The records.
        built_in: Whether those of the built-in subjects are wanted, or all the others: what tests
            us and what is measured never stand in one table, count or headline.
        wanted: As `Results.of` takes it.
    """
    flags = results.flags()
    found = (Lookup(record, flags.get(record.id)) for record in results.of(**wanted))
    return [each for each in found if each.self_test == built_in]


def generators_of(
    results: Results, *, built_in: bool = False, edited: bool = False
) -> list[Lookup]:
    """The generators' records: from prompts alone, or those that were given seed images.

    Args:
        results: The records.
        built_in: As `lookups` takes it.
        edited: Whether image-to-image results are wanted, or all the others; they have no measure
            in common.
    """
    found = lookups(results, built_in=built_in, kind="generator")
    return [each for each in found if (each.get("way_back") is not None) == edited]


def on_shelf(results: Results, shelf: Shelf, *, built_in: bool = False) -> list[Lookup]:
    """The reward models' records on tasks that one of our tables shows; see `lookups`."""
    found = lookups(results, built_in=built_in, kind="reward_model")
    return [each for each in found if TASKS[each.record.task].shelf == shelf]


def measured(
    found: Measurement | None, *, axis: Axis | None = None, of: Lookup | None = None
) -> Entry:
    """The entry of a measurement; a dash with the reason where it is undefined or absent.

    Args:
        found: None where the record has none.
        axis: What it is drawn on.
        of: Its record: the entry leads to the pairs that it rests on, or else to its figures.
    """
    if found is None:
        return Entry(text=UNDEFINED)
    entry = estimate_entry(found, MEASURES[found.measure].spelling, axis=axis)
    about = (found.reason or "").partition(",")[0]
    entry = replace(entry, text=about) if about.startswith(ABOUT) else entry
    if of is None or found.value is None:
        return entry
    pairs = "#pairs" if of.record.scores is not None else ""
    return replace(entry, href=f"{address(of.record)}{pairs}")


def measured_column(
    measure: str,
    *,
    kind: ColumnKind = "number",
    key: str = "",
    label: str = "",
    shown: bool = True,
    ends: tuple[str, str, str] | None = None,
) -> Column:
    """The column of a measure, with its label and its formula."""
    row = MEASURES[measure]
    better = {True: " Higher is better.", False: " Lower is better.", None: ""}
    return Column(
        key=key or measure,
        label=label or row.label,
        kind=kind,
        tip=f"{row.formula}.{better[row.higher_is_better]}",
        shown=shown,
        ends=ends,
    )


def outcome_entry(of: Lookup, *, reward: str | None = None) -> Entry:
    """The four outcomes as one bar; sorted by how often the request was overridden."""
    found = {name: of.get(name, reward=reward) for name in OUTCOMES}
    values = {n: m.value for n, m in found.items() if m is not None and m.value is not None}
    if len(values) < len(OUTCOMES):
        return Entry(text=UNDEFINED)
    said = ", ".join(f"{name} {percent(values[name])}" for name in OUTCOMES)
    return Entry(
        text=said, value=values["overridden"], shares=tuple(values[name] for name in OUTCOMES)
    )


def status_entry(record: Record) -> Entry:
    """Measured (on which subset), published (with its place in the source) or pending."""
    source = record.source
    if record.subset is not None:
        href = "" if source is None else source.url
        return Entry(text=record.status, sub=record.subset, href=href)
    if source is None:
        day = "" if record.created is None else record.created.isoformat()
        return Entry(text=record.status, sub=day)
    return Entry(text=record.status, sub=source.location, href=source.url)


def judges_of(record: Record) -> tuple[str, ...]:
    """The judges whose answers a record carries, by name; none where figures were published."""
    named = (each.group for each in record.measurements if each.by == JUDGE)
    return tuple(sorted({name for name in named if name is not None}))


def same_judges(a: Record, b: Record) -> bool:
    """Whether two records were before the same judges, asked in the same words."""

    def told(record: Record) -> tuple[Any, Any]:
        about: Any = (record.provenance or {}).get("judged")
        if not isinstance(about, dict):
            return None, None
        return about.get("judges"), about.get("instructions")

    return judges_of(a) == judges_of(b) and told(a) == told(b)


def count_entry(found: Measurement | None) -> Entry:
    """How many pairs a figure rests on."""
    if found is None or found.n is None:
        return Entry(text=UNDEFINED)
    n = found.n
    clusters = "" if found.n_clusters in (None, n) else f"{found.n_clusters:,} prompts"
    return number_entry(f"{n:,}", float(n), interval=clusters)


def coverage_entry(found: Measurement | None, record: Record) -> Entry:
    """The share of the task's pairs that a figure rests on; of the subset's, where it says so."""
    if found is None or found.coverage is None:
        return Entry(text=UNDEFINED)
    expected = TASKS[record.task].expected_pairs(record.subject.kind)
    there = record.scores.n_pairs if record.scores else None
    share = min(1.0, there / expected) if expected and there and record.subset is None else 1.0
    return number_entry(SHARE.value(share * found.coverage), share * found.coverage)


def address(record: Record) -> str:
    """Where the page of a result stands, relative to the leaderboard's first page."""
    return f"{MODEL_PAGES}/{record.id}.html"


def name_entry(of: Lookup) -> Entry:
    """The subject's name, which leads to its page; below it its home, or that it tests us."""
    subject = of.record.subject
    tag = of.record.id.rpartition("/")[2]
    own = tag if tag not in ("measured", "published", "pending") else ""
    home = SELF_TEST if of.self_test else subject.repo or ""
    sub = ", ".join(filter(None, (home, own)))
    return Entry(text=subject.name, sub=sub, href=address(of.record))


def shared_ranks(estimates: Mapping[str, Measurement], *, higher_is_better: bool) -> dict[str, int]:
    """Rank by key: 1 + how many have their whole interval on the better side of its own.

    Intervals that overlap share a rank; without an interval there is none.
    """
    known = {
        key: (each.low, each.high) if higher_is_better else (-each.high, -each.low)
        for key, each in estimates.items()
        if each.value is not None and each.low is not None and each.high is not None
    }
    lows = sorted(low for low, _ in known.values())
    return {key: 1 + _above(lows, high) for key, (_, high) in known.items()}


def ranks_by_task(
    found: Iterable[tuple[Lookup, Measurement | None]], *, higher_is_better: bool
) -> dict[str, int]:
    """`shared_ranks` of whole results by record id, within each task; what tests us has none."""
    by_task: dict[str, dict[str, Measurement]] = defaultdict(dict)
    for of, figure in found:
        if figure is not None and of.flag is None and not of.self_test:
            by_task[of.record.task][of.record.id] = figure
    ranks: dict[str, int] = {}
    for estimates in by_task.values():
        ranks |= shared_ranks(estimates, higher_is_better=higher_is_better)
    return ranks


def rank_entry(rank: int | None) -> Entry:
    """A rank; a dash where there is none, for want of an interval or of coverage."""
    if rank is None:
        return Entry(text=UNDEFINED)
    return number_entry(str(rank), float(rank))


def _above(lows: Sequence[float], high: float) -> int:
    return len(lows) - bisect_right(lows, high)
