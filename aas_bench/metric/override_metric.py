"""What `aas_override` computes, whoever keeps the rows: `evaluate` or `load_metric`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np

from aas_bench.errors import InputError
from aas_bench.metric.checked import CheckedInputs
from aas_bench.stats.estimate import Estimate, Scores, Ties
from aas_bench.stats.override import Override, override
from aas_bench.stats.placebo import placebo_from_four
from aas_bench.stats.preference import choices
from aas_bench.stats.resolution import difference

_DESCRIPTION: Final = """
Tells whether the score moved towards the request more often than the original prompt would explain,
and how often the polished image won all the same: the override rate, undefined where the score did
not demonstrably move. Beside it the four outcomes that describe where the score moved: followed,
overridden, missed, lucky.
"""

_INPUTS: Final = """
Args:
    predictions: per pair the four scores [oiop, oidp, diop, didp], image first, then prompt:
        didp is the distorted image under the distorted prompt. NaN or None where one is missing.
    references: optional; per pair 1 (the distorted image fits its prompt better), 0 (the original
        does) or -1 (a tie or unknown). With them the result is repeated under by_label.
    images_original, images_distorted, prompts_original, prompts: instead of predictions, in the
        configuration "images"; images are PIL images, uint8 arrays, paths or bytes, and prompts
        are those that ask for the distorted image.
    reward_model: in the configuration "images": a name in the grammar of docs/reward-models.md, a
        RewardModel, or any function (images, prompts) -> scores.
    batch_size, device, dtype: in the configuration "images": items of one call, where the model
        runs and its number format; None: the model's own.
    accept_prompt_blind: in "images": go on with a reward model to which all prompts are one.
    groups: a name per pair, or a list of names; the result is repeated within each group. Columns
        may come as `load_dataset` gives them, class labels included, or from pandas, Polars, torch.
    clusters: what pairs have in common, such as the base prompt; intervals are over clusters.
    confidence_level: of the intervals.
    ties: what a reward tie counts as: "original" (for the original image), "half" (half for
        either) or "distorted" (for the distorted image).
    on_missing: "raise", or "drop" pairs without all four scores (or with an image that cannot be
        read) and report the coverage.
Returns:
    response, understood, override_rate: against the original prompt, the one placebo that four
    scores hold (placebo is "original"; none other can be given), and reading: "towards", "unclear"
    or "against". With references, the rate is over the pairs labelled 1;
    followed, overridden, missed, lucky (they sum to 1), moved, chosen, overridden_of_moved,
    override_strength, prompt_response, prior_pull: where the score moved, a description;
    polished, tied: pairs whose original image scores higher, and pairs in which neither does, ties
    apart whatever `ties` says;
    each with its interval under key_ci; n, n_reward_ties, n_response_ties, n_missing, n_clusters,
    coverage, reasons, by_label, by_group; where there are ties, by_ties: the same under each rule.
Examples:
    >>> metric = evaluate.load("aas_override")
    >>> result = metric.compute(
    ...     predictions=[[8, 7, 3, 4], [6, 2, 3, 5], [9, 8, 5, 6], [7, 8, 4, 3]]
    ... )
    >>> [result[key] for key in ("followed", "overridden", "missed", "lucky")]
    [0.25, 0.5, 0.25, 0.0]
    >>> result["override_rate"], result["reading"], result["tied"]
    (None, 'unclear', 0.0)
"""


@dataclass(frozen=True, kw_only=True)
class Measured(Override):
    """The estimate against the original prompt, and the description beside it."""

    response: Estimate
    understood: Estimate
    override_rate: Estimate
    reading: str
    placebo: str
    polished: Estimate
    tied: Estimate


class OverrideRows(CheckedInputs):
    """The override analysis of a reward model, with intervals over clusters.

    Attributes:
        row_widths: Numbers that a row of `predictions` may have.
        optional_columns: Columns that a caller may leave out.
        split_by_label: Whether the result is repeated under `by_label`.
    """

    columns: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {
            "default": ("predictions", "references"),
            "images": (
                "images_original",
                "images_distorted",
                "prompts_original",
                "prompts",
                "references",
            ),
        }
    )
    row_widths: ClassVar[tuple[int, ...]] = (4,)
    optional_columns: ClassVar[frozenset[str]] = frozenset({"references"})
    split_by_label: ClassVar[bool] = True
    description: ClassVar[str] = _DESCRIPTION
    inputs_description: ClassVar[str] = _INPUTS

    def _measure(self, scores: Scores, labels: Any, *, ties: Ties, **options: Any) -> Measured:
        four = scores.T
        told = placebo_from_four(*four, labels=labels, ties=ties, **options)
        whole = ~np.isnan(four).any(axis=0)
        found = choices(np.where(whole, difference(four[3], four[1]), np.nan), **options)
        return Measured(
            **vars(override(*four, ties=ties, **options)),
            **{name: getattr(found, name) for name in ("polished", "tied")},
            response=told.response,
            understood=told.understood,
            override_rate=told.override_rate,
            reading=told.reading,
            placebo="original",
        )

    def _labels(self, references: Sequence[int | None]) -> Sequence[int] | None:
        absent = sum(label is None for label in references)
        if absent not in (0, len(references)):
            n = len(references)
            msg = f"references are missing for {absent} of {n} pairs. Give all or none."
            raise InputError(msg)
        return None if absent else [int(label) for label in references if label is not None]
