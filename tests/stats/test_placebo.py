from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import integrate
from scipy.stats import logistic, norm, t
from support.strategies import columns

from aas_bench.errors import InputError, MissingScoresError
from aas_bench.stats import (
    OUTCOMES,
    failed_image_bounds,
    outcomes,
    placebo_from_four,
    placebo_override,
    resolution,
)

whole = st.integers(-4, 4).map(float)


def by_counting(real, placebo, label, ties):
    """A, u, N and O from the words of their definition, in one loop."""
    weight = {"original": 1.0, "half": 0.5}[ties]
    a, u, lost, moved = [], [], [], []
    for r, row, y in zip(real, placebo, label, strict=True):
        won = [(r > q) + (r == q) / 2 for q in row]
        side = [float(r > q) - float(r < q) for q in row]
        polished = [(max(r, q) < 0) + weight * (max(r, q) == 0) for q in row]
        a.append(np.mean(won))
        u.append(np.mean(side))
        if y == 1:
            moved.append(np.mean(side))
            lost.append(np.mean(np.array(side) * polished))
    return np.mean(a), np.mean(u), lost, moved


@settings(deadline=None, max_examples=150)
@given(
    columns(5, element=whole),
    st.sampled_from(["original", "half"]),
    st.data(),
)
def test_every_figure_follows_its_definition(table, ties, data):
    real, placebo = table[0], table[1:].T
    label = data.draw(st.lists(st.sampled_from([1, 0, -1]), min_size=len(real), max_size=len(real)))
    a, u, lost, moved = by_counting(real, placebo, label, ties)
    result = placebo_override(real, placebo, labels=label, ties=ties)
    assert result.response.value == pytest.approx(a)
    assert result.understood.value == pytest.approx(u)
    assert (result.n, result.n_shown, result.labelled) == (len(real), label.count(1), True)
    if not lost:
        assert result.override_rate.reason == "no pair is labelled 1"
        return
    assert result.understood_shown.value == pytest.approx(np.mean(moved))
    assert result.overridden.value == pytest.approx(np.mean(lost))
    if result.reading == "towards":
        rate = np.clip(np.mean(lost) / np.mean(moved), 0, 1)
        assert result.override_rate.value == pytest.approx(rate)
        low, high = result.override_rate.low, result.override_rate.high
        assert 0 <= low <= rate + 1e-12
        assert rate - 1e-12 <= high <= 1
        assert low < high
    else:
        assert result.override_rate.value is None


@settings(deadline=None, max_examples=100)
@given(columns(2, min_size=2))
def test_exchanging_real_and_placebo_turns_everything_around(table):
    one, other = (placebo_override(a, b[:, None]) for a, b in (table, table[::-1]))
    assert other.understood.value == pytest.approx(-one.understood.value)
    assert other.overridden.value == pytest.approx(-one.overridden.value)
    assert not one.reading == other.reading == "towards"


@settings(deadline=None, max_examples=100)
@given(columns(4))
def test_the_original_placebo_moves_as_the_outcomes_do(cells):
    # Understood and overridden less their mirror images, which lie where I < 0.
    oiop, oidp, diop, didp = cells
    d_a, d_o = didp - oidp, diop - oiop
    # The coarsest reading of their rounding: two columns may lie on a grid that four do not.
    below = np.max([resolution(*cells), resolution(didp, oidp), resolution(diop, oiop)], axis=0)
    assume((np.abs(d_a - d_o) > below).all())
    assume(all(((np.abs(d) > below) | (d == 0)).all() for d in (d_a, d_o)))
    result = placebo_from_four(*cells)
    codes = outcomes(*cells)
    understood = np.isin(codes, (OUTCOMES.index("followed"), OUTCOMES.index("overridden")))
    assert result.understood.value == pytest.approx(2 * understood.mean() - 1)
    mirrored = ~understood & (d_o <= 0)
    overridden = codes == OUTCOMES.index("overridden")
    assert result.overridden.value == pytest.approx(overridden.mean() - mirrored.mean())
    assert (result.kind, result.n_placebos) == ("original", 1)


