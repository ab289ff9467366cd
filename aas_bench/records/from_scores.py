"""From per-pair scores to a record's measurements: the one computation, made and checked alike.

The analysis is fixed (95 % intervals, 1,000 resamples of the base prompts, seed 0, equal scores
count as a choice of the original), so that all records compare and each can be recomputed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from aas_bench.measure.results import Group, RewardSummary
from aas_bench.measure.rows import group_masks, members
from aas_bench.measure.summary import summarise
from aas_bench.records.record import Measurement
from aas_bench.stats.estimate import Estimate, Mask
from aas_bench.stats.gap import paired_gap
from aas_bench.stats.preference import chosen
from aas_bench.tables.schema import DIMENSIONS, INDEX, LABEL, MODEL, PAIR_ID
from aas_bench.tables.score_frame import score_columns
from aas_bench.tables.scores import ScoreTable
from aas_bench.tasks.catalog import TASKS
from aas_bench.tasks.task import Kind

ANALYSIS: Final[dict[str, Any]] = {
    "n_resamples": 1000,
    "seed": 0,
    "confidence_level": 0.95,
    "ties": "original",
    "on_missing": "drop",
}
_GROUPINGS: Final = (DIMENSIONS, "emotion", "category", "topic")
"""Columns that figures are broken down by; the first with any group is taken."""

_KEPT: Final = (
    *(PAIR_ID, INDEX, MODEL, DIMENSIONS, LABEL),
    *("scene", "effect", "dose", "wording", "item", "emotion", "category", "topic"),
)
_WITHOUT_TIES: Final = {name: value for name, value in ANALYSIS.items() if name != "ties"}
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


def measurements(table: ScoreTable, *, kind: Kind, task: str) -> tuple[Measurement, ...]:
    """Everything that is measured of a subject, from its per-pair scores.

    Args:
        table: The scores of one reward model, or of every reward model that measured a generator.
        kind: What the subject is.
        task: The task, by its name; says what the groups are called and what else is measured.

    Raises:
        InputError: The table has no rows.
    """
    column = next((name for name in _GROUPINGS if _has_groups(table, name)), None)
    summaries = summarise(table, by=column, **ANALYSIS).rewards
    by = TASKS[task].groups
    if kind == "generator":
        return tuple(_generator(table, summaries, by))
    (name,) = table.rewards
    gaps = _gaps(table, column, by) if "gap" in TASKS[task].measures else ()
    return (*_reward_model(summaries[name], by), *gaps)


def _has_groups(table: ScoreTable, column: str) -> bool:
    return column in table.frame and any(members(value) for value in table.frame[column])


def _reward_model(summary: RewardSummary, by: str) -> Iterator[Measurement]:
    yield from _headline(summary, reward=None)
    yield from _only_once(summary)
    for group, numbers in summary.by.items():
        yield from _group(numbers, reward=None, by=by, group=group)


def _generator(
    table: ScoreTable, summaries: Mapping[str, RewardSummary], by: str
) -> Iterator[Measurement]:
    yield _of("complete", _complete(table))
    for name, summary in summaries.items():
        yield from _shift(summary, name)
        yield from _headline(summary, reward=name)
        for group, numbers in summary.by.items():
            yield from _group(numbers, reward=name, by=by, group=group)


def _gaps(table: ScoreTable, column: str | None, by: str) -> Iterator[Measurement]:
    """How much higher the clean image scores, under the photograph's caption."""
    (name,) = table.rewards
    cells, clusters = table.cells(name), table.clusters
    masks: dict[str | None, Mask] = {None: np.ones(len(table), dtype=bool)}
    if column is not None:
        masks.update(group_masks(table.frame, column))
    for group, rows in masks.items():
        options = _WITHOUT_TIES | {"clusters": clusters[rows]}
        gap = paired_gap(cells.oidp[rows], cells.didp[rows], **options).gap
        yield _of("gap", gap, by=None if group is None else by, group=group)


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
    return chosen(np.where(made, 1.0, -1.0), clusters=table.clusters, **ANALYSIS)
