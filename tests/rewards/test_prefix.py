"""Continuing from a cut and padded cache equals reading everything at once."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from transformers import LlamaConfig, LlamaModel  # noqa: E402

from aas_bench.rewards.prefix import continue_from, split  # noqa: E402

LENGTHS, SUFFIXES = [7, 3, 5], [[11, 12], [13, 14, 15, 16], [17]]


@pytest.fixture(scope="module", params=["sdpa", "eager"])
def decoder(request):
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    config = LlamaConfig(vocab_size=40, **sizes, **heads, attn_implementation=request.param)
    return LlamaModel(config).eval()


@pytest.fixture(scope="module")
def prefixes(decoder):
    torch.manual_seed(1)
    ids = torch.randint(1, 40, (3, 7))
    with torch.inference_mode():
        cache = decoder(input_ids=ids, use_cache=True).past_key_values
        return ids, split(cache, LENGTHS, LENGTHS)


def whole(decoder, ids):
    with torch.inference_mode():
        return decoder(input_ids=torch.tensor([ids])).last_hidden_state[0, -1]


def continued(decoder, prefixes, suffixes):
    with torch.inference_mode():
        batch = continue_from(prefixes, suffixes, pad=0)
        hidden = decoder(
            input_ids=batch.ids,
            position_ids=batch.positions,
            attention_mask=batch.mask,
            past_key_values=batch.cache,
        ).last_hidden_state
    return hidden[torch.arange(len(suffixes)), batch.last]


def test_a_mixed_batch_equals_each_sequence_read_whole(decoder, prefixes):
    ids, held = prefixes
    assert [prefix.length for prefix in held] == LENGTHS
    got = continued(decoder, held, SUFFIXES)
    for row, (length, suffix) in enumerate(zip(LENGTHS, SUFFIXES, strict=True)):
        expected = whole(decoder, [*ids[row, :length].tolist(), *suffix])
        torch.testing.assert_close(got[row], expected, atol=1e-5, rtol=0)


def test_one_prefix_serves_two_suffixes_and_is_left_as_it_was(decoder, prefixes):
    _, held = prefixes
    before = [tensor.clone() for tensor in held[0].keys]
    both = continued(decoder, [held[0], held[0]], SUFFIXES[:2])
    for row in range(2):
        alone = continued(decoder, [held[0]], [SUFFIXES[row]])[0]
        torch.testing.assert_close(both[row], alone, atol=1e-5, rtol=0)
    assert all(torch.equal(a, b) for a, b in zip(before, held[0].keys, strict=True))
