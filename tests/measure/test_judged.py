"""What judges' answers come to, against judges whose bias and errors are known."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score
from support.loopback_judge import choose, dark_pairs

from aas_bench.judges.base import FunctionJudge
from aas_bench.measure.judged import summarise_judgements
from aas_bench.run.judge import Judgements, judge
from aas_bench.stats import JudgeErrors, corrected_rate, preference

BIAS, ERROR = 0.2, 0.15


def simulated(rng, n, *, bias, error, truth=None, name="j"):
    """Answers of a judge that, in a share `bias` of them, names the first image whatever it is.

    Otherwise it goes by what it believes of the pair, which is wrong in a share `error` of pairs.
    """
    truth = np.ones(n, dtype=int) if truth is None else truth
    belief = np.where(rng.random(n) < error, 1 - truth, truth)
    rows, votes = [], []
    for order, first in (("original_first", 0), ("distorted_first", 1)):
        vote = np.where(rng.random(n) < bias, first, belief)
        votes.append(vote)
        rows += [
            {
                "pair_id": f"p{i}",
                "index": i,
                "judge": name,
                "prompt": "distorted",
                "shown": order,
                "status": "ok",
                "answer": f'{{"choice": "{"first" if v == first else "second"}"}}',
                "why": "",
                "reason": None,
                "attempts": 1,
                "latency_seconds": 1.0,
                "cost_usd": None,
                "told": "{}",
            }
            for i, v in enumerate(vote)
        ]
    label = np.where(votes[0] == votes[1], votes[0], -1)
    frame = {"pair_id": [f"p{i}" for i in range(n)], "index": range(n), "label": truth}
    frame |= {f"label_{name}": label, "label_majority": label}
    return Judgements(
        by="pairwise", judges=(name,), frame=pd.DataFrame(frame), answers=pd.DataFrame(rows)
    )


def test_bias_and_error_of_a_known_judge_are_recovered():
    """Both orders take the bias out of the labels: of those that are no tie, `ERROR` are wrong."""
    rng, times, held = np.random.default_rng(0), 60, np.zeros(2)
    for _ in range(times):
        found = summarise_judgements(simulated(rng, 300, bias=BIAS, error=ERROR)).judges["j"]
        held += [each.low <= known <= each.high for each, known in _known(found)]
    assert held.min() >= 52  # a 95 % interval fails more often once in 400 such tests
    big = summarise_judgements(simulated(rng, 20_000, bias=BIAS, error=ERROR)).judges["j"]
    assert (big.bias.value, big.error.value) == pytest.approx((BIAS, ERROR), abs=0.01)
    assert big.ties.value == big.contradicted.value == pytest.approx(BIAS, abs=0.01)


def _known(found):
    return (found.bias, BIAS), (found.error, ERROR)


def test_the_corrected_accuracy_covers_the_truth_where_the_plain_one_does_not():
    """A reward model of accuracy .8 on 300 pairs; of 100 others the truth is known."""
    rng, times, n, accuracy = np.random.default_rng(1), 400, 400, 0.8
    held = np.zeros(2)
    for _ in range(times):
        truth = rng.integers(0, 2, n)
        said = simulated(rng, n, bias=0, error=ERROR, truth=truth)
        label = said.frame["label_j"].to_numpy()
        picked = np.where(rng.random(n) < accuracy, truth, 1 - truth)
        audit = JudgeErrors.of(judged=(picked == label)[300:], truth=(picked == truth)[300:])
        plain = preference(2.0 * picked[:300] - 1, label[:300]).accuracy
        pair = (corrected_rate(plain, audit), plain)
        held += [each.low <= accuracy <= each.high for each in pair]
    corrected, plain_held = held / times
    assert 0.93 <= corrected <= 0.97
    assert plain_held < 0.2


def test_judges_agree_as_scikit_learn_says(tmp_path):
    """Three judges with their own choices; a tie lies between the images."""
    rng = np.random.default_rng(2)
    n = 40
    plans = {name: rng.choice(["distorted", "original", "neither"], n) for name in "abc"}

    def follow(plan):
        def say(question, pictures):
            number = int(question.task["request"].split()[-1])
            bright = [picture.getpixel((0, 0))[1] > 100 for picture in pictures]
            wanted = {"distorted": bright.index(False), "original": bright.index(True)}
            at = wanted.get(plan[number])
            return choose("neither" if at is None else ("first", "second")[at])

        return say

    judges = [FunctionJudge(follow(plan), name=name) for name, plan in plans.items()]
    said = judge(dark_pairs(n), judges, progress=False, cache=tmp_path)
    found = summarise_judgements(said)
    worth = {"distorted": 2, "neither": 1, "original": 0}
    for a, b in ("ab", "ac", "bc"):
        codes = [[worth[each] for each in plans[name]] for name in (a, b)]
        expected = cohen_kappa_score(*codes, weights="quadratic")
        assert found.agreement[a][b].value == pytest.approx(expected)
        assert found.agreement[b][a] == found.agreement[a][b]
    votes = np.array([[worth[each] for each in plans[name]] for name in "abc"])
    label = np.select([(votes == 2).sum(0) > 1, (votes == 0).sum(0) > 1], [1, 0], -1)
    assert said.frame["label_majority"].tolist() == label.tolist()
    assert found.majority == {
        "1": int((label == 1).sum()),
        "0": int((label == 0).sum()),
        "-1": int((label == -1).sum()),
        "missing": 0,
    }
    win = [found.judges[name].measures["llm_win"].value for name in "abc"]
    assert win == pytest.approx([(plans[name] == "distorted").mean() for name in "abc"])


def test_missing_answers_lower_the_coverage():
    said = simulated(np.random.default_rng(3), 10, bias=0, error=0)
    lost = said.answers["pair_id"] == "p3"
    said.answers.loc[lost, ["status", "answer", "reason"]] = [
        "timed out",
        None,
        "no answer in time",
    ]
    said.frame["label_j"] = said.frame["label_j"].astype("Int8")
    said.frame.loc[3, "label_j"] = None
    found = summarise_judgements(said).judges["j"]
    assert (found.n_missing, found.measures["llm_win"].n) == (1, 9)
    assert found.measures["llm_win"].coverage == found.bias.coverage == 0.9
    assert found.reasons == {"no answer in time": 2}
