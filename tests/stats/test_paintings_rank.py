import numpy as np
import pytest

from aas_bench.errors import InputError
from aas_bench.stats import art_rank

TABLE = {"a": 12.0, "b": 8.0, "c": 4.0}


@pytest.mark.parametrize(
    ("score", "rank", "relative"), [(13, 1, 1.125), (8, 2, 0.5), (5, 3, 0.125), (2, 4, -0.25)]
)
def test_place_among_generators(score, rank, relative):
    place = art_rank([score - 1.0, score + 1.0], TABLE)
    assert (place.rank, place.n_ranked) == (rank, 4)
    assert place.relative.value == pytest.approx(relative)


def test_the_relative_interval_is_that_of_the_mean():
    place = art_rank(np.random.default_rng(0).normal(6, 2, 100), TABLE)
    assert place.relative.low == pytest.approx((place.mean.low - 4) / 8)
    assert place.relative.high == pytest.approx((place.mean.high - 4) / 8)


def test_the_ranks_at_the_ends_of_the_interval_say_what_is_open():
    wide = art_rank([2.0, 14.0, 3.0, 13.0], TABLE)
    below = [sum(mean > end for mean in TABLE.values()) for end in (wide.mean.high, wide.mean.low)]
    assert (wide.rank_best, wide.rank_worst) == (1 + below[0], 1 + below[1])
    assert wide.rank_best < wide.rank_worst
    alone = art_rank([5.0], TABLE)
    assert (alone.rank, alone.rank_best, alone.rank_worst) == (3, None, None)


def test_undefined_places():
    flat = art_rank([1.0, 2.0], {"a": 3.0, "b": 3.0})
    assert (flat.rank, flat.relative.value) == (3, None)
    assert flat.relative.reason == "all generators have one mean"
    nothing = art_rank([np.nan], TABLE, on_missing="drop")
    assert (nothing.rank, nothing.mean.reason) == (None, "no painting has a score")
    for table in ({}, {"a": None}):
        with pytest.raises(InputError, match=r"empty or lacks a mean\. Give one mean"):
            art_rank([1.0], table)
