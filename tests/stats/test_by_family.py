import numpy as np
import pytest
from scipy.stats import rankdata, wilcoxon
from support.reference import bootstrap_by_loop

from aas_bench.stats import compare_generators, signed_rank_by_group

TOPICS = ("digital overload", "inequality", "pollution")


def columns(n=90, seed=1):
    rng = np.random.default_rng(seed)
    topic = np.array([TOPICS[i % 3] for i in range(n)])
    shift = np.select([topic == name for name in TOPICS], [-2.0, 0.3, 1.5])
    a = rng.normal(5, 2, n).round(1)
    return a, (a - shift - rng.normal(0, 2, n)).round(1), topic


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
    found = signed_rank_by_group(a, b, topic)
    assert tuple(found) == TOPICS
    p_values = {}
    for name, group in found.items():
        rows = topic == name
        truth = wilcoxon(a[rows], b[rows])
        p_values[name] = truth.pvalue
        assert (group.test.statistic, group.test.p_value) == (truth.statistic, truth.pvalue)
        assert group.rank_biserial.value == pytest.approx(kerby(a[rows] - b[rows]))
        assert group.rank_biserial.value == pytest.approx(group.test.rank_biserial)
        assert group.test.median_difference == pytest.approx(np.median(a[rows] - b[rows]))
    assert {n: g.p_holm for n, g in found.items()} == pytest.approx(holm_by_steps(p_values))
    assert any(g.p_holm > g.test.p_value for g in found.values())


def test_the_interval_of_the_effect_is_a_bootstrap_of_differences():
    a, b, topic = columns(n=45)
    group = signed_rank_by_group(a, b, topic)["pollution"]
    d = (a - b)[topic == "pollution"]
    low, high = bootstrap_by_loop(lambda rows: kerby(d[rows]), list(range(len(d))))
    assert (group.rank_biserial.low, group.rank_biserial.high) == pytest.approx((low, high))


def test_pairs_of_one_cluster_are_one_difference():
    a, b, topic = columns(n=30)
    twice = [np.concatenate([column, column]) for column in (a, b, topic)]
    clusters = np.tile(np.arange(30), 2)
    found = signed_rank_by_group(*twice, clusters=clusters)
    alone = signed_rank_by_group(a, b, topic)
    for name in alone:
        assert found[name].test.n == alone[name].test.n == 10
        assert found[name].test.p_value == alone[name].test.p_value
    loose = signed_rank_by_group(*twice)
    assert loose["pollution"].test.p_value < alone["pollution"].test.p_value


def test_groups_without_a_test_say_why_and_do_not_count_in_the_family():
    a, b = [1.0, 2.0, 7.0, 9.0, np.nan], [1.0, 2.0, 3.0, 4.0, 1.0]
    groups = ["flat", "flat", "moved", "moved", "empty"]
    found = signed_rank_by_group(a, b, groups, on_missing="drop", n_resamples=50)
    assert found["flat"].test.reason == "every difference is 0"
    assert found["flat"].rank_biserial.value is None
    assert found["empty"].test.reason == "no pair has both values"
    assert (found["empty"].test.n, found["empty"].test.n_missing) == (0, 1)
    assert (found["flat"].p_holm, found["empty"].p_holm) == (None, None)
    moved = compare_generators([7.0, 9.0], [3.0, 4.0])
    assert found["moved"].p_holm == found["moved"].test.p_value == moved.p_value
