"""Which image a reward model prefers, and how often that is the right one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import Estimate, Labels, Mask, OnMissing, Result, Scores, Ties
from aas_bench.stats.inputs import Sample, read_sample
from aas_bench.stats.intervals import SHARE, SIGNED, Intervals
from aas_bench.stats.midranks import auroc

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

    Example:
        >>> preference([1.0, -1.0, 0.0], [1, 0, -1]).n_label_ties
        1
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
        ties: What a margin of exactly 0 is. "original": a choice of the original image.
            "distorted": of the distorted one. "half": half a pair with choice 1 and half a pair
            with choice 0, in each of the four counts above; so it is half right in the accuracy.
            The AUROC is the same in all three.
        clusters: Shape (n,), numbers or strings: the base prompt of each pair. None counts pairs
            as independent.
        on_missing: "raise", or "drop" the pairs without a score and lower the coverage.
        confidence_level: Nominal coverage of the intervals, in (0, 1).

    Returns:
        Preference. With a single label, balanced accuracy, AUROC and kappa are None with the
        reason; so is F1 where no pair is chosen or labelled as distorted. Every interval is of
        Wilson's form with the variance between clusters; see `intervals`. A single cluster has
        none.

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
    analysis = Analysis(confidence_level=confidence_level, ties=ties, on_missing=on_missing)
    sample = read_sample({"margin": margin}, label=label, clusters=clusters, on_missing=on_missing)
    return _preference(sample.complete(), analysis)


def chosen(
    margin: ArrayLike,
    *,
    ties: Ties = "original",
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
) -> Estimate:
    """Share of pairs in which the distorted image is preferred; for tables without labels.

    mean(m > 0), with the margin m = didp - oidp.

    Args:
        margin: Shape (n,), float; NaN or None where a score is missing.
        ties: "original" counts a margin of exactly 0 as 0, "half" as a half, "distorted" as 1.
        clusters: Shape (n,): the base prompt of each pair. None counts pairs as independent.
        on_missing: "raise", or "drop" the pairs without a score and lower the coverage.
        confidence_level: Nominal coverage of the interval, in (0, 1).

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
    analysis = Analysis(confidence_level=confidence_level, ties=ties, on_missing=on_missing)
    sample = read_sample({"margin": margin}, clusters=clusters, on_missing=on_missing).complete()
    hits = choice(sample.scores["margin"], ties)
    return Intervals(sample, analysis).rate(hits, undefined=NO_SCORES)


@dataclass(frozen=True, kw_only=True)
class Choices(Result):
    """What a reward model did with pairs, ties apart: three shares that sum to 1.

    Attributes:
        chosen: Share of pairs whose distorted image scores higher, in [0, 1].
        polished: Share whose original image does.
        tied: Share whose images score the same.
        n: Pairs with scores.
        n_missing: Pairs left out because a score is missing.
    """

    chosen: Estimate
    polished: Estimate
    tied: Estimate
    n: int
    n_missing: int


def choices(
    margin: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
) -> Choices:
    """Shares of pairs that are chosen, polished and tied: mean(m > 0), mean(m < 0), mean(m = 0).

    A tie is no preference; every rate that has to count it as one says so (`ties`).

    Args:
        margin: m = didp - oidp, shape (n,), float; NaN or None where a score is missing. Scores
            that differ by rounding alone are tied where `difference` made the margin.
        clusters: Shape (n,): the base prompt of each pair. None counts pairs as independent.
        on_missing: "raise", or "drop" the pairs without a score and lower the coverage.
        confidence_level: Nominal coverage of the intervals, in (0, 1).

    Returns:
        Choices.

    Raises:
        MissingScoresError: A score is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit.

    Example:
        >>> result = choices([0.5, -0.5, 0.0, 0.0])
        >>> result.chosen.value, result.polished.value, result.tied.value
        (0.25, 0.25, 0.5)
    """
    analysis = Analysis(confidence_level=confidence_level, on_missing=on_missing)
    sample = read_sample({"margin": margin}, clusters=clusters, on_missing=on_missing).complete()
    sign, intervals = np.sign(sample.scores["margin"]), Intervals(sample, analysis)
    chosen, polished, tied = (
        intervals.rate((sign == side).astype(np.float64), undefined=NO_SCORES)
        for side in (1, -1, 0)
    )
    return Choices(
        chosen=chosen, polished=polished, tied=tied, n=sample.n, n_missing=sample.n_missing
    )


def why_undefined(label: Labels) -> str:
    """Why a statistic that needs both labels has no value."""
    if len(label) == 0:
        return NO_LABELS
    return f"single class: every label is {label[0]}"


