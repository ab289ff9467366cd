"""Which image a reward model prefers, and how often that is the right one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aas_bench.stats.estimate import Estimate, Labels, Mask, OnMissing, Result, Scores, Ties
from aas_bench.stats.inputs import Sample, check_ties, read_groups, read_sample
from aas_bench.stats.intervals import Bootstrap, Resampling
from aas_bench.stats.ranks import Auroc

NO_SCORES = "no pair has scores"
NO_LABELS = "no pair has scores and a label of 0 or 1"


@dataclass(frozen=True, kw_only=True)
class Preference(Result):
    """How well the choices of a reward model agree with the labels.

    Attributes:
        accuracy: Share of right choices, in [0, 1]; chance 0.5.
        balanced_accuracy: Mean of the two hit rates, in [0, 1]; chance 0.5.
        f1: F1 with the distorted image as the positive class, in [0, 1].
        auroc: Area under the ROC curve of the margin, in [0, 1]; chance 0.5.
        cohen_kappa: Agreement beyond chance, in [-1, 1]; chance 0.
        n: Pairs with scores and a label of 0 or 1; the five numbers rest on these.
        n_label_ties: Pairs with scores left out because their label is -1.
        n_reward_ties: Pairs among the n whose margin is exactly 0.
        n_missing: Pairs left out because a score is missing.
    """

    accuracy: Estimate
    balanced_accuracy: Estimate
    f1: Estimate
    auroc: Estimate
    cohen_kappa: Estimate
    n: int
    n_label_ties: int
    n_reward_ties: int
    n_missing: int


def preference(
    margin: ArrayLike,
    label: ArrayLike,
    *,
    ties: Ties = "original",
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Preference:
    """Compare the choices of a reward model with the labels."""
    check_ties(ties)
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    sample = read_sample({"margin": margin}, label=label, clusters=clusters, on_missing=on_missing)
    return _preference(sample, ties, options)


def preference_by_group(
    margin: ArrayLike,
    label: ArrayLike,
    groups: Sequence[Any] | NDArray[Any],
    *,
    ties: Ties = "original",
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Preference]:
    """`preference` within each group, by name in sorted order."""
    margin, label = np.asarray(margin), np.asarray(label)
    clusters = None if clusters is None else np.asarray(clusters)
    rows = read_groups(groups, len(margin))
    read_sample({"margin": margin}, label=label, clusters=clusters, on_missing=on_missing)
    return {
        name: preference(
            margin[members],
            label[members],
            ties=ties,
            clusters=None if clusters is None else clusters[members],
            on_missing=on_missing,
            confidence_level=confidence_level,
            n_resamples=n_resamples,
            seed=seed,
        )
        for name, members in rows.items()
    }


def chosen(
    margin: ArrayLike,
    *,
    ties: Ties = "original",
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Share of pairs in which the reward model prefers the distorted image: mean(m > 0)."""
    check_ties(ties)
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    sample = read_sample({"margin": margin}, clusters=clusters, on_missing=on_missing)
    hits = choice(sample.scores["margin"], ties)[:, None]
    return Bootstrap(sample, options).rates(hits, undefined=NO_SCORES)[0]


def choice(margin: Scores, ties: Ties) -> Scores:
    """1 where the distorted image is preferred, 0 where the original is, and 0 or 0.5 at a tie."""
    chosen_distorted = (margin > 0).astype(np.float64)
    if ties == "half":
        chosen_distorted[margin == 0] = 0.5
    return chosen_distorted


def _preference(sample: Sample, ties: Ties, options: Resampling) -> Preference:
    assert sample.label is not None
    labelled = sample.where(sample.label >= 0)
    assert labelled.label is not None
    margin, label = labelled.scores["margin"], labelled.label
    boot = Bootstrap(labelled, options)
    cells = _confusion(choice(margin, ties), label == 1)
    units = boot.unit_sums(cells)
    auroc = Auroc(margin, label, boot.codes)
    resampled_cells, resampled_auroc = boot.replicates(lambda counts: counts @ units, auroc)
    total = units.sum(axis=0)
    hits, n = float(total[0] + total[3]), labelled.n
    single = _single_class(label)
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy = _accuracy(resampled_cells)
        return Preference(
            accuracy=boot.rate(hits, n, accuracy, undefined=NO_LABELS),
            balanced_accuracy=boot.estimate(
                _balanced_accuracy(total), _balanced_accuracy(resampled_cells), undefined=single
            ),
            f1=boot.estimate(
                _f1(total),
                _f1(resampled_cells),
                undefined="no choice and no label is the distorted image" if n else NO_LABELS,
            ),
            auroc=boot.estimate(
                auroc(np.ones((1, boot.n_units)))[0], resampled_auroc, undefined=single
            ),
            cohen_kappa=boot.estimate(_kappa(total), _kappa(resampled_cells), undefined=single),
            n=n,
            n_label_ties=sample.n - n,
            n_reward_ties=int((margin == 0).sum()),
            n_missing=sample.n_missing,
        )


def _single_class(label: Labels) -> str:
    if len(label) == 0:
        return NO_LABELS
    if label.min() == label.max():
        return f"single class: every label is {label[0]}"
    return "single class"


def _confusion(chosen_distorted: Scores, positive: Mask) -> Scores:
    """True positive, false positive, false negative, true negative, shape (n, 4)."""
    c, y = chosen_distorted, positive.astype(np.float64)
    return np.stack([c * y, c * (1 - y), (1 - c) * y, (1 - c) * (1 - y)], axis=1)


def _accuracy(cells: Scores) -> Scores:
    return (cells[..., 0] + cells[..., 3]) / cells.sum(axis=-1)


def _balanced_accuracy(cells: Scores) -> Scores:
    tp, fp, fn, tn = np.moveaxis(cells, -1, 0)
    return (tp / (tp + fn) + tn / (tn + fp)) / 2


def _f1(cells: Scores) -> Scores:
    tp, fp, fn, _ = np.moveaxis(cells, -1, 0)
    return 2 * tp / (2 * tp + fp + fn)


def _kappa(cells: Scores) -> Scores:
    tp, fp, fn, tn = np.moveaxis(cells, -1, 0)
    return 2 * (tp * tn - fp * fn) / ((tp + fp) * (fp + tn) + (tp + fn) * (fn + tn))
