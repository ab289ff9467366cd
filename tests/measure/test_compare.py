"""Pairs are joined by key, as counted by hand; the tests are scipy's and those of all signs."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wilcoxon
from support.report_tables import score_frame

from aas_bench.errors import SchemaError
from aas_bench.measure.compare import (
    Made,
    alignment_tax,
    holm_by_family,
    match_generators,
    match_rewards,
)
from aas_bench.measure.summary import STANDARD, summarise
from aas_bench.tables.scores import ScoreTable


def made(name, *, base=None, family="f", oiop, diop, clusters=None, keys=None):
    n = len(oiop)
    frame = pd.DataFrame(
        {
            "pair_id": [f"{name}/{i}" for i in (range(n) if keys is None else keys)],
            "index": range(n) if clusters is None else clusters,
            "r_oiop": oiop,
            "r_diop": diop,
            "r_oidp": np.zeros(n),
            "r_didp": np.zeros(n),
        }
    )
    return Made(id=name, family=family, base=base, table=ScoreTable.from_frame(frame))


RNG = np.random.default_rng(0)
BASE = {"oiop": RNG.normal(5, 1, 20), "diop": RNG.normal(3, 1, 20)}
ALIGNED = {"oiop": RNG.normal(6, 1, 20), "diop": RNG.normal(5, 1, 20)}


def tax(*generators):
    return alignment_tax(generators, STANDARD)["families"]


def by_measure(rows):
    return {row["measure"]: row for row in rows}


def mid_p(differences):
    """The share of all signs whose sum is as far from 0, ties half: counted one by one."""
    sums = [abs(np.dot(signs, differences)) for signs in product((1, -1), repeat=len(differences))]
    found, sums = abs(sum(differences)), np.array(sums)
    same = np.isclose(sums, found)
    return (sums[~same] > found).mean() * (~same).mean() + same.mean() / 2


def test_it_is_wilcoxons_test_adjusted_by_holm():
    rows = by_measure(tax(made("a", base="b", **ALIGNED), made("b", **BASE))["f"])
    delta = (ALIGNED["diop"] - ALIGNED["oiop"]) - (BASE["diop"] - BASE["oiop"])
    after = ALIGNED["diop"] - BASE["diop"]
    p = {"delta": wilcoxon(delta).pvalue, "after": wilcoxon(after).pvalue}
    small, large = sorted(p, key=p.get)
    assert rows[small]["rank_p_holm"] == pytest.approx(min(1, 2 * p[small]))
    assert rows[large]["rank_p_holm"] == pytest.approx(min(1, max(2 * p[small], p[large])))
    for name, difference in (("delta", delta), ("after", after)):
        assert rows[name]["rank_test"]["p_value"] == pytest.approx(p[name])
        assert rows[name]["median_difference"] == pytest.approx(np.median(difference))
        assert rows[name]["mean_difference"]["value"] == pytest.approx(difference.mean())
        assert (rows[name]["aligned"], rows[name]["base"]) == ("a", "b")
        assert rows[name]["n"] == 20


def test_prompts_of_one_base_prompt_count_once_and_the_mean_has_its_own_test():
    clusters = np.repeat(np.arange(10), 2)
    order = RNG.permutation(20)  # tables need not share an order of rows
    aligned = {name: values[order] for name, values in ALIGNED.items()}
    rows = by_measure(
        tax(
            made("a", base="b", clusters=clusters[order], keys=order, **aligned),
            made("b", clusters=clusters, **BASE),
        )["f"]
    )
    means = (ALIGNED["diop"] - BASE["diop"]).reshape(10, 2).mean(axis=1)
    assert (rows["after"]["n"], rows["after"]["rank_test"]["n"]) == (20, 10)
    assert rows["after"]["median_difference"] == pytest.approx(np.median(means))
    assert rows["after"]["rank_test"]["p_value"] == pytest.approx(wilcoxon(means).pvalue)
    assert rows["after"]["mean_test"]["p_value"] == pytest.approx(mid_p(means))


def test_a_prompt_that_is_missing_on_either_side_shifts_no_pair():
    more = {"oiop": BASE["oiop"], "diop": BASE["diop"] + 1}
    here, there = np.delete(np.arange(20), 3), np.delete(np.arange(20), 7)
    found = match_generators(
        made("a", clusters=here, keys=here, **{k: v[here] for k, v in more.items()}).table,
        made("b", clusters=there, keys=there, **{k: v[there] for k, v in BASE.items()}).table,
        "r",
        "after",
        STANDARD,
    )
    assert (found.n, found.n_missing) == (18, 2)
    assert found.mean_difference.value == pytest.approx(1)
    assert (found.mean_difference.low, found.mean_difference.high) == pytest.approx((1, 1))


def test_a_missing_score_leaves_its_prompt_out():
    diop = ALIGNED["diop"].copy()
    diop[3] = np.nan
    rows = tax(made("a", base="b", **{**ALIGNED, "diop": diop}), made("b", **BASE))["f"]
    assert [(row["n"], row["n_missing"]) for row in rows] == [(19, 1), (19, 1)]


def test_equal_generators_have_no_test():
    rows = tax(made("a", base="b", **BASE), made("b", **BASE))["f"]
    assert [(row["mean_p_holm"], row["rank_p_holm"]) for row in rows] == [(None, None)] * 2
    assert all(row["rank_test"]["reason"] == "every difference is 0" for row in rows)


def test_only_a_base_of_the_same_family_is_compared():
    assert tax(made("a", base="b", family="g", **ALIGNED), made("b", **BASE)) == {}
    assert tax(made("c", base="absent", **ALIGNED)) == {}
    assert tax(made("a", base="b", family=None, **ALIGNED), made("b", family=None, **BASE)) == {}


def test_other_prompts_are_not_compared():
    other = made("b", keys=range(100, 120), clusters=range(100, 120), **BASE).table
    assert match_generators(made("a", **ALIGNED).table, other, "r", "delta", STANDARD) is None
    turned = made("b", clusters=range(19, -1, -1), **BASE).table
    with pytest.raises(SchemaError, match=r"the pair '0' has the index .*Score the same prompts"):
        match_generators(made("a", **ALIGNED).table, turned, "r", "delta", STANDARD)


def test_holm_counts_the_tests_of_a_family_alone():
    found = holm_by_family(["f", "g", "f", "f"], [0.01, 0.03, None, 0.02])
    assert found == pytest.approx([0.02, 0.03, None, 0.02], nan_ok=False)


def test_two_rewards_are_compared_on_the_pairs_that_the_summary_counts():
    table = ScoreTable.from_frame(score_frame(wordings=3))
    summary = summarise(table)
    match = match_rewards(table, table, "alpha", "beta", STANDARD)
    a, b = (summary.rewards[name].preference for name in ("alpha", "beta"))
    assert (match.measure, match.comparison.n) == ("accuracy", a.n)
    assert match.comparison.n + match.comparison.n_label_ties == summary.n_pairs == 60
    assert match.comparison.accuracy_a == a.accuracy
    assert match.comparison.auroc_b == b.auroc


def test_without_labels_two_rewards_are_compared_on_who_chose_what_was_asked():
    table = ScoreTable.from_frame(score_frame(labels=False))
    match = match_rewards(table, table, "alpha", "beta", STANDARD)
    assert match.measure == "chosen"
    assert match.comparison.accuracy_a.value == summarise(table).rewards["alpha"].headline.value


def test_two_tables_are_joined_by_pair_whatever_their_order():
    frame = score_frame()
    table = ScoreTable.from_frame(frame)
    other = ScoreTable.from_frame(frame.sample(frac=1, random_state=0).head(50))
    kept = ScoreTable.from_frame(frame[frame["pair_id"].isin(other.frame["pair_id"])])
    assert match_rewards(table, other, "alpha", "beta", STANDARD) == match_rewards(
        kept, kept, "alpha", "beta", STANDARD
    )
    strange = ScoreTable.from_frame(frame.assign(pair_id=[f"x{i}" for i in range(60)]))
    assert match_rewards(table, strange, "alpha", "beta", STANDARD) is None
