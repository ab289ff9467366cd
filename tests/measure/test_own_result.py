"""What a Summary hands to a notebook and a paper: the numbers that it holds, and no others."""

import re

import numpy as np
import pytest
from support.report_tables import score_frame

from aas_bench.errors import InputError, UnknownNameError
from aas_bench.measure.summary import summarise
from aas_bench.tables.scores import ScoreTable


@pytest.fixture(scope="module")
def frame():
    return score_frame(doses=True)


@pytest.fixture(scope="module")
def summary(frame):
    return summarise(ScoreTable.from_frame(frame))


def test_pandas_has_a_row_for_every_measurement(summary):
    tidy, measured = summary.to_pandas(), summary.measurements()
    assert len(tidy) == len(measured)
    for name in ("value", "low", "high", "n"):
        told = [getattr(each, name) for each in measured]
        np.testing.assert_array_equal(tidy[name].astype(float), np.array(told, float))
    assert not tidy.duplicated(["measure", "reward", "by", "group", "at"]).any()


def test_latex_holds_the_numbers_in_one_balanced_table(summary, frame):
    text = summary.to_latex(caption="100 % & more", label="tab:mine")
    assert r"\caption{100 \% \& more}" in text
    assert r"\label{tab:mine}" in text
    assert "arXiv:2512.11883" in text
    body = text.partition(r"\midrule")[2].partition(r"\bottomrule")[0].strip().splitlines()
    align = re.search(r"tabular}{(\w+)}", text)[1]
    assert [line.count(" & ") + 1 for line in body] == [len(align)] * 2
    rows = frame[frame["label"] >= 0]
    for line, reward in zip(body, ("alpha", "beta"), strict=True):
        right = (rows[f"{reward}_didp"] > rows[f"{reward}_oidp"]) == (rows["label"] == 1)
        assert line.startswith(rf"{reward} & {100 * right.mean():.1f}\,\%")
    assert text.count("{") == text.count("}")


def test_a_figure_that_no_reward_model_has_is_no_column():
    table = ScoreTable.from_frame(score_frame(originals=False, labels=False))
    head = summarise(table).to_latex().partition(r"\toprule")[2].strip().splitlines()[0]
    assert head.count(" & ") == 1


def test_compare_counts_the_pairs_that_both_hold(frame):
    ours = summarise(ScoreTable.from_frame(frame), rewards=["alpha"])
    theirs = summarise(ScoreTable.from_frame(frame.iloc[10:]), rewards=["beta"])
    rows = frame.iloc[10:]
    rows = rows[rows["label"] >= 0]
    right = {
        name: (rows[f"{name}_didp"] > rows[f"{name}_oidp"]) == (rows["label"] == 1)
        for name in ("alpha", "beta")
    }
    found = ours.compare(theirs)
    assert found.comparison.accuracy_a.value == right["alpha"].mean()
    assert found.comparison.accuracy_b.value == right["beta"].mean()
    assert found.comparison.n_only_a == (right["alpha"] & ~right["beta"]).sum()
    assert f"{100 * right['alpha'].mean():.1f}" in str(found)
    assert max(map(len, str(found).splitlines())) <= 80
    assert str(found).splitlines()[-1].startswith("sign flips by prompt: p ")


def test_compare_says_what_it_lacks(summary, frame):
    with pytest.raises(InputError, match=r"several reward models: alpha, beta. Name one of each"):
        summary.compare(summary)
    with pytest.raises(UnknownNameError, match=r"Did you mean alpha"):
        summary.compare(summary, "alfa", "beta")
    other = frame.assign(pair_id=[f"x/{i}" for i in range(len(frame))])
    with pytest.raises(InputError, match=r"share no pair"):
        summary.compare(summarise(ScoreTable.from_frame(other)), "alpha", "beta")


def test_a_run_or_table_is_read_and_what_is_no_summary_is_said(frame, tmp_path):
    frame.to_parquet(tmp_path / "scores.parquet")
    read = summarise(tmp_path)
    assert read.to_pandas().equals(summarise(ScoreTable.from_frame(frame)).to_pandas())
    with pytest.raises(InputError, match="another summary, not a str"):
        read.compare("scores.parquet", "alpha", "beta")
