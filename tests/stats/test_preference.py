import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn import metrics
from support.reference import (
    auroc_by_counting,
    influence_by_weights,
    score_interval,
    wilson_by_search,
)
from support.strategies import labelled

from aas_bench.stats import chosen, preference
from aas_bench.stats.intervals import cluster_variance
from aas_bench.stats.midranks import auroc

NAMES = ("accuracy", "balanced_accuracy", "f1", "auroc", "cohen_kappa")


def by_scikit_learn(margin, label) -> dict[str, float | None]:
    """scikit-learn's figures, and None where it has none but a convention or a warning."""
    choice, both = (margin > 0).astype(int), len(set(label.tolist())) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kappa = metrics.cohen_kappa_score(label, choice, labels=[0, 1])
        return {
            "accuracy": metrics.accuracy_score(label, choice),
            "balanced_accuracy": metrics.balanced_accuracy_score(label, choice) if both else None,
            "f1": metrics.f1_score(label, choice) if (label | choice).any() else None,
            "auroc": metrics.roc_auc_score(label, margin) if both else None,
            # Over one class of labels scikit-learn says 0 whatever is chosen; we say undefined.
            "cohen_kappa": kappa if both and not np.isnan(kappa) else None,
        }


def values(result) -> dict[str, float | None]:
    return {name: getattr(result, name).value for name in NAMES}


@settings(deadline=None, max_examples=200)
@given(labelled())
def test_equals_scikit_learn(pairs):
    margin, label, _ = pairs
    result = preference(margin, label)
    expected = by_scikit_learn(margin, label)
    assert values(result) == pytest.approx(expected, abs=1e-12)
    assert all((getattr(result, k).value is None) == (v is None) for k, v in expected.items())


@settings(deadline=None, max_examples=100)
@given(labelled())
def test_auroc_equals_counting(pairs):
    margin, label, _ = pairs
    exact = preference(margin, label).auroc.value
    assert exact == pytest.approx(auroc_by_counting(margin, label), abs=1e-12)


def test_equals_scikit_learn_on_a_million_rows():
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 1_000_000)
    margin = np.round(rng.normal(label * 0.3, 1.0), 3)
    result = preference(margin, label, clusters=rng.integers(0, 300, 1_000_000))
    assert values(result) == pytest.approx(by_scikit_learn(margin, label), abs=1e-11)


def test_margins_are_ranked_as_they_are():
    # A sigmoid in float32 makes all of these 1.
    margin = np.array([20.0, 21.0, 22.0, 23.0])
    assert preference(margin, [0, 0, 1, 1]).auroc.value == 1.0
    assert preference(1e-12 * margin + 1.0, [0, 0, 1, 1]).auroc.value == 1.0


def weighted(name, margin, label):
    """scikit-learn's figure as a function of the pairs' weights."""
    by_choice = {
        "accuracy": metrics.accuracy_score,
        "balanced_accuracy": metrics.balanced_accuracy_score,
        "f1": metrics.f1_score,
        "cohen_kappa": metrics.cohen_kappa_score,
    }
    if name == "auroc":
        return lambda w: metrics.roc_auc_score(label, margin, sample_weight=w)
    return lambda w: by_choice[name](label, (margin > 0).astype(int), sample_weight=w)


@pytest.mark.parametrize("clustered", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_intervals_rest_on_the_slopes_of_scikit_learn(name, clustered):
    rng = np.random.default_rng(4)
    label = rng.integers(0, 2, 60)
    margin = np.round(rng.normal(label, 1.2), 1)
    clusters = rng.integers(0, 9, 60) if clustered else np.arange(60)
    found = getattr(preference(margin, label, clusters=clusters if clustered else None), name)
    statistic = weighted(name, margin, label)
    value, influence = statistic(np.ones(60)), influence_by_weights(statistic, 60)
    if name == "accuracy" and not clustered:
        expected = wilson_by_search(round(60 * value), 60, 0.95)
    else:
        both = 30 / np.bincount(label)[label]
        expected = score_interval(
            value,
            influence,
            clusters.tolist(),
            both if name in ("auroc", "balanced_accuracy") else None,
            bounds=(-1, 1) if name == "cohen_kappa" else (0, 1),
        )
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-5)


