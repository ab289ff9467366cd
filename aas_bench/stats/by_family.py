"""One comparison in each group of pairs, its tests adjusted over the groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike, NDArray

from aas_bench.stats.analysis import Analysis
from aas_bench.stats.differences import GeneratorComparison, compare_sample, holm
from aas_bench.stats.estimate import OnMissing, Result
from aas_bench.stats.inputs import read_groups, read_sample


@dataclass(frozen=True, kw_only=True)
class GroupTest(Result):
    """The comparison of one group.

    Attributes:
        comparison: Of the group alone.
        mean_p_holm: The p-value of its mean, adjusted over all groups that have one; None where
            there is no test.
        rank_p_holm: The same for Wilcoxon's.

    Example:
        >>> compare_by_group([3.0, 5.0], [1.0, 1.0], ["war"] * 2)["war"].mean_p_holm
        0.25
    """

    comparison: GeneratorComparison
    mean_p_holm: float | None
    rank_p_holm: float | None


def compare_by_group(
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
    """`compare_generators` within each group, with Holm's adjustment over the groups.

    Args:
        a: One value per pair, shape (n,), float; NaN or None where it is missing.
        b: The other value of each pair.
        groups: Length n: the group of each pair, or a list of groups for each pair.
        clusters: Shape (n,): the base prompt of each pair. None counts pairs as independent.
        on_missing: "raise", or "drop" the pairs without both and lower the coverage.
        confidence_level: Nominal coverage of the intervals, in (0, 1).
        n_resamples: Random flips of each test of a mean, where there are too many to try all.
        seed: Seed of the flips.

    Returns:
        GroupTest by group, names as strings in sorted order.

    Raises:
        MissingScoresError: A value is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit, or a pair has no group.

    Source:
        As in `compare_generators` and `holm`.

    Example:
        >>> found = compare_by_group([3.0, 5.0, 9.0], [1.0, 1.0, 1.0], ["war"] * 3)
        >>> found["war"].comparison.rank_biserial.value, found["war"].rank_p_holm
        (1.0, 0.25)
    """
    analysis = Analysis(
        confidence_level=confidence_level,
        on_missing=on_missing,
        n_resamples=n_resamples,
        seed=seed,
    )
    sample = read_sample({"a": a, "b": b}, clusters=clusters, on_missing=on_missing)
    found = {
        name: compare_sample(sample.part(rows).complete(), analysis)
        for name, rows in read_groups(groups, sample.n).items()
    }
    means = _adjusted({name: each.mean_test.p_value for name, each in found.items()})
    ranks = _adjusted({name: each.rank_test.p_value for name, each in found.items()})
    return {
        name: GroupTest(comparison=each, mean_p_holm=means.get(name), rank_p_holm=ranks.get(name))
        for name, each in found.items()
    }


def _adjusted(p_values: dict[str, float | None]) -> dict[str, float]:
    tested = {name: p for name, p in p_values.items() if p is not None}
    adjusted = holm(list(tested.values())).tolist() if tested else []
    return dict(zip(tested, adjusted, strict=True))
