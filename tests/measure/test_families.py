from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wilcoxon

from aas_bench.measure.families import alignment_tax
from aas_bench.pages.generator import GeneratorResult
from aas_bench.tables.scores import ScoreTable


def result(name, *, base=None, family="f", oiop, diop, clusters=None):
    n = len(oiop)
    frame = pd.DataFrame(
        {
            "pair_id": [f"{name}/{i}" for i in range(n)],
            "index": range(n) if clusters is None else clusters,
            "r_oiop": oiop,
            "r_diop": diop,
            "r_oidp": np.zeros(n),
            "r_didp": np.zeros(n),
        }
    )
    facts = {"id": name, "base": base, "family": family}
    table = ScoreTable.from_frame(frame)
    return GeneratorResult(record={"submission": facts}, table=table, report=None)


RNG = np.random.default_rng(0)
BASE = {"oiop": RNG.normal(5, 1, 20), "diop": RNG.normal(3, 1, 20)}
ALIGNED = {"oiop": RNG.normal(6, 1, 20), "diop": RNG.normal(5, 1, 20)}


def by_measure(rows):
    return {row["measure"]: row for row in rows}


def test_it_is_wilcoxons_test_adjusted_by_holm():
    tax = alignment_tax([result("a", base="b", **ALIGNED), result("b", **BASE)])
    rows = by_measure(tax["families"]["f"])
    delta = (ALIGNED["diop"] - ALIGNED["oiop"]) - (BASE["diop"] - BASE["oiop"])
    after = ALIGNED["diop"] - BASE["diop"]
    p = {"delta": wilcoxon(delta).pvalue, "after": wilcoxon(after).pvalue}
    small, large = sorted(p, key=p.get)
    assert rows[small]["p_holm"] == pytest.approx(min(1, 2 * p[small]))
    assert rows[large]["p_holm"] == pytest.approx(min(1, max(2 * p[small], p[large])))
    for name, difference in (("delta", delta), ("after", after)):
        assert rows[name]["p_value"] == pytest.approx(p[name])
        assert rows[name]["median_difference"] == pytest.approx(np.median(difference))
        assert (rows[name]["aligned"], rows[name]["base"]) == ("a", "b")
        assert rows[name]["n"] == 20


def test_prompts_of_one_base_prompt_count_once():
    clusters = np.repeat(np.arange(10), 2)
    order = RNG.permutation(20)  # tables need not share an order of rows
    aligned = {name: values[order] for name, values in ALIGNED.items()}
    rows = by_measure(
        alignment_tax(
            [
                result("a", base="b", clusters=clusters[order], **aligned),
                result("b", clusters=clusters, **BASE),
            ]
        )["families"]["f"]
    )
    means = (ALIGNED["diop"] - BASE["diop"]).reshape(10, 2).mean(axis=1)
    assert rows["after"]["n"] == 10
    assert rows["after"]["median_difference"] == pytest.approx(np.median(means))
    assert rows["after"]["p_value"] == pytest.approx(wilcoxon(means).pvalue)


def test_a_missing_score_leaves_its_prompt_out():
    diop = ALIGNED["diop"].copy()
    diop[3] = np.nan
    aligned = {**ALIGNED, "diop": diop}
    rows = alignment_tax([result("a", base="b", **aligned), result("b", **BASE)])["families"]["f"]
    assert [(row["n"], row["n_missing"]) for row in rows] == [(19, 1), (19, 1)]


def test_equal_generators_have_no_test():
    rows = alignment_tax([result("a", base="b", **BASE), result("b", **BASE)])["families"]["f"]
    assert [(row["p_value"], row["p_holm"]) for row in rows] == [(None, None)] * 2
    assert all(row["reason"] == "every difference is 0" for row in rows)


def test_only_a_base_of_the_same_family_is_compared():
    results = [
        result("a", base="b", family="g", **ALIGNED),
        result("b", **BASE),
        result("c", base="absent", **ALIGNED),
        SimpleNamespace(record={"submission": {"id": "d", "base": "b", "family": "f"}}, table=None),
    ]
    assert alignment_tax(results)["families"] == {}
