from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.strategies import columns

from aas_bench.errors import InputError, MissingScoresError
from aas_bench.stats import placebo_from_four, rescaling, wilson

whole = st.integers(0, 4).map(float)
# All ways of spacing five levels that matter for four scores: steps of 1 or of a thousand.
UNITS = [np.cumsum([0.0, *steps]) for steps in product((1.0, 1000.0), repeat=4)]


def signs_in_every_unit(cells):
    """Signs that the response of one pair takes over the units."""
    oiop, oidp, diop, didp = cells.astype(int)
    return {np.sign(u[didp] + u[oiop] - u[oidp] - u[diop]) for u in UNITS}


@settings(deadline=None, max_examples=200)
@given(columns(4, element=whole))
def test_it_says_what_every_unit_says(cells):
    found = [signs_in_every_unit(pair) for pair in cells.T]
    lost = cells[3] <= cells[1]
    result = rescaling(*cells)
    shares = {
        "towards": [signs == {1} for signs in found],
        "against": [signs == {-1} for signs in found],
        "still": [signs == {0} for signs in found],
        "overridden": [signs == {1} and out for signs, out in zip(found, lost, strict=True)],
        "followed": [signs == {1} and not out for signs, out in zip(found, lost, strict=True)],
        "overridden_at_most": [1 in signs and out for signs, out in zip(found, lost, strict=True)],
        "crossing": (cells[2] <= cells[0]) & ~lost,
        "crossing_back": (cells[2] > cells[0]) & lost,
    }
    for name, hits in shares.items():
        assert getattr(result, name).value == pytest.approx(np.mean(hits)), name
    # Each pair in a unit of its own meets both ends of the understood share.
    assert result.understood_range == pytest.approx(
        (np.mean([min(s) for s in found]), np.mean([max(s) for s in found]))
    )


@settings(deadline=None, max_examples=100)
@given(columns(4, element=whole, max_size=4))
def test_the_range_of_the_rate_is_that_of_all_choices_of_units(cells):
    found = [sorted(signs_in_every_unit(pair)) for pair in cells.T]
    lost = (cells[3] <= cells[1]) & (cells[2] <= cells[0])
    rates = []
    for signs in product(*found):
        moved = float(np.sum(signs))
        if moved <= 0:
            rates = None
            break
        rates.append(np.clip(float(np.dot(signs, lost)) / moved, 0, 1))
    expected = None if rates is None else (min(rates), max(rates))
    found_range = rescaling(*cells).override_rate_range
    assert (found_range is None) == (expected is None)
    if expected is not None:
        assert found_range == pytest.approx(expected)


@settings(deadline=None, max_examples=100)
@given(columns(4, element=whole), st.sampled_from(UNITS))
def test_one_unit_for_all_pairs_lies_within_the_range(cells, unit):
    result = rescaling(*cells)
    swap = placebo_from_four(*unit[cells.astype(int)])
    low, high = result.understood_range
    assert low - 1e-12 <= swap.understood.value <= high + 1e-12
    assert rescaling(*unit[cells.astype(int)]) == result
    if swap.override_rate.value is not None and result.override_rate_range is not None:
        low, high = result.override_rate_range
        assert low - 1e-12 <= swap.override_rate.value <= high + 1e-12


def test_intervals_and_missing_scores():
    # Two of four pairs move towards their request in every unit.
    cells = np.array([[5, 5, 9, 9], [4, 4, 10, 10], [1, 1, 1, 1], [3, 6, 3, 3.0]])
    result = rescaling(*cells)
    assert (result.towards.low, result.towards.high) == pytest.approx(wilson(2, 4))
    assert rescaling(*cells, clusters=[0, 0, 1, 1]).towards.n_clusters == 2
    cells[0, 0] = np.nan
    with pytest.raises(MissingScoresError, match="1 of 4 pairs lack a score"):
        rescaling(*cells)
    left = rescaling(*cells, on_missing="drop")
    assert (left.n, left.n_missing, left.towards.coverage) == (3, 1, 0.75)
    nothing = rescaling(*np.full((4, 1), np.nan), on_missing="drop")
    assert nothing.towards.reason == "no pair has all four scores"
    assert nothing.understood_range is nothing.override_rate_range is None
    with pytest.raises(InputError, match="confidence_level=2"):
        rescaling(*cells, confidence_level=2)
