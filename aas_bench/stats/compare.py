"""Two reward models on the same pairs, two generators on the same prompts, families of tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest, rankdata, wilcoxon

from aas_bench.errors import InputError
from aas_bench.stats.estimate import Estimate, Mask, OnMissing, Result, Scores
from aas_bench.stats.inputs import read_sample, read_scores
from aas_bench.stats.intervals import Bootstrap, Resampling
from aas_bench.stats.preference import NO_LABELS, why_undefined
from aas_bench.stats.ranks import Auroc


@dataclass(frozen=True, kw_only=True)
class McNemar(Result):
    """Exact McNemar test.

    Attributes:
        n_only_a: Pairs that a chooses right and b wrong.
        n_only_b: Pairs that b chooses right and a wrong.
        p_value: Two-sided; 1 where the two never differ.
    """

    n_only_a: int
    n_only_b: int
    p_value: float


@dataclass(frozen=True, kw_only=True)
class RewardComparison(Result):
    """Two reward models on the pairs that both scored; differences are a less b.

    Attributes:
        accuracy_a: Accuracy of a, in [0, 1]; a margin of 0 chooses the original.
        accuracy_b: Accuracy of b.
        accuracy_difference: Difference of the two, with the paired interval.
        auroc_a: AUROC of a, in [0, 1].
        auroc_b: AUROC of b.
        auroc_difference: Difference of the two, with the paired interval.
        mcnemar: Test of equal accuracy; counts pairs as independent.
        n: Pairs with both margins and a label of 0 or 1.
        n_label_ties: Pairs with both margins that are left out because their label is -1.
        n_missing: Pairs left out because a margin is missing.
    """

    accuracy_a: Estimate
    accuracy_b: Estimate
    accuracy_difference: Estimate
    auroc_a: Estimate
    auroc_b: Estimate
    auroc_difference: Estimate
    mcnemar: McNemar
    n: int
    n_label_ties: int
    n_missing: int


@dataclass(frozen=True, kw_only=True)
class SignedRank(Result):
    """Two generators on the same prompts; positive differences mean that a is higher.

    Attributes:
        statistic: The smaller of the two rank sums; None where every difference is 0.
        p_value: Two-sided; None where every difference is 0.
        rank_biserial: Matched-pairs rank-biserial correlation, in [-1, 1].
        median_difference: Median of a - b over all n, in units of the score.
        n: Prompts with both values.
        n_zero: Prompts among them whose difference is 0; the test leaves them out.
        n_missing: Prompts left out because a value is missing.
        reason: Why there is no test; None otherwise.
    """

    statistic: float | None
    p_value: float | None
    rank_biserial: float | None
    median_difference: float | None
    n: int
    n_zero: int
    n_missing: int
    reason: str | None = None


def compare_rewards(
    margin_a: ArrayLike,
    margin_b: ArrayLike,
    label: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> RewardComparison:
    """Compare two reward models on the same pairs.

    The differences of accuracy and AUROC are bootstrapped in pairs: both models are measured on
    the same resampled clusters. McNemar's test asks whether, among the pairs that just one model
    gets right, either has more than half: p = P(|B - d/2| >= |b - d/2|) for B binomial (d, 1/2),
    with d such pairs, b of them a's. Unlike the intervals it counts pairs as independent.

    Args:
        margin_a: didp - oidp under a, shape (n,), float; NaN or None where a score is missing.
        margin_b: The same under b.
        label: Shape (n,), in {1, 0, -1}; pairs labelled -1 are left out. Without labels, give 1
            throughout: the accuracy is then the share that chooses the distorted image.
        clusters: Shape (n,): the base prompt of each pair. None counts pairs as independent.
        on_missing: "raise", or "drop" the pairs without both and lower the coverage.
        confidence_level: Nominal coverage of the intervals, in (0, 1).
        n_resamples: Bootstrap resamples; 0 leaves bootstrap intervals out.
        seed: Seed of the resamples.

    Returns:
        RewardComparison; with a single label the AUROCs are None with the reason.

    Raises:
        MissingScoresError: A score is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit.

    Source:
        McNemar, Note on the sampling error of the difference between correlated proportions or
        percentages, Psychometrika 12, 1947; the exact form is the sign test.

    Example:
        >>> result = compare_rewards([1, 1, 1, -1], [1, -1, -1, -1], [1, 1, 1, 0])
        >>> result.accuracy_difference.value, result.mcnemar.p_value
        (0.5, 0.5)
    """
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    columns = {"margin_a": margin_a, "margin_b": margin_b}
    whole = read_sample(columns, label=label, clusters=clusters, on_missing=on_missing).complete()
    sample = whole.labelled()
    assert sample.label is not None
    margins, positive = list(sample.scores.values()), sample.label == 1
    right = np.stack([(margin > 0) == positive for margin in margins], axis=1)
    boot = Bootstrap(sample, options)
    units = boot.unit_sums(np.hstack([right, np.ones((sample.n, 1))]))
    curves = [Auroc(margin, sample.label, boot.codes) for margin in margins]
    sums, *areas = boot.replicates(lambda counts: counts @ units, *curves)
    with np.errstate(invalid="ignore"):
        accuracy = sums / sums[:, -1:]
    hits = right.sum(axis=0)
    area = [boot.value(curve) for curve in curves]
    undefined = why_undefined(sample.label)
    return RewardComparison(
        accuracy_a=boot.rate(float(hits[0]), sample.n, accuracy[:, 0], undefined=NO_LABELS),
        accuracy_b=boot.rate(float(hits[1]), sample.n, accuracy[:, 1], undefined=NO_LABELS),
        accuracy_difference=boot.estimate(
            float(hits[0] - hits[1]) / sample.n if sample.n else np.nan,
            accuracy[:, 0] - accuracy[:, 1],
            undefined=NO_LABELS,
        ),
        auroc_a=boot.estimate(area[0], areas[0], undefined=undefined),
        auroc_b=boot.estimate(area[1], areas[1], undefined=undefined),
        auroc_difference=boot.estimate(area[0] - area[1], areas[0] - areas[1], undefined=undefined),
        mcnemar=_mcnemar(right),
        n=sample.n,
        n_label_ties=whole.n - sample.n,
        n_missing=whole.n_missing,
    )


def _mcnemar(right: Mask) -> McNemar:
    only_a = int((right[:, 0] & ~right[:, 1]).sum())
    only_b = int((right[:, 1] & ~right[:, 0]).sum())
    differ = only_a + only_b
    p_value = float(binomtest(only_a, differ, 0.5).pvalue) if differ else 1.0
    return McNemar(n_only_a=only_a, n_only_b=only_b, p_value=p_value)


def compare_generators(
    a: ArrayLike, b: ArrayLike, *, on_missing: OnMissing = "raise"
) -> SignedRank:
    """Wilcoxon's signed-rank test of two generators on the same prompts.

    The differences a - b that are not 0 are ranked by size (midranks); R+ and R- are the sums of
    the ranks of the positive and the negative ones. The test is of min(R+, R-); the effect size is
    the matched-pairs rank-biserial correlation (R+ - R-) / (R+ + R-).

    Args:
        a: One value per prompt, shape (n,), float; NaN or None where it is missing.
        b: The same for the other generator, in the same order of prompts.
        on_missing: "raise", or "drop" the prompts without both.

    Returns:
        SignedRank; the p-value is exact for few prompts and normal for many, by the rule of
        scipy.stats.wilcoxon.

    Raises:
        MissingScoresError: A value is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit.

    Source:
        Wilcoxon, Individual comparisons by ranking methods, Biometrics Bulletin 1, 1945; Kerby,
        The simple difference formula: an approach to teaching nonparametric correlation,
        Comprehensive Psychology 3, 2014.

    Example:
        >>> result = compare_generators([3.0, 5.0, 9.0, 4.0], [1.0, 6.0, 4.0, 4.0])
        >>> round(result.rank_biserial, 3), result.p_value, result.n_zero
        (0.667, 0.5, 1)
    """
    sample = read_sample({"a": a, "b": b}, on_missing=on_missing).complete()
    difference = sample.scores["a"] - sample.scores["b"]
    moved = difference[difference != 0]
    statistic = p_value = balance = reason = None
    if len(moved):
        ranks = rankdata(np.abs(moved))
        balance = float((ranks * np.sign(moved)).sum() / ranks.sum())
        test = wilcoxon(moved)
        statistic, p_value = float(test.statistic), float(test.pvalue)
    else:
        reason = "every difference is 0" if sample.n else "no prompt has both values"
    return SignedRank(
        statistic=statistic,
        p_value=p_value,
        rank_biserial=balance,
        median_difference=float(np.median(difference)) if sample.n else None,
        n=sample.n,
        n_zero=sample.n - len(moved),
        n_missing=sample.n_missing,
        reason=reason,
    )


def holm(p_values: ArrayLike) -> Scores:
    """Adjust the p-values of a family of tests for the chance of any false alarm among them.

    With the p-values in ascending order, the i-th of m becomes min(1, max over j <= i of
    (m - j + 1) p_j): reject where that is below the level for the whole family.

    Args:
        p_values: Shape (m,), in [0, 1].

    Returns:
        Adjusted p-values, shape (m,), in the order given.

    Raises:
        InputError: Nothing is given, or a value lies outside [0, 1] or is missing.

    Source:
        Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of
        Statistics 6, 1979.

    Example:
        >>> holm([0.01, 0.04, 0.03]).tolist()
        [0.03, 0.06, 0.06]
    """
    p = read_scores("p_values", p_values)
    if len(p) == 0 or not ((p >= 0) & (p <= 1)).all():
        msg = "p_values is empty or holds a value that is not in [0, 1]. Give one per test."
        raise InputError(msg)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted
