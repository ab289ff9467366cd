"""How far a clean generation is scored above the photograph that was described."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aas_bench.measure.analyses.task_report import Breakdown, TaskReport
from aas_bench.measure.analyses.task_scores import Masks, TaskScores
from aas_bench.stats.estimate import Estimate
from aas_bench.tables.schema import DIMENSIONS
from aas_bench.tasks.taxonomy import PHOTO_ELEMENTS, elements
from aas_bench.words import number_in, percent_in


def photo_gap(scores: TaskScores) -> TaskReport:
    """Gap of clean image and photograph, over all photographs, by category and by element.

    Under the anti-aesthetic caption P_a, which is how the paper's figures were made, the gap is
    mean(oidp - didp) and the photograph wins where didp > oidp; under the clean caption P_o, where
    it was scored, the gap is mean(oiop - diop). A photograph counts under each of its elements and
    under each of their categories, so groups overlap; those of its primary element (column
    `category`) do not.

    Raises:
        SchemaError: The table lacks the scores under P_a, or the elements.
    """
    scores.require_scores("oidp", "didp")
    groupings = _groupings(scores)

    breakdowns = [
        scores.breakdown(
            lambda reward, mask: scores.view(reward, mask).gap.gap,
            groupings,
            name="gap",
            title="Clean image minus photograph, under the photograph's own caption",
            unit="score",
            neutral=0.0,
            neutral_name="no gap",
            note="Right of the line the clean image scores higher, though the caption asks for "
            "the photograph. In units of each reward.",
        ),
        scores.breakdown(
            lambda reward, mask: scores.view(reward, mask).gap.b_wins,
            groupings,
            name="photo_wins",
            title="How often the photograph wins",
            unit="share",
            neutral=0.5,
            neutral_name="chance",
            note="Share of pairs in which the photograph scores higher under its own caption.",
        ),
    ]
    notes = []
    if scores.has("oiop") and scores.has("diop"):
        breakdowns.append(
            scores.breakdown(
                lambda reward, mask: scores.view(reward, mask).gap_clean_caption.gap,
                groupings,
                name="gap_clean_caption",
                title="Clean image minus photograph, under the clean caption",
                unit="score",
                neutral=0.0,
                neutral_name="no gap",
                note="The same two images when nothing unpolished is asked for: taste alone.",
            )
        )
    else:
        notes.append("The clean caption was not scored: there is no gap under it.")
    return TaskReport(
        task=scores.task.name,
        question=scores.task.question,
        analyses=tuple(breakdowns),
        findings={reward: _finding(breakdowns, reward) for reward in scores.rewards},
        notes=tuple(notes),
    )


def _groupings(scores: TaskScores) -> dict[str, Masks]:
    found = scores.require_groups("category and element", "elements", DIMENSIONS, "category")
    categories = found.merged(lambda name: name.partition(".")[0])
    groupings: dict[str, Masks] = {
        "category": categories.masks(order=PHOTO_ELEMENTS),
        "element": found.masks(order=elements()),
    }
    primary = scores.groups("category")
    if primary is not None:
        groupings["primary element"] = primary.masks(order=elements())
    return groupings


def _finding(breakdowns: Sequence[Breakdown], reward: str) -> str:
    gap, wins = (each.overall[reward] for each in breakdowns[:2])
    if gap.value is None:
        return f"could not be judged: {gap.reason}."
    higher = "clean image" if gap.value >= 0 else "photograph"
    size = gap if gap.value >= 0 else negated(gap)
    return (
        f"scores the {higher} {number_in(size)} higher on average, under the caption that "
        f"describes the photograph; the photograph wins in {percent_in(wins)} of pairs."
    )


def negated(estimate: Estimate) -> Estimate:
    """The estimate of the difference taken the other way round."""
    value, low, high = (
        None if end is None else -end for end in (estimate.value, estimate.high, estimate.low)
    )
    return replace(estimate, value=value, low=low, high=high)
