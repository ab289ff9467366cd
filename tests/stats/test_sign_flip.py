from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aas_bench.errors import InputError
from aas_bench.stats import sign_flip


def by_enumeration(sums) -> float:
    """Mid-p over every choice of signs."""
    signs = np.array(list(product([-1, 1], repeat=len(sums))))
    size, found = np.abs(signs @ sums), abs(np.sum(sums))
    return float(np.mean(size > found + 1e-9) + np.mean(np.abs(size - found) <= 1e-9) / 2)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(-5, 5)), min_size=1, max_size=30))
def test_few_clusters_are_enumerated(rows):
    codes, values = np.array(rows).T
    sums = np.array([values[codes == g].sum() for g in sorted(set(codes))], dtype=float)
    found = sign_flip(values, clusters=codes)
    assert found.n_clusters == np.count_nonzero(sums)
    if found.n_clusters == 0:
        assert (found.p_value, found.reason) == (None, "every difference is 0")
    else:
        assert found.p_value == pytest.approx(by_enumeration(sums[sums != 0]))
        assert found.smallest == 0.5**found.n_clusters


def test_sampled_flips_come_near_the_enumerated_ones():
    rng = np.random.default_rng(0)
    few = rng.normal(0.4, 1, 20)
    enumerated = sign_flip(few)
    # A 21st cluster that weighs next to nothing leaves the distribution as it is.
    sampled = sign_flip(np.append(few, 1e-9), n_resamples=20_000)
    assert (enumerated.method, sampled.method) == ("enumerated", "sampled")
    assert sampled.p_value == pytest.approx(enumerated.p_value, abs=0.01)
    assert sampled == sign_flip(np.append(few, 1e-9), n_resamples=20_000)
    assert sampled != sign_flip(np.append(few, 1e-9), n_resamples=20_000, seed=1)


def test_signs_count_all_the_same_whatever_the_way():
    difference = np.random.default_rng(0).normal(0.5, 1, 30)
    assert sign_flip(difference).p_value == sign_flip(-4 * difference).p_value


def test_without_draws_there_is_no_test_where_it_needs_them():
    many = np.random.default_rng(0).normal(size=30)
    bare = sign_flip(many, n_resamples=0)
    assert (bare.p_value, bare.reason) == (None, "no test: n_resamples is 0")
    assert sign_flip(many[:10], n_resamples=0).method == "enumerated"
    with pytest.raises(InputError, match=r"n_resamples=-1 .*Give a whole number"):
        sign_flip(many, n_resamples=-1)
    with pytest.raises(InputError, match=r"seed=0\.5 .*Give a whole number"):
        sign_flip(many, seed=0.5)


def test_missing_differences():
    assert sign_flip([np.nan], on_missing="drop").reason == "no pair has a difference"
    kept = sign_flip([1.0, np.nan, 2.0], clusters=[0, 0, 1], on_missing="drop")
    assert kept.n_clusters == 2


@pytest.mark.parametrize(("n_clusters", "attained"), [(5, 2 / 32), (6, 4 / 64), (9, 26 / 512)])
def test_what_few_clusters_can_attain(n_clusters, attained):
    # Distinct sums: p is (2 k - 1) / 2^n, and those at most 0.05 come up in 2 k of 2^n signs.
    sums = 2.0 ** np.arange(n_clusters)
    signs = np.array(list(product([-1, 1], repeat=n_clusters)))
    rejected = [sign_flip(each * sums).p_value <= 0.05 for each in signs]
    assert np.mean(rejected) == pytest.approx(attained)
