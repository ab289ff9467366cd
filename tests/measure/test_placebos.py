"""The estimate against placebo requests, from the scores to every place that shows it."""

import json

import numpy as np
import pandas as pd
import pytest

from aas_bench.cli.text import summary_table
from aas_bench.errors import SchemaError
from aas_bench.evidence import load_evidence
from aas_bench.measure.rows import base_prompts
from aas_bench.measure.summary import standard, summarise
from aas_bench.pages.findings import finding, most_overriding
from aas_bench.pages.report import render
from aas_bench.tables.scores import ScoreTable

# u and O of the authors' rows, to three decimals, as the docs print them.
REAL = {"hpsv3": (0.880, 0.750), "hpsv2": (0.960, 0.354), "image_reward": (0.867, 0.181)}
CELLS = ("oiop", "oidp", "diop", "didp")
N = 400


def table_of(four, **columns):
    """A table of one reward model, `r`."""
    frame = pd.DataFrame({f"r_{cell}": values for cell, values in zip(CELLS, four, strict=True)})
    return ScoreTable.from_frame(frame.assign(index=np.arange(len(frame)), **columns))


def test_the_real_rows_say_one_thing_in_summary_record_and_terminal(capsys):
    table = ScoreTable.from_frame(load_evidence())
    summary = summarise(table)
    summary_table(summary)
    printed = capsys.readouterr().out
    for name, (understood, rate) in REAL.items():
        reward = summary.rewards[name]
        assert reward.placebo is reward.placebos["original"]
        assert round(reward.placebo.understood.value, 3) == understood
        assert round(reward.placebo.override_rate.value, 3) == rate
        assert f"{understood:.3f}" in printed
        assert f"{rate:.3f}" in printed
        record = standard(ScoreTable.from_frame(load_evidence(), rewards=[name]))
        told = {m.measure: m for m in record.measurements("reward_model") if m.by is None}
        assert told["understood"].value == reward.placebo.understood.value
        assert told["override_rate"].value == reward.placebo.override_rate.value
        nested = json.loads(summary.to_json())["rewards"][name]["placebo"]
        assert nested["override_rate"]["value"] == told["override_rate"].value
        said = finding(reward)
        assert said.startswith("moved towards the request more often than the original prompt")
        assert "understood" not in said
    assert most_overriding(summary).names == ("hpsv3",)
    certain = {name: round(r.rescaling.overridden.value, 3) for name, r in summary.rewards.items()}
    assert certain == {"hpsv3": 0.233, "hpsv2": 0.230, "image_reward": 0.093}


def blind_scores():
    """Scorers that do not read what is asked: noise, one number, image plus length of prompt."""
    rng = np.random.default_rng(3)
    image, length = rng.normal(size=(2, N)), rng.integers(20, 200, size=(2, N))
    yield "noise", rng.normal(size=(4, N))
    yield "constant", np.full((4, N), 0.1)
    cells = [image[i] + 0.01 * length[p] for i, p in ((0, 0), (0, 1), (1, 0), (1, 1))]
    yield "additive", np.array(cells)


@pytest.mark.parametrize(("name", "four"), blind_scores())
def test_a_scorer_that_reads_no_request_has_no_override_rate(name, four):
    summary = summarise(table_of(four))
    reward = summary.rewards["r"]
    assert reward.placebo.override_rate.value is None
    assert reward.placebo.override_rate.reason
    assert reward.placebo.reading == "unclear"
    assert "understood" not in finding(reward)
    assert most_overriding(summary) is None
    if name != "noise":  # whose mean response is no rounding error
        assert reward.override.override_strength.value is None