def choice(margin: Scores, ties: Ties) -> Scores:
    """1 where the distorted image is chosen, 0 where the original is; shape (n,).

    Example:
        >>> choice(np.array([2.0, 0.0, -1.0]), "half").tolist()
        [1.0, 0.5, 0.0]
    """
    distorted = (margin > 0).astype(np.float64)
    distorted[margin == 0] = {"original": 0.0, "half": 0.5, "distorted": 1.0}[ties]
    return distorted


def right(choices: Scores, label: Labels | None) -> Scores:
    """How far each choice is the labelled one; without labels, the choice itself; shape (n,).

    Example:
        >>> right(np.array([1.0, 0.0]), np.array([1, 1], dtype=np.int8)).tolist()
        [1.0, 0.0]
    """
    return choices if label is None else np.where(label == 1, choices, 1 - choices)


def _preference(sample: Sample, analysis: Analysis) -> Preference:
    labelled = sample.labelled()
    assert labelled.label is not None
    margin, label, n = labelled.scores["margin"], labelled.label, labelled.n
    intervals = Intervals(labelled, analysis)
    choices, undefined = choice(margin, analysis.ties), why_undefined(label)
    cells = _confusion(choices, label == 1)
    total = cells.sum(axis=0)

    def of_cells(
        statistic: Callable[[Scores], tuple[float, Scores]], reason: str, **options: Any
    ) -> Estimate:
        value, gradient = statistic(total)
        if np.isnan(value):
            return intervals.none(reason, n=n)
        return intervals.estimate(value, cells @ gradient, scale="wilson", **options)

    both = by_label(label)
    area, influence = auroc(margin, label)
    no_positive = "no pair is chosen or labelled as distorted" if n else NO_LABELS
    return Preference(
        accuracy=intervals.rate(right(choices, label), undefined=NO_LABELS),
        balanced_accuracy=of_cells(_balanced_accuracy, undefined, bounds=SHARE, weight=both),
        f1=of_cells(_f1, no_positive, bounds=SHARE),
        auroc=intervals.none(undefined, n=n)
        if np.isnan(area)
        else intervals.estimate(area, influence, scale="wilson", bounds=SHARE, weight=both),
        # Over one class of labels it is 0 whatever is chosen, which says nothing.
        cohen_kappa=of_cells(_cohen_kappa, undefined, bounds=SIGNED)
        if len(set(label.tolist())) > 1
        else intervals.none(undefined, n=n),
        n=n,
        n_label_ties=sample.n - n,
        n_reward_ties=int((margin == 0).sum()),
        n_missing=sample.n_missing,
    )


def by_label(label: Labels) -> Scores:
    """What a pair weighs where either label weighs one half; shape (n,), summing to n.

    Example:
        >>> by_label(np.array([1, 0, 0, 0], dtype=np.int8)).round(3).tolist()
        [2.0, 0.667, 0.667, 0.667]
    """
    sizes = np.bincount(label, minlength=2)
    return len(label) / 2 / np.maximum(sizes, 1)[label]


def _confusion(distorted: Scores, positive: Mask) -> Scores:
    """Columns tp, fp, fn, tn, shape (n, 4)."""
    c, y = distorted, positive.astype(np.float64)
    return np.stack([c * y, c * (1 - y), (1 - c) * y, (1 - c) * (1 - y)], axis=1)


# Each of these takes (tp, fp, fn, tn) and gives the value with its derivatives by them. Those,
# times a pair's own four, are its influence: all three are the same for twice the counts.


def _balanced_accuracy(cells: Scores) -> tuple[float, Scores]:
    tp, fp, fn, tn = cells.tolist()
    positive, negative = tp + fn, tn + fp
    if positive == 0 or negative == 0:
        return np.nan, cells
    gradient = np.array([fn / positive**2, -tn / negative**2, -tp / positive**2, fp / negative**2])
    return (tp / positive + tn / negative) / 2, gradient / 2


def _f1(cells: Scores) -> tuple[float, Scores]:
    tp, fp, fn, _ = cells.tolist()
    below = 2 * tp + fp + fn
    if below == 0:
        return np.nan, cells
    return 2 * tp / below, np.array([2 * (fp + fn), -2 * tp, -2 * tp, 0.0]) / below**2


def _cohen_kappa(cells: Scores) -> tuple[float, Scores]:
    # (p_o - p_e) / (1 - p_e), multiplied out, so that whole counts stay exact.
    tp, fp, fn, tn = cells.tolist()
    chance = (tp + fp) * (fp + tn) + (tp + fn) * (fn + tn)
    if chance == 0:
        return np.nan, cells
    kappa = 2 * (tp * tn - fp * fn) / chance
    above = 2 * np.array([tn, -fn, -fp, tp])
    below = np.array(
        [fp + fn + 2 * tn, 2 * fp + tp + tn, 2 * fn + tp + tn, 2 * tp + fp + fn], dtype=np.float64
    )
    return kappa, (above - kappa * below) / chance
