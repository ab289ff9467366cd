"""Figures of the authors' own scores, to the last digit that is published."""

import json

import numpy as np
import pytest

from aas_bench.stats import generator_shift, override

pytestmark = pytest.mark.real

CELLS = ("oiop", "oidp", "diop", "didp")


@pytest.fixture(scope="session")
def cells(real_scores):
    rows = [json.loads(line) for line in real_scores.read_text().splitlines()]
    rewards = ("hpsv3", "hpsv2", "image_reward")
    return {
        reward: [np.array([row[f"{reward}_{cell}"] for row in rows]) for cell in CELLS]
        for reward in rewards
    } | {"index": np.array([row["index"] for row in rows])}


def test_generator_shift_of_hpsv3(cells):
    oiop, _, diop, _ = cells["hpsv3"]
    shift = generator_shift(oiop, diop, clusters=cells["index"])
    assert (round(shift.delta.value, 3), round(shift.after.value, 3)) == (-4.702, 6.159)
    assert shift.delta.low < -4.702 < shift.delta.high < 0


@pytest.mark.parametrize(
    ("reward", "chosen", "moved", "overridden"),
    [
        ("hpsv3", 0.290, 0.940, 0.680),
        ("hpsv2", 0.640, 0.980, 0.350),
        ("image_reward", 0.770, 0.933, 0.193),
    ],
)
def test_override(cells, reward, chosen, moved, overridden):
    result = override(*cells[reward], clusters=cells["index"])
    shares = (result.chosen, result.moved, result.overridden)
    assert tuple(round(share.value, 3) for share in shares) == (chosen, moved, overridden)
    assert result.n == 300


def test_one_exact_tie_of_hpsv2_counts_as_overridden(cells):
    # 104 pairs (0.347) prefer the polished image outright; in one more the two scores are equal.
    result = override(*cells["hpsv2"])
    assert round(result.overridden.value * 300) == 105
    assert result.n_reward_ties == 1
    assert round(104 / 300, 3) == 0.347
