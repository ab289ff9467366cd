"""Pixel tensors against the libraries whose published behaviour they reproduce."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

torch = pytest.importorskip("torch")

from torchvision import transforms  # noqa: E402
from torchvision.transforms import functional  # noqa: E402
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil  # noqa: E402
from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize  # noqa: E402
from transformers.models.siglip.image_processing_pil_siglip import (  # noqa: E402
    SiglipImageProcessorPil,
)

from aas_bench.rewards import hpsv3  # noqa: E402
from aas_bench.rewards.pixels import (  # noqa: E402
    CLIP_MEAN,
    CLIP_STD,
    HALF,
    ImageTransform,
    without_far_ends,
)

SIZES = [(97, 64), (300, 200), (224, 224), (640, 481), (33, 900), (225, 224), (224, 1000)]


def noise(width, height):
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("size", SIZES)
def test_crop_is_torchvisions_on_pillow(size):
    theirs = transforms.Compose(
        [
            transforms.Resize(224, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(CLIP_MEAN, CLIP_STD),
        ]
    )
    ours = ImageTransform(size=224, fit="crop")(noise(*size))
    torch.testing.assert_close(ours, theirs(noise(*size)), atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", SIZES)
def test_crop_floor_is_transformers_on_pillow(size):
    theirs = CLIPImageProcessorPil()(noise(*size), return_tensors="pt")["pixel_values"][0]
    ours = ImageTransform(size=224, fit="crop-floor")(noise(*size))
    torch.testing.assert_close(ours, theirs, atol=2e-6, rtol=0)


@pytest.mark.parametrize("size", SIZES)
def test_squash_is_siglips_on_pillow(size):
    processor = SiglipImageProcessorPil(
        size={"height": 64, "width": 64}, resample=2, image_mean=HALF, image_std=HALF
    )
    theirs = processor(noise(*size), return_tensors="pt")["pixel_values"][0]
    ours = ImageTransform(size=64, fit="squash", resample="bilinear", mean=HALF, std=HALF)
    torch.testing.assert_close(ours(noise(*size)), theirs, atol=2e-6, rtol=0)


@pytest.mark.parametrize("size", SIZES)
def test_pad_is_torchvisions_antialiased_tensor_resize(size):
    image = functional.to_tensor(noise(*size))
    scale = 224 / max(size)
    height, width = round(size[1] * scale), round(size[0] * scale)
    resized = functional.resize(
        image, [height, width], transforms.InterpolationMode.BICUBIC, antialias=True
    )
    left, top = (224 - width) // 2, (224 - height) // 2
    padded = functional.pad(resized, [left, top, 224 - width - left, 224 - height - top])
    theirs = functional.normalize(padded, CLIP_MEAN, CLIP_STD)
    ours = ImageTransform(size=224, fit="pad")(noise(*size))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_pad_also_pads_what_is_already_of_the_right_length():
    ours = ImageTransform(size=224, fit="pad", mean=(0, 0, 0), std=(1, 1, 1))(noise(224, 100))
    assert ours.shape == (3, 224, 224)
    assert ours[:, :62].abs().max() == 0
    torch.testing.assert_close(ours[:, 62:162], functional.to_tensor(noise(224, 100)))


def test_a_strip_cannot_fill_the_memory():
    kept = without_far_ends(Image.new("RGB", (50_000, 3)))
    assert kept.size == (300, 3)
    assert without_far_ends(Image.new("RGB", (2, 5_000))).size == (2, 200)
    assert without_far_ends(Image.new("RGB", (200, 2))).size == (200, 2)
    assert ImageTransform(size=224, fit="crop")(Image.new("RGB", (50_000, 1))).shape[1:] == (
        224,
        224,
    )


def qwens(width, height):
    return smart_resize(height, width, 28, min_pixels=hpsv3.PIXELS, max_pixels=hpsv3.PIXELS)[::-1]


def test_hpsv3_squares_are_qwens_to_the_last_bit():
    for side in range(1, 2500):
        assert hpsv3.resized(side, side) == qwens(side, side)
    assert hpsv3.resized(1024, 1024) == (448, 448)
    assert hpsv3.resized(768, 768) == (420, 420)


@given(st.integers(1, 3000), st.integers(1, 3000))
@settings(deadline=None, max_examples=300)
def test_hpsv3_sizes_are_qwens(width, height):
    if max(width, height) / min(width, height) > 200:  # theirs refuses these
        return
    assert hpsv3.resized(width, height) == qwens(width, height)
