"""The accuracy that people would find, from labels of all pairs and votes on some."""

import numpy as np
import pandas as pd
import pytest

from aas_bench.measure.summary import summarise
from aas_bench.pages.findings import labels_doubt
from aas_bench.tables.scores import ScoreTable

N = 240


def table(seed=0, audited=1 / 3, error=0.15, **columns):
    """A reward model right in 80 % of pairs, judged by labels that err on their own."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, N)
    label = np.where(rng.random(N) < error, 1 - truth, truth)
    margin = np.where(rng.random(N) < 0.8, 2 * truth - 1, 1 - 2 * truth) * rng.random(N)
    people = np.where(rng.random(N) < audited, truth, np.nan)
    rows = {"pair_id": [f"p/{i}" for i in range(N)], "index": np.arange(N) // 2, "label": label}
    rows |= {"r_oidp": np.zeros(N), "r_didp": margin, "people_selected": people}
    return ScoreTable.from_frame(pd.DataFrame(rows | columns))


def measured(summary, name):
    return [each for each in summary.measurements() if each.measure == name]


def test_the_audited_accuracy_is_that_of_each_kind_of_pair_by_its_audit():
    scores = table()
    frame = scores.frame
    right = (frame["r_didp"] > 0) == (frame["label"] == 1)
    true = (frame["r_didp"] > 0) == (frame["people_selected"] == 1)
    seen = frame["people_selected"].notna()
    expected = sum(((right == h).mean() * true[seen & (right == h)].mean()) for h in (True, False))
    summary = summarise(scores)
    [found] = measured(summary, "accuracy_audited")
    assert found.value == pytest.approx(expected)
    assert (found.reward, found.n, found.n_clusters) == ("r", N, N // 2)
    [confirmed] = measured(summary, "labels_confirmed")
    agree = (frame["label"] == frame["people_selected"])[seen]
    assert (confirmed.value, confirmed.n) == (pytest.approx(agree.mean()), agree.size)
    assert confirmed.reward is None


def test_it_finds_the_truth_that_wrong_labels_hide():
    runs = [table(seed, audited=0.5, error=0.2) for seed in range(60)]
    held = plain = 0
    for scores in runs:
        summary = summarise(scores)
        [found] = measured(summary, "accuracy_audited")
        accuracy = summary.rewards["r"].headline
        assert found.value != accuracy.value
        held += found.low <= 0.8 <= found.high
        plain += accuracy.low <= 0.8 <= accuracy.high
    assert held >= 54  # of 60; binomial at .95 falls below in 4 of 1000
    assert plain < 10


def test_ties_of_people_and_of_labels_are_not_among_its_pairs():
    scores = table()
    label = scores.frame["label"].to_numpy(copy=True)
    label[:10] = -1
    tied = table(label=label)
    [found] = measured(summarise(tied), "accuracy_audited")
    assert found.n == N - 10
    people = scores.frame["people_selected"].to_numpy(copy=True)
    people[np.flatnonzero(~np.isnan(people))[:5]] = -1
    [confirmed] = measured(summarise(table(people_selected=people)), "labels_confirmed")
    assert confirmed.n == np.isfinite(people).sum() - 5


@pytest.mark.parametrize("ties", ["original", "half", "distorted"])
def test_ties_of_the_reward_count_as_in_the_accuracy(ties):
    scores = table()
    margin = scores.frame["r_didp"].to_numpy(copy=True)
    margin[::3] = 0
    whole = table(audited=1, error=0, r_didp=margin)
    summary = summarise(whole, ties=ties)
    [found] = measured(summary, "accuracy_audited")
    assert found.value == pytest.approx(summary.rewards["r"].headline.value)


def test_missing_scores_lower_the_coverage():
    margin = table().frame["r_didp"].to_numpy(copy=True)
    margin[:24] = np.nan
    [found] = measured(summarise(table(r_didp=margin), on_missing="drop"), "accuracy_audited")
    assert (found.n, found.coverage) == (N - 24, pytest.approx(0.9))


def test_the_sentence_says_what_is_believed():
    scores = table()
    said = labels_doubt(summarise(scores))
    n = int(scores.frame["people_selected"].notna().sum())
    assert f"of {n} labels that they looked at" in said
    assert "With the labels' errors allowed for, the accuracies are: r " in said
    plain = ScoreTable(frame=scores.frame.drop(columns="people_selected"), rewards=("r",))
    summary = summarise(plain)
    assert labels_doubt(summary).startswith("Labels are taken as true")
    assert not measured(summary, "accuracy_audited") + measured(summary, "labels_confirmed")
    unlabelled = ScoreTable(frame=scores.frame.drop(columns="label"), rewards=("r",))
    assert labels_doubt(summarise(unlabelled)) == ""
    few = np.where(np.arange(N) < 1, scores.frame["label"], np.nan)
    assert "r unknown (no pair of one kind was audited" in labels_doubt(
        summarise(table(people_selected=few))
    )
