"""Sentences about a summary."""

import numpy as np
from support.report_tables import score_frame

from aas_bench.measure.summary import summarise
from aas_bench.pages import findings
from aas_bench.pages.report import render
from aas_bench.tables.scores import ScoreTable
from aas_bench.words import ROUND_SHARE, percent_in

N = 100


def summary(**choices):
    """Reward models by name: of 100 pairs, how many of each outcome (followed, overridden, ...)."""
    # (d_a, d_o) that give each outcome
    gains = {"followed": (1, 0), "overridden": (-1, -2), "missed": (-1, 0), "lucky": (1, 2)}
    frame = score_frame(n=N, rewards=tuple(choices))
    frame["index"] = range(N)
    frame["label"] = 1
    for name, counts in choices.items():
        listed = [gains[o] for o, count in counts.items() for _ in range(count)]
        d_a, d_o = np.array(listed, dtype=float).T
        for cell, values in (("oiop", 0), ("oidp", 0), ("diop", d_o), ("didp", d_a)):
            frame[f"{name}_{cell}"] = values
    return summarise(ScoreTable.from_frame(frame))


def test_a_finding_reads_as_a_sentence():
    found = summary(taste={"followed": 25, "overridden": 69, "missed": 4, "lucky": 2})
    taste = found.rewards["taste"].placebo
    net, rate = percent_in(taste.understood), percent_in(taste.override_rate)
    assert round(taste.understood.value, 9) == 0.88  # 94 moved towards, less 6 moved against
    assert findings.finding(found.rewards["taste"]) == (
        "moved towards the request more often than the original prompt would explain (net share "
        f"{net} of the 100 pairs labelled as asked); of those it preferred the polished image in "
        f"{rate}."
    )


def test_a_model_that_ignores_the_prompt_is_not_said_to_move():
    found = summary(blind={"missed": 90, "lucky": 10}, noise={"followed": 50, "missed": 50})
    blind, noise = (findings.finding(found.rewards[name]) for name in ("blind", "noise"))
    assert blind.startswith("moved against requests (net share \u2212100\u202f%")
    assert not findings.prompt_blind(found.rewards["blind"].override)  # it responds the wrong way
    assert noise.startswith("is not shown to move towards requests beyond noise")
    assert all("override rate is undefined" in said for said in (blind, noise))
    assert findings.most_overriding(found) is None


def test_a_model_that_never_reads_the_prompt_is_told_from_one_that_misreads_it():
    frame = score_frame(n=40, rewards=("deaf", "contrary"))
    for cell in ("didp", "oidp"):
        frame[f"deaf_{cell}"] = frame[f"deaf_{cell.replace('dp', 'op')}"]
        frame[f"contrary_{cell}"] = 0.0
    frame["contrary_diop"], frame["contrary_oiop"] = 1.0, 0.0
    found = summarise(ScoreTable.from_frame(frame))
    deaf, contrary = (found.rewards[name] for name in ("deaf", "contrary"))
    assert findings.prompt_blind(deaf.override)
    assert not findings.prompt_blind(contrary.override)
    said = findings.finding(deaf)
    assert said.startswith("sets two images apart by the same whatever the prompt says")
    assert "moved against requests" in findings.finding(contrary)


def test_who_overrides_most_is_told_only_where_intervals_allow():
    strong = {"followed": 10, "overridden": 90}
    near = {"followed": 12, "overridden": 88}
    weak = {"followed": 90, "overridden": 10}
    alone = findings.most_overriding(summary(weak=weak, strong=strong))
    assert (alone.names, alone.n_compared) == (("strong",), 2)
    together = findings.most_overriding(summary(weak=weak, near=near, strong=strong))
    assert (together.names, together.n_compared) == (("strong", "near"), 3)


def test_one_that_overrides_nothing_never_leads_however_wide_its_interval():
    found = summary(none={"followed": 100}, some={"followed": 90, "overridden": 10})
    for reward in found.rewards.values():
        assert reward.placebo.override_rate.high > 0
    assert findings.most_overriding(found).names == ("some",)


def test_a_lone_blind_model_with_a_high_rate_on_few_pairs_does_not_lead():
    few = {"overridden": 10, "missed": 90}
    some = {"followed": 60, "overridden": 40}
    found = findings.most_overriding(summary(few=few, some=some))
    assert (found.names, found.n_compared) == (("some",), 1)


def test_what_is_assumed_without_labels_is_said():
    labelled = summary(taste={"followed": 50, "overridden": 50})
    assert findings.unlabelled(labelled) == ""
    frame = score_frame(n=N, rewards=("taste",)).drop(columns="label", errors="ignore")
    frame["index"] = range(N)
    for cell, values in (("oiop", 0), ("oidp", 0), ("diop", -3), ("didp", [-1, 1] * (N // 2))):
        frame[f"taste_{cell}"] = values
    found = summarise(ScoreTable.from_frame(frame))
    said = findings.unlabelled(found)
    assert said.startswith("No labels: every image is taken to show what was asked for.")
    # O 1/2, u 1: (.5 - .1) / (1 - .1) to .5 / (1 - .1)
    assert "Should up to 10\u202f% not" in said
    assert "taste 44\u202f% to 56\u202f%" in said
    bounds = found.rewards["taste"].failed
    assert (
        f"({ROUND_SHARE.value(bounds.low_sure)} to {ROUND_SHARE.value(bounds.high_sure)})" in said
    )
    frame["taste_didp"] = frame["taste_diop"]
    blind = summarise(ScoreTable.from_frame(frame))
    assert findings.unlabelled(blind).endswith("what was asked for.")
    assert findings.unlabelled(blind) in render(blind)


def test_makers_as_people_say_them():
    assert findings.made_by(()) == ""
    assert findings.made_by(("counterfactual",)).startswith("photographs")
    assert findings.made_by(("a", "b")) == "images by a and b"
    assert findings.made_by(tuple("abcdef")) == "images by a, b, c, d and 2 others"


def test_a_synthetic_scorer_never_overrides_most():
    followed = {"followed": 80, "overridden": 20}
    tested = {"average-taste": {"followed": 20, "overridden": 80}}
    assert findings.most_overriding(summary(**tested)) is None
    most = findings.most_overriding(summary(**tested, mine=followed))
    assert (most.names, most.n_compared) == (("mine",), 1)


def test_the_page_says_which_scorers_are_synthetic():
    counts = {"followed": 60, "overridden": 40}
    page = render(summary(**{"average-taste": counts}, mine=counts))
    assert "<strong>average-taste</strong> (built in, synthetic)" in page
    assert "<strong>mine</strong> (built in" not in page
    assert "mine overrode" in page
    assert "average-taste overrode" not in page
    assert "no other reward model understood" not in page
    assert "A self-test." in render(summary(**{"average-taste": counts}))
