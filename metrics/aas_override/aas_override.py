"""Did the score follow the request, and did taste win? A door to `aas_bench.stats`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import datasets
import evaluate
import numpy as np

from aas_bench.errors import InputError, UnknownNameError
from aas_bench.metric import flat
from aas_bench.metric.checked import CheckedInputs
from aas_bench.metric.image_scores import score_pairs
from aas_bench.rewards.base import RewardModel
from aas_bench.stats.estimate import Estimate, Ties
from aas_bench.stats.override import Override, override
from aas_bench.stats.placebo import placebo_from_four
from aas_bench.stats.preference import choices
from aas_bench.stats.resolution import difference

_DESCRIPTION = """
Tells whether the score moved towards the request more often than the original prompt would explain,
and how often the polished image won all the same: the override rate, undefined where the score did
not demonstrably move. Beside it the four outcomes that describe where the score moved: followed,
overridden, missed, lucky.
"""

_INPUTS = """
Args:
    predictions: per pair the four scores [oiop, oidp, diop, didp], image first, then prompt:
        didp is the distorted image under the distorted prompt. NaN or None where one is missing.
    references: optional; per pair 1 (the distorted image fits its prompt better), 0 (the original
        does) or -1 (a tie or unknown). With them the result is repeated under by_label.
    images_original, images_distorted, prompts_original, prompts: instead of predictions, in the
        configuration "images"; images are PIL images, uint8 arrays, paths or bytes, and prompts
        are those that ask for the distorted image.
    reward_model: in the configuration "images": a name that `aas-bench list rewards` lists, a
        RewardModel, or any function (images, prompts) -> scores.
    batch_size: in the configuration "images": items of one call; None: the model's own.
    groups: a name per pair, or a list of names; the result is repeated within each group.
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
_TEXT = datasets.Value("string")
_IMAGE = datasets.Image(decode=False)
_SCORES = datasets.List(datasets.Value("float64"))
_FEATURES = {
    "default": datasets.Features(predictions=_SCORES, references=_LABEL),
    "images": datasets.Features(
        images_original=_IMAGE,
        images_distorted=_IMAGE,
        prompts_original=_TEXT,
        prompts=_TEXT,
        references=_LABEL,
    ),
}


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


class AasOverride(CheckedInputs, evaluate.Metric):
    """The override analysis of a reward model, with intervals over clusters."""

    row_widths = (4,)
    optional_columns = frozenset({"references"})

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
        references: Sequence[int | None],
        predictions: Sequence[Any] | None = None,
        images_original: Sequence[dict[str, Any]] | None = None,
        images_distorted: Sequence[dict[str, Any]] | None = None,
        prompts_original: Sequence[str] | None = None,
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
                prompts_original=prompts_original,
                batch_size=batch_size,
                on_missing=on_missing,
            )
        scores = np.asarray(predictions, dtype=np.float64)
        labels = _labels(references)

        def measure(rows: flat.Rows, ties: Ties = ties) -> Measured:
            options: dict[str, Any] = {
                "clusters": flat.some(clusters, rows),
                "confidence_level": confidence_level,
                "on_missing": on_missing,
            }
            four = scores[rows].T
            told = placebo_from_four(*four, labels=flat.some(labels, rows), ties=ties, **options)
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

        overall = flat.flatten(measure(flat.EVERY_ROW))
        overall["by_label"] = flat.by_group(measure, labels, len(scores))
        overall["by_ties"] = flat.by_ties(measure, tied=overall["tied"])
        return overall | {"by_group": flat.by_group(measure, groups, len(scores))}


def _labels(references: Sequence[int | None]) -> Sequence[int] | None:
    """The references, or None where the caller gave none."""
    absent = sum(label is None for label in references)
    if absent not in (0, len(references)):
        msg = f"references are missing for {absent} of {len(references)} pairs. Give all or none."
        raise InputError(msg)
    return None if absent else references
