"""What `aas_preference` computes, whoever keeps the rows: `evaluate` or `load_metric`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final

from aas_bench.metric.checked import CheckedInputs
from aas_bench.stats.estimate import Estimate, Scores, Ties
from aas_bench.stats.preference import Preference, choices, preference
from aas_bench.stats.resolution import difference

_DESCRIPTION: Final = """
Compares which of two images a reward model prefers with which one fits the prompt better. The
prompt asks for an image that is not pretty; one image delivers that (distorted), the other is the
polished version that nobody asked for (original). A reward model that overrides the request in
favour of taste scores below chance.
"""

_INPUTS: Final = """
Args:
    predictions: per pair [score_original, score_distorted], both under the prompt that asks for
        the distorted image; or the margin score_distorted - score_original; or all four scores
        [oiop, oidp, diop, didp], of which didp - oidp is used. NaN or None where one is missing.
    references: per pair 1 (the distorted image fits better), 0 (the original does) or -1 (a tie
        or unknown: left out and counted).
    images_original, images_distorted, prompts: instead of predictions, in the configuration
        "images"; images are PIL images, uint8 arrays, paths or bytes.
    reward_model: in the configuration "images": a name in the grammar of docs/reward-models.md, a
        RewardModel, or any function (images, prompts) -> scores.
    batch_size, device, dtype: in the configuration "images": items of one call, where the model
        runs and its number format; None: the model's own.
    accept_prompt_blind: in "images": go on with a reward model to which all prompts are one.
    groups: a name per pair, or a list of names; the result is repeated within each group. Columns
        may come as `load_dataset` gives them, class labels included, or from pandas, Polars, torch.
    clusters: what pairs have in common, such as the base prompt; intervals are over clusters.
    confidence_level: of the intervals.
    ties: what a reward tie counts as in the five agreements: "original" (for the original image),
        "half" (half right) or "distorted" (for the distorted image).
    on_missing: "raise", or "drop" pairs without scores (or with an image that cannot be read) and
        report the coverage.
Returns:
    accuracy, balanced_accuracy, f1, auroc, cohen_kappa; chosen, polished, tied: shares of the pairs
    with scores whose distorted image scores higher, whose original does, and neither (they sum to
    1); each with its interval under key_ci;
    n, n_label_ties, n_reward_ties, n_missing, n_clusters, coverage, reasons, by_group; where there
    are reward ties, by_ties: the same under each rule.
Examples:
    >>> metric = evaluate.load("aas_preference")
    >>> result = metric.compute(
    ...     predictions=[[7.1, 3.2], [0.2, 0.9], [6.0, 4.5], [5.5, 1.0]], references=[1, 1, 1, 0]
    ... )
    >>> result["accuracy"], result["auroc"], result["n"]
    (0.5, 1.0, 4)
"""


@dataclass(frozen=True, kw_only=True)
class Measured(Preference):
    """Agreement with the labels, and the choices themselves."""

    chosen: Estimate
    polished: Estimate
    tied: Estimate


class PreferenceRows(CheckedInputs):
    """Preference accuracy of a reward model, with intervals over clusters.

    Attributes:
        row_widths: Numbers that a row of `predictions` may have.
    """

    columns: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {
            "default": ("predictions", "references"),
            "images": ("images_original", "images_distorted", "prompts", "references"),
        }
    )
    row_widths: ClassVar[tuple[int, ...]] = (1, 2, 4)
    description: ClassVar[str] = _DESCRIPTION
    inputs_description: ClassVar[str] = _INPUTS

    def _measure(self, scores: Scores, labels: Any, *, ties: Ties, **options: Any) -> Measured:
        margin = _margin(scores)
        found = choices(margin, **options)
        return Measured(
            **vars(preference(margin, labels, ties=ties, **options)),
            chosen=found.chosen,
            polished=found.polished,
            tied=found.tied,
        )


def _margin(rows: Scores) -> Scores:
    """Score of the distorted image minus score of the original, under the distorted prompt."""
    if rows.ndim == 1:
        return rows
    original = {1: None, 2: 0, 4: 1}[rows.shape[1]]
    return rows[:, -1] if original is None else difference(rows[:, -1], rows[:, original])
