import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.reference import outcome, score_interval, t_interval
from support.strategies import columns

from aas_bench.errors import InputError, MissingScoresError
from aas_bench.stats import OUTCOMES, outcomes, override

# Steps far above the resolution of scores of this size, below which a difference is a tie.
eighths = st.integers(-8000, 8000).map(lambda whole: whole / 8)


@settings(deadline=None, max_examples=100)
@given(columns(4, element=eighths))
def test_outcomes_follow_their_definition(cells):
    expected = [outcome(*pair) for pair in cells.T]
    codes = outcomes(*cells)
    assert codes.dtype == np.int8
    assert [OUTCOMES[code] for code in codes] == expected
    result = override(*cells)
    for name in OUTCOMES:
        assert getattr(result, name).value == pytest.approx(expected.count(name) / len(expected))


@settings(deadline=None, max_examples=100)
@given(columns(4, element=st.integers(-9, 9).map(float)))
def test_invariants(cells):
    result = override(*cells)
    value = {name: getattr(result, name).value for name in result.to_dict() if name[0] != "n"}
    assert sum(value[name] for name in OUTCOMES) == pytest.approx(1)
    assert value["moved"] == pytest.approx(value["followed"] + value["overridden"])
    assert value["chosen"] == pytest.approx(value["followed"] + value["lucky"])
    oiop, oidp, diop, didp = cells
    d_a, d_o = didp - oidp, diop - oiop
    assert value["prior_pull"] + value["prompt_response"] / 2 == pytest.approx(d_a.mean())
    assert value["prior_pull"] - value["prompt_response"] / 2 == pytest.approx(d_o.mean())
    if value["moved"] > 0:
        expected = value["overridden"] / value["moved"]
        assert value["overridden_of_moved"] == pytest.approx(expected)
        assert result.overridden_of_moved.n == round(value["moved"] * cells.shape[1])
    else:
        assert value["overridden_of_moved"] is None
        assert result.overridden_of_moved.reason == "no score moved towards its request"
    if (d_a - d_o).sum() == 0:
        assert value["override_strength"] is None
        assert result.override_strength.reason.startswith("the mean prompt response is not pos")
    else:
        strength = -2 * ((d_a + d_o) / 2).mean() / (d_a - d_o).mean()
        assert value["override_strength"] == pytest.approx(strength)


def test_strength_above_one_is_where_taste_outweighs_the_request():
    # d_a = -1, d_o = -5: I = 4 > 0, M = -3, strength 1.5; the mean gain under the request is < 0.
    assert override([5.0], [1.0], [0.0], [0.0]).override_strength.value == 1.5
    # d_a = 1, d_o = -5: I = 6, M = -2, strength 2/3.
    assert override([5.0], [0.0], [0.0], [1.0]).override_strength.value == pytest.approx(2 / 3)


def test_a_tie_is_not_moved_and_not_chosen():
    # d_a = 0, d_o = -1: I = 1. Then d_a = d_o = 0: I = 0. Then d_a = d_o = 1: I = 0.
    codes = outcomes([1, 0, 0], [0, 0, 0], [0, 0, 1], [0, 0, 1])
    assert [OUTCOMES[code] for code in codes] == ["overridden", "missed", "lucky"]
    assert override([1, 0, 0], [0, 0, 0], [0, 0, 1], [0, 0, 1]).n_reward_ties == 2


def test_intervals_equal_their_reference():
    rng = np.random.default_rng(5)
    clusters = rng.integers(0, 15, 60)
    oiop, oidp, diop, didp = cells = rng.normal([[1], [0], [0], [0]], 1, (4, 60))
    d_a, response = didp - oidp, (didp - oidp) - (diop - oiop)
    pull, moved = d_a - response / 2, (response > 0).astype(float)
    result = override(*cells, clusters=clusters)
    missed = ((response <= 0) & (d_a <= 0)).astype(float)
    rate = (d_a[response > 0] <= 0).mean()
    apart = ((d_a <= 0) - rate) * moved / moved.sum()
    expected = {
        "missed": score_interval(missed.mean(), (missed - missed.mean()) / 60, clusters),
        "overridden_of_moved": score_interval(rate, apart, clusters, moved),
        "prior_pull": t_interval(pull.mean(), (pull - pull.mean()) / 60, clusters),
    }
    for name, ends in expected.items():
        estimate = getattr(result, name)
        assert (estimate.low, estimate.high) == pytest.approx(ends, abs=1e-8)
    strength = result.override_strength
    assert strength.value == pytest.approx(-2 * pull.mean() / response.mean())
    assert strength.low < strength.value < strength.high


