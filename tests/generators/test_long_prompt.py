# ruff: noqa: E402 - what needs torch is imported once it is known to be there
from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

from aas_bench.generators import long_prompt
from aas_bench.generators.load import load_generator

NAME = "StableDiffusionXLPipeline"


@pytest.fixture
def draw(tiny_submission, requests_for):
    def images(prompts, *, batch_size=1, **settings):
        submission = tiny_submission(NAME, settings={"guidance_scale": 5.0, **settings})
        generator = load_generator(submission, device="cpu", batch_size=batch_size)
        # One index for all, so that only the prompts differ.
        requests = [requests_for(submission, [prompt])[0] for prompt in prompts]
        outcomes = generator.generate(requests)
        return [np.asarray(outcome.image).astype(int) for outcome in outcomes]

    return images


@pytest.mark.parametrize("negative", [None, "", "grey"])
def test_a_prompt_that_fits_is_drawn_as_without_chaining(draw, negative):
    for prompt in ("", "a cat", "a (cat:1.5) with a hat++"):
        chained = draw([prompt], long_prompt=True, negative_prompt=negative)
        plain = draw([prompt], negative_prompt=negative)
        assert abs(chained[0] - plain[0]).max() <= 1


def test_what_comes_after_77_tokens_counts_only_when_chained(draw):
    prompts = ["a cat " * 20 + tail for tail in ("in fog", "in sun")]
    cut = draw(prompts)
    np.testing.assert_array_equal(cut[0], cut[1])
    chained = draw(prompts, long_prompt=True)
    assert not np.array_equal(chained[0], chained[1])


def test_prompts_of_unlike_length_do_not_touch_each_other(draw):
    prompts = ["a cat", "a cat " * 20, "a dog", "a dog " * 40]
    alone = draw(prompts, long_prompt=True)
    together = draw(prompts, long_prompt=True, batch_size=4)
    for one, other in zip(alone, together, strict=True):
        assert abs(one - other).max() <= 1


def test_embeddings_are_the_chunks_one_after_another(tiny_folder):
    pipe = diffusers.StableDiffusionXLPipeline.from_pretrained(tiny_folder(NAME))
    first, second = "x" * 75, "y" * 30
    whole = long_prompt.encode(pipe, [f"{first} {second}"], "")
    parts = [long_prompt.encode(pipe, [part], "") for part in (first, second)]
    torch.testing.assert_close(
        whole["prompt_embeds"], torch.cat([part["prompt_embeds"] for part in parts], dim=1)
    )
    torch.testing.assert_close(whole["pooled_prompt_embeds"], parts[0]["pooled_prompt_embeds"])
    empty = long_prompt.encode(pipe, [""], "")["prompt_embeds"]
    torch.testing.assert_close(whole["negative_prompt_embeds"], empty.repeat(1, 2, 1))
