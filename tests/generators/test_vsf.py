# ruff: noqa: E402 - what needs torch is imported once it is known to be there
from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

from aas_bench.generators.load import load_generator
from aas_bench.generators.settings import ValueSignFlip
from aas_bench.generators.vsf import (
    FlippedAttention,
    encode,
    flipped_values,
    intended_mask,
    published_mask,
)

SIZE = 32
N_IMAGE = 8 * 8  # 32 pixels, VAE factor 2, patches of 2 x 2


@pytest.fixture(scope="module")
def pipe(tiny_folder):
    pipe = diffusers.FluxPipeline.from_pretrained(tiny_folder("FluxPipeline"))
    pipe.set_progress_bar_config(disable=True)
    return pipe


def draw(pipe, **text):
    return pipe(
        num_inference_steps=2,
        height=SIZE,
        width=SIZE,
        generator=torch.Generator().manual_seed(0),
        output_type="np",
        max_sequence_length=24,
        **text,
    ).images


def draw_flipped(pipe, flip):
    text, n_negative = encode(pipe, "a cat", "sharp, bright", flip, 24)
    n_text = text["prompt_embeds"].shape[1]
    with flipped_values(pipe, flip, n_text=n_text, n_negative=n_negative, n_image=N_IMAGE):
        return draw(pipe, **text)


def unbounded(**fields):
    """Infinite offsets are for the invariant only; submissions bound them."""
    return ValueSignFlip.model_construct(published=False, **fields)


def test_offset_to_minus_infinity_is_the_plain_run(pipe):
    plain = draw(pipe, prompt="a cat")
    for scale in (0.0, 2.0):
        flipped = draw_flipped(pipe, unbounded(scale=scale, offset=-torch.inf))
        np.testing.assert_allclose(flipped, plain, atol=2e-6)


def test_a_finite_scale_changes_the_image_and_zero_is_not_neutral(pipe):
    plain = draw(pipe, prompt="a cat")
    images = [draw_flipped(pipe, ValueSignFlip(scale=scale)) for scale in (0.0, 2.0, 4.0)]
    for image in images:
        assert abs(image - plain).max() > 1e-3
    assert abs(images[1] - images[2]).max() > 1e-3


def test_a_lower_offset_approaches_the_plain_run(pipe):
    plain = draw(pipe, prompt="a cat")
    distances = [
        abs(draw_flipped(pipe, ValueSignFlip(scale=2.0, offset=offset)) - plain).max()
        for offset in (0.0, -2.0, -6.0)
    ]
    assert distances == sorted(distances, reverse=True)


def test_restoring_the_processors_restores_the_image_bit_for_bit(pipe):
    stock = dict(pipe.transformer.attn_processors)
    plain = draw(pipe, prompt="a cat")
    draw_flipped(pipe, ValueSignFlip(scale=2.0))
    with (
        pytest.raises(RuntimeError, match="mid-run"),
        flipped_values(pipe, ValueSignFlip(scale=2.0), n_text=9, n_negative=3, n_image=4),
    ):
        raise RuntimeError("mid-run")
    assert pipe.transformer.attn_processors == stock
    np.testing.assert_array_equal(draw(pipe, prompt="a cat"), plain)


@pytest.mark.parametrize(("published", "kinds"), [(False, 2), (True, 1)])
def test_which_blocks_are_changed(pipe, published, kinds):
    flip = ValueSignFlip(scale=2.0, published=published)
    with flipped_values(pipe, flip, n_text=9, n_negative=3, n_image=4):
        changed = [
            name
            for name, processor in pipe.transformer.attn_processors.items()
            if isinstance(processor, FlippedAttention)
        ]
    assert len(changed) == kinds
    assert all(name.startswith("transformer_blocks") for name in changed[:1])


def test_published_differs_from_intended_and_leaves_the_first_prompt_vector(pipe):
    intended = ValueSignFlip(scale=2.0)
    published = ValueSignFlip(scale=2.0, published=True)
    assert abs(draw_flipped(pipe, intended) - draw_flipped(pipe, published)).max() > 1e-3
    pooled = {
        name: pipe.encode_prompt(prompt=text, prompt_2=text, max_sequence_length=24)[1]
        for name, text in (("positive", "a cat"), ("negative", "sharp, bright"))
    }
    expected = pooled["negative"] + 1.1 * (pooled["positive"] - pooled["negative"])
    torch.testing.assert_close(
        encode(pipe, "a cat", "sharp, bright", published, 24)[0]["pooled_prompt_embeds"], expected
    )


