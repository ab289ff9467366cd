"""Whether the face that was asked for beats the happy one, by emotion."""

from __future__ import annotations

from aas_bench.measure.analyses.shared import choice_measure, override_breakdown
from aas_bench.measure.analyses.task_report import Breakdown, TaskReport
from aas_bench.measure.analyses.task_scores import TaskScores
from aas_bench.tables.schema import DIMENSIONS
from aas_bench.tasks.taxonomy import EMOTIONS, HAPPY
from aas_bench.words import listing, percent_in


def faces(scores: TaskScores) -> TaskReport:
    """Share of prompts whose requested face outscores the happy face, by emotion.

    mean(didp > oidp) within each emotion. The pairs of one prompt (`index`) are one cluster of the
    interval over all emotions. Where the happy prompt was scored too, also the override rate.

    Raises:
        SchemaError: The table lacks the scores under the request, or the emotions.
    """
    scores.require_scores("oidp", "didp")
    names = scores.require_groups("emotion", DIMENSIONS, "emotion")
    groupings = {"emotion": names.masks(order=[e for e in EMOTIONS if e != HAPPY])}
    accuracy = scores.breakdown(
        choice_measure(scores),
        groupings,
        name="accuracy",
        title="How often the requested face beats the happy one",
        unit="share",
        neutral=0.5,
        neutral_name="chance",
        note="The pairs of one prompt count as one cluster.",
    )
    override = override_breakdown(scores, groupings)
    return TaskReport(
        task=scores.task.name,
        question=scores.task.question,
        analyses=(accuracy, override) if override else (accuracy,),
        findings={reward: _finding(accuracy, reward) for reward in scores.rewards},
        notes=() if override else ("The happy prompt was not scored: no override rate.",),
    )


def _finding(accuracy: Breakdown, reward: str) -> str:
    if accuracy.overall[reward].value is None:
        return f"could not be judged: {accuracy.overall[reward].reason}."
    each = [f"{percent_in(by[reward])} of {name}" for name, by in accuracy.by["emotion"].items()]
    return f"prefers the requested face to the happy one in {listing(each)} prompts."
