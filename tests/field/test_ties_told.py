"""Ties as the field hands them in: told with what they change, never as a preference."""

import numpy as np
import pandas as pd
import pytest

from aas_bench.diagnosis.examine import doctor
from aas_bench.evidence import EVIDENCE
from aas_bench.tables.scores import load_scores

CELLS = ("oiop", "oidp", "diop", "didp")


def binned(reward, bins):
    """Published scores of 300 pairs, as a rating on a scale of so many steps."""
    scores = load_scores(EVIDENCE, rewards=[reward]).frame[[f"{reward}_{cell}" for cell in CELLS]]
    low, high = scores.to_numpy().min(), scores.to_numpy().max()
    return np.clip(np.floor((scores - low) / (high - low) * bins) + 1, 1, bins)


def share(hits):
    return pytest.approx(float(np.mean(hits)))


@pytest.mark.parametrize("bins", [5, 10, 20, 100])
@pytest.mark.parametrize("reward", ["hpsv2", "hpsv3", "image_reward"])
def test_the_ties_of_a_rating_scale_are_counted_and_taken_out(reward, bins):
    table = binned(reward, bins)
    margin = (table[f"{reward}_didp"] - table[f"{reward}_oidp"]).to_numpy()
    told = {each.probe: each for each in doctor(table).findings}
    assert told["ties"].n == int((margin == 0).sum())
    [effect] = told["ties"].effects
    assert effect.before.value == share(margin > 0)
    assert effect.after.value == share(margin[margin != 0] > 0)
    near = np.abs(margin) <= 1
    assert told["rounding"].n == int(near.sum())
    after = [effect.after.value for effect in told["rounding"].effects]
    assert after == ([] if near.all() else [share(margin[~near] > 0)])


def test_a_constant_reward_is_all_ties_and_prefers_nothing():
    told = {each.probe: each for each in doctor(binned("hpsv2", 1)).findings}
    assert told["ties"].n == told["ties"].of
    assert told["ties"].effects == ()
    assert told["prompt"].text == "no prompt moves a score of hpsv2"


def test_one_tie_in_fine_scores_is_a_note():
    table = pd.DataFrame({"r_oidp": np.sqrt(np.arange(400)), "r_didp": np.cbrt(np.arange(400))})
    told = doctor(table.iloc[2:].assign(r_didp=table["r_didp"].where(table.index != 7, 7**0.5)))
    assert [(each.probe, each.outcome, each.n) for each in told.findings] == [("ties", "note", 1)]
