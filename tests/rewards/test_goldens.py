"""Parity with the official implementations, on weights that anyone can rebuild.

The goldens were computed by the official code; see tests/goldens/README.md.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from support import golden_weights as made

torch = pytest.importorskip("torch")

from support import tiny_models, tiny_tokenizers  # noqa: E402
from support.tiny_shapes import write_vocabulary  # noqa: E402

from aas_bench.rewards import hpsv3, mps  # noqa: E402
from aas_bench.rewards.catalog import REWARDS, load_reward  # noqa: E402

VIT_H = ((1280, 32), (1024, 24))
VIT_L = ((1024, 24), (768, 12))

NAMES = {
    "hps": lambda: made.open_clip_names(768, *VIT_L),
    "hpsv2.1": lambda: made.open_clip_names(1024, *VIT_H),
    "pickscore": lambda: made.clip_names(1024, *VIT_H),
    "clip-l": lambda: made.clip_names(768, *VIT_L),
    "image-reward": made.image_reward_names,
    "blip-l-itm": made.blip_names,
    "mps": made.mps_names,
}
BUFFERS = {"mps": made.mps_buffers}


def test_probe_and_images_are_the_described_ones():
    probe = [[0.91512251, -0.33734295, -0.17723203], [0.7735163, -0.19278771, 0.011241127]]
    np.testing.assert_allclose(made.value("probe", (2, 3)), probe, rtol=1e-6)
    assert made.image_hashes() == made.golden("clip-l")["image_sha256_prefix"]


@pytest.mark.parametrize("name", NAMES)
def test_names_and_shapes_add_up_to_the_published_size(name):
    assert made.count(NAMES[name]()) == made.golden(name)["parameters"]


def assert_pixels(tensors, checks):
    for tensor, check in zip(tensors, checks, strict=True):
        assert list(tensor.shape) == check["shape"]
        assert tensor.double().mean() == pytest.approx(check["mean"], abs=1e-5)
        assert tensor.double().std(correction=0) == pytest.approx(check["std"], abs=1e-5)
        assert tensor.min() == pytest.approx(check["min"], abs=1e-4)
        assert tensor.max() == pytest.approx(check["max"], abs=1e-4)


def score_table(model, pictures, prompts):
    """Every image with every prompt, as the engine does it: encode once, combine all cells."""
    pixels = [model.preprocess(picture) for picture in pictures]
    images, texts = model.encode_images(pixels), model.encode_prompts(prompts)
    cells = [(i, p) for i in range(len(images)) for p in range(len(texts))]
    flat = model.combine([images[i] for i, _ in cells], [texts[p] for _, p in cells])
    return flat.reshape(len(images), len(texts)), pixels, images, texts


@contextmanager
def full_size(name, folder):
    """The adapter on the made-up weights, loaded from a file as official ones are."""
    buffers = BUFFERS.get(name, dict)()
    file = made.write_safetensors(folder / "made-up.safetensors", NAMES[name](), buffers)
    try:
        yield load_reward(name, device="cpu", dtype="float32", weights=file)
    finally:
        file.unlink()
        gc.collect()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hps", "hpsv2.1", "pickscore", "clip-l"])
def test_dual_encoder(name, tmp_path, record_difference):
    golden = made.golden(name)
    with full_size(name, tmp_path) as model:
        scores, pixels, images, texts = score_table(model, made.images(), golden["prompts"])
        assert model.truncated(golden["prompts"]).tolist() == [False, False, False, True]
    assert scores.dtype == np.float64
    checks = golden["checks"]
    assert_pixels(pixels, checks["pixels"])
    np.testing.assert_allclose(images[0][:8], checks["image0_embedding_first8"], atol=1e-5)
    np.testing.assert_allclose(texts[0][:8], checks["prompt0_embedding_first8"], atol=1e-5)
    record_difference(name, np.abs(scores - golden["scores"]).max(), golden["tolerance"])


BLIP_TOKEN = {
    "image-reward": "image0_visual_encoder_token0_first8",
    "blip-l-itm": "image0_vision_token0_first8",
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "cut"), [("image-reward", True), ("blip-l-itm", False)])
def test_blip(name, cut, tmp_path, record_difference):
    golden = made.golden(name)
    write_vocabulary(tmp_path / "vocab.txt")
    with full_size(name, tmp_path) as model:
        # the real vocabulary cannot be had offline: feed the ids that it gives, uncut
        whole = dict(
            zip(golden["prompts"], made.golden("blip-l-itm")["checks"]["token_ids"], strict=True)
        )
        model._tokens = replace(model._tokens, encode=whole.__getitem__)
        ids = [row[: sum(map(bool, row))] for row in golden["checks"]["token_ids"]]
        assert list(model.encode_prompts(golden["prompts"])) == ids
        assert model.truncated(golden["prompts"]).tolist() == [False, False, False, cut]
        scores, pixels, images, _ = score_table(model, made.images(), golden["prompts"])
    assert_pixels(pixels, golden["checks"]["pixels"])
    np.testing.assert_allclose(images[0][0, :8], golden["checks"][BLIP_TOKEN[name]], atol=1e-4)
    record_difference(name, np.abs(scores - golden["scores"]).max(), golden["tolerance"])


@pytest.mark.slow
def test_mps(tmp_path, record_difference):
    golden = made.golden("mps")
    with full_size("mps", tmp_path) as model:
        scores, pixels, _, texts = score_table(model, made.images(), golden["prompts"])
        # the official code ran in half precision, and rounds pixels to it whatever the weights
        rounded = [tensor.half().float() for tensor in pixels]
        images = model.encode_images(rounded)
        official = np.array([model.combine([image] * 4, texts) for image in images])
        ids = [model._tokens.cut(prompt) for prompt in golden["prompts"]]
        padded = model._tokens.padded([*ids, mps.condition_ids()], "cpu")[0].tolist()
        check_mps_probe(model._model, golden["feature_level_probe"])
    checks = golden["checks"]
    assert padded == [*checks["token_ids"], checks["condition_token_ids"]]
    assert_pixels(pixels, checks["pixels"])
    end = torch.nn.functional.normalize(texts[0].end, dim=0)
    np.testing.assert_allclose(end[:8], checks["prompt0_eos_feature_first8"], atol=1e-5)
    unrounded = np.array(golden["variants"]["threshold_0.3_pixels_not_rounded"])
    assert np.abs(scores - unrounded).max() <= golden["tolerance"]
    record_difference("mps", np.abs(official - golden["scores"]).max(), golden["tolerance"])


@pytest.mark.parametrize("layout", ["safetensors", "official"])
@pytest.mark.parametrize("name", ["aesthetic-v2.5", "vqascore", "cycle-reward", "visionreward"])
def test_at_tiny_sizes(name, layout, tmp_path, record_difference):
    """The official classes on few and narrow layers, as the golden lists them."""
    golden = made.golden(name)
    model = tiny_models.TINY[name](tmp_path, layout)
    if name == "cycle-reward":
        # the real vocabulary cannot be had offline: feed the ids that it gives, uncut
        whole = made.golden("blip-l-itm")["checks"]["token_ids"]
        whole = [row[: sum(map(bool, row))] for row in whole]
        known = dict(zip(golden["prompts"], whole, strict=True))
        model._tokens = replace(model._tokens, encode=known.__getitem__)
    scores, *_ = score_table(model, made.images(), golden["prompts"])
    assert np.ptp(golden["scores"]) > 100 * golden["tolerance"]
    record_difference(name, np.abs(scores - golden["scores"]).max(), golden["tolerance"])


def check_mps_probe(network, probe):
    """Made-up features: the mask hides some of them, but nothing on the made-up weights."""

    def normals(name, *shape):
        return torch.from_numpy(made.normals(name, shape).astype(np.float32))

    rising = (torch.arange(77, dtype=torch.float32)[:, None] + 1) / 77
    images = [normals(f"probe.image.{i}", 257, 1024) for i in range(2)]
    texts = [normals(f"probe.text.{j}", 77, 1024) * rising for j in range(2)]
    condition = normals("probe.condition", 77, 1024)
    for threshold, expected in (
        (0.3, probe["scores_threshold_0.3_evaluation_script"]),
        (0.01, probe["scores_threshold_0.01_model_forward"]),
    ):
        prompts = torch.stack(texts)
        kept = mps.kept_tokens(prompts, condition, threshold)
        assert kept.sum(-1).tolist() == [
            probe["kept_tokens"][f"{threshold}/text{j}"] for j in range(2)
        ]
        for i, image in enumerate(images):
            with torch.inference_mode():
                both = network.scores(image.expand(2, -1, -1), prompts[:, 76], prompts, kept)
            np.testing.assert_allclose(both, expected[i], atol=1e-3)


def tiny_hpsv3(folder):
    """The golden's tiny HPSv3, loaded like the real one; prompts become the golden's ids."""
    golden = made.golden("hpsv3-tiny")
    text, vision = dict(golden["config"]["text"]), golden["config"]["vision"]
    made.write_safetensors(folder / "HPSv3.safetensors", made.hpsv3_names(text, vision))
    tiny_tokenizers.qwen().backend_tokenizer.save(str(folder / "tokenizer.json"))
    del text["rope_scaling"]
    text["rope_parameters"] = {
        "rope_type": "default",
        "rope_theta": text.pop("rope_theta"),
        "mrope_section": [4, 6, 6],
    }
    architecture = {"text_config": text, "vision_config": vision}
    settings = {"device": "cpu", "dtype": "float32", "weights": folder}
    model = hpsv3.load(REWARDS["hpsv3"], **settings, architecture=architecture)
    head, tail = hpsv3.chat_ids()
    whole = golden["checks"]["token_ids_before_image_expansion"]
    assert all(row[: len(head)] == head and row[-len(tail) :] == tail for row in whole)
    between = [row[len(head) : -len(tail)] for row in whole]
    spoken = [f" {prompt}\n\n\n\n" for prompt in golden["prompts"]]
    model._encode = dict(zip(spoken, between, strict=True)).__getitem__
    return model, golden


def test_hpsv3(tmp_path, record_difference):
    model, golden = tiny_hpsv3(tmp_path)
    scores, patches, _, _ = score_table(model, made.images(), golden["prompts"])
    checks = golden["checks"]
    assert [[1, p.rows, p.columns] for p in patches] == checks["image_grid_thw"]
    assert_pixels([p.pixels for p in patches], checks["pixels"])
    record_difference("hpsv3", np.abs(scores - golden["scores"]).max(), golden["tolerance"])


def test_hpsv3_with_a_shared_prefix_equals_the_whole_chat_at_once(tmp_path):
    model, golden = tiny_hpsv3(tmp_path)
    image = model.preprocess(made.images()[3])
    prompt = model.encode_prompts(golden["prompts"][2:3])[0]
    ids = [*model._head_with(image.rows * image.columns // 4), *prompt]
    network = model._model
    with torch.inference_mode():
        seen = network.visual(image.pixels, grid_thw=torch.tensor([[1, image.rows, image.columns]]))
        tokens = network.language_model.embed_tokens(torch.tensor([ids]))
        tokens[0, torch.tensor(ids) == hpsv3.IMAGE_PAD] = seen.pooler_output
        whole = network.language_model(
            inputs_embeds=tokens, position_ids=torch.arange(len(ids))[None]
        ).last_hidden_state
        expected = network.rm_head(whole[0, -1])[0].item()
    shared = model.combine(model.encode_images([image]), [prompt])[0]
    assert shared == pytest.approx(expected, abs=1e-5)
    assert shared == pytest.approx(golden["scores"][3][2], abs=golden["tolerance"])
