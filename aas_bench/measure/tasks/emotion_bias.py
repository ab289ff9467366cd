"""`emotion_bias`: whether the face that was asked for beats the happy one, by emotion."""

from __future__ import annotations

from typing import Final

from aas_bench.measure.tasks.measures import choice_measure, override_analysis
from aas_bench.measure.tasks.result import Analysis, TaskReport
from aas_bench.measure.tasks.scores import TaskScores, masks
from aas_bench.tables.forms import HAPPY
from aas_bench.tables.schema import DIMENSIONS
from aas_bench.tables.taxonomy import EMOTIONS
from aas_bench.words import listing, percent_in

QUESTION: Final = (
    "The prompt asks for a sad, an angry or a fearful face. How often does that face score higher "
    "than the happy face of the same person?"
)


def emotion_bias(scores: TaskScores) -> TaskReport:
    """Share of prompts whose requested face outscores the happy face, by emotion.

    mean(didp > oidp) within each emotion. The pairs of one prompt (`index`) are one cluster of the
    interval over all emotions. Where the happy prompt was scored too, also the override rate.

    Raises:
        SchemaError: The table lacks the scores under the request, or the emotions.
    """
    scores.require_scores("oidp", "didp")
    names = scores.require_groups("emotion", DIMENSIONS, "emotion")
    groupings = {"emotion": masks(names, order=[e for e in EMOTIONS if e != HAPPY])}
    measure = choice_measure(scores)
    accuracy = Analysis(
        name="accuracy",
        title="How often the requested face beats the happy one",
        unit="share",
        neutral=0.5,
        neutral_name="chance",
        note="The pairs of one prompt are resampled together.",
        overall=scores.overall(measure),
        by={"emotion": scores.by(measure, groupings["emotion"])},
    )
    override = override_analysis(scores, groupings)
    return TaskReport(
        task=scores.task,
        question=QUESTION,
        analyses=(accuracy, override) if override else (accuracy,),
        findings={reward: _finding(accuracy, reward) for reward in scores.rewards},
        notes=() if override else ("The happy prompt was not scored: no override rate.",),
    )


def _finding(accuracy: Analysis, reward: str) -> str:
    if accuracy.overall[reward].value is None:
        return f"could not be judged: {accuracy.overall[reward].reason}."
    each = [f"{percent_in(by[reward])} of {name}" for name, by in accuracy.by["emotion"].items()]
    return f"prefers the requested face to the happy one in {listing(each)} prompts."
