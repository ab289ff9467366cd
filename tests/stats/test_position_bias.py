import numpy as np
import pytest

from aas_bench.stats import position_bias
from aas_bench.stats.position_bias import NO_ANSWER


def test_the_place_is_told_from_the_image():
    # Of four pairs: by the place, by the image, by the other place, and by neither.
    found = position_bias([0, 1, 1, 0.5], [1, 1, 0, 0.5])
    assert found.value == 0
    assert position_bias([0, 0, 1], [1, 1, 1]).value == pytest.approx(2 / 3)
    assert position_bias([1, 1], [0, 0]).value == -1
    partly = position_bias([0, np.nan], [1, 1], on_missing="drop")
    assert (partly.value, partly.n, partly.coverage) == (1, 1, 0.5)
    assert position_bias([np.nan], [1], on_missing="drop").reason == NO_ANSWER


def test_the_interval_of_a_place_bias_holds_its_level():
    rng, times, n, bias = np.random.default_rng(2), 1000, 100, 0.1
    held = 0
    for _ in range(times):
        truth = rng.random(n) < 0.7
        votes = [np.where(rng.random(n) < bias, first, truth) for first in (0, 1)]
        found = position_bias(*votes)
        held += found.low <= bias <= found.high
    assert 0.92 <= held / times <= 0.98