def test_where_all_is_read_the_interval_is_that_of_wilson():
    # 30 independent pairs, all read, 9 lost: Wilson's interval with t of 29 degrees of freedom, and
    # 29 trials, since the variance is taken as unbiased.
    real = np.repeat([-1.0, 1.0], [9, 21])
    rate = placebo_override(real, real[:, None] - 5).override_rate
    p, n, z = 0.3, 29, t.ppf(0.975, 29)
    centre, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert (rate.value, rate.n) == (pytest.approx(p), 30)
    ends = np.array([centre - half, centre + half]) / (1 + z**2 / n)
    assert (rate.low, rate.high) == pytest.approx(tuple(ends))


def test_the_interval_holds_what_a_score_test_keeps():
    # 400 independent pairs by (S, max <= 0): 180 (1, no), 100 (1, yes), 70 (-1, no), 50 (-1, yes).
    # u = 0.4, N = 0.125, b = 1, m = 0.125.
    kinds = {(1.0, -1.0): 180, (-1.0, -2.0): 100, (-1.0, 1.0): 70, (-2.0, -1.0): 50}
    pairs = np.repeat(list(kinds), list(kinds.values()), axis=0)
    rate = placebo_override(pairs[:, 0], pairs[:, 1:]).override_rate
    u, lost, b, m = 0.4, 0.125, 1.0, 0.125

    def variance(o):
        e = o * u + 2 * m
        return (1 - o) ** 2 * e + o**2 * (b - e)

    for end in (rate.low, rate.high):
        # One comparison a pair and no clusters: the design effect is 1, but for n / (n - 1).
        score = (lost - end * u) ** 2 / (variance(end) / 399)
        assert np.sqrt(score) == pytest.approx(t.ppf(0.975, 399), rel=1e-9)


def test_clusters_that_move_together_say_less():
    real = np.tile(np.repeat([1.0, -1.0], 10), 6)
    placebo = real[:, None] - 3
    cluster = np.repeat(np.arange(12), 10)
    together = placebo_override(real, placebo, clusters=cluster).override_rate
    apart = placebo_override(real, placebo).override_rate
    assert together.value == apart.value == 0.5
    assert (together.n_clusters, apart.n_clusters) == (12, None)
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_a_rate_of_0_or_1_has_a_width():
    real = np.ones(50)
    none, every = (placebo_override(sign * real, sign * real[:, None] - 5) for sign in (1, -1))
    assert (none.override_rate.value, every.override_rate.value) == (0, 1)
    assert 0 == none.override_rate.low < none.override_rate.high < 0.1
    assert 1 == every.override_rate.high > every.override_rate.low > 0.9
    assert 0 == none.overridden.low < none.overridden.high < 0.1


def test_a_blind_model_has_no_override_rate_whatever_its_taste():
    rng = np.random.default_rng(4)
    for taste in (0, -2, 5):
        gains = rng.normal(taste, 1, (200, 5))
        result = placebo_override(gains[:, 0], gains[:, 1:])
        assert result.reading == "unclear"
        assert result.override_rate.value is None
        assert result.override_rate_by_ties is None
        assert result.override_rate.reason == "the understood share may be 0"
    constant = placebo_override(np.zeros(50), np.zeros((50, 3)))
    assert (constant.response.value, constant.understood.value) == (0.5, 0)
    assert constant.n_ties == 150
    assert constant.override_rate.value is None


def test_a_model_that_reads_backwards_has_none_either():
    result = placebo_override(-np.ones(50), np.ones((50, 1)))
    assert (result.reading, result.override_rate.value) == ("against", None)
    assert result.understood.high < 0


