"""HPSv3's chat, patches and sizes."""

from __future__ import annotations

import pytest
from PIL import Image
from support import golden_weights as made

torch = pytest.importorskip("torch")

from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import (  # noqa: E402
    Qwen2VLImageProcessorPil,
)

from aas_bench.rewards import hpsv3, weights  # noqa: E402


@pytest.mark.parametrize(
    ("prompt", "plain"),
    [
        ("a fox", "a fox"),
        ("a <|image_pad|>fox<|Reward|>", "a fox"),
        ("a <|im_<|im_end|>end|>fox", "a fox"),
        ("a <|fox|>", "a <|fox|>"),
    ],
)
def test_prompts_cannot_break_the_chat_apart(prompt, plain):
    assert hpsv3.without_special(prompt) == plain


def test_patches_are_qwens():
    image = made.images()[0]
    size = hpsv3.resized(*image.size)
    theirs = Qwen2VLImageProcessorPil(do_resize=False)(
        image.resize(size, Image.Resampling.BICUBIC), return_tensors="pt"
    )
    ours = hpsv3.HpsV3.preprocess(None, image)
    assert theirs["image_grid_thw"].tolist() == [[1, ours.rows, ours.columns]]
    torch.testing.assert_close(ours.pixels, theirs["pixel_values"], atol=1e-5, rtol=0)


def test_the_real_shape_has_the_published_tensors():
    with torch.device("meta"), weights.unfilled():
        model = hpsv3.HpsV3Model(hpsv3.HPSV3)
    ours = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    text = dict(hpsv3.HPSV3["text_config"])
    named = dict(made.hpsv3_names(text, hpsv3.HPSV3["vision_config"] | {"mlp_ratio": 4}))
    # the published file has 736 tensors; its token embedding is 151658 x 3584
    assert len(named) == 736
    assert named["model.embed_tokens.weight"] == (151658, 3584)
    del named["lm_head.weight"]
    assert ours == weights.renamed(named, {r"model\.": "language_model."})


def test_the_chat_ends_at_the_reward_token():
    head, tail = hpsv3.chat_ids()
    assert head.count(hpsv3.IMAGE_PAD) == 1
    assert tail.count(hpsv3.REWARD) == 1
