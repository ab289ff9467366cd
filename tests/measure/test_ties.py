"""Ties are an outcome of their own, through every door; rounding is a tie."""

import evaluate
import numpy as np
import pandas as pd
import pytest

from aas_bench.cli.text import summary_table
from aas_bench.evidence import load_evidence
from aas_bench.measure.summary import standard, summarise, verdicts
from aas_bench.metric import metric_path
from aas_bench.pages.findings import finding, most_overriding
from aas_bench.pages.report import render
from aas_bench.pages.summary_charts import override_chart
from aas_bench.tables.scores import ScoreTable

CELLS = ("oiop", "oidp", "diop", "didp")
N = 300
RULES = ("original", "half", "distorted")


def binned():
    """The authors' ImageReward scores as ratings from 1 to 5."""
    frame = load_evidence()
    edges = [-1.2, -0.4, 0.4, 1.2]
    return [np.digitize(frame[f"image_reward_{cell}"], edges) + 1.0 for cell in CELLS]


# Reward, share chosen, polished, tied, and the override rate with ties for the polished image, half
# and for the asked; None: undefined.
CASES = {
    "ratings": (binned(), (0.5, 29 / 300, 121 / 300), (54 / 187, 33 / 187, 12 / 187)),
    "constant": ([np.ones(N)] * 4, (0, 0, 1), None),
    "of the prompt alone": ([np.zeros(N), np.ones(N)] * 2, (0, 0, 1), None),
    "ties where asked": ([np.ones(N), *[np.zeros(N)] * 3], (0, 0, 1), (1, 0.5, 0)),
}


def table_of(four, name="r"):
    frame = pd.DataFrame({f"{name}_{cell}": x for cell, x in zip(CELLS, four, strict=True)})
    return ScoreTable.from_frame(frame.assign(index=np.arange(len(frame))))


@pytest.fixture(scope="module")
def metrics():
    return [
        evaluate.load(metric_path(name), keep_in_memory=True)
        for name in ("aas_override", "aas_preference")
    ]


@pytest.mark.parametrize(("four", "shares", "rates"), CASES.values(), ids=CASES)
def test_ties_are_told_apart_at_every_door(four, shares, rates, metrics):
    table = table_of(four)
    reward = summarise(table).rewards["r"]
    told = {(m.measure, m.by, m.group): m for m in standard(table).measurements("reward_model")}
    override, preference = metrics
    scores = np.stack(four, axis=1)
    by_metric = override.compute(predictions=scores)
    with_labels = preference.compute(predictions=scores, references=[1] * N)
    for name, share in zip(("chosen", "polished", "tied"), shares, strict=True):
        assert getattr(reward.choices, name).value == pytest.approx(share)
        assert told[name, None, None].value == pytest.approx(share)
        assert told[name, None, None].n == N
        assert (by_metric[name], with_labels[name]) == pytest.approx((share, share))
    for i, rule in enumerate(RULES):
        rate = rates and pytest.approx(rates[i])
        ruled = summarise(table, ties=rule).rewards["r"]
        assert ruled.placebo.override_rate.value == rate
        assert ruled.headline.value == pytest.approx(shares[0] + shares[2] * i / 2)
        assert told["override_rate", "ties", rule].value == rate
        assert by_metric["by_ties"][rule]["override_rate"] == rate
        assert with_labels["by_ties"][rule]["accuracy"] == ruled.headline.value
        assert override.compute(predictions=scores, ties=rule)["override_rate"] == rate


