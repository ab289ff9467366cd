"""The figures that several analyses share."""

from __future__ import annotations

from collections.abc import Mapping

from aas_bench.measure.analyses.task_report import Breakdown
from aas_bench.measure.analyses.task_scores import Masks, Measure, TaskScores
from aas_bench.stats.estimate import Estimate, Mask


def choice_measure(scores: TaskScores) -> Measure:
    """Share of pairs in which the image that was asked for scores higher."""
    return lambda reward, mask: scores.view(reward, mask).chosen


def accuracy_measure(scores: TaskScores) -> Measure:
    """Accuracy against the labels; without labels, the share that chose what was asked for."""

    def measure(reward: str, mask: Mask) -> Estimate:
        view = scores.view(reward, mask)
        return view.chosen if view.preference is None else view.preference.accuracy

    return measure


def override_breakdown(scores: TaskScores, groupings: Mapping[str, Masks]) -> Breakdown | None:
    """The override rate; None where no reward model was scored under the original prompt."""
    if not scores.has("oiop") or not scores.has("diop"):
        return None

    def measure(reward: str, mask: Mask) -> Estimate:
        found = scores.view(reward, mask).placebo
        if found is None:
            return Estimate(value=None, n=0, coverage=0.0, reason="original prompt not scored")
        return found.override_rate

    return scores.breakdown(
        measure,
        groupings,
        name="override_rate",
        title="Override rate",
        unit="share",
        note="Of the pairs whose score moved towards the request, the share that polish won.",
    )
