import numpy as np
import pytest
from scipy.stats import rankdata, wilcoxon

from aas_bench.stats import compare_by_group, compare_generators

TOPICS = ("digital overload", "inequality", "pollution")


def columns(n=90, seed=1):
    rng = np.random.default_rng(seed)
    topic = np.array([TOPICS[i % 3] for i in range(n)])
    shift = np.select([topic == name for name in TOPICS], [-2.0, 0.3, 1.5])
    a = rng.normal(5, 2, n).round(6)
    return a, (a - shift - rng.normal(0, 2, n)).round(6), topic


def kerby(difference):
    """(R+ - R-) / (R+ + R-), written out."""
    moved = np.asarray(difference)[np.asarray(difference) != 0]
    if len(moved) == 0:
        return None
    ranks = rankdata(np.abs(moved))
    return (ranks[moved > 0].sum() - ranks[moved < 0].sum()) / ranks.sum()


def holm_by_steps(p_values):
    """Holm's procedure as it is told: the smallest times m, the next times m - 1, never falling."""
    left, running, adjusted = sorted(p_values.items(), key=lambda item: item[1]), 0.0, {}
    for i, (name, p) in enumerate(left):
        running = max(running, min(1.0, (len(left) - i) * p))
        adjusted[name] = running
    return adjusted


def test_each_group_is_scipys_test_and_holm_goes_over_the_groups():
    a, b, topic = columns()
    found = compare_by_group(a, b, topic)
    assert tuple(found) == TOPICS
    ranks, means = {}, {}
    for name, group in found.items():
        rows = topic == name
        assert group.comparison == compare_generators(a[rows], b[rows])
        truth = wilcoxon(a[rows], b[rows])
        assert group.comparison.rank_test.statistic == truth.statistic
        assert group.comparison.rank_test.p_value == pytest.approx(truth.pvalue)
        assert group.comparison.rank_biserial.value == pytest.approx(kerby((a - b)[rows]))
        ranks[name] = group.comparison.rank_test.p_value
        means[name] = group.comparison.mean_test.p_value
    assert {n: g.rank_p_holm for n, g in found.items()} == pytest.approx(holm_by_steps(ranks))
    assert {n: g.mean_p_holm for n, g in found.items()} == pytest.approx(holm_by_steps(means))
    assert any(g.rank_p_holm > ranks[n] for n, g in found.items())


def test_pairs_of_one_cluster_are_one_difference():
    a, b, topic = columns(n=30)
    twice = [np.concatenate([column, column]) for column in (a, b, topic)]
    clusters = np.tile(np.arange(30), 2)
    found = compare_by_group(*twice, clusters=clusters)
    alone = compare_by_group(a, b, topic)
    for name in alone:
        both = [side[name].comparison for side in (found, alone)]
        assert both[0].rank_test.n == both[1].rank_test.n == 10
        assert both[0].rank_test.p_value == both[1].rank_test.p_value
        assert both[0].mean_test.p_value == both[1].mean_test.p_value
        ends = [(c.rank_biserial.low, c.rank_biserial.high) for c in both]
        assert ends[0] == pytest.approx(ends[1])
    loose = compare_by_group(*twice)
    assert (
        loose["pollution"].comparison.rank_test.p_value
        < alone["pollution"].comparison.rank_test.p_value
    )


def test_groups_without_a_test_say_why_and_do_not_count_in_the_family():
    a, b = [1.0, 2.0, 7.0, 9.0, np.nan], [1.0, 2.0, 3.0, 4.0, 1.0]
    groups = ["flat", "flat", "moved", "moved", "empty"]
    found = compare_by_group(a, b, groups, on_missing="drop")
    flat, empty = found["flat"].comparison, found["empty"].comparison
    assert flat.rank_test.reason == flat.mean_test.reason == "every difference is 0"
    assert flat.rank_biserial.value is None
    assert empty.rank_test.reason == empty.mean_test.reason == "no pair has both values"
    assert (empty.n, empty.n_missing) == (0, 1)
    assert (found["flat"].rank_p_holm, found["empty"].mean_p_holm) == (None, None)
    moved = compare_generators([7.0, 9.0], [3.0, 4.0])
    assert found["moved"].rank_p_holm == moved.rank_test.p_value
    assert found["moved"].mean_p_holm == moved.mean_test.p_value
