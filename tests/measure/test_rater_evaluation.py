"""A rater against ratings with masks, beside the guess of the commonest one."""

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error

from aas_bench.errors import InputError, SchemaError
from aas_bench.measure.rater_evaluation import evaluate_rater

N = 120


@pytest.fixture(scope="module")
def wide():
    rng = np.random.default_rng(0)
    columns = {"image": [f"{i}.png" for i in range(N)]}
    for name, p in (("clarity", [0.1, 0.8, 0.1]), ("emotion", [0.5, 0.1, 0.4])):
        rating = rng.choice(3, N, p=p)
        columns[f"{name}_rating"] = rating.astype(float)
        noise = rng.normal(0, 0.5, N)
        columns[f"{name}_prediction"] = np.clip(rating + noise, 0, 2)
        columns[f"{name}_applies"] = rng.random(N) < 0.8
    columns["clarity_rating"][:5] = np.nan
    columns["emotion_prediction"][-3:] = np.nan
    columns["emotion_applies"][-3:] = True
    return columns


@pytest.fixture(scope="module")
def long(wide):
    parts = [
        pd.DataFrame(
            {"image": wide["image"], "dimension": name}
            | {p: wide[f"{name}_{p}"] for p in ("prediction", "rating", "applies")}
        )
        for name in ("clarity", "emotion")
    ]
    return pd.concat(parts, ignore_index=True)


def used(long):
    return long[long["applies"] & long["rating"].notna() & long["prediction"].notna()]


def test_figures_are_those_of_scikit_learn_on_what_applies(wide, long):
    found = evaluate_rater(wide)
    for name, part in [("clarity", found.by_dimension["clarity"]), (None, found.overall)]:
        rows = used(long)
        rows = rows if name is None else rows[rows["dimension"] == name]
        rating, prediction = rows["rating"].to_numpy(int), rows["prediction"].to_numpy()
        whole = (prediction + 0.5).astype(int)
        assert part.n == len(rows)
        assert part.rater.mae.value == pytest.approx(mean_absolute_error(rating, prediction))
        assert part.rater.accuracy.value == pytest.approx(accuracy_score(rating, whole))
        assert part.rater.f1.value == pytest.approx(f1_score(rating, whole, average="weighted"))
        assert part.rater.mae.n_clusters == rows["image"].nunique()


def test_the_guess_is_the_commonest_rating_of_each_dimension(wide, long):
    found = evaluate_rater(wide)
    rows = long[long["applies"] & long["rating"].notna()]
    right = []
    for name, part in rows.groupby("dimension"):
        guess = DummyClassifier(strategy="most_frequent").fit(part[["rating"]], part["rating"])
        part = part[part["prediction"].notna()]
        hits = guess.predict(part[["rating"]]) == part["rating"]
        right.append(hits)
        assert found.by_dimension[name].guess.accuracy.value == pytest.approx(hits.mean())
    hits = np.concatenate(right)
    above = found.overall.rater.accuracy.value - hits.mean()
    assert found.overall.accuracy_above_guess.value == pytest.approx(above)
    low, high = found.overall.accuracy_above_guess.low, found.overall.accuracy_above_guess.high
    assert low < above < high
    assert found.by_dimension["clarity"].guess.pearson.value is None


def test_masked_rows_are_counted_and_missing_predictions_lower_the_coverage(wide, long):
    found = evaluate_rater(wide)
    applies = long["applies"] & long["rating"].notna()
    assert found.overall.n_masked == (~applies).sum()
    emotion = found.by_dimension["emotion"]
    n = int((applies & (long["dimension"] == "emotion")).sum())
    assert emotion.n == n - 3
    assert emotion.rater.mae.coverage == pytest.approx((n - 3) / n)


def test_both_forms_of_a_table_say_the_same(wide, long):
    assert evaluate_rater(dict(long)).to_dict() == evaluate_rater(wide).to_dict()


def test_what_a_table_lacks_is_told(wide):
    with pytest.raises(SchemaError, match=r"no column 'rating'. Give dimension and rating"):
        evaluate_rater({"prediction": [1.0], "dimension": ["a"]})
    with pytest.raises(SchemaError, match="no column 'a_rating'"):
        evaluate_rater({"a_prediction": [1.0]})
    with pytest.raises(SchemaError, match="'prediction' and none ending in '_prediction'"):
        evaluate_rater({"x": [1.0]})
    with pytest.raises(SchemaError, match="column 'rating' holds something that is no number"):
        evaluate_rater({"prediction": [1.0], "dimension": ["a"], "rating": ["good"]})
    with pytest.raises(InputError, match="Give both columns some values"):
        evaluate_rater({"prediction": [1.0], "dimension": ["a"], "rating": [None]})
