"""One signed-rank test in each group of pairs, adjusted over the groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aas_bench.stats.compare import SignedRank, compare_generators, holm
from aas_bench.stats.estimate import Estimate, OnMissing, Result
from aas_bench.stats.inputs import Sample, read_groups, read_sample
from aas_bench.stats.intervals import Bootstrap, Resampling
from aas_bench.stats.ranks import RankBiserial


@dataclass(frozen=True, kw_only=True)
class GroupTest(Result):
    """The signed-rank test of one group.

    Attributes:
        test: Of the group alone; its n counts clusters.
        rank_biserial: The effect size with its interval, in [-1, 1].
        p_holm: The p-value adjusted over all groups that have one; None where there is no test.
    """

    test: SignedRank
    rank_biserial: Estimate
    p_holm: float | None


def signed_rank_by_group(
    a: ArrayLike,
    b: ArrayLike,
    groups: Sequence[Any] | NDArray[Any],
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, GroupTest]:
    """Wilcoxon's signed-rank test of a against b within each group, with Holm's adjustment.

    Pairs of one cluster are first averaged, so that the test rests on independent differences.
    Within a group it is `compare_generators`; over the groups, `holm`. The interval of the
    matched-pairs rank-biserial correlation is a percentile interval over resampled clusters.

    Args:
        a: One value per pair, shape (n,), float; NaN or None where it is missing.
        b: The other value of each pair.
        groups: Length n: the group of each pair, or a list of groups for each pair.
        clusters: Shape (n,): the base prompt of each pair. None counts pairs as independent.
        on_missing: "raise", or "drop" the pairs without both and lower the coverage.
        confidence_level: Nominal coverage of the interval, in (0, 1).
        n_resamples: Bootstrap resamples; 0 leaves the interval out.
        seed: Seed of the resamples.

    Returns:
        GroupTest by group, names as strings in sorted order.

    Raises:
        MissingScoresError: A value is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit, or a pair has no group.

    Source:
        Wilcoxon, Individual comparisons by ranking methods, Biometrics Bulletin 1, 1945; Kerby,
        The simple difference formula, Comprehensive Psychology 3, 2014; Holm, A simple
        sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 1979.

    Example:
        >>> found = signed_rank_by_group([3.0, 5.0, 9.0], [1.0, 1.0, 1.0], ["war"] * 3)
        >>> found["war"].rank_biserial.value, found["war"].p_holm
        (1.0, 0.25)
    """
    options = Resampling(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
    sample = read_sample({"a": a, "b": b}, clusters=clusters, on_missing=on_missing)
    found = {
        name: _group_test(sample.part(rows).complete(), options)
        for name, rows in read_groups(groups, sample.n).items()
    }
    tested = [name for name, group in found.items() if group.test.p_value is not None]
    p_values = [found[name].test.p_value or 0.0 for name in tested]
    adjusted = dict(zip(tested, holm(p_values).tolist() if tested else [], strict=True))
    return {name: replace(group, p_holm=adjusted.get(name)) for name, group in found.items()}


def _group_test(sample: Sample, options: Resampling) -> GroupTest:
    boot = Bootstrap(sample, options)
    columns = np.stack([sample.scores["a"], sample.scores["b"], np.ones(sample.n)], axis=1)
    units = boot.unit_sums(columns)
    a, b = units[:, 0] / units[:, 2], units[:, 1] / units[:, 2]
    statistic = RankBiserial(a - b)
    (replicates,) = boot.replicates(statistic)
    undefined = "every difference is 0" if sample.n else "no pair has both values"
    effect = boot.estimate(
        boot.value(statistic) if sample.n else np.nan, replicates, undefined=undefined
    )
    if sample.n == 0:
        test = SignedRank(
            statistic=None,
            p_value=None,
            rank_biserial=None,
            median_difference=None,
            n=0,
            n_zero=0,
            n_missing=sample.n_missing,
            reason=undefined,
        )
    else:
        test = replace(compare_generators(a, b), n_missing=sample.n_missing)
    return GroupTest(test=test, rank_biserial=effect, p_holm=None)
