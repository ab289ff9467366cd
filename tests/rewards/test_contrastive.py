"""The knob does to scores what the analysis of section 3.4 does to margins."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.toy_pairs import dataset, picture, rows
from support.toy_rewards import ToyCross, ToyDual, read, seen

from aas_bench.errors import InputError, UnknownNameError
from aas_bench.rewards.base import weighted_sum
from aas_bench.rewards.catalog import load_reward
from aas_bench.rewards.contrastive import ContrastiveReward
from aas_bench.run.score import score
from aas_bench.stats.strength import strength_curve


def by_hand(image, prompt):
    return float(seen(image) @ read(prompt))


def test_alone_it_is_set_off_against_the_neutral_prompt():
    image = picture(1)
    [found] = ContrastiveReward(ToyDual(), 0.8).score([image], ["a cat"])
    assert found == pytest.approx(by_hand(image, "a cat") - 0.8 * by_hand(image, ""), rel=1e-12)
    model = ContrastiveReward(ToyDual(), 0.8, neutral_prompt="a photo")
    [found] = model.score([image], ["a cat"])
    assert found == pytest.approx(
        by_hand(image, "a cat") - 0.8 * by_hand(image, "a photo"), rel=1e-12
    )


def test_strength_0_is_the_base_to_the_last_bit():
    pairs = dataset(rows())
    base = score(pairs, ToyCross(), progress=False).cells("toy")
    same = score(pairs, ContrastiveReward(ToyCross(), 0.0, name="same"), progress=False)
    for cell in ("oiop", "oidp", "diop", "didp"):
        assert getattr(same.cells("same"), cell).tolist() == getattr(base, cell).tolist()


@given(
    scores=st.lists(st.fractions(-100, 100, max_denominator=50), min_size=4, max_size=4),
    strength=st.integers(0, 12).map(lambda eighths: eighths / 8),
)
@settings(deadline=None, max_examples=50)
def test_in_exact_arithmetic_the_margin_is_d_a_minus_strength_times_d_o(scores, strength):
    """Fractions through the very terms of the model: no rounding, so equality."""
    oiop, oidp, diop, didp = scores
    of = {("o", "po"): oiop, ("o", "pa"): oidp, ("d", "po"): diop, ("d", "pa"): didp}
    terms = ContrastiveReward(ToyDual(), strength).terms("pa", "po")
    exact = {i: sum(Fraction(t.weight) * of[i, t.prompt] for t in terms) for i in "od"}
    d_a, d_o = didp - oidp, diop - oiop
    assert exact["d"] - exact["o"] == d_a - Fraction(strength) * d_o
    rounded = weighted_sum(terms, [float(of["d", t.prompt]) for t in terms])
    assert rounded == pytest.approx(float(exact["d"]), abs=1e-10)


@pytest.mark.parametrize("strength", [0.0, 0.5, 0.8, 1.5])
def test_the_engine_gives_the_points_of_the_strength_curve(strength):
    """The same accuracy from a corrected reward model as from the analysis of the plain scores."""
    pairs = dataset(rows(n_prompts=12))
    label = np.tile([1, 0, 1], 12).astype(np.int8)
    plain = score(pairs, ToyDual(), progress=False).cells("toy")
    reward = ContrastiveReward(ToyDual(), strength, name="knob")
    knob = score(pairs, reward, progress=False).cells("knob")
    d_a, d_o = plain.didp - plain.oidp, plain.diop - plain.oiop
    margin = knob.didp - knob.oidp
    np.testing.assert_allclose(margin, d_a - strength * d_o, rtol=0, atol=1e-12)
    [point] = strength_curve(d_a, d_o, label, strengths=[strength]).points
    assert point.value == np.mean((margin > 0) == label)


@pytest.mark.usefixtures("unchecked")
def test_it_costs_no_more_than_the_base():
    base, corrected = ToyDual(), ToyDual()
    score(dataset(rows()), base, progress=False)
    score(dataset(rows()), ContrastiveReward(corrected, 0.8), progress=False)
    assert corrected.n == base.n


def test_a_pair_without_original_prompt_gets_the_neutral_one():
    table = list(rows())
    for row in table:
        row["prompt_original"] = None
    model = ContrastiveReward(ToyDual(), 0.8, name="knob")
    cells = score(dataset(table), model, progress=False).cells("knob")
    from aas_bench.tables.images import open_image

    images = [open_image(row["image_distorted"]) for row in table]
    assert (
        cells.didp.tolist()
        == model.score(images, [row["prompt_distorted"] for row in table]).tolist()
    )


def test_one_inside_the_other():
    twice = ContrastiveReward(ContrastiveReward(ToyDual(), 0.5), 0.5)
    image, p, n = picture(3), "a cat", ""
    [found] = twice.score([image], [p])
    # (s(p) - s(n)/2) - (s(n) - s(n)/2)/2
    assert found == pytest.approx(by_hand(image, p) - 0.75 * by_hand(image, n), rel=1e-12)


def test_by_name():
    model = load_reward("contrastive:random@0.8")
    assert model.name == "contrastive:random@0.8"
    assert model.strength == 0.8
    told = model.describe()
    assert told["strength"] == 0.8
    assert told["base"]["name"] == "random"


@pytest.mark.parametrize("name", ["contrastive:random", "contrastive:@0.8", "contrastive:random@x"])
def test_a_name_without_strength_is_refused(name):
    with pytest.raises(InputError, match=r"names no strength. Write contrastive:NAME@0.8"):
        load_reward(name)


def test_an_unknown_base_gets_near_names():
    with pytest.raises(UnknownNameError, match="Did you mean polish"):
        load_reward("contrastive:polsh@0.5")


@pytest.mark.parametrize("strength", [-0.1, float("nan"), float("inf")])
def test_unusable_strengths(strength):
    with pytest.raises(InputError, match=r"strength .* is not usable. Give a finite number"):
        ContrastiveReward(ToyDual(), strength)


def test_the_description_tells_strengths_apart():
    told = [ContrastiveReward(ToyDual(), s, name="x").describe() for s in (0.5, 0.6)]
    assert told[0] != told[1]
