"""The accuracy by several judges whom nobody checked, from tables of labels to words."""

import numpy as np
import pandas as pd
import pytest

from aas_bench.errors import InputError
from aas_bench.measure.summary import summarise
from aas_bench.pages.findings import labels_doubt
from aas_bench.stats import panel_errors, panel_rate
from aas_bench.tables.scores import ScoreTable
from aas_bench.tables.votes import Vote, VoteTable, add_judges, add_votes

N = 600


def scores(seed=0, **columns):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, N)
    right = rng.random(N) < 0.8
    rows = {"pair_id": [f"p/{i}" for i in range(N)], "index": np.arange(N) // 2}
    rows |= {"r_oidp": np.zeros(N), "r_didp": np.where(right, 1, -1) * (2.0 * truth - 1)}
    return ScoreTable.from_frame(pd.DataFrame(rows | columns)), truth


def judged(truth, *names, seed=1, error=0.15):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"pair_id": [f"p/{i}" for i in range(len(truth))]})
    for name in names:
        label = pd.array(np.where(rng.random(len(truth)) < error, 1 - truth, truth), "Int8")
        label[0] = None
        frame[f"label_{name}"] = label
    return frame.sample(frac=1, random_state=0)


def measured(summary, name):
    return {each.group: each for each in summary.measurements() if each.measure == name}


def test_three_judges_are_labels_and_tell_their_own_errors():
    table, truth = scores()
    told = judged(truth, "a", "b", "c")
    given = add_judges(table, {"labels": told})
    by_pair = told.set_index("pair_id").loc[table.frame["pair_id"]]
    votes = by_pair[["label_a", "label_b", "label_c"]].to_numpy(float, na_value=np.nan)
    most = np.where(np.isnan(votes[:, 0]), -1, (np.nansum(votes, axis=1) > 1.5).astype(int))
    assert given.label.tolist() == most.tolist()
    assert set(given.frame["label_source"]) == {"most of the judges: a, b, c"}
    summary = summarise(given)
    [found] = measured(summary, "accuracy_judged").values()
    clusters = np.arange(N) // 2
    choice = (table.frame["r_didp"] > 0).to_numpy(float)
    expected = panel_rate(choice, votes, clusters=clusters)
    assert (found.value, found.low, found.high) == (expected.value, expected.low, expected.high)
    assert (found.n, found.coverage) == (N - 1, pytest.approx((N - 1) / N))
    assert found.low < 0.8 < found.high
    errors = measured(summary, "judge_error")
    rates = panel_errors(votes, clusters=clusters).errors
    assert [errors[name].value for name in "abc"] == [each.value for each in rates]
    said = labels_doubt(summary)
    assert said.startswith("Read off their disagreements, judges err in: a 1")
    assert "where the same pairs mislead them, it does not" in said


def test_two_judges_leave_it_open():
    table, truth = scores()
    summary = summarise(add_judges(table, {"labels": judged(truth, "a", "b")}))
    [found] = measured(summary, "accuracy_judged").values()
    assert found.value is None
    assert "it takes three judges" in found.reason
    assert labels_doubt(summary) == f"How often a and b err is {found.reason}."


def test_one_judge_is_taken_as_true():
    table, truth = scores()
    summary = summarise(add_judges(table, {"labels": judged(truth, "a")}))
    assert not measured(summary, "accuracy_judged")
    assert labels_doubt(summary).startswith("Labels are taken as true")


def test_judges_of_several_files_stand_together_and_people_audit_them():
    table, truth = scores()
    given = add_judges(
        table,
        {"x": judged(truth, "a", "b"), "y": judged(truth, "c", seed=2)},
    )
    votes = [Vote(pair_id=f"p/{i}", rater="Ada", choice=int(truth[i])) for i in range(0, N, 3)]
    summary = summarise(add_votes(given, VoteTable.of(votes)))
    said = labels_doubt(summary)
    assert "People confirmed" in said
    assert "Read off their disagreements" in said
    assert len(measured(summary, "judge_error")) == 3


def test_labels_that_are_there_stay():
    table, truth = scores(label=np.ones(N, dtype=int))
    given = add_judges(table, {"x": judged(truth, "a", "b", "c")})
    assert given.label.tolist() == [1] * N
    assert measured(summarise(given), "accuracy_judged")[None].value is not None


def test_all_ties_leave_no_label_and_no_error():
    table, truth = scores()
    told = judged(truth, "a", "b", "c").assign(label_a=-1, label_b=-1, label_c=-1)
    summary = summarise(add_judges(table, {"x": told}))
    assert summary.measure == "chosen"
    assert not measured(summary, "accuracy_judged")


def test_one_pair_is_no_panic():
    frame = pd.DataFrame({"pair_id": ["p/0"], "r_oidp": [0.0], "r_didp": [1.0]})
    told = judged(np.array([1, 1]), "a", "b", "c", error=0).sort_values("pair_id")
    told = told.assign(pair_id=["p/9", "p/0"])
    summary = summarise(add_judges(ScoreTable.from_frame(frame), {"x": told}))
    assert measured(summary, "accuracy_judged")[None].value is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f[["pair_id"]], "x holds no labels of judges"),
        (lambda f: f.drop(columns="pair_id"), "x holds no labels of judges"),
        (lambda f: f.assign(label_a=7), "x holds no labels of judges"),
        (lambda f: f.assign(pair_id="p/1"), "x is ambiguous"),
        (lambda f: f.assign(pair_id=[f"q/{i}" for i in range(N)]), "none of which was scored"),
    ],
)
def test_what_is_no_labels_is_told(change, message):
    table, truth = scores()
    with pytest.raises(InputError, match=message):
        add_judges(table, {"x": change(judged(truth, "a"))})


def test_a_judge_given_twice_is_told():
    table, truth = scores()
    told = judged(truth, "a")
    with pytest.raises(InputError, match="judge 'a', and so has another"):
        add_judges(table, {"x": told, "y": told})
