import numpy as np
import pytest
from scipy.stats import spearmanr
from support.reference import t_interval

from aas_bench.errors import InputError
from aas_bench.stats import dose_response

DOSES = (0.25, 0.5, 0.75, 1.0)


@pytest.fixture
def table():
    """Two effects x six scenes x four doses x three wordings."""
    rng = np.random.default_rng(0)
    grid = np.array(np.meshgrid(range(2), range(6), DOSES, range(3))).reshape(4, -1)
    effect = np.array(["blur", "dark"])[grid[0].astype(int)]
    scene = np.array(list("uvwxyz"))[grid[1].astype(int)]
    return rng.normal(grid[2] - 0.5, 0.5), grid[2], effect, scene


def test_win_rates_and_correlations(table):
    margin, dose, effect, scene = table
    result = dose_response(margin, dose, effect, scene)
    assert list(result.effects) == ["blur", "dark"]
    for name, response in result.effects.items():
        mine = effect == name
        assert list(response.win_rate) == list(DOSES)
        for level, rate in response.win_rate.items():
            assert rate.value == pytest.approx(np.mean(margin[mine & (dose == level)] > 0))
            assert (rate.n, rate.n_clusters) == (18, 6)
        rho = {
            s: spearmanr(margin[mine & (scene == s)], dose[mine & (scene == s)]).statistic
            for s in "uvwxyz"
        }
        values = np.array(list(rho.values()))
        assert response.spearman.value == pytest.approx(values.mean())
        assert (response.spearman.n, response.spearman.n_clusters) == (72, 6)
        expected = t_interval(values.mean(), (values - values.mean()) / 6, "uvwxyz")
        assert (response.spearman.low, response.spearman.high) == pytest.approx(expected)


def test_a_scene_whose_margin_does_not_vary_is_left_out_and_shows_in_the_coverage():
    margin = [1.0, 2.0, 3.0, 4.0, 5.0, 5.0, 5.0, 5.0]
    result = dose_response(margin, DOSES * 2, ["blur"] * 8, ["a"] * 4 + ["b"] * 4)
    rho = result.effects["blur"].spearman
    assert (rho.value, rho.n, rho.n_clusters, rho.coverage) == (1.0, 4, 1, 0.5)
    flat = dose_response([1.0, 1.0], [0.5, 1.0], ["blur"] * 2, ["a"] * 2).effects["blur"]
    assert flat.spearman.reason == "in no scene do both margin and dose vary"
    assert (flat.spearman.n, flat.spearman.coverage) == (0, 0.0)


def test_missing_scores_lower_the_coverage_of_their_own_effect_and_dose(table):
    margin, dose, effect, scene = table
    margin = np.where((effect == "blur") & (dose == 0.25), np.nan, margin)
    result = dose_response(margin, dose, effect, scene, on_missing="drop").effects
    assert result["blur"].win_rate[0.25].reason == "no pair has scores"
    assert result["blur"].win_rate[0.25].coverage == 0.0
    assert result["blur"].win_rate[0.5].coverage == 1.0
    assert result["blur"].spearman.coverage == pytest.approx(0.75)
    assert result["dark"].spearman.coverage == 1.0
    nothing = dose_response([np.nan], [0.5], ["blur"], ["a"], on_missing="drop").effects["blur"]
    assert nothing.spearman.value is None


def test_a_dose_may_not_be_missing(table):
    with pytest.raises(InputError, match=r"dose is missing in 1 of 2 rows.*Give every pair one"):
        dose_response([1.0, 2.0], [0.5, np.nan], ["blur"] * 2, ["a"] * 2)
