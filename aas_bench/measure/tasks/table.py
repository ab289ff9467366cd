"""One row per task: what its analysis is, and how a score table of it is recognised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from aas_bench.measure.rows import members
from aas_bench.measure.tasks.ava_photos import ava_photos
from aas_bench.measure.tasks.critical_comparison import critical_comparison
from aas_bench.measure.tasks.emotion_bias import emotion_bias
from aas_bench.measure.tasks.lapis_art import lapis_art
from aas_bench.measure.tasks.result import TaskReport
from aas_bench.measure.tasks.scores import TaskScores
from aas_bench.measure.tasks.wide_spectrum import wide_spectrum
from aas_bench.tables import authors
from aas_bench.tables.forms import HAPPY
from aas_bench.tables.schema import DIDP, DIMENSIONS, OIDP, score_column
from aas_bench.tables.scores import ScoreTable
from aas_bench.tables.taxonomy import DIMENSIONS as DIMENSION_MEANINGS
from aas_bench.tables.taxonomy import EMOTIONS, TOPICS, elements

Analyse: TypeAlias = Callable[[TaskScores], TaskReport]

_COUNTERFACTUAL: Final = (
    "A photograph has a known effect at a known dose. Does the reward rise as the request is met "
    "more strongly, and does it stay the same in other words?"
)


def _counterfactual(scores: TaskScores) -> TaskReport:
    """Dose response and consistency, which every summary has where the table allows them."""
    return TaskReport(task=scores.task, question=_COUNTERFACTUAL, findings={})


TASK_REPORTS: Final[Mapping[str, Analyse]] = MappingProxyType(
    {
        "counterfactual": _counterfactual,
        "wide_spectrum": wide_spectrum,
        "ava_photos": ava_photos,
        "emotion_bias": emotion_bias,
        "critical_comparison": critical_comparison,
        "lapis_art": lapis_art,
    }
)
"""Every task of `data.tasks.TASKS`, and its analysis."""

_NAMES: Final = (
    ("emotion_bias", frozenset(EMOTIONS) - {HAPPY}),
    ("ava_photos", frozenset(elements())),
    ("critical_comparison", frozenset(TOPICS) | frozenset(authors.TOPICS)),
    ("wide_spectrum", frozenset(DIMENSION_MEANINGS)),
)


def recognised(table: ScoreTable) -> str | None:
    """The task that a score table is of, as far as its columns tell.

    Doses make it counterfactual; without a score of what was asked for it is of none; without one
    of any original image it is of paintings; otherwise the names in `dimensions` tell, all of which
    must be those of one task.
    """
    frame = table.frame
    if {"dose", "effect", "scene"} <= set(frame.columns):
        return "counterfactual"
    if not _scored(table, DIDP):
        return None
    if not _scored(table, OIDP):
        return "lapis_art"
    asked = {name for value in frame[DIMENSIONS] for name in members(value)}
    return next((task for task, names in _NAMES if asked and asked <= names), None)


def _scored(table: ScoreTable, cell: str) -> bool:
    """Whether any pair has this score from any reward model."""
    columns = (score_column(reward, cell) for reward in table.rewards)
    return any(name in table.frame and bool(table.frame[name].notna().any()) for name in columns)
