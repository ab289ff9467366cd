"""Several wordings of a request: averaged, with their noise beside, and what lies under it."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import aas_bench
from aas_bench.cli import app
from aas_bench.measure.summary import summarise
from aas_bench.pages.report import render
from aas_bench.stats import wording_override
from aas_bench.tables.scores import ScoreTable
from aas_bench.words import percent

N = 300


def noisy(wordings, *, seed=0, one_original=False, n=N):
    """All requests read, taste wins half, signal to noise 0.5; the gains, and as a table."""
    rng = np.random.default_rng(seed)
    gain = rng.normal(size=n)
    real = gain[:, None] + rng.normal(size=(n, wordings))
    placebo = gain[:, None] - 0.5 * np.sqrt(2) + rng.normal(size=(n, wordings))
    if one_original:
        placebo = np.repeat(placebo[:, :1], wordings, axis=1)
    rows = {"item": np.arange(n), "index": np.arange(n), "r_oiop": 0.0, "r_oidp": 0.0}
    frames = [
        pd.DataFrame({**rows, "wording": w, "r_diop": placebo[:, w], "r_didp": real[:, w]})
        for w in range(wordings)
    ]
    frame = pd.concat(frames, ignore_index=True)
    return real, placebo, frame.assign(pair_id=[f"pair/{i:05d}" for i in range(len(frame))])


def told(frame, **options):
    summary = summarise(ScoreTable.from_frame(frame), **options)
    return summary, {(m.measure, m.group): m for m in summary.measurements()}


def test_four_wordings_show_what_their_noise_hides(tmp_path):
    # Truth: all are read, half of these overridden.
    real, placebo, frame = noisy(4)
    summary, found = told(frame)
    plain = wording_override(real, placebo).average
    for name in ("understood", "override_rate"):
        over = found[f"{name}_over_wordings", None]
        assert (over.value, over.low, over.high) == pytest.approx(
            (getattr(plain, name).value, getattr(plain, name).low, getattr(plain, name).high)
        )
        assert over.n == N
    assert 0.3 < found["understood_over_wordings", None].value < 0.45
    assert found["latent_understood", None].value > 0.93
    latent = found["latent_override_rate", None]
    assert latent.value == pytest.approx(0.5, abs=0.1)
    assert latent.low < 0.5 < latent.high
    assert found["wording_noise", None].value == pytest.approx(1, abs=0.06)
    assert found["signal_to_noise", None].value == pytest.approx(0.5, abs=0.08)
    by_wording = [found["chosen", str(w)].value for w in range(4)]
    assert found["wording_spread", "headline"].value == pytest.approx(np.std(by_wording, ddof=1))
    assert found["chosen_over_wordings", None].value == pytest.approx((real > 0).mean())
    assert found["chosen_over_wordings", None].n == N

    page = render(summary)
    assert "over all wordings of 300 pairs" in page
    assert "Under the noise: net move towards the request" in page
    ScoreTable.from_frame(frame).save(tmp_path / "scores.parquet")
    printed = CliRunner().invoke(app, ["analyse", str(tmp_path / "scores.parquet")]).output
    said = " ".join(printed.split())
    share = percent((real > 0).mean()).replace("\u202f", " ")
    assert f"r over all wordings of 300 pairs: chose the image asked for in {share} (" in said
    assert "Under the noise: net move towards the request" in said


def test_what_wordings_cannot_tell_is_said():
    _, found = told(noisy(4, one_original=True, n=60)[2])
    for name in ("latent_understood", "latent_override_rate"):
        assert found[name, None].value is None
        assert "fewer than four wordings" in found[name, None].reason
    assert found["wording_noise", None].value > 0.8
    _, two = told(noisy(2, n=60)[2])
    assert ("latent_understood", None) not in two
    assert two["understood_over_wordings", None].n == 60
    assert two["wording_noise", None].low is None
    assert "no interval" in two["wording_noise", None].reason
    _, one = told(noisy(1, n=60)[2])
    assert not [measure for measure, _ in one if "wording" in measure or "noise" in measure]


def test_a_pair_in_one_wording_is_left_out_and_a_lost_wording_is_missing():
    frame = noisy(3, n=50)[2]
    kept = frame[~((frame["item"] == 0) & (frame["wording"] > 0))]
    kept = kept[~((kept["item"] == 1) & (kept["wording"] == 0))]
    _, found = told(kept)
    assert found["understood_over_wordings", None].n == 49
    assert found["chosen_over_wordings", None].n == 49


def test_labels_say_which_pairs_can_be_overridden():
    frame = noisy(4, n=80)[2]
    frame["label"] = (frame["item"] % 2).astype(int)
    summary, found = told(frame)
    half, alone = told(frame[frame["label"] == 1])
    assert summary.measure == half.measure == "accuracy"
    rate = alone["override_rate_over_wordings", None].value
    assert found["override_rate_over_wordings", None].value == pytest.approx(rate)
    # The noise is that of all pairs, the rate of those labelled 1.
    assert found["latent_override_rate", None].value == pytest.approx(
        alone["latent_override_rate", None].value, abs=0.1
    )
    assert ("accuracy_over_wordings", None) in found


def test_rounding_is_no_noise_between_wordings():
    prompt = np.array([0.17, 0.23, 0.31])
    rng = np.random.default_rng(0)
    image = rng.normal(7, 1, (2, 40))
    rows = [
        {"item": i, "index": i, "wording": w, "pair_id": f"pair/{i}-{w}"}
        | {f"r_{'od'[k]}i{c}": image[k, i] + p for k in (0, 1) for c, p in (("op", 0.1), ("dp", q))}
        for i in range(40)
        for w, q in enumerate(prompt)
    ]
    _, found = told(pd.DataFrame(rows))
    assert found["wording_noise", None].value == 0
    assert found["signal_to_noise", None].value is None
    assert found["understood_over_wordings", None].value == 0


def test_an_unknown_reward_model_is_answered_with_the_nearest():
    frame = noisy(1, n=5)[2].rename(columns=lambda name: name.replace("r_", "hpsv3_", 1))
    summary = aas_bench.summarise(ScoreTable.from_frame(frame))
    with pytest.raises(aas_bench.errors.UnknownNameError, match=r"'hpsv2'.*Did you mean hpsv3"):
        summary.rewards["hpsv2"]
    assert summary.rewards.get("hpsv2") is None
    with pytest.raises(aas_bench.errors.UnknownNameError, match="Did you mean hpsv3"):
        summary.ordered().rewards["hpsv"]
