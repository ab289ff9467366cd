"""Whether a reward model's choice survives another wording of the same request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from aas_bench.stats.estimate import Estimate, OnMissing, Result
from aas_bench.stats.inputs import read_sample
from aas_bench.stats.intervals import Bootstrap, Resampling


@dataclass(frozen=True, kw_only=True)
class Consistency(Result):
    """Unanimity over wordings, and the share of right choices under each."""

    unanimous: Estimate
    measure: Literal["accuracy", "chosen"]
    accuracy_by_wording: dict[str, Estimate]


def paraphrase_consistency(
    margin: ArrayLike,
    item: Any,
    wording: Any,
    label: ArrayLike | None = None,
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Consistency:
    """Share of items whose choice is the same under every wording."""
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    sample = read_sample(
        {"margin": margin},
        label=label,
        clusters=clusters,
        factors={"item": item, "wording": wording},
        on_missing=on_missing,
    )
    distorted = sample.scores["margin"] > 0
    codes = sample.factors["item"].codes
    n_items = len(sample.factors["item"].levels)
    asked = np.bincount(codes, minlength=n_items)
    yes = np.bincount(codes, distorted, minlength=n_items)
    first = np.unique(codes, return_index=True)[1]
    one_row_each = np.zeros(sample.n, dtype=bool)
    one_row_each[first[asked[codes[first]] > 1]] = True
    items = sample.where(one_row_each)
    kept = items.factors["item"].codes
    same = ((yes[kept] == 0) | (yes[kept] == asked[kept])).astype(np.float64)[:, None]
    (unanimous,) = Bootstrap(items, options).rates(same, undefined="no item has two wordings")
    right = distorted if sample.label is None else distorted == (sample.label == 1)
    by_wording = {}
    for code, name in enumerate(sample.factors["wording"].levels):
        keep = sample.factors["wording"].codes == code
        if sample.label is not None:
            keep &= sample.label >= 0
        (by_wording[str(name)],) = Bootstrap(sample.where(keep), options).rates(
            right[keep].astype(np.float64)[:, None], undefined="no pair has a score and a label"
        )
    return Consistency(
        unanimous=unanimous,
        measure="chosen" if label is None else "accuracy",
        accuracy_by_wording=by_wording,
    )