def test_where_the_polished_image_fits_better_nothing_is_overridden():
    # All move; half prefer the polished image, and their labels say that it is right.
    d_a = np.tile([1.0, -1.0], N // 2)
    four = np.zeros(N), np.zeros(N), np.full(N, -2.0), d_a
    unlabelled = summarise(table_of(four)).rewards["r"].placebo
    assert (unlabelled.override_rate.value, unlabelled.labelled) == (0.5, False)
    labelled = summarise(table_of(four, label=(d_a > 0).astype(int))).rewards["r"].placebo
    assert (labelled.override_rate.value, labelled.labelled) == (0.0, True)


def lists(rows):
    return pd.Series([list(map(float, row)) for row in rows])


def test_matched_placebos_lead_and_kinds_that_disagree_are_said():
    # Every prompt but the original's flatters the asked image: style, not the request.
    rng = np.random.default_rng(5)
    four = np.zeros(N), np.zeros(N), np.full(N, -3.0), rng.normal(size=N)
    placebo = four[3][:, None] + [1.0, -1.0, 1.0, -1.0]
    summary = summarise(table_of(four, r_oimp=lists(np.zeros((N, 4))), r_dimp=lists(placebo)))
    reward = summary.rewards["r"]
    assert list(reward.placebos) == ["matched", "original"]
    assert (reward.placebo.kind, reward.placebo.n_placebos) == ("matched", 4)
    assert [each.reading for each in reward.placebos.values()] == ["unclear", "towards"]
    assert "Placebos disagree: matched" in finding(reward)
    assert reward.placebo.understood.value == pytest.approx(0, abs=1e-12)
    kinds = {m.group: m.value for m in summary.measurements() if m.measure == "understood" and m.by}
    assert kinds == {k: v.understood.value for k, v in reward.placebos.items()}


def test_what_the_score_moved_beyond_is_named():
    placebo = lists(np.full((N, 2), -1.0))
    four = np.zeros(N), np.zeros(N), np.full(N, -2.0), np.ones(N)
    found = summarise(table_of(four, r_oimp=lists(np.zeros((N, 2))), r_dimp=placebo))
    said = finding(found.rewards["r"])
    assert said.startswith(
        "moved towards the request more often than matched placebos would explain"
    )


def test_figures_of_fewer_pairs_than_the_headline_say_of_how_many(capsys):
    some = [[-1.0, -1.0] if i < 12 else [] for i in range(N)]
    four = np.zeros(N), np.zeros(N), np.full(N, -2.0), np.tile([1.0, -0.5], N // 2)
    columns = {"r_oimp": lists([[0.0] * len(row) for row in some]), "r_dimp": lists(some)}
    summary = summarise(table_of(four, **columns))
    summary_table(summary)
    said = capsys.readouterr().out
    assert said.count("of 12 pairs") == 2
    assert "of the 12 pairs with placebos of this kind" in finding(summary.rewards["r"])
    assert render(summary).count(", of 12 pairs") == 2

    labels = np.where(np.arange(N) < 14, 1, 0)
    labelled = finding(summarise(table_of(four, label=labels)).rewards["r"])
    assert "of the 14 pairs labelled as asked" in labelled


def test_equal_prompts_are_one_base_prompt_where_the_index_is_silent():
    # Blind: each prompt moves all ten pairs that it was asked of alike, by chance.
    rng = np.random.default_rng(3)
    prompt = np.repeat(np.arange(N // 10), 10)
    shift = rng.normal(size=(2, N // 10))[:, prompt]
    four = np.zeros(N), np.zeros(N), *(rng.normal(-0.5, 0.2, N) + shift)
    texts = {"prompt_original": [f"a dog {i}" for i in prompt], "prompt_distorted": "a blurred dog"}
    silent, alone = summarise(table_of(four, **texts)), summarise(table_of(four))
    assert (silent.n_clusters, alone.n_clusters) == (N // 10, N)
    told = ScoreTable.from_frame(table_of(four, **texts).frame.assign(index=prompt))
    ends = [
        (e.low, e.high)
        for e in (s.rewards["r"].placebo.understood for s in (silent, summarise(told)))
    ]
    assert ends[0] == pytest.approx(ends[1])
    # A prompt that is missing makes no pair another's; an index that is shared is left alone.
    some = table_of(four, prompt_original=["a dog", "a dog", None, ""] + ["a cat"] * (N - 4))
    assert base_prompts(some)[:6].tolist() == [0, 0, 2, 3, 4, 4]
    shared = ScoreTable.from_frame(some.frame.assign(index=[0, 1, 1, *range(3, N)]))
    assert base_prompts(shared)[:3].tolist() == [0, 1, 1]


def test_without_a_pair_to_override_nothing_is_said_of_noise():
    four = np.zeros(N), np.zeros(N), np.full(N, -2.0), np.ones(N)
    said = finding(summarise(table_of(four, label=np.zeros(N, dtype=int))).rewards["r"])
    assert said.startswith("has no override rate (no pair is labelled 1)")
    assert "noise" not in said


def test_placebos_that_do_not_fit_are_refused_and_empty_ones_are_none():
    four = np.zeros(N), np.zeros(N), np.full(N, -2.0), np.ones(N)
    two, one = lists(np.zeros((N, 2))), lists(np.zeros((N, 1)))
    with pytest.raises(SchemaError, match=r"has 2 scores in r_oimp and 1 in r_dimp"):
        summarise(table_of(four, r_oimp=two, r_dimp=one))
    gone = lists(np.full((N, 2), np.nan))
    reward = summarise(table_of(four, r_oimp=two, r_dimp=gone)).rewards["r"]
    assert list(reward.placebos) == ["original"]


def test_ties_count_half_where_asked():
    four = np.zeros(N), np.zeros(N), np.full(N, -2.0), np.tile([1.0, 0.0], N // 2)
    rates = {
        ties: summarise(table_of(four), ties=ties).rewards["r"].placebo.override_rate.value
        for ties in ("original", "half")
    }
    assert rates == {"original": 0.5, "half": 0.25}