def test_words_never_call_a_tie_a_preference(capsys):
    summary = summarise(table_of(binned(), "ratings"))
    said = finding(summary.rewards["ratings"])
    assert "asked for in 50\u202f%" in said
    assert "the polished one in 10\u202f%" in said
    assert "both the same in 40\u202f%" in said
    for rate in ("29", "18", "6"):
        assert f"{rate}\u202f% (" in said.partition("of those")[2]
    summary_table(summary)
    assert "ties 0.06 to 0.29" in capsys.readouterr().out
    page = render(summary)
    assert "override rate 6.4\u202f% to 28.9\u202f%" in page
    assert said.split(";")[0] in page
    assert "overrode 6.4 % to 28.9 %, as ties count" in " ".join(page.split())
    chart = override_chart(summary)
    assert "tied 40\u202f%, preferred polished 10\u202f%" in chart.sentence
    assert chart.rows[0][-2].startswith("40.3\u202f%")
    assert "tied 0.403" not in str(summary)
    assert "tied 40.3\u202f%" in str(summary)
    for four in ([np.ones(N)] * 4, [np.zeros(N), np.ones(N)] * 2):
        constant = summarise(table_of(four))
        said = finding(constant.rewards["r"])
        assert "the polished one in 0\u202f%" in said
        assert "both the same in 100\u202f%" in said
        assert most_overriding(constant) is None


def test_without_ties_nothing_is_said_of_them(capsys):
    four = np.random.default_rng(0).normal(size=(4, N))
    summary = summarise(table_of(four))
    summary_table(summary)
    assert "ties" not in capsys.readouterr().out
    assert "both the same" not in finding(summary.rewards["r"])
    assert {m.by for m in summary.measurements()} == {None, "placebo"}


def test_the_verdict_on_a_tied_pair_is_tied():
    four = [[0, 0, 0], [0, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert verdicts(table_of(np.array(four, dtype=float)), "r") == ["tied", "followed", "missed"]


def test_one_tie_in_many_changes_no_sentence(capsys):
    frame = load_evidence()
    summary = summarise(ScoreTable.from_frame(frame, rewards=["hpsv2"]))
    assert summary.rewards["hpsv2"].choices.tied.value == pytest.approx(1 / 300)
    assert len(summary.rewards["hpsv2"].by_ties("override_rate")) == 3
    summary_table(summary)
    printed = capsys.readouterr().out
    assert "ties" not in printed
    assert "as ties count" not in " ".join(render(summary).split()).partition("Headline table")[0]
    known = render(summarise(ScoreTable.from_frame(frame, rewards=["image_reward"])))
    assert "image_reward, times 1.03, the spread it was standardised by" in known


def test_a_reward_that_only_ties_does_not_override_most():
    # Of A, taste wins four in ten; B moved everywhere, and then scores both images the same.
    a = [np.zeros(N), np.zeros(N), np.full(N, -2.0), np.where(np.arange(N) % 5 < 2, -1.0, 1.0)]
    b = CASES["ties where asked"][0]
    table = table_of(a, "A").frame.join(table_of(b, "B").frame.filter(like="B_"))
    most = most_overriding(summarise(ScoreTable.from_frame(table)))
    assert set(most.names) == {"A", "B"}  # not told apart, as ties decide


def additive(rng):
    """Worth of the image plus length of the prompt: no answer to any request, but for rounding."""
    image, prompt = rng.normal(7, 1, (2, N)), 0.01 * rng.integers(20, 300, (12, N))
    cells = [image[i] + prompt[p] for i, p in ((0, 0), (0, 1), (1, 0), (1, 1))]
    placebos = [(image[i] + prompt[2:]).T for i in (0, 1)]
    return cells, placebos


def test_rounding_is_no_answer_to_matched_placebos_either():
    cells, placebos = additive(np.random.default_rng(0))
    frame = table_of(cells).frame
    for cell, scores in zip(("r_oimp", "r_dimp"), placebos, strict=True):
        frame[cell] = list(scores)
    raw = (cells[3] - cells[1])[:, None] - (placebos[1] - placebos[0])
    assert 0 < np.abs(raw).max() < 1e-14  # it is not 0 in numbers
    reward = summarise(ScoreTable.from_frame(frame)).rewards["r"]
    assert list(reward.placebos) == ["matched", "original"]
    for found in reward.placebos.values():
        assert found.understood.value == 0
        assert found.n_ties == found.n * found.n_placebos
        assert found.override_rate.value is None
    assert reward.override.override_strength.value is None