def test_only_pairs_whose_image_shows_the_request_can_be_overridden():
    # Agrees with every label: wins where it is 1, loses where it is 0, always moved.
    label = np.repeat([1, 0, -1], [60, 30, 10])
    real = np.where(label == 1, 1.0, -1.0)
    labelled = placebo_override(real, real[:, None] - 3, labels=label)
    assert (labelled.override_rate.value, labelled.override_rate.n) == (0, 60)
    assert (labelled.understood.n, labelled.understood_shown.n) == (100, 60)
    free = placebo_override(real, real[:, None] - 3)
    assert (free.override_rate.value, free.labelled, free.n_shown) == (0.4, False, 100)


def test_a_single_cluster_has_no_interval_and_so_no_rate():
    result = placebo_override([1.0] * 5, [[0.0]] * 5, clusters=[7] * 5)
    assert (result.understood.value, result.understood.low) == (1, None)
    assert result.override_rate.reason == "no interval: only one cluster"
    assert result.overridden.value == 0
    assert result.reading == "unclear"


@pytest.mark.parametrize("n", range(2, 9))
def test_chance_is_taken_for_reading_in_no_more_tables_than_the_level_says(n):
    """All tables of so many blind pairs: what is read lies above or below its placebo by chance."""
    tables = np.array(list(product([-1.0, 1.0], repeat=n)))
    found = [placebo_override(signs, np.zeros((n, 1))).reading for signs in tables]
    # Wilson's interval of a share of few trials: at most 3.5 % on a side.
    assert found.count("towards") == found.count("against") <= 0.036 * len(tables)


def test_where_few_clusters_moved_the_interval_holds_chance():
    result = placebo_override([1.0] * 50, [[0.0]] * 50, clusters=np.repeat(range(5), 10))
    assert result.understood.low <= 0 < result.understood.high == 1
    still = [[0.0]] * 4 + [[1.0]] * 296  # only four of 300 pairs move
    assert placebo_override([1.0] * 300, still).reading == "unclear"
    assert placebo_override([1.0] * 300, [[0.0]] * 6 + [[1.0]] * 294).reading == "towards"


def test_ties_at_zero_are_a_range():
    # 40 read pairs: 10 lost, 10 even, 20 won.
    real = np.repeat([-1.0, 0.0, 1.0], [10, 10, 20])
    polished = placebo_override(real, real[:, None] - 3)
    half = placebo_override(real, real[:, None] - 3, ties="half")
    assert (polished.override_rate.value, half.override_rate.value) == (0.5, 0.375)
    assert polished.override_rate_by_ties == half.override_rate_by_ties == (0.25, 0.5)
    assert polished.n_reward_ties == 10


def test_rounding_is_a_tie():
    # 0.1 + 0.2 - 0.3 is 5.6e-17, not 0.
    dust = 0.1 + 0.2 - 0.3
    result = placebo_override([1.0 + dust, dust], [[1.0], [-1.0]])
    assert (result.n_ties, result.n_reward_ties) == (1, 1)
    coarse = placebo_override([1.0, 0.1, -2.0], [[0.7], [-2.0], [-4.0]], tolerance=0.4)
    assert (coarse.n_ties, coarse.n_reward_ties) == (1, 1)
    each = placebo_override([1.0, 0.1], [[0.7], [-2.0]], tolerance=[0.1, 0.4])
    assert (each.n_ties, each.n_reward_ties) == (0, 1)
    # The same gains from scores of a large offset: the four scores say what rounding is.
    four = placebo_from_four([1e9] * 2, [1e9] * 2, [1e9] * 2, [1e9 + 1e-7, 1e9 + 1])
    assert four.n_ties == 1


@pytest.mark.parametrize("tolerance", [-1, [0.1] * 3, float("inf"), "fine"])
def test_a_tolerance_that_does_not_fit(tolerance):
    with pytest.raises(InputError, match=r"Give (.*number|finite)"):
        placebo_override([1.0, 2.0], [[0.0], [0.0]], tolerance=tolerance)


