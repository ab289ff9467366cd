"""Agreement of votes against scikit-learn and the krippendorff package, judges against people."""

import krippendorff
import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from aas_bench.errors import InputError
from aas_bench.measure.voting import agreement_of
from aas_bench.tables.votes import Vote, VoteTable, majority

N = 90
RATERS = ("Ada", "Bo", "Cy")
HALF = {1: 2, 0: 0, -1: 1}
"""Ties halfway, in whole numbers for scikit-learn."""


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, N)
    choice = np.where(rng.random((N, 3)) < 0.8, truth[:, None], rng.integers(-1, 2, (N, 3)))
    given = rng.random((N, 3)) < 0.85
    judge = np.where(rng.random(N) < 0.9, truth, 1 - truth)
    side = np.where(rng.random((N, 3)) < 0.5, "left", "right")
    return choice, given, judge, side


@pytest.fixture(scope="module")
def votes(drawn):
    choice, given, _, side = drawn
    cast = [
        Vote(pair_id=f"p/{i}", rater=rater, choice=int(choice[i, j]), side=str(side[i, j]), ms=1000)
        for j, rater in enumerate(RATERS)
        for i in range(N)
        if given[i, j]
    ]
    return VoteTable.of([*cast, Vote(pair_id="p/skipped", rater="Cy", choice=None)])


@pytest.fixture(scope="module")
def known(drawn):
    return {
        "pair_id": [f"p/{i}" for i in range(N)][::-1],
        "index": [i // 3 for i in range(N)][::-1],
        "label": drawn[2][::-1],
        "llm_selected": [None if i % 10 == 0 else int(drawn[2][i]) for i in range(N)][::-1],
        "label_gpt": drawn[2][::-1],
        "label_source": ["llm"] * N,
        "dimensions": [["clarity"] if i % 2 else ["emotion", "clarity"] for i in range(N)][::-1],
        "judge_score": [0.5] * N,
    }


@pytest.fixture(scope="module")
def found(votes, known):
    return agreement_of(votes, known)


def kappa(a, b):
    whole = [[HALF[int(v)] for v in column] for column in (a, b)]
    return cohen_kappa_score(*whole, weights="quadratic", labels=[0, 1, 2])


def test_all_raters_agree_as_the_package_says(found, drawn):
    choice, given, *_ = drawn
    table = np.where(given, np.vectorize(HALF.get)(choice), np.nan)
    for level in ("nominal", "ordinal", "interval"):
        expected = krippendorff.alpha(table.T, level_of_measurement=level)
        assert found.overall.alpha[level].value == pytest.approx(expected, abs=1e-12)
    assert found.overall.alpha["interval"].n_clusters <= 30
    emotion = np.arange(N) % 2 == 0
    expected = krippendorff.alpha(table[emotion].T, level_of_measurement="interval")
    assert found.by_dimension["emotion"].alpha["interval"].value == pytest.approx(expected)
    whole = found.by_dimension["clarity"].alpha["interval"]
    assert whole.value == pytest.approx(found.overall.alpha["interval"].value, abs=1e-12)


def test_two_raters_and_a_rater_against_the_others_agree_as_scikit_learn_says(found, drawn):
    choice, given, *_ = drawn
    assert list(found.between) == ["Ada | Bo", "Ada | Cy", "Bo | Cy"]
    both = given[:, 0] & given[:, 1]
    pair = found.between["Ada | Bo"]
    assert pair.kappa.value == pytest.approx(kappa(choice[both, 0], choice[both, 1]))
    assert pair.same.value == pytest.approx((choice[both, 0] == choice[both, 1]).mean())
    assert pair.same.n == both.sum()
    others = majority(np.where(given, choice, np.nan)[:, 1:])
    both = given[:, 0] & ~np.isnan(others)
    ada = found.raters["Ada"]
    assert ada.with_others.kappa.value == pytest.approx(kappa(choice[both, 0], others[both]))
    assert (ada.n_votes, ada.n_ties) == (given[:, 0].sum(), (choice[given[:, 0], 0] == -1).sum())
    assert (found.raters["Cy"].n_skipped, ada.seconds) == (1, 1.0)


def test_a_habit_of_one_side_is_told(found, drawn):
    choice, given, _, side = drawn
    used = given[:, 0] & (choice[:, 0] >= 0)
    left = (side[used, 0] == "left") == (choice[used, 0] == 1)
    assert found.raters["Ada"].chose_left.value == pytest.approx(left.mean())
    always = [
        Vote(pair_id=str(i), rater="L", choice=i % 2, side="left" if i % 2 else "right")
        for i in range(60)
    ]
    habit = agreement_of(VoteTable.of(always)).raters["L"]
    assert habit.chose_left.value == 1
    assert habit.chose_left.low > 0.9
    assert habit.with_others.kappa.reason == "nobody else voted on these pairs"


def test_judges_are_compared_with_the_majority_of_people(found, drawn):
    choice, given, judge, _ = drawn
    people = majority(np.where(given, choice, np.nan))
    there = ~np.isnan(people)
    assert list(found.overall.judges) == ["label", "llm", "gpt"]
    label = found.overall.judges["label"]
    assert label.kappa.value == pytest.approx(kappa(judge[there], people[there]))
    assert label.same.value == pytest.approx((judge == people)[there].mean())
    some = there & (np.arange(N) % 10 > 0)
    assert found.overall.judges["llm"].same.n == some.sum()
    assert found.n_pairs == there.sum()
    odd = found.by_dimension["emotion"].judges["label"]
    assert odd.same.n == (there & (np.arange(N) % 2 == 0)).sum()


def test_without_a_table_pairs_count_as_independent(votes):
    found = agreement_of(votes)
    assert found.by_dimension == {}
    assert found.overall.judges == {}
    assert found.overall.alpha["nominal"].n_clusters == found.overall.alpha["nominal"].n


def test_labels_that_nobody_gave_are_no_judge(votes, known):
    none = {**known, "label": [-1] * len(known["pair_id"])}
    assert "label" in agreement_of(votes, known).overall.judges
    assert "label" not in agreement_of(votes, none).overall.judges


def test_a_judge_who_says_something_else_is_refused(votes):
    for column in (["yes"], [2], [0.5]):
        with pytest.raises(InputError, match="'llm_selected' holds something other than 1, 0, -1"):
            agreement_of(votes, {"pair_id": ["p/0"], "llm_selected": column})
