"""What judges' answers come to: labels and their doubt, bias, agreement, grades, cost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aas_bench.judges.base import OK
from aas_bench.measure.judge_figures import DIFFERENCES, WIN, halved, mark_difference, win_share
from aas_bench.run.judge import Judgements
from aas_bench.stats.agreement import quadratic_kappa
from aas_bench.stats.estimate import Estimate, Result, Scores
from aas_bench.stats.generation import generator_shift
from aas_bench.stats.position_bias import position_bias
from aas_bench.stats.preference import chosen, preference
from aas_bench.tables.judge_columns import IMAGES, MAJORITY, RATING, label_column, mark_column
from aas_bench.tables.schema import INDEX, LABEL, PAIR_ID

if TYPE_CHECKING:
    import pandas as pd

_MARKED: Final = {
    "graded": ("main_concepts_diff", "special_effects_diff"),
    "checklist": ("effects_present_diff", "effects_strong_diff"),
}
"""Way of asking -> the measures that it gives."""
_MOST: Final = 2.0
"""The best rating of a dimension."""
_MOST_REASONS: Final = 10


@dataclass(frozen=True, kw_only=True)
class JudgeSummary(Result):
    """One judge.

    Attributes:
        statuses: How many questions ended how; see `Answer`.
        reasons: The commonest reasons of the others, with their numbers: words of the service.
        n_pairs: Pairs asked about.
        n_missing: Pairs without what was asked for.
        measures: Figures by the name of their measure.
        ties: Share of the labelled pairs that are ties (pairwise).
        contradicted: Share of them whose two orders name different images (pairwise).
        bias: How much more often the first image is named than the second (pairwise).
        error: Share of wrong labels where the data knows better; None where it does not, or for
            other ways of asking. A tie of either is left out.
        effects: Share of images in which an effect is there, by key and image (checklist).
        dimensions: Mean rating of the distorted less that of the original image, by dimension
            (dimensions).
        mass: Of each dimension the mean probability that the model answers with a mark at all;
            where this is small, its ratings say little (dimensions).
        cost: US dollars; None where no service said.
        latency: Mean seconds of an answer, waits included.
        tokens: Tokens in and out, where they were told.
    """

    statuses: Mapping[str, int]
    reasons: Mapping[str, int]
    n_pairs: int
    n_missing: int
    measures: Mapping[str, Estimate]
    ties: Estimate | None = None
    contradicted: Estimate | None = None
    bias: Estimate | None = None
    error: Estimate | None = None
    effects: Mapping[str, Mapping[str, Estimate]] | None = None
    dimensions: Mapping[str, Estimate] | None = None
    mass: Mapping[str, float] | None = None
    cost: float | None
    latency: float | None
    tokens: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class JudgedSummary(Result):
    """Several judges on the same pairs.

    Attributes:
        by: How they were asked.
        judges: By name.
        agreement: Cohen's kappa of each two judges' labels, a tie lying between (pairwise).
        majority: Pairs labelled 1, 0 and -1 by the majority, and without a label (pairwise).
    """

    by: str
    judges: Mapping[str, JudgeSummary]
    agreement: Mapping[str, Mapping[str, Estimate]]
    majority: Mapping[str, int]


def summarise_judgements(said: Judgements, *, confidence_level: float = 0.95) -> JudgedSummary:
    """Everything that answers come to; missing answers lower the coverage and are never filled in.

    Args:
        said: What `judge` returned.
        confidence_level: Nominal coverage of the intervals, in (0, 1).
    """
    room = _Room(said, {"confidence_level": confidence_level, "on_missing": "drop"})
    return JudgedSummary(
        by=said.by,
        judges={name: room.summary(name) for name in said.judges},
        agreement=room.agreement() if said.by == "pairwise" else {},
        majority=room.majority() if said.by == "pairwise" else {},
    )


class _Room:
    """The answers, with what the statistics take besides."""

    def __init__(self, said: Judgements, options: dict[str, Any]) -> None:
        self.said, self._options = said, options
        self._clusters = said.frame[INDEX].to_numpy(np.int64)
        self._keywords = options | {"clusters": self._clusters}

    def summary(self, name: str) -> JudgeSummary:
        answers = self.said.answers[self.said.answers["judge"] == name]
        of: Mapping[str, Any] = {
            "pairwise": self._pairwise,
            "graded": self._graded,
            "checklist": self._checklist,
            "dimensions": self._dimensions,
        }[self.said.by](name, answers)
        if self.said.by == "dimensions":
            answers = answers.drop_duplicates("image").assign(cost_usd=np.nan, told="{}")
        costs = answers["cost_usd"].dropna()
        asked = answers[answers["attempts"] > 0]
        return JudgeSummary(
            statuses=_counts(answers["status"]),
            reasons=dict(list(_counts(answers["reason"].dropna()).items())[:_MOST_REASONS]),
            n_pairs=len(self.said.frame),
            cost=float(costs.sum()) if len(costs) else None,
            latency=float(asked["latency_seconds"].mean()) if len(asked) else None,
            tokens=_tokens(answers["told"]),
            **of,
        )

    def agreement(self) -> dict[str, dict[str, Estimate]]:
        found: dict[str, dict[str, Estimate]] = {name: {} for name in self.said.judges}
        for a, b in combinations(self.said.judges, 2):
            both = [halved(self._column(label_column(name))) for name in (a, b)]
            found[a][b] = found[b][a] = quadratic_kappa(*both, **self._keywords)
        return found

    def majority(self) -> dict[str, int]:
        label = self._column(MAJORITY)
        counts = {str(value): int(np.sum(label == value)) for value in (1, 0, -1)}
        return counts | {"missing": int(np.isnan(label).sum())}

    def _column(self, name: str) -> Scores:
        return self.said.frame[name].to_numpy(np.float64, na_value=np.nan)

    def _pairwise(self, name: str, answers: pd.DataFrame) -> dict[str, Any]:
        label = self._column(label_column(name))
        tied = np.where(np.isnan(label), np.nan, (label == -1).astype(float))
        votes = [self._votes(answers, order) for order in ("original_first", "distorted_first")]
        apart = np.abs(votes[0] - votes[1])
        contradicted = np.where(np.isnan(apart), np.nan, (apart == 1).astype(float))
        margin = 2 * halved(label) - 1
        return {
            "n_missing": int(np.isnan(label).sum()),
            "measures": {WIN: win_share(label, **self._keywords)},
            "ties": self._share(tied),
            "contradicted": self._share(contradicted),
            "bias": position_bias(*votes, **self._keywords),
            "error": self._error(margin),
        }

    def _error(self, margin: Scores) -> Estimate | None:
        """1 - accuracy of the labels that are no ties, against those of the data."""
        if LABEL not in self.said.frame:
            return None
        known = self.said.frame[LABEL].to_numpy(np.int8)
        if not np.any(known >= 0):
            return None
        sure = np.where(margin == 0, -1, known)
        return _complement(preference(margin, sure, **self._keywords).accuracy)

    def _votes(self, answers: pd.DataFrame, order: str) -> Scores:
        """Votes for the distorted image under the distorted prompt, in one order."""
        part = answers[(answers["prompt"] == "distorted") & (answers["shown"] == order)]
        distorted = "second" if order == "original_first" else "first"
        worth = {"neither": 0.5, distorted: 1.0}
        votes = {
            row[PAIR_ID]: worth.get(json.loads(row["answer"])["choice"], 0.0)
            for row in part.to_dict("records")
            if row["status"] == OK
        }
        ids = self.said.frame[PAIR_ID]
        return np.array([votes.get(pair_id, np.nan) for pair_id in ids], dtype=np.float64)

    def _graded(self, name: str, _: pd.DataFrame) -> dict[str, Any]:
        return self._differences(name)

    def _checklist(self, name: str, _: pd.DataFrame) -> dict[str, Any]:
        return self._differences(name) | {"effects": dict(self._effects(name))}

    def _differences(self, name: str) -> dict[str, Any]:
        marks = {measure: self._marks(name, measure) for measure in _MARKED[self.said.by]}
        missing = [np.isnan(column) for both in marks.values() for column in both]
        return {
            "n_missing": int(np.any(missing, axis=0).sum()),
            "measures": {
                measure: mark_difference(*both, DIFFERENCES[measure], **self._keywords)
                for measure, both in marks.items()
            },
        }

    def _marks(self, name: str, measure: str) -> tuple[Scores, Scores]:
        columns = (mark_column(name, DIFFERENCES[measure], image) for image in IMAGES)
        original, distorted = map(self._column, columns)
        return original, distorted

    def _dimensions(self, name: str, answers: pd.DataFrame) -> dict[str, Any]:
        both = [self._column(mark_column(name, RATING, image)) for image in IMAGES]
        known = answers[answers["status"] == OK]
        by_dimension = dict(iter(answers.groupby("dimension", sort=False)))
        return {
            "n_missing": int(np.any(np.isnan(both), axis=0).sum()),
            "measures": {
                "delta": generator_shift(
                    *both, score_range=(0.0, _MOST * len(by_dimension)), **self._keywords
                ).delta
            },
            "dimensions": {dim: self._moved(part) for dim, part in by_dimension.items()},
            "mass": {n: float(x) for n, x in known.groupby("dimension")["mass"].mean().items()},
        }

    def _moved(self, ratings: pd.DataFrame) -> Estimate:
        """Of one dimension: the distorted less the original image."""
        by_pair = ratings.pivot_table(
            index=PAIR_ID, columns="shown", values="prediction", dropna=False
        ).reindex(index=self.said.frame[PAIR_ID], columns=list(IMAGES))
        original, distorted = (by_pair[image].to_numpy(np.float64) for image in IMAGES)
        ends = (0.0, _MOST)
        return generator_shift(original, distorted, score_range=ends, **self._keywords).delta

    def _effects(self, name: str) -> Iterator[tuple[str, dict[str, Estimate]]]:
        """How often each question was answered with yes, of the images that it was asked of."""
        items = self.said.items
        assert items is not None
        mine = items[items["judge"] == name]
        for key in dict.fromkeys(mine["key"]):
            found = {}
            for image in IMAGES:
                rows = mine[(mine["key"] == key) & (mine["image"] == image)]
                # What does not apply does not hold; what is missing is not known.
                holds = [
                    None if said is None else float(value is True)
                    for said, value in zip(rows["said"], rows["holds"], strict=True)
                ]
                clusters = rows[INDEX].to_numpy(np.int64)
                found[image] = self._share(np.array(holds, dtype=np.float64), clusters)
            yield key, found

    def _share(self, holds: Scores, clusters: Any = None) -> Estimate:
        keywords = self._options | {"clusters": self._clusters if clusters is None else clusters}
        return chosen(2 * holds - 1, **keywords)


def _complement(share: Estimate) -> Estimate:
    value, low, high = (None if x is None else 1 - x for x in (share.value, share.high, share.low))
    return replace(share, value=value, low=low, high=high)


def _counts(column: pd.Series[Any]) -> dict[str, int]:
    return {str(name): int(count) for name, count in column.value_counts().items()}


def _tokens(told: pd.Series[Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in map(json.loads, told):
        for name in ("prompt_tokens", "completion_tokens"):
            if name in each:
                found[name] = found.get(name, 0) + int(each[name])
    return found
