"""Accuracy and override by dimension and generator, and how a judge agrees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from aas_bench.measure.analyses.shared import accuracy_measure, override_breakdown
from aas_bench.measure.analyses.task_report import Breakdown, TaskReport
from aas_bench.measure.analyses.task_scores import Masks, TaskScores
from aas_bench.stats.agreement import spearman
from aas_bench.stats.estimate import Estimate, Mask, Scores
from aas_bench.tables.schema import DIMENSIONS, MODEL, UNKNOWN_MODEL
from aas_bench.words import number_in, percent_in, plain_name

JUDGED: Final = {
    "special_effects": "the requested effects",
    "main_concepts": "the main content",
}
"""What the graded judge marks from 0 to 100, for each image of a pair."""


def rewritten(scores: TaskScores) -> TaskReport:
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
    groupings = {"dimension": dimensions.masks()}
    generators = scores.groups(MODEL)
    known = {} if generators is None else generators.masks()
    known.pop(UNKNOWN_MODEL, None)
    if known:
        groupings["generator"] = known
    accuracy = scores.breakdown(
        accuracy_measure(scores),
        groupings,
        name="chosen" if scores.label is None else "accuracy",
        title="Share that chose the image asked for"
        if scores.label is None
        else "Accuracy against the judge's choice",
        unit="share",
        neutral=0.5,
        neutral_name="chance",
    )
    override = override_breakdown(scores, groupings)
    agreements = [
        _agreement(scores, groupings["dimension"], what, gain)
        for what, gain in judge_gains(scores).items()
    ]
    notes = [] if override else ["The original prompt was not scored: no override rate."]
    if not agreements:
        notes.append("No judge's marks (llm_distorted_special_effects, ...) and no labels.")
    analyses = (accuracy, *([override] if override else []), *agreements)
    return TaskReport(
        task=scores.task.name,
        question=scores.task.question,
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


def _agreement(scores: TaskScores, groups: Masks, what: str, gain: Scores) -> Breakdown:
    def measure(reward: str, mask: Mask) -> Estimate:
        view = scores.view(reward, mask)
        # Judges leave pairs out by their nature; that never stops an analysis.
        return spearman(view.margin, gain[mask], **view.keywords | {"on_missing": "drop"})

    on = "the judge's choice" if what == "label" else f"the judge's marks of {JUDGED[what]}"
    return scores.breakdown(
        measure,
        {"dimension": groups},
        name=f"spearman_{what}",
        title=f"Spearman correlation of the margin with {on}",
        unit="correlation",
        neutral=0.0,
        neutral_name="none",
        note="Both are the distorted image less the original. 1: the reward rises with the judge.",
    )


def _finding(accuracy: Breakdown, agreements: list[Breakdown], reward: str) -> str:
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
