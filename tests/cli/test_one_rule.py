"""Every command that prints a rate counts the same pairs, one wording each, by base prompt."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from support.toy_pairs import dataset, rows

REWARD = """
def light():
    def light(images, prompts):
        return [i.getpixel((0, 0))[0] + len(p) for i, p in zip(images, prompts)]
    return light

def dark():
    def dark(images, prompts):
        return [-i.getpixel((0, 0))[1] + len(p) % 7 for i, p in zip(images, prompts)]
    return dark
"""


@pytest.fixture
def wordings(tmp_path, monkeypatch):
    """A table in which each pair stands with two wordings, and two reward models."""
    table = [
        row
        | {
            "pair_id": f"{row['pair_id']}/w{w}",
            "prompt_distorted": f"{w} {row['prompt_distorted']}",
        }
        for row in rows(n_prompts=8)
        for w in range(2)
    ]
    pairs = dataset(table)
    pairs = pairs.add_column("item", [row["pair_id"][:-3] for row in table])
    pairs = pairs.add_column("wording", [int(row["pair_id"][-1]) for row in table])
    pairs.to_parquet(tmp_path / "pairs.parquet")
    (tmp_path / "my_rewards.py").write_text(REWARD)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return len(table) // 2


def test_evaluate_analyse_report_and_compare_count_alike(run, wordings, tmp_path):
    rewards = ["-r", "my_rewards:light", "-r", "my_rewards:dark"]
    told = run("evaluate", "-d", "pairs.parquet", *rewards, "-o", "run", "--json")
    assert told.code == 0, told.err
    told = {"evaluate": told.json}
    told["analyse"] = run("analyse", "run", "--json").json
    told["report"] = run("report", "run", "--out", "page", "--json").json
    rates = {
        name: {
            (m["reward"], m["measure"]): (m["value"], m["low"], m["high"], m["n"])
            for m in each["measurements"]
            if m["by"] is None and m["at"] is None and m["group"] is None
        }
        for name, each in told.items()
    }
    assert rates["evaluate"] == rates["analyse"] == rates["report"]
    a, b = told["analyse"]["rewards"]
    compared = run("compare", "run", a, b, "--json").json
    for side, name in (("a", a), ("b", b)):
        value, low, high, n = rates["analyse"][name, compared["measure"]]
        rate = compared[f"accuracy_{side}"]
        assert (rate["value"], rate["low"], rate["high"]) == pytest.approx((value, low, high))
        assert compared["n"] == n == wordings
    assert compared["accuracy_difference"]["n_clusters"] == told["analyse"]["n_clusters"] == 8
    assert compared["accuracy_test"]["p_value"] == pytest.approx(turned(tmp_path / "run", a, b))


def turned(run, a, b):
    """The mid-p by hand: all turns of whole base prompts further out, and half the ties."""
    frame = pd.read_parquet(run / "scores.parquet").query("wording == 0")
    right = [frame[f"{name}_didp"] > frame[f"{name}_oidp"] for name in (a, b)]
    sums = (right[0].astype(int) - right[1].astype(int)).groupby(frame["index"]).sum()
    turns = np.abs(np.array(list(product((-1, 1), repeat=len(sums)))) @ sums.to_numpy())
    return (np.mean(turns > abs(sums.sum())) + np.mean(turns >= abs(sums.sum()))) / 2


def test_a_wrong_grouping_fails_before_anything_is_scored(run, wordings, tmp_path):
    command = ["evaluate", "-d", "pairs.parquet", "-r", "my_rewards:light", "-o", "run"]
    found = run(*command, "--by", "wordings")
    assert found.code == 2
    assert found.err.startswith(
        "aas-bench: the table has no column 'wordings'. Did you mean wording"
    )
    assert len(found.err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_run_grows_from_the_command_line_and_its_table_is_that_made_at_once(
    run, wordings, tmp_path
):
    command = ["score", "-d", "pairs.parquet", "-r", "my_rewards:light"]
    assert run(*command, "-o", "grown", "--sample", 5).code == 0
    assert run(*command, "-o", "grown", "--sample", 20).code == 0
    assert run(*command, "-r", "my_rewards:dark", "-o", "grown").code == 0
    assert run(*command, "-r", "my_rewards:dark", "-o", "once").code == 0
    tables = [(tmp_path / name / "scores.parquet").read_bytes() for name in ("grown", "once")]
    assert tables[0] == tables[1]
    assert len(pd.read_parquet(tmp_path / "grown/scores.parquet")) == 2 * wordings
    less = run(*command, "-r", "my_rewards:dark", "-o", "grown", "--sample", 5)
    assert less.code == 1
    assert "are not among those given" in less.err
    assert len(less.err.splitlines()) == 1
