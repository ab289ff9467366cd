"""Does a reward model prefer the image that the prompt asked for? A door to `aas_bench.stats`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import datasets
import evaluate
import numpy as np

from aas_bench.errors import UnknownNameError
from aas_bench.metric import flat
from aas_bench.metric.checked import CheckedInputs
from aas_bench.metric.image_scores import score_pairs
from aas_bench.rewards.base import RewardModel
from aas_bench.stats.estimate import Estimate, Ties
from aas_bench.stats.preference import Preference, choices, preference
from aas_bench.stats.resolution import difference

_DESCRIPTION = """
Compares which of two images a reward model prefers with which one fits the prompt better. The
prompt asks for an image that is not pretty; one image delivers that (distorted), the other is the
polished version that nobody asked for (original). A reward model that overrides the request in
favour of taste scores below chance.
"""

_INPUTS = """
Args:
    predictions: per pair [score_original, score_distorted], both under the prompt that asks for
        the distorted image; or the margin score_distorted - score_original; or all four scores
        [oiop, oidp, diop, didp], of which didp - oidp is used. NaN or None where one is missing.
    references: per pair 1 (the distorted image fits better), 0 (the original does) or -1 (a tie
        or unknown: left out and counted).
    images_original, images_distorted, prompts: instead of predictions, in the configuration
        "images"; images are PIL images, uint8 arrays, paths or bytes.
    reward_model: in the configuration "images": a name that `aas-bench list rewards` lists, a
        RewardModel, or any function (images, prompts) -> scores.
    batch_size: in the configuration "images": items of one call; None: the model's own.
    groups: a name per pair, or a list of names; the result is repeated within each group.
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

_CITATION = """
@inproceedings{guo2026universal,
  title = {Position: Universal Aesthetic Alignment Narrows Artistic Expression},
  author = {Guo, Wenqi Marshall and Qian, Qingyun and Hasan, Khalad and Du, Shan},
  booktitle = {International Conference on Machine Learning},
  year = {2026},
  url = {https://arxiv.org/abs/2512.11883}
}
"""

_LABEL = datasets.Value("int8")
_IMAGE = datasets.Image(decode=False)
_FEATURES = {
    "default": [
        datasets.Features(predictions=datasets.List(datasets.Value("float64")), references=_LABEL),
        datasets.Features(predictions=datasets.Value("float64"), references=_LABEL),
    ],
    "images": datasets.Features(
        images_original=_IMAGE,
        images_distorted=_IMAGE,
        prompts=datasets.Value("string"),
        references=_LABEL,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Measured(Preference):
    """Agreement with the labels, and the choices themselves."""

    chosen: Estimate
    polished: Estimate
    tied: Estimate


class AasPreference(CheckedInputs, evaluate.Metric):
    """Preference accuracy of a reward model, with intervals over clusters."""

    row_widths = (1, 2, 4)

    def _info(self) -> evaluate.MetricInfo:
        if self.config_name not in _FEATURES:
            hint = f"The configurations are {' and '.join(_FEATURES)}."
            raise UnknownNameError("configuration", self.config_name, _FEATURES, hint=hint)
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=_FEATURES[self.config_name],
            homepage="https://arxiv.org/abs/2512.11883",
            license="Apache-2.0",
        )

    def _compute(
        self,
        *,
        references: Sequence[int],
        predictions: Sequence[Any] | None = None,
        images_original: Sequence[dict[str, Any]] | None = None,
        images_distorted: Sequence[dict[str, Any]] | None = None,
        prompts: Sequence[str] | None = None,
        reward_model: str | RewardModel | Callable[..., Any] | None = None,
        batch_size: int | None = None,
        groups: Sequence[Any] | None = None,
        clusters: Sequence[Any] | None = None,
        confidence_level: float = 0.95,
        ties: Literal["original", "half", "distorted"] = "original",
        on_missing: Literal["raise", "drop"] = "raise",
    ) -> dict[str, Any]:
        if self.config_name == "images":
            predictions = score_pairs(
                reward_model,
                images_original=images_original,
                images_distorted=images_distorted,
                prompts=prompts,
                batch_size=batch_size,
                on_missing=on_missing,
            )
        margin, label = _margin(predictions), np.asarray(references)

        def measure(rows: flat.Rows, ties: Ties = ties) -> Measured:
            options: dict[str, Any] = {
                "clusters": flat.some(clusters, rows),
                "confidence_level": confidence_level,
                "on_missing": on_missing,
            }
            found = choices(margin[rows], **options)
            return Measured(
                **vars(preference(margin[rows], label[rows], ties=ties, **options)),
                chosen=found.chosen,
                polished=found.polished,
                tied=found.tied,
            )

        overall = flat.flatten(measure(flat.EVERY_ROW))
        overall["by_ties"] = flat.by_ties(measure, tied=overall["tied"])
        return overall | {"by_group": flat.by_group(measure, groups, len(margin))}


def _margin(predictions: Sequence[Any]) -> np.ndarray:
    """Score of the distorted image minus score of the original, under the distorted prompt."""
    rows = np.asarray(predictions, dtype=np.float64)
    if rows.ndim == 1:
        return rows
    original = {1: None, 2: 0, 4: 1}[rows.shape[1]]
    return rows[:, -1] if original is None else difference(rows[:, -1], rows[:, original])
