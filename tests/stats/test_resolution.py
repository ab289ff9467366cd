import numpy as np
import pytest

from aas_bench.errors import InputError
from aas_bench.stats import difference, resolution


def spacing(largest, bits):
    """The last place of a number with so many bits."""
    return 2.0 ** (np.floor(np.log2(largest)) - bits + 1)


@pytest.fixture
def columns():
    return np.random.default_rng(0).normal(0, 5, (2, 300))


def test_scores_of_64_and_32_bits(columns):
    largest = np.abs(columns).max(axis=0)
    np.testing.assert_allclose(resolution(*columns), 2 * spacing(largest, 53))
    short = columns.astype(np.float32)
    np.testing.assert_allclose(resolution(*short), 2 * spacing(np.abs(short).max(axis=0), 24))
    # Four scores are off by twice as much as two.
    four = resolution(*short, *short)
    np.testing.assert_allclose(four, 2 * resolution(*short))


def test_scores_of_16_bits_are_found_from_their_values(columns):
    half = columns.astype(np.float16).astype(float)
    np.testing.assert_allclose(resolution(*half), spacing(np.abs(half).max(axis=0), 11))
    # bfloat16: the upper half of a float32.
    brain = (columns.astype(np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32)
    np.testing.assert_allclose(resolution(*brain), spacing(np.abs(brain).max(axis=0), 8))


@pytest.mark.parametrize("grid", [1.0, 0.5, 0.25])
def test_ratings_on_a_grid_are_exact(grid):
    # 100 and 100 less one step have 8 bits or fewer: this is no reason to call them equal.
    ratings = np.arange(0, 100 + grid, grid)
    assert (difference(ratings[1:], ratings[:-1]) == grid).all()


def test_a_step_of_a_coarse_format_is_a_difference(columns):
    half = columns[0].astype(np.float16)
    above = np.nextafter(half, np.float16(np.inf))
    steps = difference(above.astype(float), half.astype(float))
    # But not across a power of two, where the larger of the two is rounded by the wider step.
    assert (steps > 0).mean() > 0.99


def test_differences_below_the_resolution_are_exactly_zero():
    found = difference([0.1 + 0.2, 1.0, 5.0, np.nan], [0.3, 1.0, 4.0, 1.0])
    np.testing.assert_array_equal(found, [0.0, 0.0, 1.0, np.nan])
    # The size of the scores counts, not that of the difference.
    assert difference([1e-20], [0.0])[0] == 1e-20


def test_columns_are_checked():
    with pytest.raises(InputError, match=r"Give one of each per pair\."):
        difference([1.0], [1.0, 2.0])
