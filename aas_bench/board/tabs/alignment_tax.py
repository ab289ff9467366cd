"""What alignment cost each family: every aligned generator against its base."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from aas_bench import words
from aas_bench.board.entries import (
    Lookup,
    generators_of,
    name_entry,
    same_judges,
    status_entry,
)
from aas_bench.board.paired import ScoreFiles
from aas_bench.board.tabs.generator_shift import main_reward, rewards_of
from aas_bench.board.tabs.tab import Tab
from aas_bench.measure.compare import SHIFTS, holm_by_family
from aas_bench.measure.measures import MEASURES
from aas_bench.pages.kit import Axis, Column, Entry, Row, Table, facet, number_entry, span
from aas_bench.records.collection import Results
from aas_bench.records.record import Measurement
from aas_bench.stats.differences import GeneratorComparison
from aas_bench.words import UNDEFINED, count, listing, number

NAME: Final = "alignment-tax"
JUDGED: Final = ("llm_win",)
WITHOUT_TEST: Final = "no test: published"
WITHOUT_SCORES: Final = "no test: scores missing"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """An aligned generator, its base, and one measure of both.

    Attributes:
        aligned: The aligned generator's record.
        base: The base's record, of the same task and status.
        reward: The reward model that measured both; "" for the judge.
        ours: The aligned generator's figure.
        theirs: The base's.
        test: The two prompt by prompt; None without per-pair scores of both.
    """

    aligned: Lookup
    base: Lookup
    reward: str
    ours: Measurement
    theirs: Measurement
    test: GeneratorComparison | None

    @property
    def difference(self) -> float:
        """Aligned minus base."""
        assert self.ours.value is not None
        assert self.theirs.value is not None
        return self.ours.value - self.theirs.value


def alignment_tax(results: Results, scores: ScoreFiles | None = None) -> Tab:
    """The view of all families that have a base and something aligned from it.

    Args:
        results: The records.
        scores: Where per-pair scores lie; None for no tests.
    """
    found = [each for each in generators_of(results) if each.record.measurements]
    pairs = list(_pairs(found, scores))
    rows = _rows(pairs)
    default = main_reward(found)
    return Tab(
        name=NAME,
        title="Alignment tax",
        lede=_lede(pairs, default),
        table=Table(
            name=NAME,
            caption="Aligned generators against their base, one row for each measure",
            columns=_COLUMNS,
            rows=rows,
            facets=(
                *facet("family", "Family", rows),
                *facet("measure", "Measure", rows, default=MEASURES["delta"].label),
                *facet("reward", "Measured by", rows, default=default),
                *facet("status", "Status", rows),
            ),
            sort="family",
            empty="No family has both a base and something aligned from it yet.",
        ),
    )


_COLUMNS: Final = (
    Column(key="name", label="Aligned generator", kind="name"),
    Column(
        key="shift",
        label="Base to aligned",
        kind="shift",
        tip="Ring: base. Dot: aligned. On the common axis of the measure and reward model.",
    ),
    Column(key="base", label="Base", kind="number"),
    Column(key="aligned", label="Aligned", kind="number"),
    Column(
        key="difference",
        label="Difference",
        kind="number",
        tip="Aligned minus base. Above zero in Δ and After: the polish sticks more.",
    ),
    Column(
        key="test",
        label="Paired test",
        tip="Sign flips by prompt of the mean difference, Holm by family; none without the "
        "per-pair scores of both.",
    ),
    Column(key="effect", label="Effect size", kind="number", tip="Rank-biserial.", shown=False),
    Column(key="n", label="Prompts", kind="number", shown=False),
    Column(key="family", label="Family"),
    Column(key="alignment", label="Aligned for"),
    Column(key="measure", label="Measure"),
    Column(key="reward", label="Measured by"),
    Column(key="status", label="Status", kind="status"),
)


def _pairs(found: Sequence[Lookup], scores: ScoreFiles | None) -> Iterator[Pair]:
    by_id = {(each.record.subject.id, each.record.task, each.record.status): each for each in found}
    bases = {
        (each.record.subject.family, each.record.task, each.record.status): each
        for each in found
        if each.record.subject.alignment == "base"
    }
    for each in found:
        record = each.record
        if record.subject.alignment in ("base", "closed", None):
            continue
        where = (record.task, record.status)
        named = by_id.get((record.subject.base or "", *where))
        base = named or bases.get((record.subject.family, *where))
        if base is not None and record.subject.family is not None:
            yield from _comparisons(each, base, scores)


def _comparisons(aligned: Lookup, base: Lookup, scores: ScoreFiles | None) -> Iterator[Pair]:
    wanted = [(measure, reward) for reward in rewards_of(aligned) for measure in SHIFTS]
    for measure, reward in [*wanted, *((measure, None) for measure in JUDGED)]:
        ours, theirs = (each.get(measure, reward=reward) for each in (aligned, base))
        if ours is None or theirs is None or None in (ours.value, theirs.value):
            continue
        if measure in JUDGED and not same_judges(aligned.record, base.record):
            continue
        test = None
        if scores is not None and reward is not None:
            test = scores.generators(aligned.record, base.record, reward, measure)
        yield Pair(
            aligned=aligned, base=base, reward=reward or "", ours=ours, theirs=theirs, test=test
        )


def _rows(pairs: Sequence[Pair]) -> tuple[Row, ...]:
    axes = _axes(pairs)
    adjusted = holm_by_family(
        [pair.aligned.record.subject.family for pair in pairs],
        [None if pair.test is None else pair.test.mean_test.p_value for pair in pairs],
    )
    return tuple(
        _row(pair, axes[pair.ours.measure, pair.reward], p_value)
        for pair, p_value in zip(pairs, adjusted, strict=True)
    )


def _axes(pairs: Sequence[Pair]) -> dict[tuple[str, str], Axis]:
    shifts: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for pair in pairs:
        shares = (pair.theirs.value or 0.0, pair.ours.value or 0.0)
        shifts[pair.ours.measure, pair.reward].append(Entry(shares=shares))
    return {key: span(group) for key, group in shifts.items()}


def _row(pair: Pair, axis: Axis, p_value: float | None) -> Row:
    subject = pair.aligned.record.subject
    measure, difference = pair.ours.measure, pair.difference
    label, spelling = MEASURES[measure].label, MEASURES[measure].spelling
    base, aligned = (spelling.value(each.value) for each in (pair.theirs, pair.ours))
    shift = Entry(
        text=f"{base} to {aligned}",
        value=difference,
        shares=(pair.theirs.value or 0.0, pair.ours.value or 0.0),
        axis=axis,
    )
    effect = None if pair.test is None else pair.test.rank_biserial.value
    n = None if pair.test is None else pair.test.n
    return Row(
        id=pair.aligned.record.id,
        entries=(
            replace(name_entry(pair.aligned), sub=f"from {pair.base.record.subject.name}"),
            shift,
            number_entry(base, pair.theirs.value),
            number_entry(aligned, pair.ours.value),
            number_entry(spelling.difference(difference), difference),
            _test_entry(pair, p_value),
            number_entry(number(effect), effect),
            number_entry(UNDEFINED if n is None else f"{n:,}", n),
            Entry(text=subject.family or UNDEFINED),
            Entry(text=subject.alignment or UNDEFINED),
            Entry(text=label),
            Entry(text=pair.reward or "judge"),
            status_entry(pair.aligned.record),
        ),
        facets={
            "family": subject.family or "",
            "measure": label,
            "reward": pair.reward,
            "status": pair.aligned.record.status,
        },
        status=pair.aligned.record.status,
        flag=pair.aligned.flag or pair.base.flag,
    )


def _test_entry(pair: Pair, p_value: float | None) -> Entry:
    if pair.test is None:
        published = pair.aligned.record.status == "published"
        return Entry(text=WITHOUT_TEST if published else WITHOUT_SCORES)
    if p_value is None:
        return Entry(text=f"no test: {pair.test.mean_test.reason}")
    return number_entry(words.p_value(p_value), p_value)


def _lede(pairs: Sequence[Pair], reward: str | None) -> tuple[str, ...]:
    if not pairs:
        return ("No family has both a base and something aligned from it yet.",)
    question = (
        "A base model and what was aligned from it, asked for the same unpretty images: how much "
        "less does the aligned one bend?"
    )
    deltas = [p for p in pairs if p.ours.measure == "delta" and p.reward == reward]
    families = {pair.aligned.record.subject.family for pair in pairs}
    tested = sum(pair.test is not None for pair in deltas)
    what = (
        f"{count(len({p.aligned.record.subject.id for p in pairs}), 'aligned generator')} in "
        f"{count(len(families), 'family', 'families')}."
    )
    if not deltas:
        return question, what
    worst, delta = max(deltas, key=lambda pair: pair.difference), MEASURES["delta"].spelling
    aligned = defaultdict[str, list[Pair]](list)
    for pair in deltas:
        aligned[pair.aligned.record.subject.alignment or "other"].append(pair)
    less = listing(
        f"{sum(pair.difference > 0 for pair in of_kind)} of {len(of_kind)} {kind}"
        for kind, of_kind in sorted(aligned.items(), key=lambda item: -len(item[1]))
    )
    return (
        question,
        f"{what} Under {reward}, these bend less than their base, by what they were aligned for: "
        f"{less}; most so {worst.aligned.record.subject.name}: \N{GREEK CAPITAL LETTER DELTA} "
        f"{delta.value(worst.ours.value)} instead of {delta.value(worst.theirs.value)}. "
        + (
            f"{tested} of these {len(deltas)} differences have a paired test."
            if tested
            else "These are published differences; without per-pair scores none has a test."
        ),
    )
