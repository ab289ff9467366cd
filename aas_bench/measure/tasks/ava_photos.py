"""`ava_photos`: how far a clean generation is scored above the photograph that was described."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from aas_bench.measure.tasks.result import Analysis, TaskReport
from aas_bench.measure.tasks.scores import Masks, Measure, TaskScores, masks
from aas_bench.stats.estimate import Estimate, Mask
from aas_bench.stats.gap import PairedGap, paired_gap
from aas_bench.tables.schema import DIMENSIONS
from aas_bench.tables.taxonomy import PHOTO_ELEMENTS, elements
from aas_bench.words import number_in, percent_in

QUESTION: Final = (
    "A real photograph and a clean generation of the same content stand under the caption that "
    "describes the photograph, flaws and all. How much higher does the clean image score?"
)


def ava_photos(scores: TaskScores) -> TaskReport:
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

    def gap(reward: str, mask: Mask, *, clean_caption: bool = False) -> PairedGap:
        cells = scores.cells(reward)
        a, b = (cells.oiop, cells.diop) if clean_caption else (cells.oidp, cells.didp)
        return paired_gap(a[mask], b[mask], **scores.keywords(mask))

    analyses = [
        _analysis(
            scores,
            groupings,
            lambda reward, mask: gap(reward, mask).gap,
            name="gap",
            title="Clean image minus photograph, under the photograph's own caption",
            note="Right of the line the clean image scores higher, though the caption asks for "
            "the photograph. In units of each reward.",
        ),
        _analysis(
            scores,
            groupings,
            lambda reward, mask: gap(reward, mask).b_wins,
            name="photo_wins",
            title="How often the photograph wins",
            note="Share of pairs in which the photograph scores higher under its own caption.",
        ),
    ]
    notes = []
    if scores.has("oiop") and scores.has("diop"):
        analyses.append(
            _analysis(
                scores,
                groupings,
                lambda reward, mask: gap(reward, mask, clean_caption=True).gap,
                name="gap_clean_caption",
                title="Clean image minus photograph, under the clean caption",
                note="The same two images when nothing unpolished is asked for: taste alone.",
            )
        )
    else:
        notes.append("The clean caption was not scored: there is no gap under it.")
    return TaskReport(
        task=scores.task,
        question=QUESTION,
        analyses=tuple(analyses),
        findings={reward: _finding(analyses, reward) for reward in scores.rewards},
        notes=tuple(notes),
    )


def _groupings(scores: TaskScores) -> dict[str, Masks]:
    found = scores.require_groups("category and element", "elements", DIMENSIONS, "category")
    groupings: dict[str, Masks] = {
        "category": masks(_categories(found), order=PHOTO_ELEMENTS),
        "element": masks(found, order=elements()),
    }
    primary = scores.lists("category")
    if any(primary):
        groupings["primary element"] = masks(primary, order=elements())
    return groupings


def _categories(names: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[name.partition(".")[0] for name in of_row] for of_row in names]


def _analysis(
    scores: TaskScores,
    groupings: Mapping[str, Masks],
    measure: Measure,
    *,
    name: str,
    title: str,
    note: str,
) -> Analysis:
    share = name == "photo_wins"
    return Analysis(
        name=name,
        title=title,
        unit="share" if share else "score",
        neutral=0.5 if share else 0.0,
        neutral_name="chance" if share else "no gap",
        note=note,
        overall=scores.overall(measure),
        by={by: scores.by(measure, groups) for by, groups in groupings.items()},
    )


def _finding(analyses: Sequence[Analysis], reward: str) -> str:
    gap, wins = (analysis.overall[reward] for analysis in analyses[:2])
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
