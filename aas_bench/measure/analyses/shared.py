"""The figures that several analyses share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aas_bench.measure.analyses.task_report import Breakdown
from aas_bench.measure.analyses.task_scores import Masks, Measure, TaskScores
from aas_bench.stats.estimate import Estimate, Mask
from aas_bench.stats.override import override
from aas_bench.stats.preference import chosen, preference


def choice_measure(scores: TaskScores) -> Measure:
    """Share of pairs in which the image that was asked for scores higher."""

    def measure(reward: str, mask: Mask) -> Estimate:
        cells = scores.cells(reward)
        margin = (cells.didp - cells.oidp)[mask]
        return chosen(margin, ties=scores.ties, **scores.keywords(mask))

    return measure


def accuracy_measure(scores: TaskScores) -> Measure:
    """Accuracy against the labels; without labels, the share that chose what was asked for."""
    label = scores.label
    if label is None:
        return choice_measure(scores)

    def measure(reward: str, mask: Mask) -> Estimate:
        cells = scores.cells(reward)
        margin = (cells.didp - cells.oidp)[mask]
        found = preference(margin, label[mask], ties=scores.ties, **scores.keywords(mask))
        return found.accuracy

    return measure


def override_breakdown(scores: TaskScores, groupings: Mapping[str, Masks]) -> Breakdown | None:
    """The override rate; None where no reward model was scored under the original prompt."""
    if not scores.has("oiop") or not scores.has("diop"):
        return None

    def measure(reward: str, mask: Mask) -> Estimate:
        cells = scores.cells(reward)
        four = (cells.oiop[mask], cells.oidp[mask], cells.diop[mask], cells.didp[mask])
        if np.all(np.isnan(cells.oiop) | np.isnan(cells.diop)):
            return Estimate(value=None, n=0, coverage=0.0, reason="original prompt not scored")
        return override(*four, **scores.keywords(mask)).override_rate

    return scores.breakdown(
        measure,
        groupings,
        name="override_rate",
        title="Override rate",
        unit="share",
        note="Of the requests that were understood, the share that lost to taste.",
    )
