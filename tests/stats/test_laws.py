import inspect

import pytest
from stats.laws import LAWS, doubled, random_case, scaled, shuffled, swapped

from aas_bench import stats

SEEDS = (0, 1, 2)
SCORED = [name for name, law in LAWS.items() if not law.unscored]


def test_every_public_statistic_has_its_laws():
    public = {name for name in stats.__all__ if inspect.isfunction(getattr(stats, name))}
    assert set(LAWS) == public


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", LAWS)
def test_the_order_of_rows_changes_nothing(name, seed):
    case, read = random_case(seed), LAWS[name].read
    assert read(case)
    assert read(shuffled(case)) == pytest.approx(read(case))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", [name for name, law in LAWS.items() if law.doubles])
def test_a_second_copy_of_every_cluster_changes_no_value(name, seed):
    case, read = random_case(seed), LAWS[name].read
    assert read(doubled(case)) == pytest.approx(read(case))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", SCORED)
def test_a_common_scale_and_shift_of_scores_change_only_what_is_in_their_units(name, seed):
    case, law = random_case(seed), LAWS[name]
    expected = {}
    for figure, value in law.read(case).items():
        units = [shift for part, shift in (law.units or {}).items() if part in figure]
        if figure == "relative":
            # The table of generators stays where it is: from -60 to 60.
            expected[figure] = (4 * (120 * value - 60) + 8 + 60) / 120
        else:
            expected[figure] = 4 * value + 8 * units[0] if units else value
    assert law.read(scaled(case)) == pytest.approx(expected)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", SCORED)
def test_swapping_images_and_labels(name, seed):
    case, law = random_case(seed), LAWS[name]
    expected = law.swapped(law.read(case))
    found = law.read(swapped(case))
    assert {figure: found[figure] for figure in expected} == pytest.approx(expected)


def test_the_laws_notice_a_statistic_that_favours_an_image():
    # A figure that a swap must turn around is not left as it was, in any case above.
    for seed in SEEDS:
        case = random_case(seed)
        for name in ("chosen", "override", "compare_generators"):
            assert LAWS[name].read(swapped(case)) != pytest.approx(LAWS[name].read(case))