def test_placebos_of_unequal_number():
    ragged = placebo_override([1.0, -1.0], [[0.0, 2.0, -5.0], [-2.0]])
    assert ragged.understood.value == pytest.approx((1 / 3 + 1) / 2)
    assert (ragged.n_placebos, ragged.n_missing_placebos, ragged.ranks) == (3, 0, ())
    with pytest.raises(MissingScoresError, match=r'1 of 2 pairs.*from 0: 1.*on_missing="drop"'):
        placebo_override([1.0, -1.0], [[0.0], []])
    left = placebo_override([1.0, -1.0], [[0.0], []], on_missing="drop")
    assert (left.n, left.n_missing, left.understood.coverage) == (1, 1, 0.5)


def test_missing_gains():
    real = [1.0, np.nan, 1.0, 1.0]
    placebo = [[0.0, 2.0], [0.0, 0.0], [np.nan, 0.0], [np.nan, np.nan]]
    with pytest.raises(MissingScoresError, match=r"3 of 4 pairs.*from 0: 1, 2, 3"):
        placebo_override(real, placebo)
    result = placebo_override(real, placebo, on_missing="drop")
    assert (result.n, result.n_missing, result.n_missing_placebos) == (2, 2, 1)
    assert result.understood.value == 0.5
    assert result.understood.coverage == 0.5
    nothing = placebo_override([np.nan], [[1.0]], on_missing="drop", labels=[1])
    assert nothing.n == 0
    assert nothing.override_rate.reason == nothing.understood.reason
    assert "no pair has a score under its request" in nothing.understood.reason
    with pytest.raises(MissingScoresError, match="1 of 2 pairs lack a score"):
        placebo_from_four([1.0, None], [1, 1], [1, 1], [1, 1])
    assert placebo_from_four([1.0, None], [1, 1], [1, 1], [1, 1], on_missing="drop").n == 1


def test_wrong_input():
    with pytest.raises(InputError, match=r"real has 2 values but placebo has 1"):
        placebo_override([1.0, 2.0], [[1.0]])
    with pytest.raises(InputError, match=r"kind='else' is not an option. Use 'original' or"):
        placebo_override([1.0], [[1.0]], kind="else")
    with pytest.raises(InputError, match=r"ties='no' is not an option"):
        placebo_override([1.0], [[1.0]], ties="no")
    with pytest.raises(InputError, match=r"on_missing='no' is not an option"):
        placebo_override([1.0], [[1.0]], on_missing="no")
    with pytest.raises(InputError, match=r"placebo has shape \(1, 1, 1\)"):
        placebo_override([1.0], [[[1.0]]])
    with pytest.raises(InputError, match="placebo holds 1 infinite"):
        placebo_override([1.0], [[np.inf]])


def test_ranks_are_flat_where_nothing_is_read():
    rng = np.random.default_rng(0)
    gains = rng.normal(size=(4000, 5))
    blind = placebo_override(gains[:, 0], gains[:, 1:])
    assert blind.ranks == pytest.approx([0.2] * 5, abs=0.03)
    # A third read: their mass goes to the last rank. Noise under real requests: to both ends.
    reads = rng.random(4000) < 1 / 3
    read = placebo_override(np.where(reads, 9, gains[:, 0]), gains[:, 1:])
    assert read.ranks == pytest.approx([2 / 15] * 4 + [7 / 15], abs=0.03)
    noisy = placebo_override(3 * gains[:, 0], gains[:, 1:])
    assert min(noisy.ranks[0], noisy.ranks[-1]) > 1.5 * max(noisy.ranks[1:-1])
    assert sum(noisy.ranks) == pytest.approx(1)
    tied = placebo_override([1.0], [[1.0, 0.0]])
    assert tied.ranks == (0, 0.5, 0.5)


