"""`lapis_art`: where real paintings stand among generators in a reward model's eyes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from aas_bench.measure.tasks.generators import GeneratorTable, means_for
from aas_bench.measure.tasks.result import Analysis, ByReward, Groups, TaskReport
from aas_bench.measure.tasks.scores import Masks, TaskScores, masks
from aas_bench.stats.estimate import Estimate, Mask
from aas_bench.stats.rank import ArtRank, art_rank
from aas_bench.words import number_in, rank

QUESTION: Final = (
    "Each painting stands under its own caption. Where does the mean score of real art fall among "
    "the mean scores of image generators?"
)
_GROUPINGS: Final = ("style", "genre")
# Any two means give a scale; without a table only the mean of the paintings is kept.
_NO_TABLE: Final = {"lowest": 0.0, "highest": 1.0}
_WHY_NO_RANK: Final = "no table of generators' means under this reward model"


@dataclass(frozen=True, kw_only=True)
class ArtReport(TaskReport):
    """With the ranks behind the means.

    Attributes:
        places: By reward model, over all paintings; only where there is a table of generators.
        places_by: By grouping, then by group, then by reward model.
        generators: The table of each reward model that has one.
    """

    places: Mapping[str, ArtRank]
    places_by: Mapping[str, Mapping[str, Mapping[str, ArtRank]]]
    generators: Mapping[str, GeneratorTable]

    def remark(self, analysis: str, reward: str, group: str | None = None) -> str:
        """The rank beside a mean or a relative position."""
        if group is None:
            place = self.places.get(reward)
        else:
            found = [by[group] for by in self.places_by.values() if group in by]
            place = found[0].get(reward) if found else None
        return "" if place is None else rank_words(place)


def lapis_art(scores: TaskScores) -> ArtReport:
    """Mean score of the paintings, their rank and relative position, also by style and genre.

    The mean is that of didp, each painting under its caption. Rank and relative position are those
    of `stats.art_rank` in the table of generators of that reward model: the caller's, else, for
    hpsv3, the published one that the paper used. Means under other prompts than these captions
    stand in such a table, as in the paper.

    Raises:
        SchemaError: The table lacks the scores of the paintings.
        InputError: A table of generators does not say whose means it holds.
    """
    scores.require_scores("didp")
    tables = {
        reward: table
        for reward in scores.rewards
        if (table := means_for(scores.generators, reward, scores.rewards)) is not None
    }
    groupings = {name: masks(names) for name in _GROUPINGS if any(names := scores.lists(name))}
    everything: Masks = {"all": scores.everything}
    overall = _places(scores, everything, tables)["all"]
    by = {name: _places(scores, groups, tables) for name, groups in groupings.items()}
    analyses = [
        Analysis(
            name="mean",
            title="Mean score of the paintings",
            unit="score",
            note="Each painting under its own caption, in units of each reward.",
            overall={reward: place.mean for reward, place in overall.items()},
            by={name: _each(groups, "mean") for name, groups in by.items()},
        )
    ]
    if tables:
        analyses.append(
            Analysis(
                name="relative",
                title="Relative position among the generators",
                unit="position",
                note="0: the lowest generator of the table; 1: the highest.",
                overall=_relative(overall, tables),
                by={
                    name: {group: _relative(places, tables) for group, places in groups.items()}
                    for name, groups in by.items()
                },
            )
        )
    return ArtReport(
        task=scores.task,
        question=QUESTION,
        paired=False,
        analyses=tuple(analyses),
        findings={r: _finding(overall[r], tables.get(r)) for r in scores.rewards},
        notes=_notes(scores.rewards, tables, groupings),
        places={reward: overall[reward] for reward in tables},
        places_by={
            name: {g: {r: places[r] for r in tables} for g, places in groups.items()}
            for name, groups in by.items()
        },
        generators=tables,
    )


def _places(
    scores: TaskScores, groups: Masks, tables: Mapping[str, GeneratorTable]
) -> dict[str, dict[str, ArtRank]]:
    def place(reward: str, mask: Mask) -> ArtRank:
        means = tables[reward].means if reward in tables else _NO_TABLE
        painting = scores.cells(reward).didp[mask]
        return art_rank(painting, means, **scores.keywords(mask))

    return {
        group: {reward: place(reward, mask) for reward in scores.rewards}
        for group, mask in groups.items()
        if np.any(mask)
    }


def _each(groups: Mapping[str, Mapping[str, ArtRank]], name: str) -> Groups:
    return {
        group: {reward: getattr(place, name) for reward, place in places.items()}
        for group, places in groups.items()
    }


def _relative(places: Mapping[str, ArtRank], tables: Mapping[str, GeneratorTable]) -> ByReward:
    return {
        reward: place.relative
        if reward in tables
        else Estimate(value=None, n=place.mean.n, reason=_WHY_NO_RANK)
        for reward, place in places.items()
    }


def rank_words(place: ArtRank) -> str:
    """A rank with what its interval leaves open; "" where there is none."""
    return rank(place.rank, place.n_ranked, place.rank_best, place.rank_worst)


def _finding(place: ArtRank, table: GeneratorTable | None) -> str:
    if place.mean.value is None:
        return f"could not be judged: {place.mean.reason}."
    mean = f"gives the paintings {number_in(place.mean)} on average"
    if table is None:
        return f"{mean}; without a table of generators' means under it, they have no rank."
    return (
        f"{mean}, which ranks real art {rank_words(place)}, at {number_in(place.relative)} of the "
        "way from the lowest generator to the highest."
    )


def _notes(
    rewards: Sequence[str], tables: Mapping[str, GeneratorTable], groupings: Mapping[str, Masks]
) -> tuple[str, ...]:
    notes = [
        f"{reward}: placed among {len(table.means)} generators by {table.source}; their prompts "
        "are not these captions, and their means are taken as exact."
        for reward, table in tables.items()
    ]
    bare = [reward for reward in rewards if reward not in tables]
    if bare:
        notes.append(f"No rank for {', '.join(bare)}: give generators' means with --generators.")
    lacking = [name for name in _GROUPINGS if name not in groupings]
    if lacking:
        notes.append(f"Not by {' or '.join(lacking)}: the table has no such column.")
    return tuple(notes)
