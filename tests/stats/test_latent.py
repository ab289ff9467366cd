import numpy as np
import pytest
from scipy.optimize import minimize

from aas_bench.errors import InputError, MissingScoresError
from aas_bench.stats import latent_override, placebo_override, wording_override
from aas_bench.stats.latent import _maximise


def noisy(seed, *, step, n=300, wordings=4, gain=None):
    """Latent gains with a taste that wins half, `step` lower under the placebo, noise of 1."""
    rng = np.random.default_rng(seed)
    gain = rng.normal(size=n) if gain is None else gain
    real = gain[:, None] + rng.normal(size=(n, wordings))
    return real, (gain - step)[:, None] + rng.normal(size=(n, wordings))


def test_behaviour_is_averaged_over_all_comparisons():
    rng = np.random.default_rng(0)
    real, placebo = rng.normal(0.5, 1, (40, 3)), rng.normal(-0.5, 1, (40, 2))
    result = wording_override(real, placebo, kind="matched")
    each = [placebo_override(column, placebo) for column in real.T]
    for name in ("response", "understood", "overridden"):
        values = [getattr(one, name).value for one in each]
        assert getattr(result.average, name).value == pytest.approx(np.mean(values))
    assert result.understood_by_wording == tuple(one.understood.value for one in each)
    assert result.override_rate_by_wording == tuple(one.override_rate.value for one in each)
    assert result.understood_spread == pytest.approx(np.std(result.understood_by_wording, ddof=1))
    assert result.noise == pytest.approx(np.sqrt(np.var(real, axis=1, ddof=1).mean()))
    signal = (real.mean() - placebo.mean()) / (np.sqrt(2) * result.noise)
    assert result.signal_to_noise == pytest.approx(signal)
    assert (result.average.kind, result.n_wordings) == ("matched", 3)


def test_a_single_wording_has_no_noise():
    result = wording_override([[1.0], [2.0]], [[0.0], [0.0]])
    assert (result.noise, result.signal_to_noise, result.understood_spread) == (None, None, None)
    same = wording_override([[1.0, 1.0]] * 9, [[0.0]] * 9)
    assert (same.noise, same.signal_to_noise, same.understood_spread) == (0, None, 0)


def test_missing_wordings():
    real = [[1.0, np.nan], [np.nan, np.nan], [1.0, 3.0]]
    with pytest.raises(MissingScoresError, match="2 of 3 pairs"):
        wording_override(real, [[0.0]] * 3)
    result = wording_override(real, [[0.0]] * 3, on_missing="drop")
    assert (result.average.n, result.average.n_missing) == (2, 1)
    assert result.noise == pytest.approx(np.sqrt(2))


def test_noise_hides_what_wordings_reveal():
    # Signal to noise 0.5, all read, half lost: the swap on single wordings sees 0.38.
    found = [
        latent_override(*noisy(seed, step=0.5 * np.sqrt(2), wordings=8), n_resamples=30)
        for seed in (0, 1)
    ]
    plain = wording_override(*noisy(0, step=0.5 * np.sqrt(2))).average
    assert plain.understood.value < 0.45
    for result in found:
        assert result.understood.value > 0.93
        assert result.override_rate.value == pytest.approx(0.5, abs=0.1)
        assert result.override_rate.low < 0.5 < result.override_rate.high
        assert result.noise_real == pytest.approx(1, abs=0.06)
        assert result.noise_placebo == pytest.approx(1, abs=0.06)


def test_a_blind_model_stays_undefined():
    result = latent_override(*noisy(2, step=0), n_resamples=50)
    assert result.understood.low < 0 < result.understood.high
    assert result.override_rate.value is None
    assert "the understood share may be 0" in result.override_rate.reason


def test_without_noise_the_latent_gains_are_the_gains():
    rng = np.random.default_rng(0)
    real, placebo = rng.normal(1, 1, (60, 1)), rng.normal(-1, 1, (60, 1))
    latent = latent_override(np.tile(real, 4), np.tile(placebo, 4), n_resamples=20)
    plain = placebo_override(real[:, 0], placebo)
    assert latent.understood.value == pytest.approx(plain.understood.value, abs=1e-6)
    assert latent.override_rate.value == pytest.approx(plain.override_rate.value, abs=1e-6)
    assert latent.noise_real == latent.noise_placebo == 0


def test_the_weights_maximise_the_likelihood():
    rng = np.random.default_rng(0)
    likelihood = rng.uniform(0.1, 1, (12, 3)) ** 3
    counts = rng.integers(1, 4, (12, 1)).astype(float)

    def loss(free):
        weights = np.exp([0, *free])
        return -counts[:, 0] @ np.log(likelihood @ (weights / weights.sum()))

    best = minimize(loss, [0, 0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12})
    found = _maximise(likelihood, counts)[:, 0]
    assert found.sum() == pytest.approx(1)
    assert -counts[:, 0] @ np.log(likelihood @ found) == pytest.approx(best.fun, abs=1e-3)


def test_labels_clusters_and_options():
    real, placebo = noisy(0, step=3, n=80)
    label = np.tile([1, 1, 0, -1], 20)
    shown = latent_override(real, placebo, labels=label, n_resamples=0)
    assert (shown.n, shown.override_rate.value) == (40, None)
    assert shown.override_rate.reason == "no interval: nothing was resampled"
    together = latent_override(real, placebo, clusters=np.arange(80) // 8, n_resamples=20)
    assert together.understood.n_clusters == 10
    assert together == latent_override(real, placebo, clusters=np.arange(80) // 8, n_resamples=20)
    none = latent_override(real, placebo, labels=np.zeros(80), n_resamples=5)
    assert none.understood.reason == "no pair is labelled 1"
    with pytest.raises(InputError, match=r"real has 3 wordings\. Give 4 or more, or use"):
        latent_override(real[:, :3], placebo)
    with pytest.raises(InputError, match="placebo has 1 wordings"):
        latent_override(real, placebo[:, :1])
    lone = np.where(np.arange(4) == 0, 1.0, np.nan)[None, :]
    single = latent_override(lone, lone, on_missing="drop")
    assert single.understood.reason == "no pair has two wordings"