def test_half_counts_a_tie_on_either_side():
    # Pairs (d_a, d_o): (0, 0), (0, -1), (1, 1), (1, 0): I is 0, 1, 0, 1.
    cells = [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]
    result = override(*cells, ties="half")
    assert (result.n_reward_ties, result.n_response_ties) == (2, 2)
    quarters = [0.25, 0.25, 0.25, 0.25], [0.5, 0.5, 0, 0], [0.5, 0, 0, 0.5], [1, 0, 0, 0]
    shares = np.mean(quarters, axis=0)
    found = [getattr(result, name).value for name in OUTCOMES]
    assert found == pytest.approx(shares.tolist())
    # Half of the first pair, the second, half of the third and the fourth are moved: 3.
    assert (result.overridden_of_moved.value, result.overridden_of_moved.n) == (
        pytest.approx(0.75 / 3),
        3,
    )


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_rounding_is_no_answer_to_a_prompt(kind):
    # An additive reward: what the image is worth, and what the prompt is; no more than rounding
    # in the last place tells one prompt from another.
    image, prompt = 10 * np.random.default_rng(0).normal(size=(2, 2, 500)).astype(kind)
    cells = [(image[i] + prompt[p]).astype(float) for i, p in ((0, 0), (0, 1), (1, 0), (1, 1))]
    exact = (cells[3] - cells[1]) - (cells[2] - cells[0])
    assert (exact > 0).mean() > 0.1
    result = override(*cells)
    assert (result.moved.value, result.n_response_ties) == (0.0, 500)
    assert result.override_strength.value is None


def test_a_group_that_answers_the_prompt_the_wrong_way_round_has_no_interval_of_strength():
    # d_a = -1, d_o = 1 in every pair: the response is negative.
    result = override([0.0] * 3, [1.0] * 3, [1.0] * 3, [0.0] * 3, clusters=[0, 1, 2])
    assert (result.override_strength.value, result.override_strength.low) == (0.0, None)
    assert "the mean prompt response is not positive" in result.override_strength.reason
    assert result.overridden_of_moved.reason == "no score moved towards its request"


def test_the_overridden_of_moved_counts_the_clusters_it_rests_on():
    # Only the pairs of cluster 0 and 1 are moved, and all are overridden: d_a = -1, d_o = -2.
    oiop, diop, didp = np.array([[2, 2, 2, 0], [0, 0, 0, 0], [-1, -1, -1, -1]])
    result = override(oiop, np.zeros(4), diop, didp, clusters=[0, 0, 1, 2])
    assert (result.overridden_of_moved.value, result.overridden_of_moved.n) == (1.0, 3)
    assert (result.overridden_of_moved.n_clusters, result.moved.n_clusters) == (2, 3)


def test_missing_scores():
    cells = [[1.0, 2.0], [1.0, np.nan], [3.0, 4.0], [4.0, 5.0]]
    assert outcomes(*cells).tolist() == [0, -1]
    with pytest.raises(MissingScoresError, match=r'1 of 2 pairs.*on_missing="drop"'):
        override(*cells)
    result = override(*cells, on_missing="drop")
    assert (result.n, result.n_missing, result.followed.coverage) == (1, 1, 0.5)
    nothing = override(*([[np.nan]] * 4), on_missing="drop", clusters=[1])
    assert {value.reason for value in vars(nothing).values() if not isinstance(value, int)} == {
        "no pair has all four scores"
    }
    with pytest.raises(InputError, match=r"oiop has 2 values but didp has 1\. Give one of each"):
        outcomes([1, 2], [1, 2], [1, 2], [1])
    with pytest.raises(InputError, match=r"diop holds 1 infinite.*Give finite scores"):
        outcomes([1], [1], [np.inf], [1])
