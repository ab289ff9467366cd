import numpy as np
import pandas as pd
import pytest
from scipy import special

from aas_bench.errors import InputError
from aas_bench.measure.summary import summarise
from aas_bench.stats.scale import logit, logit_resolution
from aas_bench.tables.scores import ScoreTable


def test_log_odds_are_scipys():
    p = np.random.default_rng(0).uniform(size=200)
    assert logit(p) == pytest.approx(special.logit(p), rel=1e-12)
    assert np.isnan(logit([np.nan, 0.5])).tolist() == [True, False]


@pytest.mark.parametrize(("kind", "reach"), [(np.float64, 2.0**-53), (np.float32, 2.0**-25)])
def test_both_ends_are_finite_and_alike(kind, reach):
    p = np.array([0.0, 1.0, 0.1, 0.9]).astype(kind).astype(float)
    ends = logit(p)[:2]
    assert ends == pytest.approx([special.logit(reach), -special.logit(reach)])


def test_what_rounding_makes_of_a_probability_is_below_its_resolution():
    rng = np.random.default_rng(0)
    exact = rng.uniform(0.9, 1 - 1e-6, (2, 500))
    rounded = exact.astype(np.float32).astype(float)
    error = np.abs((special.logit(rounded) - special.logit(exact)).sum(axis=0))
    assert (error <= logit_resolution(*rounded)).all()
    assert (error > 0.01 * logit_resolution(*rounded)).any()


def test_a_number_outside_0_to_1_is_no_probability():
    with pytest.raises(InputError, match="outside 0 to 1"):
        logit([0.5, 1.5])


def test_probabilities_are_analysed_as_log_odds():
    rng = np.random.default_rng(0)
    odds = rng.normal([[4], [3], [-1], [2]], 2, (4, 200))
    cells = ("oiop", "oidp", "diop", "didp")
    kinds = {"blip-l-itm": special.expit(odds), "mine": odds, "raw": special.expit(odds)}
    frame = {f"{name}_{c}": four[i] for name, four in kinds.items() for i, c in enumerate(cells)}
    found = summarise(ScoreTable.from_frame(pd.DataFrame(frame))).rewards
    probability, mine, raw = found["blip-l-itm"], found["mine"], found["raw"]
    for name in ("understood", "override_rate"):
        told = getattr(mine.placebo, name).value
        assert getattr(probability.placebo, name).value == told
        assert getattr(raw.placebo, name).value != told
    strength = mine.override.override_strength.value
    assert probability.override.override_strength.value == pytest.approx(strength)
    assert probability.knob.points[10].value == mine.knob.points[10].value
    # In units of the score as published, and what no unit changes.
    assert probability.generator.delta.value == raw.generator.delta.value
    assert probability.choices.chosen.value == mine.choices.chosen.value
    assert probability.rescaling == raw.rescaling