def test_independent_pairs_have_the_variance_of_delong():
    # Placements by counting; without clusters and at equal sizes of the labels the working model
    # has one degree of freedom a pair, and the correction is n / (n - 1).
    rng = np.random.default_rng(1)
    label = np.repeat([0, 1], 20)
    margin = np.round(rng.normal(label, 1), 1)
    ones, zeros = margin[label == 1], margin[label == 0]
    wins = (ones[:, None] > zeros) + (ones[:, None] == zeros) / 2
    delong = wins.mean(axis=1).var() / 20 + wins.mean(axis=0).var() / 20
    area, influence = auroc(margin, label.astype(np.int8))
    assert area == pytest.approx(wins.mean())
    found = cluster_variance(influence, np.ones(40), float(influence @ influence), 40)
    assert found.variance == pytest.approx(delong * 40 / 39)
    assert found.dof == pytest.approx(39)


@settings(deadline=None, max_examples=100)
@given(labelled(labels=(-1, 0, 1)))
def test_half_counts_a_tie_as_half_a_pair_on_either_side(pairs):
    # Two copies of every pair, a tie once with each choice: whole counts that scikit-learn takes.
    margin, label, _ = pairs
    half = preference(margin, label, ties="half")
    keep = label >= 0
    if not keep.any():
        assert half.accuracy.value is None
        return
    twice = np.concatenate([np.where(margin == 0, 1.0, margin), np.where(margin == 0, -1, margin)])
    expected = by_scikit_learn(twice[np.tile(keep, 2)], np.tile(label, 2)[np.tile(keep, 2)])
    del expected["auroc"]
    found = values(half)
    original = preference(margin, label)
    assert found.pop("auroc") == original.auroc.value
    assert found == pytest.approx(expected, abs=1e-12)


def test_ties_and_missing_are_counted():
    margin = [0.0, 0.0, 1.0, np.nan, 2.0, np.nan]
    result = preference(margin, [1, -1, 0, 1, 1, -1], on_missing="drop")
    counts = (result.n, result.n_label_ties, result.n_reward_ties, result.n_missing)
    assert counts == (3, 1, 1, 2)
    assert result.accuracy.coverage == pytest.approx(4 / 6)


@pytest.mark.parametrize("only", [0, 1])
def test_a_single_class_is_undefined_with_a_reason(only):
    result = preference([1.0, -1.0, 2.0], [only] * 3, clusters=[0, 1, 2])
    assert result.accuracy.value == pytest.approx([1 / 3, 2 / 3][only])
    for estimate in (result.balanced_accuracy, result.auroc, result.cohen_kappa):
        assert (estimate.value, estimate.low, estimate.high) == (None, None, None)
        assert estimate.reason == f"single class: every label is {only}"


def test_only_label_ties_is_undefined_with_a_reason():
    result = preference([1.0, -1.0], [-1, -1], clusters=[0, 1])
    assert (result.n, result.n_label_ties) == (0, 2)
    assert all(getattr(result, name).value is None for name in NAMES)
    assert result.f1.reason == "no pair has scores and a label of 0 or 1"


def test_f1_needs_a_choice_or_a_label():
    result = preference([-1.0, -2.0], [0, 0])
    assert result.f1.value is None
    assert result.f1.reason == "no pair is chosen or labelled as distorted"
    assert result.cohen_kappa.reason == "single class: every label is 0"


def test_chosen_is_the_share_of_positive_margins():
    margin = np.array([1.0, 0.0, -1.0, 3.0])
    assert chosen(margin).value == np.mean(margin > 0)
    assert chosen(margin, ties="half").value == 0.625
    hits = (margin > 0).astype(float)
    expected = score_interval(0.5, (hits - 0.5) / 4, [0, 0, 1, 2])
    clustered = chosen(margin, clusters=[0, 0, 1, 2])
    assert (clustered.low, clustered.high) == pytest.approx(expected)
