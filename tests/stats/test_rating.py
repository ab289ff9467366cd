"""Errors of ratings against scikit-learn and scipy; intervals against leaving clusters out."""

import numpy as np
import pytest
from scipy import stats as scipy_stats
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error

from aas_bench.errors import InputError
from aas_bench.stats import rating_errors


def ratings(seed, n=240, clusters=60):
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(clusters), n // clusters)
    rating = rng.choice(3, n, p=[0.2, 0.5, 0.3])
    shared = rng.normal(0, 0.4, clusters)[cluster]
    prediction = np.clip(0.3 + 0.7 * rating + shared + rng.normal(0, 0.3, n), 0, 2)
    return prediction, rating.astype(float), cluster


def by_libraries(prediction, rating):
    whole = np.array([int(p + 0.5) for p in prediction])
    return {
        "mae": mean_absolute_error(rating, prediction),
        "class_mae": np.mean(
            [mean_absolute_error(rating[rating == c], prediction[rating == c]) for c in set(rating)]
        ),
        "accuracy": accuracy_score(rating, whole),
        "f1": f1_score(rating, whole, average="weighted", zero_division=0),
        "pearson": scipy_stats.pearsonr(prediction, rating).statistic,
        "spearman": scipy_stats.spearmanr(prediction, rating).statistic,
    }


@pytest.mark.parametrize("seed", range(5))
def test_every_figure_equals_the_libraries(seed):
    prediction, rating, _ = ratings(seed)
    found = rating_errors(prediction, rating)
    for name, value in by_libraries(prediction, rating).items():
        assert getattr(found, name).value == pytest.approx(value, abs=1e-12), name
        assert getattr(found, name).n == 240


def test_the_error_of_every_figure_is_that_of_leaving_clusters_out():
    prediction, rating, cluster = ratings(7)
    found = rating_errors(prediction, rating, clusters=cluster)
    left_out = [by_libraries(prediction[cluster != g], rating[cluster != g]) for g in range(60)]
    for name in left_out[0]:
        each = np.array([one[name] for one in left_out])
        error = np.sqrt(59 / 60 * ((each - each.mean()) ** 2).sum())
        estimate = getattr(found, name)
        half = (estimate.high - estimate.low) / 2
        assert half / error == pytest.approx(2.0, rel=0.07), name
        assert estimate.n_clusters == 60


def test_halves_round_upwards_and_what_lies_outside_is_wrong():
    assert rating_errors([0.5, 1.5, 0.49], [1, 2, 0]).accuracy.value == 1
    assert rating_errors([0.5, 1.5, 0.49], [0, 1, 1]).accuracy.value == 0
    assert rating_errors([2.6, -0.6], [2, 0]).accuracy.value == 0


def test_constant_and_absent_columns_have_reasons():
    flat = rating_errors([1.0, 1.0, 1.0], [0, 1, 2])
    assert flat.pearson.value is None
    assert flat.spearman.reason == "a column is constant"
    assert flat.mae.value == pytest.approx(2 / 3)
    none = rating_errors([None, 1.0], [1, None], on_missing="drop")
    assert none.mae.reason == none.f1.reason == "no row has both"
    with pytest.raises(InputError, match="Give whole numbers; predictions may lie between"):
        rating_errors([1.0], [0.5])