P, N, IMAGE = 4, 2, 7


def kind_of(position):
    """Which part a position of P, N, I, N' belongs to."""
    ends = {"P": P, "N": P + N, "I": P + N + IMAGE, "flipped": P + 2 * N + IMAGE}
    return next(name for name, end in ends.items() if position < end)


def test_the_intended_mask_cell_by_cell():
    seen = {
        ("P", "P"): 0.0,
        ("P", "I"): 0.0,
        ("N", "N"): 0.0,
        ("N", "I"): 0.0,
        ("I", "P"): 0.0,
        ("I", "I"): 0.0,
        ("I", "flipped"): -0.5,
    }
    mask = intended_mask(P, N, IMAGE, -0.5)
    assert mask.shape == (P + N + IMAGE, P + N + IMAGE + N)
    for row in range(mask.shape[0]):
        for column in range(mask.shape[1]):
            expected = seen.get((kind_of(row), kind_of(column)), -np.inf)
            assert mask[row, column] == expected, (row, column)


def test_the_published_mask_cell_by_cell():
    mask = published_mask(P, N, IMAGE)
    text = P + N
    for row in range(mask.shape[0]):
        for column in range(mask.shape[1]):
            hidden = (
                (kind_of(row) == "N" and column < text)
                or (row < text and text <= column < text + N)
                or (row < text + N and text + N <= column < text + 2 * N)
            )
            assert mask[row, column] == (-np.inf if hidden else 0.0), (row, column)


class PlainProjections:
    """Attention without weights: queries, keys and values are the tokens themselves."""

    head_dim = 3

    @staticmethod
    def same(tensor):
        return tensor

    to_q = to_k = to_v = norm_q = norm_k = same


def test_attention_is_a_softmax_over_keys_with_flipped_copies_of_n():
    rng = np.random.default_rng(0)
    tokens = rng.normal(size=(P + N + IMAGE, 3))
    mask = intended_mask(P, N, IMAGE, -0.5).numpy()
    expected = []
    for i, query in enumerate(tokens):
        keys = [*tokens, *tokens[P : P + N]]
        values = [*tokens, *(-1.5 * tokens[P : P + N])]
        weights = [np.exp(query @ key / np.sqrt(3) + mask[i, j]) for j, key in enumerate(keys)]
        summed = sum(w * value for w, value in zip(weights, values, strict=True))
        expected.append(summed / sum(weights))
    processor = FlippedAttention(
        negative=slice(P, P + N), scale=1.5, mask=torch.from_numpy(mask).double()
    )
    got = processor(PlainProjections, torch.from_numpy(tokens)[None])[0]
    np.testing.assert_allclose(got.numpy(), np.array(expected), rtol=1e-10)


def test_a_submission_with_value_sign_flip(tiny_submission, requests_for):
    submission = tiny_submission("FluxPipeline", distorted={"vsf": {"scale": 4.0}})
    generator = load_generator(submission, device="cpu", batch_size=4)
    plain = tiny_submission("FluxPipeline")
    reference = load_generator(plain, device="cpu", batch_size=1)

    def image(each, outcomes):
        return [np.asarray(outcome.image) for outcome in outcomes]

    original = image(0, generator.generate(requests_for(submission, ["a cat"])))
    expected = image(0, reference.generate(requests_for(plain, ["a cat"])))
    np.testing.assert_array_equal(original, expected)
    flipped = generator.generate(
        requests_for(
            submission, ["a cat", "a dog"], variant="distorted", negative_prompt="sharp, bright"
        )
    )
    assert [outcome.provenance["batch"] for outcome in flipped] == [1, 1]
    assert abs(image(0, flipped)[0].astype(int) - original[0]).max() > 1
    (missing,) = generator.generate(requests_for(submission, ["a cat"], variant="distorted"))
    assert (missing.status, missing.image) == ("failed", None)
    assert "needs a negative prompt" in missing.reason
