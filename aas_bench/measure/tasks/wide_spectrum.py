"""`wide_spectrum`: accuracy and override by dimension and generator, and how a judge agrees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from aas_bench.measure.tasks.measures import accuracy_measure, override_analysis
from aas_bench.measure.tasks.result import Analysis, TaskReport
from aas_bench.measure.tasks.scores import Masks, TaskScores, masks
from aas_bench.stats.agreement import spearman
from aas_bench.stats.estimate import Estimate, Mask, Scores
from aas_bench.tables.schema import DIMENSIONS, MODEL, UNKNOWN_MODEL
from aas_bench.tables.taxonomy import DIMENSIONS as MEANINGS
from aas_bench.words import number_in, percent_in, plain_name

QUESTION: Final = (
    "The caption was rewritten to ask for something unpretty. Does the reward prefer the image "
    "made from the rewritten prompt, for which requests and whose images, and does it rise where "
    "a judge sees the request met?"
)
JUDGED: Final = {
    "special_effects": "the requested effects",
    "main_concepts": "the main content",
}
"""What the graded judge marks from 0 to 100, for each image of a pair."""


def wide_spectrum(scores: TaskScores) -> TaskReport:
    """Accuracy and override rate by dimension and generator; Spearman of reward on judge.

    The correlation is that of the margin didp - oidp with what the judge gives the distorted image
    more than the original one, over all pairs and within each dimension; without graded marks, with
    the label (1 or 0). A pair counts under each dimension it asks for. Pairs without a mark are
    left out of the correlation and lower its coverage.

    Raises:
        SchemaError: The table lacks the scores, or the dimensions.
    """
    scores.require_scores("oidp", "didp")
    dimensions = scores.require_groups("dimension", DIMENSIONS)
    groupings = {"dimension": masks(dimensions, order=MEANINGS)}
    generators = [[n for n in of_row if n != UNKNOWN_MODEL] for of_row in scores.lists(MODEL)]
    if any(generators):
        groupings["generator"] = masks(generators)
    measure = accuracy_measure(scores)
    accuracy = Analysis(
        name="chosen" if scores.label is None else "accuracy",
        title="Share that chose the image asked for"
        if scores.label is None
        else "Accuracy against the judge's choice",
        unit="share",
        neutral=0.5,
        neutral_name="chance",
        overall=scores.overall(measure),
        by={name: scores.by(measure, groups) for name, groups in groupings.items()},
    )
    override = override_analysis(scores, groupings)
    agreements = [
        _agreement(scores, groupings["dimension"], what, gain)
        for what, gain in judge_gains(scores).items()
    ]
    notes = [] if override else ["The original prompt was not scored: no override rate."]
    if not agreements:
        notes.append("No judge's marks (llm_distorted_special_effects, ...) and no labels.")
    analyses = (accuracy, *([override] if override else []), *agreements)
    return TaskReport(
        task=scores.task,
        question=QUESTION,
        analyses=analyses,
        findings={r: _finding(accuracy, agreements, r) for r in scores.rewards},
        notes=tuple(notes),
    )


def judge_gains(scores: TaskScores) -> dict[str, Scores]:
    """What the judge gives the distorted image more than the original, by what it marks.

    Graded marks come from columns `llm_distorted_<what>` and `llm_original_<what>`, flat or in a
    struct `llm_judge`. Without any, the label stands in, under the name "label".

    Returns:
        Columns of shape (n rows,), NaN where there is no mark; empty where there is no judge.
    """
    gains = {}
    for what in JUDGED:
        distorted, original = (_marks(scores, f"{i}_{what}") for i in ("distorted", "original"))
        if distorted is not None and original is not None:
            gains[what] = distorted - original
    if gains or scores.label is None:
        return gains
    return {"label": np.where(scores.label >= 0, scores.label, np.nan)}


def _marks(scores: TaskScores, name: str) -> Scores | None:
    """A judge's marks of one image; None where there is no such column."""
    frame = scores.frame
    flat = [c for c in frame if str(c).startswith("llm_") and str(c).endswith(name)]
    if flat:
        return frame[flat[0]].to_numpy(dtype=np.float64, na_value=np.nan)
    if "llm_judge" not in frame:
        return None
    marks = [_mark(value, f"llm_{name}") for value in frame["llm_judge"]]
    return np.array(marks, dtype=np.float64)


def _mark(struct: Any, name: str) -> float:
    value = struct.get(name) if isinstance(struct, Mapping) else None
    return float("nan") if value is None else float(value)


def _agreement(scores: TaskScores, groups: Masks, what: str, gain: Scores) -> Analysis:
    def measure(reward: str, mask: Mask) -> Estimate:
        cells = scores.cells(reward)
        # Judges leave pairs out by their nature; that never stops an analysis.
        keywords = scores.keywords(mask) | {"on_missing": "drop"}
        return spearman((cells.didp - cells.oidp)[mask], gain[mask], **keywords)

    on = "the judge's choice" if what == "label" else f"the judge's marks of {JUDGED[what]}"
    return Analysis(
        name=f"spearman_{what}",
        title=f"Spearman correlation of the margin with {on}",
        unit="correlation",
        neutral=0.0,
        neutral_name="none",
        note="Both are the distorted image less the original. 1: the reward rises with the judge.",
        overall=scores.overall(measure),
        by={"dimension": scores.by(measure, groups)},
    )


def _finding(accuracy: Analysis, agreements: list[Analysis], reward: str) -> str:
    whole = accuracy.overall[reward]
    if whole.value is None:
        return f"could not be judged: {whole.reason}."
    verb = "agrees with the judge" if accuracy.name == "accuracy" else "chose what was asked for"
    text = f"{verb} in {percent_in(whole)} of pairs"
    rates = {g: by[reward] for g, by in accuracy.by["dimension"].items()}
    known = {name: rate for name, rate in rates.items() if rate.value is not None}
    if len(known) > 1:
        worst = min(known, key=lambda name: known[name].value or 0.0)
        text += f", least for {plain_name(worst)}, {percent_in(known[worst])}"
    if agreements and agreements[0].overall[reward].value is not None:
        on = agreements[0].title.split(" with ", 1)[1]
        text += f"; its margin correlates {number_in(agreements[0].overall[reward])} with {on}"
    return f"{text}."
