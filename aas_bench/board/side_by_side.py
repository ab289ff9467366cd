"""Two records side by side: every figure that both have, and the test where scores allow one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from aas_bench.board.entries import Lookup, measured
from aas_bench.board.paired import ScoreFiles
from aas_bench.measure.compare import SHIFTS
from aas_bench.measure.measures import MEASURES
from aas_bench.measure.results import test_name
from aas_bench.pages.kit import Entry
from aas_bench.records.collection import Results
from aas_bench.records.record import Measurement, Record
from aas_bench.tasks.catalog import TASKS
from aas_bench.words import NO_INTERVAL, UNDEFINED, number, p_value

_KINDS = {"reward_model": "Reward models", "generator": "Generators"}


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One figure of both.

    Attributes:
        label: What it measures.
        detail: Under which reward model, in which group.
        tip: Its formula.
        a: The first record's.
        b: The second's.
        difference: First minus second, as it is read.
        test: The paired interval or test; "" without.
    """

    label: str
    detail: str
    tip: str
    a: Entry
    b: Entry
    difference: str
    test: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two records.

    Attributes:
        a: The first.
        b: The second.
        lines: Their figures on all pairs.
        groups: Their figures by group or by strength, by what they are grouped by.
        verdict: What there is to say, in a sentence.
        warning: Why the figures must not simply be compared; "" where they may.
        flags: Why either is not whole.
    """

    a: Record
    b: Record
    lines: tuple[Compared, ...]
    groups: Mapping[str, tuple[Compared, ...]]
    verdict: str
    warning: str
    flags: tuple[str, ...]


def choices(results: Results) -> dict[str, list[tuple[str, str]]]:
    """What can be chosen: by kind, the id and the name of every record with figures."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for record in results.records:
        if record.measurements:
            found[_KINDS[record.subject.kind]].append((record.id, record_name(record)))
    return {kind: sorted(rows, key=lambda row: row[1].lower()) for kind, rows in found.items()}


def record_name(record: Record) -> str:
    """A record in a list: who, on what, measured or published."""
    test = " · self-test" if Lookup(record).self_test else ""
    return f"{record.subject.name} · {TASKS[record.task].title} · {record.status}{test}"


def comparable(results: Results) -> Iterator[tuple[str, str]]:
    """The ids of every two records of one kind, task and status."""
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for record in results.records:
        if record.measurements:
            groups[record.status, record.subject.kind, record.task].append(record.id)
    for key in sorted(groups, key=lambda key: (key[0], -len(groups[key]), key)):
        yield from combinations(groups[key], 2)


def default_pair(results: Results) -> tuple[str, str] | None:
    """Two records to start with; None without any two alike.

    Real subjects rather than self-tests, and measured rather than published.
    """
    tests = {record.id for record in results.records if Lookup(record).self_test}
    real = (pair for pair in comparable(results) if tests.isdisjoint(pair))
    return next(real, None) or next(comparable(results), None)


def compare(a: Lookup, b: Lookup, scores: ScoreFiles | None = None) -> Comparison:
    """All figures that both records have, in the order of the first."""
    tests, verdict = _tests(a.record, b.record, scores)
    lines: list[Compared] = []
    groups: dict[str, list[Compared]] = defaultdict(list)
    for mine in a.record.measurements:
        other = b.same(mine)
        if other is not None:
            part = mine.by or ("strength" if mine.at is not None else None)
            (lines if part is None else groups[part]).append(_line(mine, other, tests))
    return Comparison(
        a=a.record,
        b=b.record,
        lines=tuple(lines),
        groups={name: tuple(group) for name, group in groups.items()},
        verdict=verdict,
        warning=_warning(a.record, b.record),
        flags=tuple(
            f"{each.record.subject.name}: {each.flag}" for each in (a, b) if each.flag is not None
        ),
    )


def _warning(a: Record, b: Record) -> str:
    if a.subject.kind != b.subject.kind:
        return "A reward model and a generator have no figure in common."
    if a.task != b.task:
        return (
            f"These are figures on different pairs ({TASKS[a.task].title}, {TASKS[b.task].title}): "
            "their difference says little."
        )
    if a.status != b.status:
        return "One is measured here, the other published: their pairs may differ."
    return ""


def _line(a: Measurement, b: Measurement, tests: Mapping[tuple[str, str | None], str]) -> Compared:
    row = MEASURES[a.measure]
    parts = [a.reward, a.group, None if a.at is None else f"at {a.at:g}"]
    whole = a.by is None and a.at is None
    return Compared(
        label=row.label,
        detail=", ".join(part for part in parts if part),
        tip=row.formula,
        a=measured(a),
        b=measured(b),
        difference=_difference(a, b),
        test=tests.get((a.measure, a.reward), "") if whole else "",
    )


def _difference(a: Measurement, b: Measurement) -> str:
    if a.value is None or b.value is None:
        return UNDEFINED
    return MEASURES[a.measure].spelling.difference(a.value - b.value)


def _tests(
    a: Record, b: Record, scores: ScoreFiles | None
) -> tuple[dict[tuple[str, str | None], str], str]:
    """Paired tests by measure and reward model, and the sentence that tells the main one."""
    if a.id == b.id:
        return {}, "Choose two different results."
    without = "No paired test: it needs the per-pair scores of both on the same pairs."
    if scores is None or a.subject.kind != b.subject.kind:
        return {}, without
    if a.subject.kind == "reward_model":
        return _reward_tests(a, b, scores) or ({}, without)
    return _generator_tests(a, b, scores) or ({}, without)


def _reward_tests(
    a: Record, b: Record, scores: ScoreFiles
) -> tuple[dict[tuple[str, str | None], str], str] | None:
    found = scores.reward_models(a, b)
    if found is None:
        return None
    name, p = test_name(found), _p(found.accuracy_test.p_value)
    tests: dict[tuple[str, str | None], str] = {}
    paired = {"accuracy": found.accuracy_difference, "auroc": found.auroc_difference}
    for measure, each in paired.items():
        ends = MEASURES[measure].spelling.ends(each)
        if ends != NO_INTERVAL:
            tests[measure, None] = f"paired 95 % interval {ends}"
    tests["accuracy", None] = f"{tests.get(('accuracy', None), '')}; {name}, {p}".lstrip("; ")
    more = found.accuracy_difference.value or 0.0
    better, worse = (a, b) if more >= 0 else (b, a)
    points = number(100 * abs(more), digits=1)
    return tests, (
        f"On the {found.n:,} labelled pairs that both scored, {better.subject.name} agrees with "
        f"the label {points} points more often than {worse.subject.name} "
        f"({name}, {p})."
    )


def _generator_tests(
    a: Record, b: Record, scores: ScoreFiles
) -> tuple[dict[tuple[str, str | None], str], str] | None:
    rewards = sorted({each.reward for each in a.measurements if each.reward is not None})
    tests: dict[tuple[str, str | None], str] = {}
    said = []
    for reward in rewards:
        for measure in SHIFTS:
            found = scores.generators(a, b, reward, measure)
            if found is None or found.mean_test.p_value is None:
                continue
            mean, p = (
                MEASURES[measure].spelling.value(found.mean_difference.value),
                _p(found.mean_test.p_value),
            )
            tests[measure, reward] = f"mean {mean}, sign flips by prompt {p}"
            if measure == "delta":
                said.append(f"{reward} {p} on {found.n:,} pairs")
    if not tests:
        return None
    return tests, f"Sign flips by prompt of the mean difference of Δ: {'; '.join(said)}."


def _p(value: float | None) -> str:
    return p_value(value) or "without a p-value"
