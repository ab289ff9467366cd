"""From per-pair scores to a record's measurements: the one computation, made and checked alike.

The analysis is fixed (95 % intervals, 1,000 resamples of the base prompts, seed 0, equal scores
count as a choice of the original), so that all records compare and each can be recomputed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import numpy as np

from aas_bench.counterfactual.build import DOSES
from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.counterfactual.scenes import SCENES
from aas_bench.data.schema import DIMENSIONS, INDEX, LABEL, MODEL, PAIR_ID
from aas_bench.data.score_frame import score_columns
from aas_bench.data.scores import ScoreTable
from aas_bench.report.results import Group, RewardSummary
from aas_bench.report.summary import summarise
from aas_bench.results.record import Kind, Measurement
from aas_bench.stats.estimate import Estimate
from aas_bench.stats.preference import chosen

ANALYSIS: Final[dict[str, Any]] = {
    "n_resamples": 1000,
    "seed": 0,
    "confidence_level": 0.95,
    "ties": "original",
    "on_missing": "drop",
}
GROUPINGS: Final = (DIMENSIONS, "emotion", "category", "topic")
"""Columns that a record breaks its figures down by, where the scores have them."""

_KEPT: Final = (
    *(PAIR_ID, INDEX, MODEL, DIMENSIONS, LABEL),
    *("scene", "effect", "dose", "wording", "item", "emotion", "category", "topic"),
)
_PREFERENCE: Final = ("accuracy", "balanced_accuracy", "f1", "auroc", "cohen_kappa")
_OVERRIDE: Final = (
    *("followed", "overridden", "missed", "lucky", "understood"),
    *("override_rate", "override_strength", "prompt_response", "prior_pull"),
)


def scores_only(table: ScoreTable, rewards: tuple[str, ...]) -> ScoreTable:
    """The table without prompts, paths and other text: what a record's scores file holds."""
    wanted = [*_KEPT, *(name for reward in rewards for name in score_columns(reward))]
    columns = [name for name in wanted if name in table.frame]
    return ScoreTable(frame=table.frame[columns], rewards=rewards)


def measurements(table: ScoreTable, kind: Kind) -> tuple[Measurement, ...]:
    """Everything that is measured of a subject, from its per-pair scores.

    Args:
        table: The scores of one reward model, or of every reward model that measured a generator.
        kind: What the subject is.

    Raises:
        InputError: The table has no rows.
    """
    if kind == "reward_model":
        return tuple(_reward_model(table))
    return tuple(_generator(table))


@cache
def expected_pairs(task: str, kind: Kind) -> int | None:
    """How many pairs a whole result of the task rests on; None where that is not fixed."""
    if task != "counterfactual":
        return {("wide_spectrum", "generator"): 300, ("emotion_bias", "reward_model"): 300}.get(
            (task, kind)
        )
    asked = [e for e in EFFECTS.values() for scene in SCENES if scene not in e.excluded]
    if kind == "generator":
        return len(asked)
    return sum(len(DOSES) - 1 + len(effect.requests) for effect in asked)


def _summaries(table: ScoreTable) -> Iterator[tuple[str, dict[str, RewardSummary]]]:
    """By grouping column: each reward model's summary; at least one, with "" where none is."""
    frame = table.frame
    found = [name for name in GROUPINGS if name in frame and any(map(np.size, frame[name]))]
    for by in found or [""]:
        yield by, dict(summarise(table, by=by or None, **ANALYSIS).rewards)


def _reward_model(table: ScoreTable) -> Iterator[Measurement]:
    (name,) = table.rewards
    for i, (by, summaries) in enumerate(_summaries(table)):
        summary = summaries[name]
        if i == 0:
            yield from _headline(summary, reward=None)
            yield from _only_once(summary)
        for group, numbers in summary.by.items() if by else ():
            yield from _group(numbers, reward=None, by=by, group=group)


def _generator(table: ScoreTable) -> Iterator[Measurement]:
    yield _of("complete", _complete(table))
    for i, (by, summaries) in enumerate(_summaries(table)):
        for name, summary in summaries.items():
            if i == 0:
                yield from _shift(summary, name)
                yield from _headline(summary, reward=name)
            for group, numbers in summary.by.items() if by else ():
                yield from _group(numbers, reward=name, by=by, group=group)


def _headline(summary: RewardSummary, reward: str | None) -> Iterator[Measurement]:
    yield from _group(summary, reward=reward, by=None, group=None)
    if summary.knob is not None:
        measure = f"knob_{summary.knob.measure}"
        for at, point in zip(summary.knob.strengths, summary.knob.points, strict=True):
            yield _of(measure, point, reward=reward, at=round(at, 9))


def _shift(summary: RewardSummary, reward: str) -> Iterator[Measurement]:
    none = Estimate(value=None, n=0, coverage=0.0, reason="no pair has all four scores")
    shift = summary.generator
    yield _of("delta", none if shift is None else shift.delta, reward=reward)
    yield _of("after", none if shift is None else shift.after, reward=reward)


def _only_once(summary: RewardSummary) -> Iterator[Measurement]:
    """What has no group: dose response and consistency between wordings."""
    if summary.consistency is not None:
        yield _of("unanimous", summary.consistency.unanimous)
        for wording, share in summary.consistency.accuracy_by_wording.items():
            yield _of(summary.consistency.measure, share, by="wording", group=str(wording))
    for effect, response in summary.dose.effects.items() if summary.dose else ():
        yield _of("dose_spearman", response.spearman, by="effect", group=effect)
        for dose, rate in response.win_rate.items():
            yield _of("win_rate", rate, by="effect", group=effect, at=dose)


def _group(
    numbers: Group, *, reward: str | None, by: str | None, group: str | None
) -> Iterator[Measurement]:
    where: dict[str, Any] = {"reward": reward, "by": by, "group": group}
    if numbers.preference is None:
        yield _of("chosen", numbers.headline, **where)
    else:
        for name in _PREFERENCE:
            yield _of(name, getattr(numbers.preference, name), **where)
        if numbers.override is not None:
            yield _of("chosen", numbers.override.chosen, **where)
    for name in _OVERRIDE if numbers.override is not None else ():
        yield _of(name, getattr(numbers.override, name), **where)


def _of(measure: str, estimate: Estimate, **where: Any) -> Measurement:
    return Measurement(measure=measure, **where, **estimate.to_dict())


def _complete(table: ScoreTable) -> Estimate:
    """Share of prompts whose pair has any score: both images were made."""
    margins = [table.cells(reward).didp - table.cells(reward).oidp for reward in table.rewards]
    made = ~np.all(np.isnan(margins), axis=0)
    options = {name: value for name, value in ANALYSIS.items() if name != "on_missing"}
    return chosen(np.where(made, 1.0, -1.0), clusters=table.clusters, **options)
