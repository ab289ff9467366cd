"""The condition's mask of MPS, and the layers above CLIP."""

from __future__ import annotations

import numpy as np
import pytest
from support import golden_weights as made

torch = pytest.importorskip("torch")

from aas_bench.rewards import mps  # noqa: E402
from aas_bench.rewards.mps_attention import CrossModel, RotaryFrequencies, gated, rotated  # noqa: E402


def test_tokens_are_kept_by_their_share_of_the_largest_of_their_own_prompt():
    # relevance 10, 4, 2 and, a tenth of it, 1, 0.4, 0.2: shares 1, 0.4, 0.2 both times
    condition = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    prompt = torch.tensor([[10.0, 3.0], [1.0, 4.0], [2.0, -5.0]])
    kept = mps.kept_tokens(torch.stack([prompt, prompt / 10]), condition, 0.3)
    assert kept.tolist() == [[True, True, False]] * 2
    assert mps.kept_tokens(prompt[None], condition, 0.1).all()


def test_the_condition_is_the_goldens():
    ids = made.golden("mps")["checks"]["condition_token_ids"]
    trimmed = mps.condition_ids()
    assert trimmed == ids[: len(trimmed)]
    assert set(ids[len(trimmed) :]) == {49407}


def test_masked_prompt_tokens_have_no_say():
    torch.manual_seed(0)
    model = CrossModel(width=32, layers=2, heads=4, head_width=8, ff_mult=4).eval()
    images, prompts = torch.randn(1, 5, 32), torch.randn(1, 6, 32)
    kept = torch.tensor([[True, True, False, True, False, True]])
    other = prompts.clone()
    other[:, 2] = 100.0
    with torch.inference_mode():
        read = model(images, prompts, kept)
        torch.testing.assert_close(model(images, other, kept), read)
        assert not torch.allclose(model(images, other, torch.ones_like(kept)), read)


def test_rotation_keeps_lengths_and_depends_on_distance_alone():
    angles = RotaryFrequencies(8)(20)
    query, key = torch.randn(8), torch.randn(8)
    turned = [rotated(v.expand(20, 8), angles) for v in (query, key)]
    np.testing.assert_allclose(turned[0].norm(dim=-1), query.norm().expand(20), rtol=1e-5)
    near, far = (turned[0][i + 2] @ turned[1][i] for i in (1, 10))
    assert near.item() == pytest.approx(far.item(), abs=1e-4)
    assert torch.equal(turned[0][0], query)


def test_the_second_half_is_the_gate():
    doubled = torch.tensor([[3.0, 2.0, 0.0, 100.0]])
    assert gated(doubled).tolist() == [[0.0, 200.0]]
