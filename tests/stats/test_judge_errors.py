import numpy as np
import pytest

from aas_bench.errors import InputError
from aas_bench.stats import Estimate, JudgeErrors, audited_rate, chosen, corrected_rate, wilson


def said(yes, n):
    low, high = wilson(yes, n)
    return Estimate(value=yes / n, low=low, high=high, n=n)


def audit(n_true, right_true, n_false, right_false):
    return JudgeErrors(
        n_true=n_true, right_true=right_true, n_false=n_false, right_false=right_false
    )


def test_the_error_is_taken_off():
    # Of 100, 60 are true; s .9 and t .8 let the judge say yes of 54 + 8.
    assert corrected_rate(said(62, 100), audit(100, 90, 100, 80)).value == pytest.approx(0.6)
    nothing = corrected_rate(said(10, 100), audit(100, 90, 100, 80))
    assert (nothing.value, nothing.low) == (0, 0)
    assert 0 < nothing.high < 0.1


@pytest.mark.parametrize("yes", [0, 3, 50, 97, 100])
def test_a_faultless_judge_and_an_endless_audit_change_nothing(yes):
    found = corrected_rate(said(yes, 100), audit(10**12, 10**12, 10**12, 10**12))
    low, high = wilson(yes, 100)
    assert (found.value, found.low, found.high) == pytest.approx((yes / 100, low, high), abs=1e-5)


def test_clusters_count_as_in_the_observed_interval():
    rng = np.random.default_rng(0)
    margin = np.repeat(rng.choice([-1.0, 1.0], 30), 10)
    alone, together = chosen(margin), chosen(margin, clusters=np.repeat(np.arange(30), 10))
    errors = audit(200, 180, 200, 170)
    narrow, wide = (corrected_rate(each, errors) for each in (alone, together))
    assert narrow.value == wide.value
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
    assert (wide.n, wide.n_clusters) == (300, 30)


@pytest.mark.parametrize(
    ("s", "t", "truth", "n_audited"),
    [(0.9, 0.8, 0.5, 100), (0.95, 0.95, 0.3, 50), (0.7, 0.9, 0.8, 100), (0.9, 0.8, 0.05, 50)],
)
def test_the_interval_holds_its_level_with_the_audit_in_doubt(s, t, truth, n_audited):
    rng, n, times = np.random.default_rng(1), 300, 1500
    yes = rng.binomial(n, truth * s + (1 - truth) * (1 - t), times)
    right = rng.binomial(n_audited, [s, t], (times, 2))
    held = 0
    for k in range(times):
        errors = audit(n_audited, int(right[k, 0]), n_audited, int(right[k, 1]))
        found = corrected_rate(said(int(yes[k]), n), errors)
        held += found.low <= truth <= found.high
    assert 0.93 <= held / times <= 0.97


def test_an_audit_is_counted_without_its_ties():
    found = JudgeErrors.of(judged=[1, 1, 0, 0, -1, 1], truth=[1, 0, 1, 0, 1, -1])
    assert found == audit(2, 1, 2, 1)


def test_what_cannot_be_corrected_says_why():
    chance = corrected_rate(said(50, 100), audit(20, 12, 20, 11))
    assert (chance.value, chance.reason) == (None, "the judge may be no better than chance")
    never = corrected_rate(said(50, 100), audit(20, 12, 0, 0))
    assert "no pair of one kind was audited" in never.reason
    none = Estimate(value=None, n=0, reason="no pair")
    assert corrected_rate(none, audit(9, 9, 9, 9)) is none
    bare = corrected_rate(Estimate(value=0.5, n=9, reason="one"), audit(90, 90, 90, 90))
    assert (bare.value, bare.low, bare.reason) == (
        0.5,
        None,
        "no interval: the observed rate has none",
    )
    with pytest.raises(InputError, match=r"5 right of 4 audited pairs. Give counts"):
        audit(4, 5, 4, 4)
    with pytest.raises(InputError, match="Give one each"):
        JudgeErrors.of(judged=[1], truth=[1, 0])


def test_a_rate_with_an_audit_by_hand():
    # The judge says yes of 6 in 10; of 3 audited 2 hold: .6 * 2/3. Of 2 audited noes 1 holds: .4/2.
    says = [1] * 6 + [0] * 4
    truth = [1, 1, 0, None, None, None, 1, 0, None, None]
    assert audited_rate(says, truth).value == pytest.approx(0.6)
    # A tie of the people leaves: yes .6 * 2/3 over .6 * 1 + .4 * 1/2 decided, noes 0 of 1.
    truth[6] = -1
    assert audited_rate(says, truth).value == pytest.approx(0.4 / 0.8)


def test_a_whole_audit_is_the_rate_that_people_find():
    rng = np.random.default_rng(3)
    truth, cluster = rng.integers(0, 2, 200), np.arange(200) // 4
    says = np.where(rng.random(200) < 0.8, truth, 1 - truth)
    found = audited_rate(says, truth, clusters=cluster)
    people = chosen(2.0 * truth - 1, clusters=cluster)
    assert found.value == pytest.approx(people.value)
    assert (found.low, found.high) == pytest.approx((people.low, people.high), abs=1e-9)


@pytest.mark.parametrize("clustered", [False, True])
def test_an_audited_rate_holds_the_truth_where_the_plain_one_does_not(clustered):
    rng = np.random.default_rng(11)
    n, rate, runs = 300, 0.8, 400
    cluster = np.arange(n) // (4 if clustered else 1)
    held = plain = 0
    for _ in range(runs):
        shared = rng.normal(size=n)[cluster]
        own = rng.normal(size=n)
        latent = 0.7 * shared + np.sqrt(0.51) * own if clustered else own
        truth = (latent < 0.8416).astype(float)  # the normal quantile at .8
        right = rng.random(n) < np.where(truth == 1, 0.9, 0.75)
        says = np.where(right, truth, 1 - truth)
        seen = np.where(rng.random(n) < 1 / 3, truth, np.nan)
        found = audited_rate(says, seen, clusters=cluster)
        believed = chosen(2 * says - 1, clusters=cluster)
        held += found.low <= rate <= found.high
        plain += believed.low <= rate <= believed.high
    assert 0.93 <= held / runs <= 0.98  # 400 runs tell .95 to .011
    assert plain / runs < 0.8


def test_an_audit_without_a_difference_is_no_certainty():
    says = [1] * 60 + [0] * 40
    truth = [1] * 10 + [None] * 50 + [0] * 10 + [None] * 30
    found = audited_rate(says, truth)
    assert found.value == 0.6
    # Of ten audited of a kind 28 % may still be otherwise (Wilson): .6 of that below, .4 above.
    assert found.low < 0.6 - 0.6 * 0.27
    assert found.high > 0.6 + 0.4 * 0.27


def test_what_an_audit_lacks_is_a_reason():
    assert audited_rate([1, 0], [1, None]).reason.startswith("no pair of one kind was audited")
    assert audited_rate([1, 0], [-1, -1]).reason == "the people who looked saw no difference"
    assert (
        audited_rate([None], [1], on_missing="drop").reason == "the judge says nothing of any pair"
    )
