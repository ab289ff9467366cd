"""Parity with the official implementations, on weights that anyone can rebuild.

The goldens were computed by the official code; see tests/goldens/README.md.
"""

from __future__ import annotations

import gc

import numpy as np
import pytest
from support import golden_weights as made

torch = pytest.importorskip("torch")

from aas_bench.rewards.catalog import load_reward  # noqa: E402

VIT_H = ((1280, 32), (1024, 24))
VIT_L = ((1024, 24), (768, 12))

NAMES = {
    "hps": lambda: made.open_clip_names(768, *VIT_L),
    "hpsv2.1": lambda: made.open_clip_names(1024, *VIT_H),
    "pickscore": lambda: made.clip_names(1024, *VIT_H),
    "clip-l": lambda: made.clip_names(768, *VIT_L),
}


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


@pytest.fixture(scope="module", params=list(NAMES))
def dual(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden")
    file = made.write_safetensors(folder / "made-up.safetensors", NAMES[request.param]())
    model = load_reward(request.param, device="cpu", dtype="float32", weights=file)
    yield request.param, model
    del model
    gc.collect()
    file.unlink()


@pytest.mark.slow
def test_dual_encoder(dual, record_difference):
    name, model = dual
    golden = made.golden(name)
    scores, pixels, images, texts = score_table(model, made.images(), golden["prompts"])
    assert scores.dtype == np.float64
    assert_pixels(pixels, golden["checks"]["pixels"])
    np.testing.assert_allclose(
        images[0][:8], golden["checks"]["image0_embedding_first8"], atol=1e-5
    )
    np.testing.assert_allclose(
        texts[0][:8], golden["checks"]["prompt0_embedding_first8"], atol=1e-5
    )
    record_difference(name, np.abs(scores - golden["scores"]).max(), golden["tolerance"])