@pytest.mark.parametrize("noise", [norm, logistic], ids=["normal", "logistic"])
@pytest.mark.parametrize(("gain", "step"), list(product((-2, -0.5, 0, 0.7, 3), (0.2, 1, 4))))
def test_noise_only_lowers_the_rate(noise, gain, step):
    """N <= u P(R <= 0) and u >= 0 for a pair with R = gain + e and Q = gain - step + f."""

    def part(first, second, end):
        x = np.linspace(-40, end, 8001)
        return integrate.simpson(noise.pdf(x - first) * noise.cdf(x - second), x=x)

    ahead, behind = part(gain, gain - step, 40), part(gain - step, gain, 40)
    lost, mirrored = part(gain, gain - step, 0), part(gain - step, gain, 0)
    assert ahead > behind
    assert -1e-9 <= lost - mirrored <= (ahead - behind) * noise.cdf(-gain) + 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_bounds_hold_whatever_the_failed_images_are(seed):
    # Ten pairs, one comparison each; any one or two may have failed.
    rng = np.random.default_rng(seed)
    kinds = np.array([(1.0, -1.0), (-1.0, -2.0), (-1.0, 1.0), (-2.0, -1.0), (1.0, 1.0)])
    pairs = kinds[np.r_[0, 0, 1, 1, 0, 1, 0, rng.integers(0, 5, 3)]]
    pairs = np.repeat(pairs, 10, axis=0)
    result = placebo_override(pairs[:, 0], pairs[:, 1:])
    side = np.sign(pairs[:, 0] - pairs[:, 1])
    lost = side * (pairs.max(axis=1) <= 0)
    u, n_lost, n = side.sum(), lost.sum(), len(side)
    for share in (0.1, 0.2):
        bounds = failed_image_bounds(result, share)
        found = []
        n_failed = round(share * n)
        for v, w in {(0.0, 0.0), *zip(side, lost, strict=True)}:
            kept = min(n_failed, np.sum((side == v) & (lost == w)) if v else n_failed)
            found.append((n_lost - kept * w) / (u - kept * v))
        assert bounds.low - 1e-12 <= np.clip(min(found), 0, 1)
        assert np.clip(max(found), 0, 1) <= bounds.high + 1e-12
        assert bounds.low_sure <= bounds.low <= result.override_rate.value <= bounds.high
        assert bounds.high <= bounds.high_sure
        assert bounds.explained_by == pytest.approx(result.overridden.value)


def test_bounds_are_met_by_the_worst_case():
    # 100 pairs, all read, half lost: 30 of 80 if 20 lost ones failed, 50 of 80 if 20 others did.
    real = np.repeat([-1.0, 1.0], 50)
    result = placebo_override(real, real[:, None] - 3)
    bounds = failed_image_bounds(result, 0.2)
    assert (bounds.low, bounds.high) == pytest.approx((30 / 80, 50 / 80))
    assert failed_image_bounds(result, 0.5).low == 0
    assert failed_image_bounds(result, 0.49).low > 0
    nothing = failed_image_bounds(result, 0)
    assert (nothing.low, nothing.high) == (0.5, 0.5)
    assert nothing.low_sure == result.override_rate.low
    blind = placebo_override([1.0, -1.0] * 9, [[0.0]] * 18)
    assert failed_image_bounds(blind, 0.1) is None
    with pytest.raises(InputError, match=r"share=2 is no share.*Give one in"):
        failed_image_bounds(result, 2)
    with pytest.raises(InputError, match="Give a result without labels"):
        failed_image_bounds(placebo_override(real, real[:, None] - 3, labels=[1] * 100), 0.1)


def test_plain_values():
    plain = placebo_override([1.0, 2.0], [[0.0], [1.0]], kind="matched").to_dict()
    assert plain["kind"] == "matched"
    assert plain["understood"]["value"] == 1.0
    assert type(plain["ranks"]) is list
