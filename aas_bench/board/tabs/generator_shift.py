"""Which generators leave the polished look when they are asked to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from aas_bench.board.entries import (
    Lookup,
    address,
    count_entry,
    coverage_entry,
    generators_of,
    judges_of,
    measured,
    measured_column,
    name_entry,
    outcome_entry,
    rank_entry,
    ranks_by_task,
    status_entry,
)
from aas_bench.board.sentences import statuses, subjects, sure
from aas_bench.board.tabs.edited_images import edited_table
from aas_bench.board.tabs.tab import Tab
from aas_bench.pages.kit import (
    CHANCE,
    SHARE_ENDS,
    SHARES,
    Column,
    Entry,
    Row,
    Table,
    facet,
    on_axis,
)
from aas_bench.records.collection import Results
from aas_bench.records.record import Measurement
from aas_bench.words import UNDEFINED, spaced

NAME: Final = "generators"
_WEIGHTS: Final = {True: "open", False: "closed", None: ""}
_JUDGED: Final = ("special_effects_diff", "main_concepts_diff")


def generators(results: Results) -> Tab:
    """The view of all generators' records, one row for each reward model that measured one."""
    found = generators_of(results)
    rows = generator_rows(found)
    return Tab(
        name=NAME,
        title="Generators",
        lede=_lede(found),
        table=Table(
            name=NAME,
            caption="Generators, one row for each result and reward model",
            columns=COLUMNS,
            rows=rows,
            facets=(
                *facet("reward", "Measured by", rows, default=main_reward(found)),
                *facet("family", "Family", rows),
                *facet("weights", "Weights", rows),
                *facet("alignment", "Alignment", rows),
                *facet("task", "Prompts", rows),
                *facet("status", "Status", rows),
            ),
            sort="delta",
            empty="No generator has a result yet.",
        ),
        more=tuple(
            filter(None, [heat_map(found), edited_table(generators_of(results, edited=True))])
        ),
    )


def heat_map(found: Sequence[Lookup], *, name: str = "by-dimension") -> Table | None:
    """How often each generator made what each dimension asks for; a cell leads to its pairs.

    Args:
        found: The results; those without a share by dimension are left out.
        name: Of the table.

    Returns:
        None where no result has such a share.
    """
    rows = []
    for each in found:
        for reward in rewards_of(each):
            shares = {
                m.group: m
                for m in each.record.measurements
                if m.measure == "chosen" and m.reward == reward and m.by == "dimensions" and m.group
            }
            if shares:
                rows.append((each, reward, shares))
    groups = sorted({group for _, _, shares in rows for group in shares})
    if not groups:
        return None
    return Table(
        name=name,
        caption="How often the image made for the prompt was chosen, by what was asked for",
        columns=(
            Column(key="name", label="Generator", kind="name"),
            Column(key="reward", label="Measured by"),
            *(
                Column(key=f"group-{i}", label=spaced(group), kind="number")
                for i, group in enumerate(groups)
            ),
        ),
        rows=tuple(
            Row(
                id=each.record.id,
                entries=(
                    name_entry(each),
                    Entry(text=reward),
                    *(_cell(each, shares.get(group), group) for group in groups),
                ),
            )
            for each, reward, shares in rows
        ),
    )


def _cell(of: Lookup, found: Measurement | None, group: str) -> Entry:
    entry = measured(found, axis=SHARES)
    return replace(entry, href=f"{address(of.record)}#dimension={quote(group)}")


COLUMNS: Final = (
    Column(key="name", label="Generator", kind="name"),
    Column(
        key="rank",
        label="Rank",
        kind="number",
        tip="By Δ under the same reward model. Intervals that overlap share a rank.",
    ),
    measured_column("delta", kind="estimate", ends=("bends more", "", "bends less")),
    measured_column("after", kind="estimate", ends=("less polished", "", "more")),
    measured_column("llm_win", kind="estimate", label="Fidelity, by judge", ends=SHARE_ENDS),
    measured_column(
        "chosen", kind="estimate", label="Fidelity, by reward", ends=SHARE_ENDS, shown=False
    ),
    *(measured_column(measure) for measure in _JUDGED),
    Column(
        key="outcomes", label="Outcomes", kind="stack", tip="Sorted by overridden.", shown=False
    ),
    Column(
        key="complete",
        label="Coverage",
        kind="number",
        tip="Share of the prompts with both images. Below 95 % a result is flagged.",
    ),
    Column(key="n", label="Pairs", kind="number", tip="Pairs that Δ rests on.", shown=False),
    Column(key="family", label="Family"),
    Column(key="alignment", label="Alignment"),
    Column(key="weights", label="Weights", shown=False),
    Column(key="reward", label="Measured by"),
    Column(
        key="judges",
        label="Judged by",
        tip="Whose answers the judged columns rest on: of several, what most say.",
        shown=False,
    ),
    Column(key="status", label="Status", kind="status"),
)


