"""Whether a reward model's choice survives another wording of the same request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from aas_bench.errors import InputError
from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import Estimate, OnMissing, Result
from aas_bench.stats.inputs import Sample, read_sample
from aas_bench.stats.intervals import Intervals
from aas_bench.stats.preference import NO_LABELS, NO_SCORES, right


@dataclass(frozen=True, kw_only=True)
class Consistency(Result):
    """Agreement of a reward model with itself.

    Attributes:
        unanimous: Share of items with one choice under all their wordings; n counts items.
        measure: "accuracy" against the labels, or, without labels, the share "chosen".
        accuracy_by_wording: The measure under each wording, in [0, 1].

    Example:
        >>> paraphrase_consistency([1, 2], ["a", "a"], [0, 1]).measure
        'chosen'
    """

    unanimous: Estimate
    measure: Literal["accuracy", "chosen"]
    accuracy_by_wording: dict[str, Estimate]


def paraphrase_consistency(
    margin: ArrayLike,
    item: ArrayLike,
    wording: ArrayLike,
    label: ArrayLike | None = None,
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
) -> Consistency:
    """Share of items whose choice is the same under every wording, and the accuracy by wording.

    An item is one pair of images with one request, asked in several wordings; its choice under a
    wording is 1 where m > 0. It is unanimous where all its choices are 1 or all are 0.

    Args:
        margin: didp - oidp, shape (n,), float, one row per item and wording.
        item: Which item, shape (n,), numbers or strings.
        wording: Which wording, shape (n,), numbers or strings.
        label: Shape (n,), in {1, 0, -1}; rows labelled -1 do not count in the accuracy. None: no
            labels.
        clusters: Shape (n,), such as the scene; an item lies in one cluster. None counts items as
            independent.
        on_missing: "raise", or "drop" the rows without a score and lower the coverage.
        confidence_level: Nominal coverage of the intervals, in (0, 1).

    Returns:
        Consistency. An item with a single scored wording cannot disagree with itself: it is left
        out of `unanimous` and lowers its coverage, which counts rows.

    Raises:
        MissingScoresError: A score is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit, or an item lies in two clusters.

    Example:
        >>> result = paraphrase_consistency([1, 2, -1, 3], ["a", "a", "b", "b"], [0, 1, 0, 1])
        >>> result.unanimous.value, result.accuracy_by_wording["0"].value
        (0.5, 0.5)
    """
    analysis = Analysis(confidence_level=confidence_level, on_missing=on_missing)
    sample = read_sample(
        {"margin": margin},
        label=label,
        clusters=clusters,
        factors={"item": item, "wording": wording},
        on_missing=on_missing,
    )
    _check_nested(sample)
    wordings = sample.factors["wording"]
    by_wording = {}
    for code, name in enumerate(wordings.levels):
        asked = sample.part(wordings.codes == code).complete().labelled()
        by_wording[str(name)] = Intervals(asked, analysis).rate(
            right((asked.scores["margin"] > 0).astype(np.float64), asked.label),
            undefined=NO_SCORES if label is None else NO_LABELS,
        )
    return Consistency(
        unanimous=_unanimous(sample, analysis),
        measure="chosen" if label is None else "accuracy",
        accuracy_by_wording=by_wording,
    )


def _unanimous(given: Sample, analysis: Analysis) -> Estimate:
    sample = given.complete()
    codes = sample.factors["item"].codes
    n_asked = np.bincount(codes)
    n_chosen = np.bincount(codes, sample.scores["margin"] > 0)
    present, first = np.unique(codes, return_index=True)
    several = n_asked[present] > 1
    kept = present[several]
    same = (n_chosen[kept] == 0) | (n_chosen[kept] == n_asked[kept])
    share = Intervals(sample.where(first[several]), analysis).rate(
        same.astype(np.float64), undefined="no item has two scored wordings"
    )
    return replace(share, coverage=int(n_asked[kept].sum()) / given.n)


def _check_nested(sample: Sample) -> None:
    if sample.clusters is None:
        return
    item = sample.factors["item"]
    _, first = np.unique(item.codes, return_index=True)
    astray = np.flatnonzero(sample.clusters != sample.clusters[first][item.codes])
    if len(astray):
        name = item.levels[item.codes[astray[0]]]
        msg = f"item {name} lies in two clusters. Give all rows of an item one cluster."
        raise InputError(msg)
