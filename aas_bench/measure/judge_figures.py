"""A generator before judges: its measures, from what each judge said of each pair.

Beside the figure of each judge stands that of all of them: of labels what most judges say, of marks
the mean over the judges that gave both.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd

from aas_bench.stats.estimate import Estimate, Mask, Scores
from aas_bench.stats.generation import generator_shift
from aas_bench.stats.preference import chosen
from aas_bench.tables.judge_columns import MARKS, labels_by_judge, majority_of, marks_by_judge

Both: TypeAlias = tuple[Scores, Scores]
"""Marks of the original and of the distorted image of each pair."""

WIN: Final = "llm_win"
DIFFERENCES: Final[Mapping[str, str]] = {
    "special_effects_diff": "requested_effects",
    "main_concepts_diff": "main_concept",
    "effects_present_diff": "effects_present",
    "effects_strong_diff": "effects_strong",
}
"""Measure -> the mark that it is the mean difference of, distorted minus original image."""


def win_share(label: Scores, **options: Any) -> Estimate:
    """Share of pairs in which a judge prefers the distorted image; a tie is no preference for it.

    Args:
        label: 1, 0, -1 for a tie, NaN where there is none; shape (n,).
        options: Those of `chosen`.
    """
    return chosen(2 * halved(label) - 1, **options)


def mark_difference(original: Scores, distorted: Scores, mark: str, **options: Any) -> Estimate:
    """Mean of a mark of the distorted image less that of the original one."""
    ends = (0.0, MARKS[mark])
    return generator_shift(original, distorted, score_range=ends, **options).delta


def judge_figures(
    measure: str, frame: pd.DataFrame, rows: Mask, **options: Any
) -> dict[str | None, Estimate]:
    """One measure by judge, and of all judges under None; empty where no judge was asked.

    Args:
        measure: `WIN` or a key of `DIFFERENCES`.
        frame: A table with the columns of judges.
        rows: The rows that count.
        options: Those of the statistic, with the `clusters` of these rows.
    """
    part = frame[rows]
    keywords = {**options, "on_missing": "drop"}  # no answer lowers the coverage, whoever asks
    if measure == WIN:
        labels = _with_majority(labels_by_judge(part))
        return {judge: win_share(label, **keywords) for judge, label in labels.items()}
    mark = DIFFERENCES[measure]
    marks = _with_mean(marks_by_judge(part, mark))
    return {judge: mark_difference(*both, mark, **keywords) for judge, both in marks.items()}


def halved(label: Scores) -> Scores:
    """Labels with a tie between both: 1, 0.5, 0."""
    return np.where(label == -1, 0.5, label)


def _with_majority(labels: Mapping[str, Scores]) -> dict[str | None, Scores]:
    found: dict[str | None, Scores] = {None: majority_of(labels)} if labels else {}
    return found | dict(labels)


def _with_mean(marks: Mapping[str, Both]) -> dict[str | None, Both]:
    if not marks:
        return {}
    table = np.array(list(marks.values()))  # (judges, 2, n)
    whole = np.where(np.isnan(table).any(axis=1, keepdims=True), np.nan, table)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # nobody marked a pair
        mean = np.nanmean(whole, axis=0)
    found: dict[str | None, Both] = {None: (mean[0], mean[1])}
    return found | dict(marks)
