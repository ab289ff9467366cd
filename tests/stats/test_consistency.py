import numpy as np
import pytest
from support.reference import score_interval, wilson_by_search

from aas_bench.stats import paraphrase_consistency


@pytest.fixture
def table():
    """Twelve items in four scenes, each in five wordings, in no order."""
    rng = np.random.default_rng(0)
    order = rng.permutation(60)
    item, wording = np.repeat(np.arange(12), 5)[order], np.tile(np.arange(5), 12)[order]
    margin = rng.normal(rng.normal(0, 2, 12)[item], 1)
    return margin, item, wording, item // 3


def test_unanimity_and_accuracy_equal_loops(table):
    margin, item, wording, scene = table
    label = (item % 2).astype(int)
    result = paraphrase_consistency(margin, item, wording, label, clusters=scene)
    same = np.array([len(set(margin[item == i] > 0)) == 1 for i in range(12)])
    assert 0 < same.mean() < 1
    assert result.unanimous.value == same.mean()
    assert (result.unanimous.n, result.unanimous.n_clusters) == (12, 4)
    expected = score_interval(same.mean(), (same - same.mean()) / 12, np.arange(12) // 3)
    assert (result.unanimous.low, result.unanimous.high) == pytest.approx(expected)
    assert result.measure == "accuracy"
    assert list(result.accuracy_by_wording) == ["0", "1", "2", "3", "4"]
    for name, estimate in result.accuracy_by_wording.items():
        asked = wording == int(name)
        assert estimate.value == np.mean((margin[asked] > 0) == label[asked])
        assert (estimate.n, estimate.n_clusters) == (12, 4)


def test_without_clusters_and_labels(table):
    margin, item, wording, _ = table
    result = paraphrase_consistency(margin, item, wording)
    hits = round(result.unanimous.value * 12)
    assert (result.unanimous.low, result.unanimous.high) == pytest.approx(
        wilson_by_search(hits, 12, 0.95)
    )
    assert result.measure == "chosen"
    assert result.accuracy_by_wording["2"].value == np.mean(margin[wording == 2] > 0)


def test_what_cannot_disagree_is_left_out_and_shows_in_the_coverage():
    # Item a has three wordings, one of them missing; b has one left; c is asked once.
    margin = [1.0, 2.0, np.nan, -1.0, np.nan, 3.0]
    item, wording = list("aaabbc"), [0, 1, 2, 0, 1, 0]
    result = paraphrase_consistency(margin, item, wording, on_missing="drop")
    assert (result.unanimous.value, result.unanimous.n) == (1.0, 1)
    assert result.unanimous.coverage == pytest.approx(2 / 6)
    assert result.accuracy_by_wording["1"].coverage == 0.5
    assert result.accuracy_by_wording["2"].reason == "no pair has scores"
    lone = paraphrase_consistency([1.0], ["a"], [0])
    assert lone.unanimous.reason == "no item has two scored wordings"


def test_label_ties_count_for_unanimity_only():
    result = paraphrase_consistency([1.0, 2.0], ["a", "a"], [0, 1], [-1, -1])
    assert result.unanimous.value == 1.0
    assert result.accuracy_by_wording["0"].reason == "no pair has scores and a label of 0 or 1"