def main_reward(found: Sequence[Lookup]) -> str | None:
    """The reward model that measured most generators; of equals the first by name."""
    counts = Counter(reward for each in found for reward in rewards_of(each))
    return min(counts, key=lambda name: (-counts[name], name)) if counts else None


def rewards_of(of: Lookup) -> list[str]:
    """The reward models that measured a generator, by name."""
    return sorted({each.reward for each in of.record.measurements if each.reward is not None})


def generator_rows(found: Sequence[Lookup]) -> tuple[Row, ...]:
    """A row for each result and reward model, as `COLUMNS` has them.

    Bars of one reward model share an axis; different rewards have different units.
    """
    by_reward: dict[str, list[Lookup]] = defaultdict(list)
    for each in found:
        for reward in rewards_of(each) or [""]:
            by_reward[reward].append(each)
    rows: list[Row] = []
    for reward, group in by_reward.items():
        deltas = on_axis(
            [measured(each.get("delta", reward=reward), of=each) for each in group], mark=0
        )
        afters = on_axis([measured(each.get("after", reward=reward), of=each) for each in group])
        moved = [(each, each.get("delta", reward=reward)) for each in group]
        ranks = ranks_by_task(moved, higher_is_better=False)
        rows += [
            _row(each, reward, ranks.get(each.record.id), delta, after)
            for each, delta, after in zip(group, deltas, afters, strict=True)
        ]
    return tuple(rows)


def _row(of: Lookup, reward: str, rank: int | None, delta: Entry, after: Entry) -> Row:
    subject = of.record.subject
    weights = _WEIGHTS[subject.open_weights]
    made = of.get("complete")
    return Row(
        id=of.record.id,
        entries=(
            name_entry(of),
            rank_entry(rank),
            delta,
            after,
            measured(of.get("llm_win"), axis=SHARES, of=of),
            measured(of.get("chosen", reward=reward), axis=CHANCE, of=of),
            *(measured(of.get(measure), of=of) for measure in _JUDGED),
            outcome_entry(of, reward=reward),
            measured(made) if made else coverage_entry(of.get("delta", reward=reward), of.record),
            count_entry(of.get("delta", reward=reward)),
            Entry(text=subject.family or UNDEFINED),
            Entry(text=subject.alignment or UNDEFINED),
            Entry(text=weights or UNDEFINED),
            Entry(text=reward or UNDEFINED),
            Entry(text=", ".join(judges_of(of.record)) or UNDEFINED),
            status_entry(of.record),
        ),
        facets={
            "reward": reward,
            "family": subject.family or "",
            "alignment": subject.alignment or "",
            "weights": weights,
            "task": of.record.task,
            "status": of.record.status,
        },
        status=of.record.status,
        flag=of.flag,
    )


def _lede(found: Sequence[Lookup]) -> tuple[str, ...]:
    if not found:
        return ("No generator has a result yet.",)
    question = (
        "Asked for an image that is not pretty, does the generator make one? Δ is how far the "
        "reward's score falls when the prompt asks for it: far below zero, the images follow; "
        "near zero, they stay polished."
    )
    return question, f"{subjects(found, 'generator')} ({statuses(found)}). {_extremes(found)}"


def _extremes(found: Sequence[Lookup]) -> str:
    reward = main_reward(found)
    deltas = {
        each.record.subject.name: delta
        for each in found
        if each.flag is None
        and (delta := each.get("delta", reward=reward)) is not None
        and delta.value is not None
    }
    if len(deltas) < 2:
        return ""
    order = sorted(deltas, key=lambda name: deltas[name].value or 0.0)
    most, least = order[0], order[-1]
    return (
        f"Under {reward}, {least} bends least: Δ {sure(deltas[least])}; {most} most: "
        f"Δ {sure(deltas[most])}."
    )
