from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from support.toy_pairs import encoded

from aas_bench.errors import BackendError
from aas_bench.generators.image_checks import accept_image, image_from_bytes, image_from_pixels


def noise(width=8, height=6, channels=3):
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 255, (height, width, channels), dtype=np.uint8))


def test_a_picture_passes_unchanged():
    image = noise()
    assert accept_image(image, size=(8, 6)) is image
    assert accept_image(image, size=None) is image


@pytest.mark.parametrize(
    ("image", "size", "reason"),
    [
        (noise(), (6, 8), r"8 x 6 pixels, not 6 x 8\. Ask for the size"),
        (noise().convert("L"), None, r"is L, not RGB\. Convert it"),
        (noise(channels=4), None, r"is RGBA, not RGB"),
        (Image.new("RGB", (8, 8), (0, 0, 255)), None, r"colour \(0, 0, 255\)\. It is not a pic"),
        (Image.new("RGB", (8, 8)), None, r"colour \(0, 0, 0\)"),
    ],
)
def test_what_is_no_picture_is_refused(image, size, reason):
    with pytest.raises(BackendError, match=reason):
        accept_image(image, size=size)


def test_one_pixel_of_another_colour_makes_a_picture():
    image = Image.new("RGB", (8, 8), (0, 0, 255))
    image.putpixel((3, 4), (0, 1, 255))
    assert accept_image(image, size=None) is image


def test_floats_are_rounded_to_the_nearest_level():
    pixels = np.array([[[0.0, 1.0, 0.5], [0.001, 0.999, 1 / 255]]], dtype=np.float32)
    assert np.asarray(image_from_pixels(pixels)).tolist() == [[[0, 255, 128], [0, 255, 1]]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_floats_that_are_not_finite_are_refused(value):
    pixels = np.full((2, 2, 3), 0.5)
    pixels[0, 0] = value
    with pytest.raises(BackendError, match=r"25% of the pixel values are not finite\. Use bf"):
        image_from_pixels(pixels)


def test_bytes_of_every_usual_kind_become_rgb():
    image = noise(32, 32)
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True})):
        np.testing.assert_array_equal(image_from_bytes(encoded(image, kind, **options)), image)
    assert image_from_bytes(encoded(image, "JPEG")).mode == "RGB"
    assert image_from_bytes(encoded(image.convert("L"))).mode == "RGB"
    opaque = image.copy()
    opaque.putalpha(255)
    np.testing.assert_array_equal(image_from_bytes(encoded(opaque)), image)


def test_bytes_that_are_cut_short_or_no_image_may_be_asked_for_again():
    whole = encoded(noise(64, 64))
    for data in (b"", b"<html>busy</html>", whole[: len(whole) // 2], whole[:-30]):
        with pytest.raises(BackendError, match="no complete image") as caught:
            image_from_bytes(data)
        assert caught.value.retryable


def test_transparency_is_not_painted_over():
    with pytest.raises(BackendError, match=r"partly transparent\. Ask for an opaque"):
        image_from_bytes(encoded(noise(channels=4)))


def test_a_decompression_bomb_is_not_decoded(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(BackendError, match="no complete image of a sane size"):
        image_from_bytes(encoded(noise(16, 9)))
