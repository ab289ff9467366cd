"""Two reward models on the same pairs, two generators on the same prompts, families of tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from aas_bench.errors import InputError
from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import Estimate, OnMissing, Result, Scores, Ties
from aas_bench.stats.inputs import Sample, read_sample, read_scores
from aas_bench.stats.intervals import SHARE, SIGNED, Bounds, Intervals, Scale
from aas_bench.stats.midranks import SortedColumn, auroc, rank_biserial
from aas_bench.stats.preference import NO_LABELS, by_label, choice, right, why_undefined
from aas_bench.stats.sign_flip import SignFlip, flip_sums

# Up to here, all signs of the ranks are counted out.
MOST_COUNTED: Final = 50


@dataclass(frozen=True, kw_only=True)
class RewardComparison(Result):
    """Two reward models on the pairs that both scored; differences are a less b.

    Attributes:
        accuracy_a: Accuracy of a, in [0, 1].
        accuracy_b: Accuracy of b.
        accuracy_difference: Difference of the two, with the paired interval.
        accuracy_test: Sign flips of the difference by cluster; where each pair is its own cluster,
            McNemar's test.
        auroc_a: AUROC of a, in [0, 1].
        auroc_b: AUROC of b.
        auroc_difference: Difference of the two, with the paired interval.
        n_only_a: Pairs that a chooses right and b wrong.
        n_only_b: Pairs that b chooses right and a wrong.
        n: Pairs with both margins and a label of 0 or 1.
        n_label_ties: Pairs with both margins that are left out because their label is -1.
        n_missing: Pairs left out because a margin is missing.

    Example:
        >>> compare_rewards([1, 1], [1, -1], [1, 1]).n_only_a
        1
    """

    accuracy_a: Estimate
    accuracy_b: Estimate
    accuracy_difference: Estimate
    accuracy_test: SignFlip
    auroc_a: Estimate
    auroc_b: Estimate
    auroc_difference: Estimate
    n_only_a: int
    n_only_b: int
    n: int
    n_label_ties: int
    n_missing: int


@dataclass(frozen=True, kw_only=True)
class SignedRank(Result):
    """Wilcoxon's signed-rank test; its units are clusters, each with its mean difference.

    Attributes:
        statistic: The smaller of the two rank sums; None where every difference is 0.
        p_value: Two-sided; None where every difference is 0.
        n: Units.
        n_zero: Units among them whose difference is 0; the test leaves them out.
        reason: Why there is no test; None otherwise.

    Example:
        >>> compare_generators([3.0, 5.0], [1.0, 1.0]).rank_test.p_value
        0.5
    """

    statistic: float | None
    p_value: float | None
    n: int
    n_zero: int
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class GeneratorComparison(Result):
    """Two generators on the same prompts; positive differences mean that a is higher.

    Attributes:
        mean_difference: Mean of a - b over the pairs, in units of the score.
        mean_test: Sign flips by cluster: whether that mean is more than chance.
        median_difference: Median over clusters of their mean of a - b; None where there is none.
        rank_biserial: Matched-pairs rank-biserial correlation over clusters, in [-1, 1].
        rank_test: Wilcoxon's test over clusters, which belongs to the two before it.
        n: Pairs with both values.
        n_missing: Pairs left out because a value is missing.

    Example:
        >>> compare_generators([3.0, 5.0], [1.0, 1.0]).median_difference
        3.0
    """

    mean_difference: Estimate
    mean_test: SignFlip
    median_difference: float | None
    rank_biserial: Estimate
    rank_test: SignedRank
    n: int
    n_missing: int


def compare_rewards(
    margin_a: ArrayLike,
    margin_b: ArrayLike,
    label: ArrayLike,
    *,
    ties: Ties = "original",
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> RewardComparison:
    """Compare two reward models on the same pairs.

    The intervals of the differences of accuracy and AUROC are paired: they rest on the differences
    of the two models' influences, pair by pair. The test asks whether the pairs that just one model
    gets right are more often a's than b's, or the other way: clusters are turned around as a whole
    (see `sign_flip`). Where each pair is its own cluster, that is McNemar's exact test, as mid-p.

    Args:
        margin_a: didp - oidp under a, shape (n,), float; NaN or None where a score is missing.
        margin_b: The same under b.
        label: Shape (n,), in {1, 0, -1}; pairs labelled -1 are left out. Without labels, give 1
            throughout: the accuracy is then the share that chooses the distorted image.
        ties: What a margin of exactly 0 is, as in `preference`.
        clusters: Shape (n,): the base prompt of each pair. None counts pairs as independent.
        on_missing: "raise", or "drop" the pairs without both and lower the coverage.
        confidence_level: Nominal coverage of the intervals, in (0, 1).
        n_resamples: Random flips of the test, where there are too many to try all.
        seed: Seed of the flips.

    Returns:
        RewardComparison; with a single label the AUROCs are None with the reason.

    Raises:
        MissingScoresError: A score is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit.

    Source:
        McNemar, Note on the sampling error of the difference between correlated proportions or
        percentages, Psychometrika 12, 1947; DeLong, DeLong and Clarke-Pearson, Comparing the areas
        under two or more correlated receiver operating characteristic curves: a nonparametric
        approach, Biometrics 44, 1988.

    Example:
        >>> result = compare_rewards([1, 1, 1, -1], [1, -1, -1, -1], [1, 1, 1, 0])
        >>> result.accuracy_difference.value, result.accuracy_test.p_value
        (0.5, 0.25)
    """
    analysis = Analysis(
        confidence_level=confidence_level,
        ties=ties,
        on_missing=on_missing,
        n_resamples=n_resamples,
        seed=seed,
    )
    columns = {"margin_a": margin_a, "margin_b": margin_b}
    whole = read_sample(columns, label=label, clusters=clusters, on_missing=on_missing).complete()
    sample = whole.labelled()
    assert sample.label is not None
    intervals, undefined = Intervals(sample, analysis), why_undefined(sample.label)
    hits = [right(choice(margin, ties), sample.label) for margin in sample.scores.values()]
    apart = hits[0] - hits[1]
    weight = by_label(sample.label)
    (area_a, rows_a), (area_b, rows_b) = (auroc(m, sample.label) for m in sample.scores.values())

    def area(value: float, influence: Scores, scale: Scale, bounds: Bounds) -> Estimate:
        if np.isnan(value):
            return intervals.none(undefined, n=sample.n)
        return intervals.estimate(value, influence, scale=scale, bounds=bounds, weight=weight)

    return RewardComparison(
        accuracy_a=intervals.rate(hits[0], undefined=NO_LABELS),
        accuracy_b=intervals.rate(hits[1], undefined=NO_LABELS),
        accuracy_difference=intervals.mean(apart, undefined=NO_LABELS, bounds=SIGNED),
        accuracy_test=flip_sums(intervals.clusters.sums(apart), analysis),
        auroc_a=area(area_a, rows_a, "wilson", SHARE),
        auroc_b=area(area_b, rows_b, "wilson", SHARE),
        auroc_difference=area(area_a - area_b, rows_a - rows_b, "plain", SIGNED),
        n_only_a=int((apart > 0).sum()),
        n_only_b=int((apart < 0).sum()),
        n=sample.n,
        n_label_ties=whole.n - sample.n,
        n_missing=whole.n_missing,
    )


def compare_generators(
    a: ArrayLike,
    b: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> GeneratorComparison:
    """Compare two generators on the same prompts, by the mean and by the ranks.

    Mean: the mean of a - b with a t interval by cluster, and the sign-flip test of that same mean
    (see `sign_flip`). Ranks: each cluster's mean difference that is not 0 is ranked by size
    (midranks); R+ and R- are the sums of the ranks of the positive and the negative ones. The test
    is Wilcoxon's, of min(R+, R-), its effect size the matched-pairs rank-biserial correlation (R+ -
    R-) / (R+ + R-). The two tests answer two questions: skewed differences can have a mean of 0 and
    ranks far from even.

    Args:
        a: One value per pair, shape (n,), float; NaN or None where it is missing.
        b: The same for the other generator, on the same prompts in the same order: join two tables
            by their key first.
        clusters: Shape (n,): the base prompt of each pair. None: each pair is its own.
        on_missing: "raise", or "drop" the pairs without both; the rest of their cluster stays.
        confidence_level: Nominal coverage of the intervals, in (0, 1).
        n_resamples: Random flips of the test of the mean, where there are too many to try all.
        seed: Seed of the flips.

    Returns:
        GeneratorComparison; Wilcoxon's p-value is counted out up to 50 differences that are not 0,
        and normal with the correction for ties beyond.

    Raises:
        MissingScoresError: A value is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit.

    Source:
        Wilcoxon, Individual comparisons by ranking methods, Biometrics Bulletin 1, 1945; Kerby,
        The simple difference formula: an approach to teaching nonparametric correlation,
        Comprehensive Psychology 3, 2014.

    Example:
        >>> result = compare_generators([3.0, 5.0, 9.0, 4.0], [1.0, 6.0, 4.0, 4.0])
        >>> result.mean_difference.value, round(result.rank_biserial.value, 3)
        (1.5, 0.667)
        >>> result.mean_test.p_value, result.rank_test.p_value, result.rank_test.n_zero
        (0.375, 0.5, 1)
    """
    analysis = Analysis(
        confidence_level=confidence_level,
        on_missing=on_missing,
        n_resamples=n_resamples,
        seed=seed,
    )
    sample = read_sample({"a": a, "b": b}, clusters=clusters, on_missing=on_missing)
    return compare_sample(sample.complete(), analysis)


def compare_sample(sample: Sample, analysis: Analysis) -> GeneratorComparison:
    """`compare_generators` on a sample whose first two scores are a and b."""
    a, b = sample.scores.values()
    intervals = Intervals(sample, analysis)
    sums, sizes = intervals.clusters.sums(a - b), intervals.clusters.sizes()
    units = sums[sizes > 0] / sizes[sizes > 0]
    moved = units[units != 0]
    undefined = "every difference is 0" if sample.n else "no pair has both values"
    value, influence = rank_biserial(moved)
    # Each unit stands for its cluster.
    among = Sample(
        scores={"unit": moved},
        clusters=None if sample.clusters is None else np.arange(len(moved)),
        n_given=sample.n_given,
        n_missing=sample.n_missing,
    )
    ranks = Intervals(among, analysis)
    return GeneratorComparison(
        mean_difference=intervals.mean(a - b, undefined=undefined),
        mean_test=flip_sums(sums, analysis, undefined=undefined),
        median_difference=float(np.median(units)) if len(units) else None,
        rank_biserial=ranks.none(undefined)
        if np.isnan(value)
        else ranks.estimate(value, influence, scale="wilson", bounds=SIGNED),
        rank_test=_signed_rank(units, undefined),
        n=sample.n,
        n_missing=sample.n_missing,
    )


def _signed_rank(units: Scores, undefined: str) -> SignedRank:
    moved = units[units != 0]
    n_zero = len(units) - len(moved)
    if len(moved) == 0:
        return SignedRank(
            statistic=None, p_value=None, n=len(units), n_zero=n_zero, reason=undefined
        )
    size = np.abs(moved)
    ranks = SortedColumn(size).below(np.ones(len(moved))) + 0.5
    statistic = min(float(ranks[moved > 0].sum()), float(ranks[moved < 0].sum()))
    if len(moved) <= MOST_COUNTED:
        p_value = _counted(ranks, statistic)
    else:
        spread = float(np.sqrt(ranks @ ranks)) / 2
        p_value = 2 * float(ndtr((statistic - ranks.sum() / 2) / spread))
    return SignedRank(statistic=statistic, p_value=min(p_value, 1.0), n=len(units), n_zero=n_zero)


def _counted(ranks: Scores, statistic: float) -> float:
    """Share of all signs whose smaller rank sum is at most the statistic."""
    doubled = np.round(2 * ranks).astype(np.int64)
    ways = np.zeros(int(doubled.sum()) + 1)
    ways[0] = 1.0
    for rank in doubled:
        ways[rank:] = (ways[rank:] + ways[: len(ways) - rank]) / 2
        ways[:rank] /= 2
    return 2 * float(ways[: round(2 * statistic) + 1].sum())


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
