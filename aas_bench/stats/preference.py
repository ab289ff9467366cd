"""Which image a reward model prefers, and how often that is the right one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aas_bench.stats.estimate import Estimate, Labels, Mask, OnMissing, Result, Scores, Ties
from aas_bench.stats.inputs import Sample, check_choice, read_groups, read_sample
from aas_bench.stats.intervals import Bootstrap, Resampling
from aas_bench.stats.ranks import Auroc

NO_SCORES = "no pair has scores"
NO_LABELS = "no pair has scores and a label of 0 or 1"


@dataclass(frozen=True, kw_only=True)
class Preference(Result):
    """How well the choices of a reward model agree with the labels.

    Attributes:
        accuracy: Share of right choices, in [0, 1]; chance 0.5.
        balanced_accuracy: Mean of the hit rates on either label, in [0, 1]; chance 0.5.
        f1: F1 with the distorted image as the positive class, in [0, 1].
        auroc: Area under the ROC curve of the margin, in [0, 1]; chance 0.5.
        cohen_kappa: Agreement beyond chance, in [-1, 1]; chance 0.
        n: Pairs with scores and a label of 0 or 1; the five numbers rest on these.
        n_label_ties: Pairs with scores that are left out because their label is -1.
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
    """Compare the choices of a reward model with the labels.

    The margin of a pair is m = didp - oidp, the score of the distorted image less that of the
    original, both under the distorted prompt. The choice is 1 where m > 0 and 0 elsewhere. Over
    the pairs with label 0 or 1, with tp, fp, fn, tn counting (choice, label) = (1, 1), (1, 0),
    (0, 1), (0, 0):

    - accuracy = (tp + tn) / n
    - balanced accuracy = (tp / (tp + fn) + tn / (tn + fp)) / 2
    - F1 = 2 tp / (2 tp + fp + fn)
    - Cohen's kappa = (p_o - p_e) / (1 - p_e), p_o the accuracy and p_e the accuracy of independent
      choices with the same shares
    - AUROC = P(m_i > m_j) + P(m_i = m_j) / 2 for i of label 1 and j of label 0, exact

    Args:
        margin: Shape (n,), float; NaN or None where a score is missing.
        label: Shape (n,), in {1, 0, -1}: the distorted image fits better, the original does, a tie.
        ties: What a margin of exactly 0 is. "original": a choice of the original image. "half":
            half a pair with choice 1 and half a pair with choice 0, in each of the four counts
            above; so it is half right in the accuracy. The AUROC is the same either way.
        clusters: Shape (n,), numbers or strings: the base prompt of each pair. None counts pairs
            as independent.
        on_missing: "raise", or "drop" the pairs without a score and lower the coverage.
        confidence_level: Nominal coverage of the intervals, in (0, 1).
        n_resamples: Bootstrap resamples; 0 leaves bootstrap intervals out.
        seed: Seed of the resamples.

    Returns:
        Preference. With a single label, balanced accuracy and AUROC are None with the reason; so
        is kappa where every choice is that label too, and F1 where no pair is chosen or labelled
        as distorted. Intervals are percentiles over resampled clusters; without clusters, Wilson's
        for the accuracy and percentiles over resampled pairs for the rest.

    Raises:
        MissingScoresError: A score is missing and `on_missing` is "raise".
        InputError: Lengths differ, nothing is given, a score is infinite, a label or an option is
            not allowed.

    Source:
        Guo, Qian, Hasan and Du, Universal aesthetic alignment narrows artistic expression, arXiv
        2512.11883, for the choice; Brodersen et al., The balanced accuracy and its posterior
        distribution, ICPR 2010; van Rijsbergen, Information Retrieval, 2nd edition, 1979 (F1);
        Cohen, A coefficient of agreement for nominal scales, Educational and Psychological
        Measurement 20, 1960; Hanley and McNeil, Radiology 143, 1982 (AUROC).

    Example:
        >>> result = preference([2.0, -1.0, 0.5, -3.0], [1, 1, 0, 0])
        >>> result.accuracy.value, result.auroc.value, result.cohen_kappa.value
        (0.5, 0.75, 0.0)
    """
    check_choice("ties", ties, get_args(Ties))
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    sample = read_sample({"margin": margin}, label=label, clusters=clusters, on_missing=on_missing)
    return _preference(sample.complete(), ties, options)


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
    """`preference` within each group of pairs.

    Args:
        margin: As in `preference`.
        label: As in `preference`.
        groups: Length n: the group of each pair, or a list of groups for each pair, which then
            counts in each of them (and, with an empty list, in none).
        ties: As in `preference`.
        clusters: As in `preference`.
        on_missing: As in `preference`.
        confidence_level: As in `preference`.
        n_resamples: As in `preference`.
        seed: As in `preference`.

    Returns:
        Preference by group, names as strings in sorted order. Coverage is within the group.

    Raises:
        MissingScoresError: As in `preference`.
        InputError: As in `preference`, or a pair has no group.

    Example:
        >>> by = preference_by_group([1.0, -1.0, 1.0], [1, 1, 1], ["blur", "blur", "dark"])
        >>> {name: result.accuracy.value for name, result in by.items()}
        {'blur': 0.5, 'dark': 1.0}
    """
    check_choice("ties", ties, get_args(Ties))
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    sample = read_sample({"margin": margin}, label=label, clusters=clusters, on_missing=on_missing)
    return {
        name: _preference(sample.part(rows).complete(), ties, options)
        for name, rows in read_groups(groups, sample.n).items()
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
    """Share of pairs in which the distorted image is preferred; for tables without labels.

    mean(m > 0), with the margin m = didp - oidp.

    Args:
        margin: Shape (n,), float; NaN or None where a score is missing.
        ties: "original" counts a margin of exactly 0 as 0, "half" as a half.
        clusters: Shape (n,): the base prompt of each pair. None counts pairs as independent.
        on_missing: "raise", or "drop" the pairs without a score and lower the coverage.
        confidence_level: Nominal coverage of the interval, in (0, 1).
        n_resamples: Bootstrap resamples; 0 leaves bootstrap intervals out.
        seed: Seed of the resamples.

    Returns:
        Estimate in [0, 1].

    Raises:
        MissingScoresError: A score is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit.

    Source:
        arXiv 2512.11883.

    Example:
        >>> chosen([0.5, -0.5, 0.0, 2.0]).value, chosen([0.5, -0.5, 0.0, 2.0], ties="half").value
        (0.5, 0.625)
    """
    check_choice("ties", ties, get_args(Ties))
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    sample = read_sample({"margin": margin}, clusters=clusters, on_missing=on_missing).complete()
    hits = _choice(sample.scores["margin"], ties)[:, None]
    return Bootstrap(sample, options).rates(hits, undefined=NO_SCORES)[0]


def why_undefined(label: Labels) -> str:
    """Why a statistic that needs both labels has no value, in all pairs or in a resample."""
    if len(label) == 0:
        return NO_LABELS
    if label.min() == label.max():
        return f"single class: every label is {label[0]}"
    return "single class"


def _choice(margin: Scores, ties: Ties) -> Scores:
    distorted = (margin > 0).astype(np.float64)
    if ties == "half":
        distorted[margin == 0] = 0.5
    return distorted


def _preference(sample: Sample, ties: Ties, options: Resampling) -> Preference:
    labelled = sample.labelled()
    assert labelled.label is not None
    margin, label, n = labelled.scores["margin"], labelled.label, labelled.n
    boot = Bootstrap(labelled, options)
    units = boot.unit_sums(_confusion(_choice(margin, ties), label == 1))
    auroc = Auroc(margin, label, boot.codes)
    resampled, areas = boot.replicates(lambda counts: counts @ units, auroc)
    cells, undefined = units.sum(axis=0), why_undefined(label)

    def of_cells(statistic: Callable[[Scores], Scores], reason: str) -> Estimate:
        return boot.estimate(float(statistic(cells)), statistic(resampled), undefined=reason)

    no_positive = "no pair is chosen or labelled as distorted" if n else NO_LABELS
    with np.errstate(invalid="ignore"):
        return Preference(
            accuracy=boot.rate(
                float(cells[0] + cells[3]), n, _accuracy(resampled), undefined=NO_LABELS
            ),
            balanced_accuracy=of_cells(_balanced_accuracy, undefined),
            f1=of_cells(_f1, no_positive),
            auroc=boot.estimate(boot.value(auroc), areas, undefined=undefined),
            cohen_kappa=of_cells(_cohen_kappa, undefined),
            n=n,
            n_label_ties=sample.n - n,
            n_reward_ties=int((margin == 0).sum()),
            n_missing=sample.n_missing,
        )


def _confusion(distorted: Scores, positive: Mask) -> Scores:
    """Columns tp, fp, fn, tn, shape (n, 4)."""
    c, y = distorted, positive.astype(np.float64)
    return np.stack([c * y, c * (1 - y), (1 - c) * y, (1 - c) * (1 - y)], axis=1)


def _accuracy(cells: Scores) -> Scores:
    accuracy: Scores = (cells[..., 0] + cells[..., 3]) / cells.sum(axis=-1)
    return accuracy


def _balanced_accuracy(cells: Scores) -> Scores:
    tp, fp, fn, tn = np.moveaxis(cells, -1, 0)
    balanced: Scores = (tp / (tp + fn) + tn / (tn + fp)) / 2
    return balanced


def _f1(cells: Scores) -> Scores:
    tp, fp, fn, _ = np.moveaxis(cells, -1, 0)
    f1: Scores = 2 * tp / (2 * tp + fp + fn)
    return f1


def _cohen_kappa(cells: Scores) -> Scores:
    # (p_o - p_e) / (1 - p_e), multiplied out, so that whole counts stay exact.
    tp, fp, fn, tn = np.moveaxis(cells, -1, 0)
    chance = (tp + fp) * (fp + tn) + (tp + fn) * (fn + tn)
    kappa: Scores = 2 * (tp * tn - fp * fn) / chance
    return kappa
