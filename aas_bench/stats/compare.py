"""Two reward models on the same pairs, two generators on the same prompts, and families of tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest, rankdata
from scipy.stats import wilcoxon as signed_rank_test

from aas_bench.errors import InputError
from aas_bench.stats.estimate import Estimate, OnMissing, Result, Scores
from aas_bench.stats.inputs import read_sample, read_scores
from aas_bench.stats.intervals import Bootstrap, Resampling
from aas_bench.stats.preference import NO_LABELS, _single_class
from aas_bench.stats.ranks import Auroc


@dataclass(frozen=True, kw_only=True)
class McNemar(Result):
    """Pairs that only one of two reward models gets right, and the exact two-sided p-value."""

    n_only_a: int
    n_only_b: int
    p_value: float


@dataclass(frozen=True, kw_only=True)
class RewardComparison(Result):
    """Two reward models on the same pairs; differences are a minus b."""

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
    """Paired comparison of two generators by signed ranks; positive means a is higher."""

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
    """Compare two reward models on the pairs that both scored."""
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    columns = {"margin_a": margin_a, "margin_b": margin_b}
    whole = read_sample(columns, label=label, clusters=clusters, on_missing=on_missing)
    assert whole.label is not None
    sample = whole.where(whole.label >= 0)
    assert sample.label is not None
    margins, positive = sample.scores.values(), sample.label == 1
    right = np.stack([(margin > 0) == positive for margin in margins], axis=1).astype(np.float64)
    boot = Bootstrap(sample, options)
    units = boot.unit_sums(np.hstack([right, np.ones((sample.n, 1))]))
    curves = [Auroc(margin, sample.label, boot.codes) for margin in margins]
    sums, *areas = boot.replicates(lambda counts: counts @ units, *curves)
    total, n = units.sum(axis=0), sample.n
    with np.errstate(invalid="ignore"):
        shares, accuracy = total / total[-1], sums / sums[:, -1:]
    area = [float(curve(np.ones((1, boot.n_units)))[0]) for curve in curves]
    single = _single_class(sample.label)
    return RewardComparison(
        accuracy_a=boot.rate(float(total[0]), n, accuracy[:, 0], undefined=NO_LABELS),
        accuracy_b=boot.rate(float(total[1]), n, accuracy[:, 1], undefined=NO_LABELS),
        accuracy_difference=boot.estimate(
            shares[0] - shares[1], accuracy[:, 0] - accuracy[:, 1], undefined=NO_LABELS
        ),
        auroc_a=boot.estimate(area[0], areas[0], undefined=single),
        auroc_b=boot.estimate(area[1], areas[1], undefined=single),
        auroc_difference=boot.estimate(area[0] - area[1], areas[0] - areas[1], undefined=single),
        mcnemar=_mcnemar(right),
        n=n,
        n_label_ties=whole.n - n,
        n_missing=whole.n_missing,
    )


def _mcnemar(right: Scores) -> McNemar:
    only_a = int((right[:, 0] > right[:, 1]).sum())
    only_b = int((right[:, 0] < right[:, 1]).sum())
    discordant = only_a + only_b
    p_value = float(binomtest(only_a, discordant, 0.5).pvalue) if discordant else 1.0
    return McNemar(n_only_a=only_a, n_only_b=only_b, p_value=p_value)


def compare_generators(
    a: ArrayLike, b: ArrayLike, *, on_missing: OnMissing = "raise"
) -> SignedRank:
    """Wilcoxon signed-rank test on a - b, with the matched-pairs rank-biserial correlation."""
    sample = read_sample({"a": a, "b": b}, on_missing=on_missing)
    difference = sample.scores["a"] - sample.scores["b"]
    nonzero = difference[difference != 0]
    counts = {
        "n": sample.n,
        "n_zero": sample.n - len(nonzero),
        "n_missing": sample.n_missing,
    }
    median = float(np.median(difference)) if sample.n else None
    if len(nonzero) == 0:
        reason = "every difference is zero" if sample.n else "no prompt has both values"
        return SignedRank(
            statistic=None,
            p_value=None,
            rank_biserial=None,
            median_difference=median,
            reason=reason,
            **counts,
        )
    ranks = rankdata(np.abs(nonzero))
    balance = float((ranks * np.sign(nonzero)).sum() / ranks.sum())
    test = signed_rank_test(nonzero)
    return SignedRank(
        statistic=float(test.statistic),
        p_value=float(test.pvalue),
        rank_biserial=balance,
        median_difference=median,
        **counts,
    )


def holm(p_values: ArrayLike) -> Scores:
    """Holm's step-down adjusted p-values of a family of tests, in the order given."""
    p = read_scores("p_values", p_values)
    if len(p) == 0 or not ((p >= 0) & (p <= 1)).all():
        msg = "p_values is empty or holds something outside [0, 1]. Give the family's p-values."
        raise InputError(msg)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted
