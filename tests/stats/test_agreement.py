import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr, t
from sklearn.metrics import cohen_kappa_score
from support.reference import (
    alpha_by_coincidences,
    cluster_error,
    influence_by_weights,
    quadratic_kappa_by_loop,
    score_interval,
)
from support.strategies import columns, ratings

from aas_bench.stats import krippendorff_alpha, midranks, quadratic_kappa, spearman

LEVELS = ("nominal", "ordinal", "interval")
NAN = np.nan

# The four observers and twelve units of Krippendorff, Computing Krippendorff's
# Alpha-Reliability, University of Pennsylvania, 2011.
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
).T


@settings(deadline=None, max_examples=100)
@given(columns(2, min_size=2))
def test_spearman_equals_scipy(table):
    estimate = spearman(*table)
    if any(len(set(column)) == 1 for column in table):
        assert (estimate.value, estimate.reason) == (None, "a column is constant")
    else:
        assert estimate.value == pytest.approx(spearmanr(*table).statistic, abs=1e-9)


def test_the_interval_of_spearmans_correlation_is_fishers():
    rng = np.random.default_rng(0)
    x = rng.normal(size=40)
    y, clusters = np.round(x + rng.normal(size=40)), rng.integers(0, 12, 40)
    estimate = spearman(x, y, clusters=clusters)
    rho = spearmanr(x, y).statistic
    variance, dof, _ = cluster_error(midranks.spearman(x, y)[1], clusters.tolist())
    half = t.ppf(0.975, dof) * np.sqrt(variance) / (1 - rho**2)
    assert (estimate.low, estimate.high) == pytest.approx(
        (np.tanh(np.arctanh(rho) - half), np.tanh(np.arctanh(rho) + half))
    )


def test_a_perfect_correlation_is_not_sure_for_that():
    perfect = spearman(np.arange(9.0), np.arange(9.0))
    assert (perfect.value, perfect.high) == (1.0, 1.0)
    assert perfect.low < 0.5


@settings(deadline=None, max_examples=100)
@given(columns(2, min_size=2, element=st.integers(0, 6).map(float)))
def test_quadratic_kappa_equals_scikit_learn(table):
    a, b = table.astype(int)
    estimate = quadratic_kappa(a, b)
    if len({*a, *b}) == 1:
        assert estimate.value is None
        assert estimate.reason == "both raters give one and the same value"
        return
    # scikit-learn measures distances in positions of the labels: name all of them.
    expected = cohen_kappa_score(a, b, weights="quadratic", labels=list(range(7)))
    assert estimate.value == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(columns(2, min_size=2, element=st.floats(0, 100)))
def test_quadratic_kappa_on_a_graded_scale_equals_crossing_all_ratings(table):
    a, b = table
    estimate = quadratic_kappa(a, b)
    if np.ptp(table) > 1e-3:
        assert estimate.value == pytest.approx(quadratic_kappa_by_loop(a, b), abs=1e-6)


def test_rounding_does_not_pass_for_disagreement():
    # Ratings that are equal throughout leave an expected disagreement of 0, but for rounding.
    flat = quadratic_kappa([0.7] * 3, [0.7] * 3)
    assert (flat.value, flat.reason) == (None, "both raters give one and the same value")


def test_the_interval_of_quadratic_kappa_rests_on_its_slopes():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 100, 40)
    b, clusters = a + rng.integers(-20, 20, 40), (np.arange(40) // 3).tolist()

    def weighted(w):
        apart = (a[:, None] - b[None, :]) ** 2
        return 1 - (w @ np.diag(apart)) * w.sum() / (w @ apart @ w)

    estimate = quadratic_kappa(a, b, clusters=clusters)
    assert estimate.value == pytest.approx(weighted(np.ones(40)))
    expected = score_interval(
        estimate.value, influence_by_weights(weighted, 40), clusters, bounds=(-1, 1)
    )
    assert (estimate.low, estimate.high) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_alpha_equals_the_published_example(level, alpha):
    estimate = krippendorff_alpha(PUBLISHED, level=level)
    assert estimate.value == pytest.approx(alpha, abs=5e-4)
    # Unit 12 has a single rating.
    assert (estimate.n, estimate.coverage) == (11, pytest.approx(11 / 12))


def test_alpha_by_hand():
    # Units (1, 1, 2), (1, 2, -), (3, 3, 3), (1, -, -). The last has no couple to compare.
    # Ordered couples that differ: unit 1 has 4 of 6, weighted 4 / (3 - 1) = 2; unit 2 has 2 of 2,
    # weighted 2 / (2 - 1) = 2; unit 3 none. n = 8 ratings: 1 thrice, 2 twice, 3 thrice.
    # D_o = (2 + 2) / 8 = 1/2. D_e = (8^2 - 3^2 - 2^2 - 3^2) / (8 * 7) = 42/56 = 3/4.
    # alpha = 1 - (1/2) / (3/4) = 1/3.
    table = [[1, 1, 2], [1, 2, NAN], [3, 3, 3], [1, NAN, NAN]]
    assert krippendorff_alpha(table).value == pytest.approx(1 / 3)
    # Interval: every couple that differs within a unit does so by 1, so D_o stays 1/2; in all,
    # 1-2: 3*2*1, 1-3: 3*3*4, 2-3: 2*3*1, both ways round: D_e = 2 (6 + 36 + 6) / 56 = 12/7.
    # alpha = 1 - (1/2) / (12/7) = 17/24.
    assert krippendorff_alpha(table, level="interval").value == pytest.approx(17 / 24)


@settings(deadline=None, max_examples=100)
@given(ratings(), st.sampled_from(LEVELS))
def test_alpha_equals_the_coincidence_matrix(table, level):
    estimate = krippendorff_alpha(table, level=level)
    expected = alpha_by_coincidences(table, level)
    if expected is None:
        assert estimate.value is None
        assert estimate.reason in ("all ratings are the same", "no unit has two ratings")
    else:
        assert estimate.value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("level", LEVELS)
def test_the_interval_of_alpha_is_that_of_leaving_clusters_out(level):
    # Leaving out one cluster after the other gives the same error, but for terms of 1 / n.
    rng = np.random.default_rng(3)
    table = np.round(rng.normal(0, 2, (200, 1)) + rng.normal(0, 1, (200, 3)))
    table[rng.random(table.shape) < 0.1] = NAN
    clusters = np.arange(200) // 2
    estimate = krippendorff_alpha(table, level=level, clusters=clusters)
    left_out = [alpha_by_coincidences(table[clusters != g], level) for g in range(100)]
    jackknife = 99 / 100 * np.sum((np.array(left_out) - np.mean(left_out)) ** 2)
    low, high = (estimate.value - estimate.low), (estimate.high - estimate.value)
    half = t.ppf(0.975, 99) * np.sqrt(jackknife)
    assert (low + high) / 2 == pytest.approx(half, rel=0.03)


def test_missing_ratings():
    assert spearman([1.0, NAN], [1.0, 2.0], on_missing="drop").reason == "a column is constant"
    assert spearman([NAN], [1.0], on_missing="drop").reason == "no pair has both values"
    assert quadratic_kappa([NAN], [1.0], on_missing="drop").reason == "no pair has both"
    assert krippendorff_alpha([[1.0, NAN]], clusters=[0]).reason == "no unit has two ratings"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
def test_alpha_equals_the_package_with_missing_ratings(level, seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 80)[:, None]
    table = np.where(rng.random((80, 5)) < 0.6, truth, rng.integers(0, 3, (80, 5))).astype(float)
    table[rng.random(table.shape) < 0.4] = NAN
    expected = krippendorff.alpha(table.T, level_of_measurement=level)
    assert krippendorff_alpha(table, level=level).value == pytest.approx(expected, abs=1e-12)


def test_intervals_of_kappa_and_alpha_hold_their_level_over_clusters():
    """Two and three raters of 40 clusters of 4 units; the truth is that of 400 000 units."""

    def drawn(rng, n_clusters):
        hard = np.repeat(rng.normal(size=n_clusters), 4)
        p_right = 1 / (1 + np.exp(-(0.8 + hard)))[:, None]
        answer = np.repeat(rng.integers(0, 3, n_clusters), 4)[:, None]
        own = rng.integers(0, 3, (len(answer), 3))
        table = np.where(rng.random((len(answer), 3)) < p_right, answer, own) / 2.0
        table[rng.random(table.shape) < 0.2] = NAN
        return table

    def both(table, **options):
        pair = table[:, :2][~np.isnan(table[:, :2]).any(axis=1)]
        clusters = options.get("clusters")
        of_pair = None if clusters is None else clusters[~np.isnan(table[:, :2]).any(axis=1)]
        return (
            quadratic_kappa(pair[:, 0], pair[:, 1], clusters=of_pair),
            krippendorff_alpha(table, level="interval", clusters=clusters),
        )

    rng = np.random.default_rng(5)
    truth = [each.value for each in both(drawn(rng, 100_000))]
    held, runs, clusters = np.zeros(2), 400, np.repeat(np.arange(40), 4)
    for _ in range(runs):
        found = both(drawn(rng, 40), clusters=clusters)
        held += [each.low <= true <= each.high for each, true in zip(found, truth, strict=True)]
    assert (held / runs >= 0.92).all(), held / runs  # 400 runs tell .95 to .011
    assert (held / runs <= 0.98).all(), held / runs
