"""What a choice selects and what is said of it: the report's numbers, the rows of a plain loop."""

from itertools import product
from urllib.parse import parse_qs

import numpy as np
import pytest
from support.score_runs import score_frame

from aas_bench.errors import InputError
from aas_bench.measure.compare import match_rewards
from aas_bench.measure.part import Parts
from aas_bench.measure.summary import STANDARD, VERDICTS, summarise, verdicts
from aas_bench.tables.scores import ScoreTable
from aas_bench.viewer.choice import SORTS, Choice, select

REWARDS = ("alpha", "beta")


@pytest.fixture(scope="module")
def table():
    frame = score_frame(n=90, rewards=REWARDS)
    rng = np.random.default_rng(5)
    frame["dose"] = 0.25 * (1 + np.arange(90) % 3)
    frame["prompt_distorted"] = [f"a blurred cat {i}, <b>dim</b>" for i in range(90)]
    for cell in ("dimp", "oimp"):
        frame[f"alpha_{cell}"] = list(rng.normal(size=(90, 4)))
    frame.loc[:4, "alpha_didp"] = frame.loc[:4, "alpha_oidp"]
    frame.loc[7, ["alpha_didp", "beta_oidp"]] = np.nan
    return ScoreTable.from_frame(frame)


@pytest.fixture(scope="module")
def parts(table):
    return Parts(table)


def choice(parts, **query):
    return Choice.of(query, parts)


@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize("group", [None, "clarity", "emotion"])
def test_the_figures_of_a_filter_are_those_of_the_report(table, parts, reward, group):
    summary = summarise(table, on_missing="drop")
    reported = summary.rewards[reward] if group is None else summary.rewards[reward].by[group]
    query = {} if group is None else {"dimensions": group}
    # Neither the outcome nor the search changes what is counted.
    chosen = choice(parts, reward=reward, outcome="overridden", q="1", **query)
    found = parts.figures(reward, select(parts, chosen).part)
    assert found.n == reported.n
    for name in ("headline", "choices", "override", "placebo"):
        assert getattr(found, name) == getattr(reported, name), name
    assert parts.measure == summary.measure
    assert (found.placebo.kind == "matched") == (reward == "alpha")


def test_the_rows_are_those_of_a_plain_loop(table, parts):
    frame = table.frame
    said = {reward: verdicts(table, reward) for reward in REWARDS}
    seen = 0
    for reward, group, dose, outcome, word in product(
        REWARDS, ("", "clarity", "emotion"), ("", "0.5"), ("", *VERDICTS), ("", "CAT 1")
    ):
        asked = {"dimensions": group, "dose": dose, "outcome": outcome, "q": word, "reward": reward}
        found = select(parts, Choice.of(asked, parts)).rows.tolist()
        expected = [
            i
            for i in range(len(frame))
            if (not group or group in frame["dimensions"][i])
            and (not dose or frame["dose"][i] == float(dose))
            and (not outcome or said[reward][i] == outcome)
            and all(w in frame["prompt_distorted"][i] for w in word.lower().split())
        ]
        assert found == expected, asked
        seen += len(found)
    assert seen > 1000
    with pytest.raises(InputError, match="no outcome is called 'won'"):
        choice(parts, outcome="won")


def test_orders_are_by_the_difference_and_missing_scores_come_last(table, parts):
    margin = (table.frame["alpha_didp"] - table.frame["alpha_oidp"]).to_numpy()
    for sort, key in (("polished", margin), ("asked", -margin), ("near", np.abs(margin))):
        rows = select(parts, choice(parts, sort=sort)).rows
        assert rows[-1] == 7
        assert (np.diff(key[rows[:-1]]) >= 0).all()
        assert sorted(rows) == list(range(90))


def test_pairs_on_which_two_disagree_come_first(table, parts):
    chosen = choice(parts, other="beta")
    assert chosen.sort == "differ"
    rows = select(parts, chosen).rows
    margins = [table.frame[f"{r}_didp"] - table.frame[f"{r}_oidp"] for r in REWARDS]
    signs = np.sign(np.stack(margins))[:, rows]
    differ = (signs[0] != signs[1]) & ~np.isnan(signs).any(axis=0)
    n = int(differ.sum())
    assert 20 < n < 70
    assert differ[:n].all()
    assert (np.diff(margins[0].abs().to_numpy()[rows[:n]]) <= 0).all()


def test_two_are_compared_on_the_part_alone(table, parts):
    part = select(parts, choice(parts, other="beta", dimensions="emotion")).part
    found = parts.match("alpha", "beta", part)
    alone = ScoreTable(frame=table.frame[part].reset_index(drop=True), rewards=REWARDS)
    assert found == match_rewards(alone, alone, *REWARDS, STANDARD)
    assert found.comparison.n < parts.match("alpha", "beta", parts.rows).comparison.n


def test_placebos_are_counted_as_a_plain_loop_does(table, parts):
    frame = table.frame
    found = parts.beaten("alpha", range(90))
    assert set(found) == set(range(90)) - {7}  # which has no score
    for i in set(range(5, 90)) - {7}:
        real = frame["alpha_didp"][i] - frame["alpha_oidp"][i]
        placebo = np.array(frame["alpha_dimp"][i]) - np.array(frame["alpha_oimp"][i])
        assert found[i] == (int((placebo < real).sum()), 4)
    assert {n for _, n in parts.beaten("beta", [3, 4]).values()} == {1}


def test_an_address_holds_the_whole_choice(parts):
    queries = [
        {"dimensions": "clarity", "dose": "0.25", "outcome": "lucky", "sort": "near", "page": "2"},
        {"reward": "beta", "other": "alpha", "q": 'a "cat" & dog', "sort": "table"},
        {"other": "beta"},
        {},
    ]
    for query in queries:
        made = Choice.of(query, parts)
        again = {name: found[0] for name, found in parse_qs(made.address()).items()}
        assert Choice.of(again, parts) == made
    for sort in SORTS:
        assert Choice.of({"other": "beta", "sort": sort}, parts).sort == sort
    for page in ("0", "-1", "x", "1" * 30):
        with pytest.raises(InputError, match="is no page"):
            Choice.of({"page": page}, parts)
